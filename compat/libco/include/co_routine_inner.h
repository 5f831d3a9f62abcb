/* SPDX-License-Identifier: MIT
 *
 * co_routine_inner.h - what programs written for Tencent's libco use of its inner interface.
 * Its structures are not here: nothing can be read or written behind the interface's back.
 */
#ifndef WEFT_COMPAT_LIBCO_CO_ROUTINE_INNER_H
#define WEFT_COMPAT_LIBCO_CO_ROUTINE_INNER_H

#include "co_routine.h"
#include "coctx.h"

/** What a thread has for its coroutines. */
struct stCoRoutineEnv_t;

/** Makes the calling thread's, if it has none. */
void co_init_curr_thread_env();
/** The calling thread's, or NULL. */
stCoRoutineEnv_t *co_get_curr_thread_env();
/** co_yield_ct(). */
void co_yield_env(stCoRoutineEnv_t *env);
/** co_release(). */
void co_free(stCoRoutine_t *co);
/** co_self(). */
stCoRoutine_t *GetCurrThreadCo();
stCoRoutine_t *GetCurrCo(stCoRoutineEnv_t *env);

#endif
