/* SPDX-License-Identifier: MIT
 *
 * weft/hook.h - libc's blocking calls, replaced so that they park the task.
 *
 * Link libweft-hook (or preload it) and the calls listed in docs/hooks.md
 * behave exactly as libc's do, but inside a task they park that task and not
 * its thread. Outside a task they are libc's.
 */
#ifndef WEFT_HOOK_H
#define WEFT_HOOK_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/** Hooks on for the calling task (the default). 0, or -EPERM outside a task. */
WEFT_API int weft_hook_enable(void);
/** Hooks off for the calling task: its calls block the thread. 0 or -EPERM. */
WEFT_API int weft_hook_disable(void);
/** 1 when libweft-hook is in the process and on for the calling task. */
WEFT_API int weft_hook_enabled(void);

WEFT_END_DECLS

#endif
