/* SPDX-License-Identifier: MIT
 *
 * untraced.h - what the sources under test call of the trace. For one file of a program.
 */
#ifndef WEFT_TESTS_MODEL_UNTRACED_H
#define WEFT_TESTS_MODEL_UNTRACED_H

#include <core/trace.h>

/* Nothing is recorded: weft__thread.trace is NULL. */
bool weft__trace_ready(struct task *task)
{
	(void)task;
	return false;
}

void weft__trace_put(struct trace_ring *ring, uint64_t what, uint64_t task, uint64_t arg)
{
	(void)ring, (void)what, (void)task, (void)arg;
}

#endif
