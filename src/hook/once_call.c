/* SPDX-License-Identifier: MIT
 *
 * once_call.c - an initialiser that may end by an exception of C++. Built with -fexceptions.
 *
 * That takes two functions of libgcc_s, which is there whenever somebody throws; to libraries
 * that it is not needed for it must not be added. So they are wanted where they are found.
 */
#include <hook/once.h>

__asm__(".weak _Unwind_Resume\n\t.weak __gcc_personality_v0");

static void leave(struct making **making)
{
	weft__once_abandon(*making);
}

void weft__once_call(void (*fn)(void), struct making *making)
{
	struct making *guard __attribute__((cleanup(leave))) = making;

	fn();
	guard->settled = true;
}
