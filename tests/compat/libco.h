/* SPDX-License-Identifier: MIT
 *
 * libco.h - what the tests of libco's interface begin with.
 */
#ifndef WEFT_TESTS_COMPAT_LIBCO_H
#define WEFT_TESTS_COMPAT_LIBCO_H

#include <string>

#include "co_routine.h"
#include "co_routine_inner.h"
#include "test.h"

namespace
{

std::string trace;
int finished;

/* Made, and run until it gives way. */
inline stCoRoutine_t *start(pfn_co_routine_t routine, void *arg = NULL)
{
	stCoRoutine_t *co = NULL;

	CHECK_EQ(co_create(&co, NULL, routine, arg), 0);
	co_resume(co);
	return co;
}

inline int are_finished(void *count)
{
	return finished >= *(int *)count ? -1 : 0;
}

/* The loop, until so many have said that they are. */
inline void loop_until_finished(int count)
{
	co_eventloop(co_get_epoll_ct(), are_finished, &count);
}

} // namespace

#endif
