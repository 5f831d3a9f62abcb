/* SPDX-License-Identifier: MIT
 *
 * dump.c - what weft_dump() says.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <base/fault.h>
#include <base/log.h>
#include <core/park.h>
#include <core/waitable.h>
#include <weft/chan.h>
#include <weft/debug.h>
#include <weft/io.h>
#include <weft/task.h>

#include "../test.h"

static char text[1 << 20];

/* The dump as a string. */
static const char *dump(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	ssize_t length;

	CHECK_GE(fd, 0);
	CHECK_EQ(weft_dump(fd), 0);
	length = pread(fd, text, sizeof(text) - 1, 0);
	CHECK_GT(length, 0);
	text[length] = '\0';
	close(fd);
	return text;
}

/* @needle stands in the record of task @id (or anywhere, when it is 0). */
static void check_has(const char *all, uint64_t id, const char *needle)
{
	char head[32], record[16384];
	const char *at = all, *end;

	if (id) {
		snprintf(head, sizeof(head), "\ntask %llu", (unsigned long long)id);
		for (at = strstr(all, head); at; at = strstr(at + 1, head))
			if (at[strlen(head)] == ':' || at[strlen(head)] == ' ')
				break;
		if (!at)
			test_fail_strings(__FILE__, __LINE__, "no record", head, all);
	}
	end = id ? strstr(at + 1, "\n\n") : NULL;
	snprintf(record, sizeof(record), "%.*s", (int)(end ? end - at : (ptrdiff_t)strlen(at)), at);
	if (!strstr(record, needle))
		test_fail_strings(__FILE__, __LINE__, "the dump lacks", needle, record);
}

static int sleep_for_ever(void *arg)
{
	(void)arg;
	return weft_sleep_until(WEFT_FOREVER);
}

static int sleep_an_hour(void *arg)
{
	(void)arg;
	return weft_sleep(INT64_C(3600000000000));
}

static int read_fd(void *arg)
{
	char c;

	return (int)weft_read((int)(intptr_t)arg, &c, 1, WEFT_FOREVER);
}

static int wait_writable(void *arg)
{
	return weft_wait_fd((int)(intptr_t)arg, WEFT_WRITABLE, weft_in_s(100000));
}

static int join_one(void *arg)
{
	return weft_join(arg, WEFT_FOREVER, NULL);
}

static int join_timed(void *arg)
{
	return weft_join(arg, weft_in_s(7000), NULL);
}

static int yield_always(void *arg)
{
	(void)arg;
	while (weft_task_yield() == 0)
		;
	return 0;
}

static int block_on_pipe(void *arg)
{
	char c;

	return (int)read(*(int *)arg, &c, 1);
}

static int offload_read(void *arg)
{
	int rc;

	return weft_offload(block_on_pipe, arg, &rc);
}

static uint64_t spawn(weft_task **ret, const weft_attr *attr, weft_fn *fn, void *arg)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, attr, fn, arg), 0);
	if (ret)
		*ret = task;
	return weft_task_id(task);
}

/* A pipe that is full, and nobody reads. */
static void make_full(int fds[2])
{
	char block[4096] = { 0 };

	CHECK_EQ(pipe2(fds, O_NONBLOCK), 0);
	while (write(fds[1], block, sizeof(block)) > 0)
		;
}

TEST(dump, says_what_each_task_waits_for)
{
	weft_attr named = { .name = "parser", .flags = WEFT_DAEMON };
	weft_task *sleeper;
	uint64_t forever, timer, reader, writer, joins, timed, yields, offloads, fresh;
	int fds[2], full[2];
	char needle[64];
	const char *all;

	CHECK_EQ(pipe(fds), 0);
	make_full(full);
	forever = spawn(&sleeper, NULL, sleep_for_ever, NULL);
	timer = spawn(NULL, &named, sleep_an_hour, NULL);
	reader = spawn(NULL, NULL, read_fd, (void *)(intptr_t)fds[0]);
	writer = spawn(NULL, NULL, wait_writable, (void *)(intptr_t)full[1]);
	joins = spawn(NULL, NULL, join_one, sleeper);
	yields = spawn(NULL, NULL, yield_always, NULL);
	offloads = spawn(NULL, NULL, offload_read, &fds[0]);
	weft_task_yield();
	weft_sleep(20000000);
	fresh = spawn(NULL, NULL, sleep_for_ever, NULL);
	all = dump();

	check_has(all, 0, "weft: 9 tasks: 1 running");
	check_has(all, 0, "worker 1: 9 tasks, 1 running, 2 ready");
	check_has(all, 1, "task 1 \"main\": running; worker 1; stack of the thread");
	check_has(all, forever, ": sleep without end, for ");
	check_has(all, timer, "\"parser\": timer in ");
	check_has(all, timer, " min, for ");
	check_has(all, timer, "worker 1; spawned at ");
	check_has(all, timer, "unit/dump.c:");
	check_has(all, timer, "of 256 KiB, daemon");
	check_has(all, timer, "sleep_an_hour+0x");
	snprintf(needle, sizeof(needle), ": fd %d read, for ", fds[0]);
	check_has(all, reader, needle);
	check_has(all, reader, "read_fd+0x");
	snprintf(needle, sizeof(needle), ": fd %d write, times out in 27.7 h", full[1]);
	check_has(all, writer, needle);
	snprintf(needle, sizeof(needle), ": join of task %llu, for ", (unsigned long long)forever);
	check_has(all, joins, needle);
	check_has(all, yields, ": ready;");
	check_has(all, yields, "yield_always+0x");
	check_has(all, offloads, ": offload, for ");
	check_has(all, offloads, "offload_read+0x");
	check_has(all, fresh, ": new;");
	check_has(all, fresh, "sleep_for_ever+0x0 (");

	/* Cancelled, and not yet run; and a join with a deadline. */
	CHECK_EQ(weft_cancel(sleeper), 0);
	all = dump();
	check_has(all, forever, ": ready;");
	check_has(all, forever, ", cancelled");
	spawn(&sleeper, NULL, sleep_for_ever, NULL);
	timed = spawn(NULL, NULL, join_timed, sleeper);
	weft_sleep(1);
	check_has(dump(), timed, ", times out in ");
	check_has(text, timed, "1.9 h, for ");
}

TEST(dump, shared_stacks_and_ended_tasks)
{
	weft_attr attr = { .name = "s" };
	uint64_t first, second, dead;

	test_leaves_tasks();
	CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 64 << 10), 0);
	first = spawn(NULL, &attr, sleep_an_hour, NULL);
	second = spawn(NULL, &attr, sleep_for_ever, NULL);
	dead = spawn(NULL, NULL, wait_writable, (void *)(intptr_t)-1);
	weft_sleep(1);
	dump();
	check_has(text, first, " of 64 KiB, shared");
	check_has(text, first, "sleep_an_hour+0x");
	check_has(text, second, "sleep_for_ever+0x");
	check_has(text, dead, ": ended, not joined");
}

/* How long: the coarse clock is good to a few milliseconds. */
TEST(dump, says_for_how_long)
{
	uint64_t id = spawn(NULL, NULL, sleep_for_ever, NULL);
	const char *at;
	int64_t began_ns = weft_now();
	long ms;

	weft_task_yield();
	weft_sleep(300000000);
	dump();
	at = strstr(text, "sleep without end, for ");
	CHECK(at && id);
	ms = strtol(at + strlen("sleep without end, for "), NULL, 10);
	CHECK(strstr(at, " ms;") || strstr(at, " s;"));
	if (weft_now() - began_ns < 900000000) {
		CHECK_GE(ms, 290);
		CHECK_LE(ms, (weft_now() - began_ns) / 1000000 + 5);
	}
}

/* --- objects ------------------------------------------------------------------------- */

struct toy {
	struct waitable waitable;
	struct task *holder;
	uint64_t ticket;
};

static size_t describe_toy(const struct waitable *object, char *buf, size_t size)
{
	const struct toy *toy = container_of(object, struct toy, waitable);

	return weft__format(buf, size, "number %d", toy->holder ? 1 : 2);
}

static struct task *holder_of_toy(const struct waitable *object)
{
	return container_of(object, struct toy, waitable)->holder;
}

static const struct waitable_kind toy_kind = { .noun = "toy",
					       .describe = describe_toy,
					       .holder = holder_of_toy };
static const struct waitable_kind plain_kind = { .noun = "thing" };

static int wait_for_toy(void *arg)
{
	struct task *self = weft__task_self(NULL);
	struct toy *toy = arg;

	toy->ticket = weft__park_begin(self);
	self->waiter.object = &toy->waitable;
	return weft__park(self, WAIT_OBJECT, WEFT_FOREVER);
}

TEST(dump, objects_name_themselves)
{
	weft_attr named = { .name = "owner" };
	struct toy held = { .waitable = { &toy_kind } }, free = { .waitable = { &toy_kind } },
		   plain = { .waitable = { &plain_kind } },
		   broken = { .waitable = { (const struct waitable_kind *)16 } };
	weft_task *owner;
	uint64_t on_held, on_free, on_plain, on_broken;
	char needle[64];

	test_leaves_tasks();
	spawn(&owner, &named, sleep_for_ever, NULL);
	held.holder = tagged_pointer((uintptr_t)owner);
	on_held = spawn(NULL, NULL, wait_for_toy, &held);
	on_free = spawn(NULL, NULL, wait_for_toy, &free);
	on_plain = spawn(NULL, NULL, wait_for_toy, &plain);
	on_broken = spawn(NULL, NULL, wait_for_toy, &broken);
	weft_task_yield();
	dump();
	snprintf(needle, sizeof(needle), " number 1, held by task %llu \"owner\", for ",
		 (unsigned long long)weft_task_id(owner));
	check_has(text, on_held, ": toy 0x");
	check_has(text, on_held, needle);
	check_has(text, on_free, " number 2, for ");
	check_has(text, on_plain, ": thing 0x");
	check_has(text, on_broken, ": an object, for ");
}

/* --- channels, and plain threads that wait beside tasks ---------------------------------- */

static int recv_one(void *arg)
{
	return weft_chan_recv(arg, NULL, WEFT_FOREVER);
}

static int select_two(void *arg)
{
	weft_case cases[] = { WEFT_RECV(arg, NULL), WEFT_RECV(NULL, NULL) };

	return weft_select(cases, 2, WEFT_FOREVER);
}

static int recv_nothing(void *arg)
{
	(void)arg;
	return weft_chan_recv(NULL, NULL, WEFT_FOREVER);
}

static void *recv_in_thread(void *arg)
{
	CHECK_EQ(weft_chan_recv(arg, NULL, WEFT_FOREVER), -EPIPE);
	return NULL;
}

TEST(dump, channels_and_who_waits_in_them)
{
	weft_chan *plain, *full, *timer;
	uint64_t on_plain, on_select, on_null, on_timer;
	pthread_t thread;
	const char *at;

	test_leaves_tasks();
	CHECK_EQ(weft_chan_new(&plain, 8, 0), 0);
	CHECK_EQ(weft_chan_new(&full, 8, 4), 0);
	CHECK_EQ(weft_timer_new(&timer, WEFT_FOREVER, 0), 0);
	on_plain = spawn(NULL, NULL, recv_one, plain);
	on_select = spawn(NULL, NULL, select_two, full);
	on_null = spawn(NULL, NULL, recv_nothing, NULL);
	on_timer = spawn(NULL, NULL, recv_one, timer);
	CHECK_EQ(pthread_create(&thread, NULL, recv_in_thread, full), 0);
	do {
		weft_sleep(1000000);
		at = strstr(dump(), "\nplain thread ");
	} while (!at || !strstr(at, ": channel 0x"));
	check_has(text, on_plain, " (unbuffered), for ");
	check_has(text, on_select, ": select 0x");
	check_has(text, on_select, " of 2 cases, for ");
	check_has(text, on_null, ": NULL channel 0x");
	check_has(text, on_timer, ": timer channel 0x");
	CHECK(strstr(at, " (0 of 4)\n") != NULL);
	check_has(text, 0, "weft: 5 tasks: "); /* the thread is none */
	CHECK_EQ(weft_chan_close(full), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* --- many ------------------------------------------------------------------------------ */

TEST(dump, ten_thousand_are_grouped)
{
	enum { MANY = 10000 };
	uint64_t first = 0;
	char needle[64];

	for (int i = 0; i < MANY; i++) {
		uint64_t id = spawn(NULL, NULL, i % 4 ? sleep_an_hour : sleep_for_ever, NULL);

		first = first ? first : id;
	}
	weft_task_yield();
	dump();
	check_has(text, 0, "weft: 10,001 tasks: 1 running, 10,000 sleeping\n");
	check_has(text, 0, "7,500 tasks like this: ids ");
	check_has(text, 0, "2,500 tasks like this: ids ");
	snprintf(needle, sizeof(needle), "ids %llu, ", (unsigned long long)first);
	check_has(text, 0, needle);
	check_has(text, 0, "sleep_an_hour+0x");
	check_has(text, 0, "sleep_for_ever+0x");
	check_has(text, 0, "unit/dump.c:");
	check_has(text, 1, "running");
	CHECK(strstr(text, "7,500") < strstr(text, "2,500"));
	CHECK_LT(strlen(text), 4096);
}

TEST(dump, a_hundred_are_not)
{
	for (int i = 0; i < 99; i++)
		spawn(NULL, NULL, sleep_for_ever, NULL);
	weft_task_yield();
	CHECK(!strstr(dump(), "like this"));
	spawn(NULL, NULL, sleep_for_ever, NULL);
	weft_task_yield();
	CHECK(strstr(dump(), "100 tasks like this"));
}

/* --- from anywhere --------------------------------------------------------------------- */

TEST(dump, of_nothing)
{
	CHECK_STR(dump(), "weft: 0 tasks\n\n");
	CHECK_EQ(weft_dump(-1), -EBADF);
}

TEST(dump, without_memory)
{
	weft__fault_fail(1);
	CHECK_EQ(weft_dump(-1), -ENOMEM);
	CHECK(weft__fault_fired());
}

static char drained[1 << 16];
static size_t drained_bytes;

static void *drain_slowly(void *arg)
{
	ssize_t got;

	while ((got = read(*(int *)arg, drained + drained_bytes, 512)) > 0) {
		drained_bytes += (size_t)got;
		usleep(100);
	}
	return NULL;
}

/* A pipe that is full again and again, and does not block. */
TEST(dump, to_a_slow_reader)
{
	pthread_t thread;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	CHECK_GE(fcntl(fds[1], F_SETPIPE_SZ, 4096), 4096);
	for (int i = 0; i < 90; i++)
		spawn(NULL, NULL, sleep_for_ever, NULL);
	weft_task_yield();
	CHECK_EQ(pthread_create(&thread, NULL, drain_slowly, &fds[0]), 0);
	CHECK_EQ(weft_dump(fds[1]), 0);
	close(fds[1]);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_GT(drained_bytes, 8192);
	check_has(drained, 0, "weft: 91 tasks");
	check_has(drained, 91, "sleep_for_ever+0x");
	CHECK(strcmp(drained + drained_bytes - 2, "\n\n") == 0);
}

static void *run_runtime(void *arg)
{
	spawn(NULL, NULL, sleep_for_ever, NULL);
	weft_task_yield();
	atomic_store((atomic_int *)arg, 1);
	while (atomic_load((atomic_int *)arg) == 1)
		weft_sleep(1000000);
	return NULL;
}

TEST(dump, sees_other_threads)
{
	static atomic_int state;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, run_runtime, &state), 0);
	while (!atomic_load(&state))
		usleep(1000);
	dump();
	check_has(text, 0, "weft: 2 tasks: ");
	check_has(text, 0, "worker 1: 2 tasks");
	check_has(text, 0, "sleep_for_ever+0x");
	atomic_store(&state, 2);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static int churn(void *arg)
{
	weft_attr attr = { 0 };
	weft_task *tasks[40];

	CHECK_EQ(weft_stack_group_new(&attr.shared, 2, 0), 0);
	while (!atomic_load((atomic_int *)arg)) {
		for (int i = 0; i < 40; i++)
			CHECK_EQ(weft_spawn(&tasks[i], i % 2 ? &attr : NULL, yield_always, NULL),
				 0);
		for (int i = 0; i < 3; i++)
			weft_task_yield();
		for (int i = 0; i < 40; i++) {
			CHECK_EQ(weft_cancel(tasks[i]), 0);
			CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
		}
	}
	return weft_stack_group_free(attr.shared);
}

static void *churn_thread(void *arg)
{
	int ret;

	CHECK_EQ(weft_run(1, churn, arg, &ret), 0);
	CHECK_EQ(ret, 0);
	return NULL;
}

/* What is shown may be nonsense, but nothing dies of it. */
TEST_LIMIT(dump, beside_threads_that_are_busy, 60)
{
	static atomic_int done;
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, churn_thread, &done), 0);
	for (int i = 0; i < 100; i++)
		CHECK(strstr(dump(), "weft: "));
	atomic_store(&done, 1);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void dump_by_signal(void *arg)
{
	setenv("WEFT_DUMP_SIGNAL", arg, 1);
	spawn(NULL, NULL, sleep_an_hour, NULL);
	weft_task_yield();
	raise(SIGQUIT);
	weft_sleep(1000000);
	abort();
}

TEST(dump, a_signal_asks_for_one)
{
	CHECK_DEATH(SIGABRT, "sleep_an_hour+0x", dump_by_signal, "SIGQUIT");
	CHECK_DEATH(SIGABRT, "weft: 2 tasks", dump_by_signal, "QUIT");
	CHECK_DEATH(SIGABRT, "weft: 2 tasks", dump_by_signal, "3");
	CHECK_DEATH(SIGQUIT, "WEFT_DUMP_SIGNAL=SIGNOTHING is not a signal", dump_by_signal,
		    "SIGNOTHING");
}

static int raise_inside(void *arg)
{
	(void)arg;
	raise(SIGUSR1);
	abort();
}

static void dump_in_a_task(void *arg)
{
	(void)arg;
	setenv("WEFT_DUMP_SIGNAL", "USR1", 1);
	setenv("WEFT_STACK", "16K", 1);
	weft_go(raise_inside, NULL);
	weft_sleep(1000000);
}

/* On a signal stack: the task has not the room. */
TEST(dump, a_signal_in_a_task)
{
	CHECK_DEATH(SIGABRT, "weft: 2 tasks", dump_in_a_task, NULL);
}

/* --- several workers ------------------------------------------------------------------ */

static int dump_a_crew(void *arg)
{
	weft_attr movable = { .name = "rover", .flags = WEFT_MIGRATE | WEFT_DAEMON };
	weft_attr spread = { .name = "settler", .flags = WEFT_SPREAD | WEFT_DAEMON };
	weft_task *rovers[4], *settlers[4];
	uint64_t rover, settler;
	const char *all;

	(void)arg;
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(weft_spawn(&rovers[i], &movable, sleep_an_hour, NULL), 0);
		CHECK_EQ(weft_spawn(&settlers[i], &spread, sleep_an_hour, NULL), 0);
	}
	do {
		CHECK_EQ(weft_sleep(5000000), 0);
		all = dump();
	} while (strstr(all, "\": new;") || !strstr(all, "1 running")); /* each in its time */
	rover = weft_task_id(rovers[0]);
	settler = weft_task_id(settlers[1]);
	check_has(all, 0, "weft: 9 tasks: 1 running");
	check_has(all, rover, "\"rover\": timer in ");
	check_has(all, rover, "daemon, movable");
	check_has(all, rover, "sleep_an_hour+0x");
	check_has(all, settler, "\"settler\": timer in ");
	check_has(all, settler, "worker 2;");
	check_has(all, settler, "sleep_an_hour+0x");
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(weft_detach(rovers[i]), 0);
		CHECK_EQ(weft_detach(settlers[i]), 0);
	}
	return 0;
}

TEST(dump, of_several_workers)
{
	CHECK_EQ(weft_run(2, dump_a_crew, NULL, NULL), 0);
}
