/* SPDX-License-Identifier: MIT
 *
 * environ.c - environment variables that each coroutine has for itself: getenv, setenv and
 * unsetenv of names that co_set_env_list() has told, while hooks are on for the caller.
 *
 * Such a variable is not set in a coroutine until that sets it: the process's is not seen.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/fault.h>

#include "co.h"

#define HOOK __attribute__((visibility("default")))

/* The names; written once, before there are coroutines to read them. */
static struct {
	size_t count;
	char **names;
} listed;

/** A coroutine's values, in the order of the names. */
struct co_environ {
	size_t count;
	char *values[];
};

void weft__co_set_env_list(const char *const *names, size_t count)
{
	if (listed.names || !count)
		return;
	listed.names = calloc(count, sizeof(*listed.names));
	for (size_t i = 0; listed.names && i < count; i++) {
		char *copy = names[i] && names[i][0] ? strdup(names[i]) : NULL;

		if (copy)
			listed.names[listed.count++] = copy;
	}
}

void weft__co_environ_free(struct co_environ *environ)
{
	for (size_t i = 0; environ && i < environ->count; i++)
		free(environ->values[i]);
	free(environ);
}

/* The place of a name's value in the calling coroutine; NULL: it has none of its own. */
static char **own_value(const char *name)
{
	struct stCoRoutine_t *co;
	size_t i;

	if (likely(!listed.count) || !name)
		return NULL;
	co = weft__co_running_hooked();
	if (!co)
		return NULL;
	for (i = 0; i < listed.count && strcmp(listed.names[i], name) != 0; i++)
		;
	if (i == listed.count)
		return NULL;
	if (!co->environ) {
		co->environ = weft__calloc(
			1, sizeof(*co->environ) + listed.count * sizeof(co->environ->values[0]));
		if (!co->environ)
			return NULL;
		co->environ->count = listed.count;
	}
	return &co->environ->values[i];
}

/* --- libc's -------------------------------------------------------------------------------- */

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort(); /* a libc without it */
	return found;
}

/* libc reads the same list, and dlsym() itself may want a variable: no need to ask. */
static char *real_getenv(const char *name)
{
	size_t length = strlen(name);

	for (char **at = environ; at && *at && length; at++)
		if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
			return *at + length + 1;
	return NULL;
}

static int real_setenv(const char *name, const char *value, int overwrite)
{
	static int (*real)(const char *, const char *, int);

	if (!real)
		*(void **)&real = next("setenv");
	return real(name, value, overwrite);
}

static int real_unsetenv(const char *name)
{
	static int (*real)(const char *);

	if (!real)
		*(void **)&real = next("unsetenv");
	return real(name);
}

/* --- the hooks ------------------------------------------------------------------------------ */

HOOK char *getenv(const char *name)
{
	char **own = own_value(name);

	return own ? *own : real_getenv(name);
}

HOOK int setenv(const char *name, const char *value, int overwrite)
{
	char **own = own_value(name);
	char *copy;

	if (!own)
		return real_setenv(name, value, overwrite);
	if (*own && !overwrite)
		return 0;
	copy = strdup(value);
	if (!copy)
		return -1; /* errno is strdup's */
	free(*own);
	*own = copy;
	return 0;
}

HOOK int unsetenv(const char *name)
{
	char **own = own_value(name);

	if (!own)
		return real_unsetenv(name);
	free(*own);
	*own = NULL;
	return 0;
}
