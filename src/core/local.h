/* SPDX-License-Identifier: MIT
 *
 * local.h - the values that a task, or a thread that is none, has of its own: what the core's
 * ends of tasks and threads must call.
 */
#ifndef WEFT_CORE_LOCAL_H
#define WEFT_CORE_LOCAL_H

#include <base/compiler.h>

struct task;

/** Destroys the values of the calling task, on it; may wait, and may be left by a jump or by
 * another end of the task, which calls it again. */
void weft__local_task_end(struct task *self);

/** The same of the calling thread, when that is no task, or the main task of its own runtime. */
void weft__local_thread_end(void);

#endif
