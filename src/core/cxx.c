/* SPDX-License-Identifier: MIT
 *
 * cxx.c - see cxx.h.
 */
#include <dlfcn.h>

#include <core/cxx.h>

/* Weak: libweft needs no C++ runtime. */
extern void *__cxa_get_globals(void) __attribute__((weak));

static void *(*get_globals)(void);

/* One that comes with a plugin later is found by the next runtime that begins. */
bool weft__cxx_present(void)
{
	if (!get_globals)
		get_globals = __cxa_get_globals;
	if (!get_globals)
		*(void **)&get_globals = dlsym(RTLD_DEFAULT, "__cxa_get_globals");
	return get_globals != NULL;
}

noinline bool weft__cxx_take(struct cxx_globals *ret_globals)
{
	struct cxx_globals *globals = get_globals();

	if (likely(!globals->caught && !globals->uncaught))
		return false;
	*ret_globals = *globals;
	*globals = (struct cxx_globals){ 0 };
	return true;
}

noinline void weft__cxx_put(const struct cxx_globals *globals)
{
	*(struct cxx_globals *)get_globals() = *globals;
}
