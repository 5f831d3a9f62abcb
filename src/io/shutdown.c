/* SPDX-License-Identifier: MIT
 *
 * shutdown.c - weft_shutdown_on(): a signal cancels every task of a runtime, and after a
 * time of grace ends the process.
 *
 * The handler does what a handler may: it writes to an eventfd, and arms a timer that sends
 * the signal again when the grace is over, also to a process that is stuck in one task. A
 * task that nobody waits for reads the eventfd. The tasks are found by the walk that dumps use, so none of them pays for
 * this while nothing is shut down. Such a walk holds nothing: a task may end, and its
 * block serve another, between the look and the deed. So the cancel is a compare-and-swap
 * from exactly the wait word that was seen, whose number (first_wait()) another task's is
 * not; and no coroutine's, which is 0.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/log.h>
#include <base/syscall.h>
#include <core/park.h>
#include <core/runtime.h>
#include <core/task_each.h>
#include <weft/debug.h>
#include <weft/io.h>
#include <weft/task.h>

enum { AGAIN_NS = 10000000, EXIT_BASE = 128 };

/* One at a time in a process: signals are the process's. */
static _Atomic int event_fd = -1;
static _Atomic int came; /* the signal that has come; 0: none */
static timer_t timer;
static int64_t grace;

/* --- cancelling all ------------------------------------------------------------------ */

struct sweep {
	struct worker *worker; /* of the runtime that ends */
	struct task *self;
};

static bool is_ours(const struct sweep *sweep, const struct task_view *view)
{
	const struct runtime *runtime = sweep->worker->runtime;
	unsigned index = task_worker(&view->copy.task);
	const struct worker *worker;

	if (!runtime)
		return index == sweep->worker->index;
	if (index == OWNER_NONE)
		return view->copy.runtime == runtime;
	worker = weft__worker(index);
	return worker && worker->runtime == runtime;
}

static bool cancel_one(struct task *task, void *arg)
{
	struct sweep *sweep = arg;
	struct task_view view;

	if (task == sweep->self || !weft__task_view(task, &view) || !is_ours(sweep, &view) ||
	    view.copy.task.state == TASK_DEAD)
		return true;
	while (!weft__task_cancel_seen(task, view.wait))
		if (!weft__task_view(task, &view) || !is_ours(sweep, &view))
			break;
	return true;
}

static void cancel_all(struct task *self)
{
	struct sweep sweep = { .worker = weft__thread.worker, .self = self };
	struct task_visitor visitor = { .task = cancel_one, .arg = &sweep };

	weft__task_each(&visitor);
}

/* --- the task that waits for the signal ------------------------------------------------ */

/* Again and again: tasks may spawn others on their way out. Until the runtime ends, and
 * cancels us. */
static int end_all(void)
{
	do
		cancel_all(weft__task_current());
	while (weft_sleep(AGAIN_NS) == 0);
	return 0;
}

static int wait_for_signal(void *arg)
{
	int fd = (int)(intptr_t)arg;
	uint64_t count;
	int rc = (int)weft_read(fd, &count, sizeof count, WEFT_FOREVER);

	if (rc > 0)
		rc = end_all();
	timer_delete(timer);
	event_fd = -1;
	weft_close(fd);
	return rc;
}

static void arm_timer(void)
{
	struct itimerspec in = { .it_value = { grace / 1000000000, grace % 1000000000 } };

	if (grace == 0)
		in.it_value.tv_nsec = 1; /* zero would be: never */
	if (grace != WEFT_FOREVER)
		timer_settime(timer, 0, &in, NULL);
}

static void time_is_over(int sig)
{
	weft__warn("shutdown: these have not ended in time");
	weft_dump(2);
	_exit(EXIT_BASE + sig);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	int saved_errno = errno, none = 0, fd = event_fd;
	uint64_t one = 1;

	(void)context;
	if (info->si_code == SI_TIMER && info->si_value.sival_ptr == &timer)
		time_is_over(sig);
	/* The second one means it; nor is anybody left to hear of a first one. */
	if (!atomic_compare_exchange_strong(&came, &none, sig) || fd < 0)
		_exit(EXIT_BASE + sig);
	arm_timer();
	(void)weft__syscall(SYS_write, fd, &one, sizeof one);
	errno = saved_errno;
}

/* What is there before the signal may come. */
static int prepare(int sig, int64_t grace_ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = sig,
				  .sigev_value.sival_ptr = &timer };

	came = 0;
	grace = grace_ns;
	return timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 ? 0 : -errno;
}

int weft_shutdown_on(int sig, int64_t grace_ns)
{
	struct sigaction act = { .sa_sigaction = on_signal,
				 .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
	weft_attr attr = { .name = "weft-shutdown", .flags = WEFT_DAEMON };
	int fd, none = -1, rc;

	if (grace_ns < 0)
		return -EINVAL;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (!atomic_compare_exchange_strong(&event_fd, &none, fd)) {
		close(fd);
		return -EBUSY;
	}
	sigemptyset(&act.sa_mask);
	rc = prepare(sig, grace_ns);
	if (rc < 0)
		goto no_timer;
	if (sigaction(sig, &act, NULL) < 0) {
		rc = -errno;
		goto no_task;
	}
	rc = weft_spawn(NULL, &attr, wait_for_signal, (void *)(intptr_t)fd);
	if (rc == 0)
		return 0;
no_task:
	timer_delete(timer);
no_timer:
	event_fd = -1;
	close(fd);
	return rc;
}
