/* SPDX-License-Identifier: MIT
 *
 * call_timer.h - a timer that calls a function, armed by a task (struct call_timer, timer.h).
 *
 * In a runtime of several workers any of them may call it, under the lock of the wheel that it
 * is in; so once it has been cancelled, it neither is being called nor will be.
 */
#ifndef WEFT_CORE_CALL_TIMER_H
#define WEFT_CORE_CALL_TIMER_H

#include <core/timer.h>

/** Arms it for @when_ns; fn is set, the rest was zeroed once. It must not be armed. In a task. */
void weft__call_timer_arm(struct call_timer *call, int64_t when_ns);

/** Disarms it; does nothing when it has fired or never was armed. By a task of the runtime that
 * it was armed in; or later, by anyone, when that has ended. Without a lock that fn takes. */
void weft__call_timer_cancel(struct call_timer *call);

#endif
