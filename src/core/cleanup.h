/* SPDX-License-Identifier: MIT
 *
 * cleanup.h - the cleanups of a coroutine or a task, run when it is ended from
 * outside, or by weft_exit().
 */
#ifndef WEFT_CORE_CLEANUP_H
#define WEFT_CORE_CLEANUP_H

#include <weft/coroutine.h>

/** Runs and takes off all, newest first. Their frames must be in place. One
 * that ends the task leaves the others for weft_exit() to run. */
void weft__cleanup_run(weft_cleanup **head);

#endif
