/* SPDX-License-Identifier: MIT
 *
 * crew_cxx.cc - exceptions of C++ belong to the task: while one is being handled the task
 * may wait, others on its thread may throw and catch their own, and it may go on in another
 * thread.
 */
#include <exception>
#include <stdexcept>
#include <string>

#include <weft/weft.h>

#include "../test.h"

namespace
{

int pauses;

/* In a destructor that an exception runs: it is on its way meanwhile. */
struct waits_on_unwind {
	int *waited;

	~waits_on_unwind()
	{
		int before = std::uncaught_exceptions();

		CHECK_EQ(before, 1);
		CHECK_EQ(weft_sleep(50000), 0);
		CHECK_EQ(std::uncaught_exceptions(), before);
		++*waited;
	}
};

void pause(int i)
{
	__atomic_fetch_add(&pauses, 1, __ATOMIC_RELAXED);
	CHECK_EQ(i % 3 ? weft_task_yield() : weft_sleep(i % 7 * 10000), 0);
}

int juggle(void *arg)
{
	std::string mine = "task " + std::to_string(reinterpret_cast<long>(arg));
	int waited = 0;

	for (int i = 0; i < 100; i++) {
		try {
			waits_on_unwind guard = { &waited };
			throw std::runtime_error(mine);
		} catch (const std::runtime_error &outer) {
			pause(i);
			try {
				throw std::out_of_range(mine + " inner");
			} catch (const std::out_of_range &inner) {
				pause(i + 1);
				CHECK(mine + " inner" == inner.what());
			}
			pause(i + 2);
			CHECK(mine == outer.what());
			CHECK(std::current_exception() != nullptr);
			try {
				throw; /* the outer one: it is the innermost that is handled */
			} catch (const std::exception &again) {
				CHECK(mine == again.what());
			}
		}
		CHECK(std::current_exception() == nullptr);
	}
	CHECK_EQ(waited, 100);
	return 0;
}

int spawn_jugglers(void *arg)
{
	weft_attr attr = weft_attr();
	weft_task *tasks[24];

	for (long i = 0; i < 24; i++) {
		attr.flags = arg ? (i % 2 ? WEFT_MIGRATE : WEFT_SPREAD) : 0;
		CHECK_EQ(weft_spawn(&tasks[i], &attr, juggle, reinterpret_cast<void *>(i)), 0);
	}
	for (long i = 0; i < 24; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, nullptr), 0);
	return 0;
}

} // namespace

TEST(crew_cxx, exceptions_of_tasks_on_one_thread)
{
	CHECK_EQ(weft_run(1, spawn_jugglers, nullptr, nullptr), 0);
	CHECK_EQ(pauses, 24 * 300);
}

TEST(crew_cxx, exceptions_move_with_their_task)
{
	CHECK_EQ(weft_run(3, spawn_jugglers, &pauses, nullptr), 0);
	CHECK_EQ(pauses, 24 * 300);
}
