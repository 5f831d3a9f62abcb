/* SPDX-License-Identifier: MIT
 *
 * resolver.c - a resolver state (_res of resolv.h) for each hooked coroutine: libc's is the
 * thread's, and a coroutine that waits would leave it to others. It begins as zeros: res_init()
 * fills it in, as for a thread.
 */
#include <dlfcn.h>
#include <resolv.h>
#include <stdlib.h>

#include <base/fault.h>

#include "co.h"

#define HOOK __attribute__((visibility("default")))

static struct __res_state *of_thread(void)
{
	static struct __res_state *(*real)(void);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "__res_state");
	return real();
}

HOOK struct __res_state *__res_state(void)
{
	struct stCoRoutine_t *co = weft__co_running_hooked();

	if (!co)
		return of_thread();
	if (!co->resolver)
		co->resolver = weft__calloc(1, sizeof(struct __res_state));
	return co->resolver ? co->resolver : of_thread();
}
