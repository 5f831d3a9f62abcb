/* SPDX-License-Identifier: MIT
 *
 * cxx.c - see cxx.h.
 */
#include <dlfcn.h>
#include <stdatomic.h>

#include <core/cxx.h>

/* Weak: libweft needs no C++ runtime. */
extern void *__cxa_get_globals(void) __attribute__((weak));

typedef void *getter(void);

/* relaxed: it is always the same, whoever finds it */
static _Atomic(getter *) found;

static struct cxx_globals *get_globals(void)
{
	return atomic_load_explicit(&found, memory_order_relaxed)();
}

/* One that comes with a plugin later is found by the next runtime that begins. */
bool weft__cxx_present(void)
{
	getter *get = __cxa_get_globals;

	if (!get)
		*(void **)&get = dlsym(RTLD_DEFAULT, "__cxa_get_globals");
	if (get)
		atomic_store_explicit(&found, get, memory_order_relaxed);
	return get != NULL;
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
	*get_globals() = *globals;
}
