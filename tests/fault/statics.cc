/* SPDX-License-Identifier: MIT
 *
 * statics.cc - variables of functions whose constructors wait: whoever comes meanwhile waits, and
 * his thread does not.
 */
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
#include <unistd.h>

#include <weft/weft.h>

#include "test.h"

namespace
{

std::atomic<int> made, came, tries;

weft_task *start(weft_fn *fn, void *arg = nullptr)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, nullptr, fn, arg), 0);
	return task;
}

int join(weft_task *task)
{
	int result;

	CHECK_EQ(weft_join(task, WEFT_FOREVER, &result), 0);
	return result;
}

/* --- one who yields ------------------------------------------------------------------- */

struct Yields {
	int value;
	Yields()
	{
		for (int i = 0; i < 10; i++)
			weft_task_yield();
		made++;
		value = 42;
	}
};

Yields &singleton()
{
	static Yields it;

	return it;
}

int asks_for_it(void *)
{
	came++;
	return singleton().value;
}

/* The pitfall: the second task would block the thread that the first one needs. */
TEST(statics, a_constructor_that_yields)
{
	weft_task *tasks[5];

	for (auto &task : tasks)
		task = start(asks_for_it);
	for (auto &task : tasks)
		CHECK_EQ(join(task), 42);
	CHECK_EQ(came.load(), 5);
	CHECK_EQ(made.load(), 1);
}

/* --- one who sleeps, and threads beside ------------------------------------------------- */

struct Sleeps {
	int value;
	Sleeps()
	{
		usleep(20000);
		made++;
		value = 7;
	}
};

int asks_for_sleeper(void *)
{
	static Sleeps it;

	came++;
	return it.value;
}

void *asks_in_thread(void *)
{
	return reinterpret_cast<void *>(static_cast<intptr_t>(asks_for_sleeper(nullptr)));
}

void check_threads(pthread_t *threads, int count)
{
	for (int i = 0; i < count; i++) {
		void *result;

		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ(result, 7);
	}
}

TEST(statics, made_by_a_task_awaited_by_threads)
{
	weft_task *maker = start(asks_for_sleeper), *other = start(asks_for_sleeper);
	pthread_t threads[3];

	weft_task_yield();
	for (auto &thread : threads)
		CHECK_EQ(pthread_create(&thread, nullptr, asks_in_thread, nullptr), 0);
	CHECK_EQ(join(maker), 7);
	CHECK_EQ(join(other), 7);
	check_threads(threads, 3);
	CHECK_EQ(made.load(), 1);
}

TEST(statics, made_by_a_thread_awaited_by_tasks)
{
	pthread_t threads[1];
	weft_task *tasks[4];

	CHECK_EQ(pthread_create(threads, nullptr, asks_in_thread, nullptr), 0);
	usleep(5000);
	for (auto &task : tasks)
		task = start(asks_for_sleeper);
	for (auto &task : tasks)
		CHECK_EQ(join(task), 7);
	check_threads(threads, 1);
	CHECK_EQ(made.load(), 1);
}

/* --- one that fails ------------------------------------------------------------------------ */

struct Fails {
	Fails()
	{
		weft_task_yield();
		if (tries++ < 3)
			throw std::runtime_error("not yet");
		made++;
	}
};

int tries_it(void *)
{
	try {
		static Fails it;

		return 1;
	} catch (const std::runtime_error &) {
		return 0;
	}
}

/* Whoever waits tries next. */
TEST(statics, a_constructor_that_throws)
{
	weft_task *tasks[8];
	int successes = 0;

	for (auto &task : tasks)
		task = start(tries_it);
	for (auto &task : tasks)
		successes += join(task);
	CHECK_EQ(successes, 5);
	CHECK_EQ(tries.load(), 4);
	CHECK_EQ(made.load(), 1);
}

/* --- the library's own classes -------------------------------------------------------------- */

std::mutex mutex;
std::condition_variable changed;
int number;

int counts_up(void *rounds)
{
	for (intptr_t i = 0; i < reinterpret_cast<intptr_t>(rounds); i++) {
		std::unique_lock<std::mutex> lock(mutex);
		int before = number;

		weft_task_yield();
		number = before + 1;
		changed.notify_all();
	}
	return 0;
}

int awaits(void *wanted)
{
	std::unique_lock<std::mutex> lock(mutex);

	changed.wait(lock, [=] { return number >= reinterpret_cast<intptr_t>(wanted); });
	return number;
}

TEST(statics, std_mutex_and_condition_variable)
{
	weft_task *one = start(counts_up, reinterpret_cast<void *>(50));
	weft_task *two = start(counts_up, reinterpret_cast<void *>(50));
	weft_task *last = start(awaits, reinterpret_cast<void *>(120));
	std::thread thread([] {
		for (int i = 0; i < 20; i++) {
			std::lock_guard<std::mutex> lock(mutex);

			number++;
			changed.notify_all();
		}
	});

	CHECK_EQ(join(one), 0);
	CHECK_EQ(join(two), 0);
	CHECK_EQ(join(last), 120);
	thread.join();
}

std::once_flag once;

int calls_it(void *)
{
	try {
		std::call_once(once, [] {
			weft_task_yield();
			if (tries++ < 3)
				throw std::runtime_error("not yet");
			made++;
		});
		return 1;
	} catch (const std::runtime_error &) {
		return 0;
	}
}

/* An exception goes through pthread_once(): whoever waits tries next. */
TEST(statics, std_call_once_that_throws)
{
	weft_task *tasks[8];
	int successes = 0;

	for (auto &task : tasks)
		task = start(calls_it);
	for (auto &task : tasks)
		successes += join(task);
	CHECK_EQ(successes, 5);
	CHECK_EQ(tries.load(), 4);
	CHECK_EQ(made.load(), 1);
}

std::shared_mutex shared;

int reads_and_writes(void *rounds)
{
	for (intptr_t i = 0; i < reinterpret_cast<intptr_t>(rounds); i++) {
		{
			std::unique_lock<std::shared_mutex> lock(shared);
			int before = number;

			weft_task_yield();
			number = before + 1;
		}
		std::shared_lock<std::shared_mutex> lock(shared);
		int before = number;

		weft_task_yield();
		CHECK_EQ(number, before);
	}
	return 0;
}

TEST(statics, std_shared_mutex)
{
	weft_task *one = start(reads_and_writes, reinterpret_cast<void *>(20));
	weft_task *two = start(reads_and_writes, reinterpret_cast<void *>(20));
	std::thread thread([] {
		for (int i = 0; i < 20; i++) {
			std::lock_guard<std::shared_mutex> lock(shared);

			number++;
		}
	});

	CHECK_EQ(join(one), 0);
	CHECK_EQ(join(two), 0);
	thread.join();
	CHECK_EQ(number, 60);
}

int times_out(void *)
{
	std::unique_lock<std::mutex> lock(mutex);
	std::timed_mutex timed;

	if (changed.wait_for(lock, std::chrono::milliseconds(3)) != std::cv_status::timeout)
		return -1;
	if (!timed.try_lock_for(std::chrono::milliseconds(1)))
		return -2;
	timed.unlock();
	return 0;
}

TEST(statics, std_wait_for_times_out)
{
	CHECK_EQ(join(start(times_out)), 0);
}

} // namespace
