/* SPDX-License-Identifier: MIT
 *
 * thread_cxx.cc - row 14: pthread_exit() in a task runs the destructors of its frames, and
 * those of no other task.
 */
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include <weft/weft.h>

#include "test.h"

namespace
{

std::string trace;
int caught;

struct Letter {
	char letter;
	explicit Letter(char c) : letter(c)
	{
	}
	~Letter()
	{
		usleep(100); /* a destructor may wait */
		trace += letter;
	}
};

void note(void *letter)
{
	trace += *(const char *)letter;
}

volatile bool never; // compilers notice what does not return

__attribute__((noinline)) void exit_deep(int depth, void *value)
{
	if (never)
		return;
	Letter letter((char)('a' + depth));

	if (depth == 0)
		pthread_exit(value);
	try {
		exit_deep(depth - 1, value);
	} catch (const std::exception &) {
		CHECK(!"an exception of the program's");
	} catch (...) {
		caught++;
		throw;
	}
}

int exits(void *value)
{
	Letter letter('z');
	char push = 'p';

	pthread_cleanup_push(note, &push);
	exit_deep(3, value);
	pthread_cleanup_pop(0);
	return 1;
}

int bystander(void *)
{
	Letter letter('-');

	for (int i = 0; i < 50; i++)
		CHECK_EQ(usleep(200), 0);
	return 4;
}

int run(weft_fn *fn, void *arg, weft_attr *attr)
{
	weft_task *task;
	int result;

	CHECK_EQ(weft_spawn(&task, attr, fn, arg), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &result), 0);
	return result;
}

TEST(thread_cxx, row14_destructors_of_the_tasks_frames_run)
{
	weft_task *other;
	int result;

	CHECK_EQ(weft_spawn(&other, NULL, bystander, NULL), 0);
	CHECK_EQ(run(exits, (void *)55, NULL), 55);
	CHECK_STR(trace.c_str(), "abcdpz");
	CHECK_EQ(caught, 3);
	CHECK_EQ(weft_join(other, WEFT_FOREVER, &result), 0);
	CHECK_EQ(result, 4);
	CHECK_STR(trace.c_str(), "abcdpz-");
}

/* While another exception is being handled. */
int exits_in_catch(void *value)
{
	try {
		throw std::runtime_error("why");
	} catch (const std::runtime_error &) {
		exit_deep(0, value);
	}
	return 1;
}

int throws_and_catches(void *)
{
	try {
		throw std::runtime_error("other");
	} catch (const std::exception &e) {
		CHECK_EQ(usleep(1000), 0);
		CHECK_STR(e.what(), "other");
	}
	return 2;
}

TEST(thread_cxx, row14_among_exceptions)
{
	weft_task *other;
	int result;

	CHECK_EQ(weft_spawn(&other, NULL, throws_and_catches, NULL), 0);
	CHECK_EQ(run(exits_in_catch, (void *)6, NULL), 6);
	CHECK_STR(trace.c_str(), "a");
	CHECK_EQ(weft_join(other, WEFT_FOREVER, &result), 0);
	CHECK_EQ(result, 2);
	CHECK_EQ(run(throws_and_catches, NULL, NULL), 2);
}

int in_main(void *value)
{
	Letter letter('m');

	exit_deep(1, value);
	return 1;
}

TEST(thread_cxx, row14_main_of_weft_run)
{
	Letter outside('X');
	int result = 0;

	CHECK_EQ(weft_run(1, in_main, (void *)9, &result), 0);
	CHECK_EQ(result, 9);
	CHECK_STR(trace.c_str(), "abm");
}

int swallows(void *value)
{
	try {
		exit_deep(0, value);
	} catch (...) {
	}
	return 1;
}

void swallow(void *)
{
	run(swallows, (void *)1, NULL);
}

TEST(thread_cxx, row14_it_cannot_be_swallowed)
{
	CHECK_DEATH(SIGABRT, "was caught and not thrown again", swallow, NULL);
}

void *in_thread(void *)
{
	Letter letter('t');

	CHECK_EQ(run(exits, (void *)3, NULL), 3);
	exit_deep(0, NULL);
	return NULL;
}

TEST(thread_cxx, row14_the_main_task_of_a_thread)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, in_thread, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_STR(trace.c_str(), "abcdpzat");
}

} // namespace
