/* SPDX-License-Identifier: MIT
 *
 * deadlock.c - the search for deadlocks, and the report.
 *
 * L1 Only what weft can see in full is judged: every thread of the process is its
 *    own, and every task waits for another task or for an object. A descriptor, a timer,
 *    an endless sleep, a helper thread, a foreign thread: each may wake somebody.
 * L2 Tasks of other workers go on while we look: A may be seen parked, then be woken by
 *    B, which is seen parked after that. So we look twice. When no wait has ended or
 *    begun in between, all of them were parked at the same moment, between the two
 *    looks; and what is parked cannot wake anything. Nor can a worker that sleeps: all
 *    others must, and one that asks at the same moment is asked again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <base/clock.h>
#include <base/log.h>
#include <base/observe.h>
#include <base/syscall.h>
#include <core/task_each.h>
#include <core/runtime.h>
#include <debug/deadlock.h>
#include <debug/describe.h>
#include <sync/lot.h>
#include <weft/debug.h>

enum { CHAIN_MAX = 256, CIRCLES_SHOWN = 16, OTHERS_SHOWN = 32 };

/* Another thread may end without a word; and a walk may cost so much of the time. */
#define OTHERS_ASK_NS INT64_C(10000000000)
#define AWAKE_ASK_NS  INT64_C(1000000000)
enum { WALK_SHARE = 100 };

static _Atomic uint32_t enabled; /* a word: see base/atomic.h */

/* --- threads and timers ---------------------------------------------------------- */

/* The kernel says how many in one call: each is a directory in there. -1: it does not. */
static int count_threads(void)
{
	struct stat st;
	int saved_errno = errno, rc = stat("/proc/self/task", &st);

	errno = saved_errno;
	return rc == 0 && st.st_nlink > 2 ? (int)st.st_nlink - 2 : -1;
}

/* TSan has threads of its own, a varying number. */
static bool all_threads_known(void)
{
	return !WEFT_TSAN &&
	       count_threads() == atomic_load_explicit(&weft__known_threads, memory_order_relaxed);
}

static no_tsan bool any_timer(void)
{
	unsigned last = weft__worker_high;

	for (unsigned i = 1; i <= last; i++) {
		const struct worker *worker = weft__worker(i);

		if (worker && (*(const volatile uint64_t *)&worker->wheel.armed ||
			       *(const volatile uint32_t *)&worker->movers.armed))
			return true;
	}
	return false;
}

/* --- tasks ------------------------------------------------------------------------- */

struct census {
	uint64_t waiting;
	uint64_t sum; /* of all waits: another one when any has ended or begun */
	bool lively;
};

static bool may_go_on(enum doing doing)
{
	return doing != DOING_JOIN && doing != DOING_OBJECT && doing != DOING_ADDRESS &&
	       doing != DOING_OTHER;
}

/* A signal handler may post a semaphore of libc's. */
static bool may_be_posted(const struct task *task, enum doing doing)
{
	return doing == DOING_ADDRESS && lot_kind_of(task) == LOT_SEMAPHORE;
}

static bool look_at_task(struct task *task, void *arg)
{
	struct census *census = arg;
	struct task_view view;
	enum doing doing;

	if (!weft__task_view(task, &view)) {
		census->lively = true; /* it has just ended */
		return false;
	}
	doing = weft__doing(&view);
	if (doing == DOING_DEAD || (view.copy.task.flags & TASK_GUEST))
		return true; /* threads are counted before */
	if (may_go_on(doing) || may_be_posted(&view.copy.task, doing)) {
		census->lively = true;
		return false;
	}
	census->waiting++;
	census->sum += (view.copy.task.id << 32 ^ view.wait) * UINT64_C(0x9e3779b97f4a7c15);
	return true;
}

static struct census take_census(void)
{
	struct census census = { 0 };
	struct task_visitor visitor = { .task = look_at_task, .arg = &census };

	weft__task_each(&visitor);
	return census;
}

/* --- the report -------------------------------------------------------------------- */

static struct task *next_of(const struct task *task)
{
	struct task_view view;

	return weft__task_view(task, &view) ? weft__waited_for(&view) : NULL;
}

static uint64_t id_of(const struct task *task)
{
	struct task_view view;

	return weft__task_view(task, &view) ? view.copy.task.id : 0;
}

/* How many tasks lie on the circle that @task is on; 0: it is on none. *ret_first: no
 * other one on it has a smaller id. */
static unsigned circle_of(const struct task *task, bool *ret_first)
{
	const struct task *next = next_of(task);
	uint64_t id = id_of(task);
	unsigned count = 1;

	*ret_first = true;
	for (; next && next != task && count < CHAIN_MAX; count++) {
		if (id_of(next) < id)
			*ret_first = false;
		next = next_of(next);
	}
	return next == task ? count : 0;
}

struct report {
	struct out out;
	unsigned circles, others;
};

static void put_wait(struct out *out, const struct task *task)
{
	char who[WHAT_BYTES], what[WHAT_BYTES], site[SITE_BYTES];
	struct task_view view;

	if (!weft__task_view(task, &view))
		return;
	weft__describe_task(task, who);
	weft__describe_wait(task, &view, weft__now(), what);
	if (view.copy.task.flags & TASK_THREAD)
		weft__format(site, sizeof(site), "\"main\" of worker %u", view_worker(&view));
	else
		weft__describe_site(&view, site);
	weft__out(out, "    %s (%s) waits for %s\n", who, site, what);
}

static bool put_circle(struct task *task, void *arg)
{
	struct report *report = arg;
	bool first;
	unsigned count = circle_of(task, &first);

	if (!count || !first)
		return true;
	if (report->circles++ >= CIRCLES_SHOWN)
		return true;
	weft__out(&report->out, "  a circle of %u:\n", count);
	for (; count; count--, task = next_of(task))
		put_wait(&report->out, task);
	return true;
}

static bool put_other(struct task *task, void *arg)
{
	struct report *report = arg;
	struct task_view view;
	bool first;

	if (!weft__task_view(task, &view) || !view.waiting || circle_of(task, &first))
		return true;
	if (!report->others)
		weft__out(&report->out, report->circles ? "  and in no circle:\n"
							: "  none of them in a circle:\n");
	if (report->others++ < OTHERS_SHOWN)
		put_wait(&report->out, task);
	return true;
}

static void put_report(uint64_t waiting)
{
	static struct report report; /* once a process, and the stack here is small */
	struct task_visitor circles = { .task = put_circle, .arg = &report };
	struct task_visitor others = { .task = put_other, .arg = &report };
	char count[32];

	report.out.fd = 2;
	weft__out(&report.out,
		  "weft: deadlock: %s task%s, and nothing is left that could wake %s\n",
		  weft__text_count(count, waiting), waiting == 1 ? " waits" : "s wait",
		  waiting == 1 ? "it" : "them");
	weft__task_each(&circles);
	if (report.circles > CIRCLES_SHOWN)
		weft__out(&report.out, "  and %u more circles\n", report.circles - CIRCLES_SHOWN);
	weft__task_each(&others);
	if (report.others > OTHERS_SHOWN)
		weft__out(&report.out, "    and %u more\n", report.others - OTHERS_SHOWN);
	weft__out(&report.out, "\n");
	weft__out_flush(&report.out);
}

static void __attribute__((noreturn)) die(uint64_t waiting)
{
	static _Atomic uint32_t said; /* seq_cst: the first of several workers reports */

	if (!atomic_exchange(&said, 1)) {
		put_report(waiting);
		weft_dump(2);
		for (;;)
			weft__syscall(SYS_exit_group, WEFT_DEADLOCK_STATUS);
	}
	for (;;)
		weft__syscall(SYS_sched_yield, 0);
}

/* Of the others, that is: a worker that is on its way to sleep may be about to wake
 * somebody, and has not said so yet. */
static bool others_asleep(void)
{
	unsigned last = weft__worker_high;

	for (unsigned i = 1; i <= last; i++) {
		struct worker *worker = weft__worker(i);

		if (worker && worker != weft__thread.worker &&
		    atomic_load(&worker->sleeping) != SLEEP_SETTLED)
			return false;
	}
	return true;
}

/* --- asking ------------------------------------------------------------------------ */

bool weft__deadlock_check(void)
{
	struct census first, second;

	if (!atomic_load_explicit(&enabled, memory_order_relaxed) || !all_threads_known() ||
	    any_timer() || !others_asleep())
		return false;
	first = take_census();
	if (first.lively || !first.waiting)
		return false;
	second = take_census();
	if (second.lively || second.waiting != first.waiting || second.sum != first.sum)
		return false;
	/* A thread that came and went has not been here: none of ours makes any while all
	 * are parked. */
	if (!all_threads_known() || any_timer() || !others_asleep())
		return false;
	die(second.waiting);
}

/* Others are awake: busy, or asking like us. Soon at first, and not in step with them. */
static int64_t ask_again(void)
{
	const struct worker *worker = weft__thread.worker;
	int64_t next_ns = worker->idle_ask_ns * 2 + worker->index % 8 * (OBSERVE_IDLE_NS / 8);

	return next_ns < AWAKE_ASK_NS ? next_ns : AWAKE_ASK_NS;
}

/* A worker that has nothing to do asks. In a process of one thread whatever makes a
 * difference, an event or a timer, will make it run first; other threads may end. */
static int64_t observe(void)
{
	static _Atomic int64_t not_before_ns; /* relaxed: to be early once is no harm */
	int64_t began_ns = weft__now();
	int64_t wait_ns = atomic_load_explicit(&not_before_ns, memory_order_relaxed) - began_ns;

	if (!atomic_load_explicit(&enabled, memory_order_relaxed))
		return INT64_MAX;
	if (wait_ns > 0)
		return wait_ns;
	if (!others_asleep())
		return ask_again();
	weft__deadlock_check();
	atomic_store_explicit(&not_before_ns,
			      began_ns + (weft__now() - began_ns) * (WALK_SHARE + 1),
			      memory_order_relaxed);
	return count_threads() == 1 ? INT64_MAX : OTHERS_ASK_NS;
}

int weft_deadlock_detect(int on)
{
	return (int)atomic_exchange_explicit(&enabled, on != 0, memory_order_relaxed);
}

void weft__deadlock_init(void)
{
	const char *env = getenv("WEFT_DEADLOCK");

	atomic_store_explicit(&enabled, !env || (strcmp(env, "off") != 0 && strcmp(env, "0") != 0),
			      memory_order_relaxed);
	weft__observe_idle = observe;
}
