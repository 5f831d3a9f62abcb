/* SPDX-License-Identifier: MIT
 *
 * once_call.c - an initialiser that may end by an exception of C++. Built with -fexceptions.
 *
 * That takes two functions of libgcc_s, which is there whenever somebody throws; to libraries
 * that it is not needed for it must not be added. So they are wanted where they are found.
 */
#undef _FORTIFY_SOURCE
#include <hook/once.h>

/* pthread.h does not declare them with -fexceptions. */
void __pthread_register_cancel(__pthread_unwind_buf_t *buf);
void __pthread_unregister_cancel(__pthread_unwind_buf_t *buf);

__asm__(".weak _Unwind_Resume\n\t.weak __gcc_personality_v0");

/* However fn() ends, the frame of buf will be gone. */
static void leave(struct making **making)
{
	__pthread_unregister_cancel(&(*making)->buf);
	weft__once_abandon(*making);
}

void weft__once_call(void (*fn)(void), struct making *making)
{
	struct making *guard __attribute__((cleanup(leave))) = making;

	__pthread_register_cancel(&making->buf);
	fn();
	guard->settled = true;
}
