/* SPDX-License-Identifier: MIT
 *
 * weft/hook.h - libc's blocking calls, replaced so that they park the task.
 *
 * Link libweft-hook (or preload it) and the calls listed in docs/hooks.md
 * behave exactly as libc's do, but inside a task they park that task and not
 * its thread. Outside a task they are libc's.
 *
 * Where nothing else is said: any thread, for its calling task; not a cancellation point; not
 * async-signal-safe.
 */
#ifndef WEFT_HOOK_H
#define WEFT_HOOK_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/**
 * weft_hook_enable - hooks on for the calling task, as they are by default
 *
 * Return: 0, -EPERM (outside of a task).
 */
WEFT_API int weft_hook_enable(void);

/**
 * weft_hook_disable - hooks off for the calling task: its calls block the thread
 *
 * Return: 0, -EPERM (outside of a task).
 */
WEFT_API int weft_hook_disable(void);

/**
 * weft_hook_enabled - ask whether the calling task's libc calls park it
 *
 * Return: 1 when libweft-hook is in the process and on for the calling task, else 0.
 */
WEFT_API int weft_hook_enabled(void);

WEFT_END_DECLS

#endif
