/* SPDX-License-Identifier: MIT
 *
 * watchdog.c - a thread that looks for workers stuck in one task: says so, with the calls
 * that the thread is in, and has another worker take what may move.
 *
 * Nothing in a switch is for it: a worker is stuck when it has neither switched nor looked
 * around for a period though it does not sleep, and others may have to wait for that. It is
 * off unless asked for (weft_watchdog(), WEFT_WATCHDOG_MS); in builds without NDEBUG it
 * is on with 100 ms.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/fault.h>
#include <base/helper.h>
#include <base/lock.h>
#include <base/log.h>
#include <base/syscall.h>
#include <core/runtime.h>
#include <core/task_each.h>
#include <debug/describe.h>
#include <debug/out.h>
#include <debug/symbols.h>
#include <debug/watchdog.h>
#include <weft/debug.h>

#ifdef NDEBUG
enum { DEFAULT_MS = 0 };
#else
enum { DEFAULT_MS = 100 };
#endif

enum { LOOKS_A_PERIOD = 4, STACK_BYTES = 256 << 10 };
#define LOOK_MIN_NS INT64_C(1000000)
#define OFF_LOOK_NS INT64_C(100000000) /* while it is off, but the thread is there */

_Atomic unsigned weft__watchdog_told;
static _Atomic int64_t period_ns;
static struct lock lock; /* of running */
static bool running;

/* What is known of the worker of an index since the last look. The thread's own. */
struct ward {
	const struct worker *worker;
	uint64_t switches;
	int64_t looked_ns, since_ns;
	bool told, covered;
};

static struct ward *wards;
static unsigned wards_count;
static struct snapshot *snapshot;

/* --- telling --------------------------------------------------------------------- */

/* Is the thread in the kernel, waiting? */
static bool is_blocked(int tid)
{
	char path[64], stat[256], *state;
	ssize_t length;
	int fd;

	weft__format(path, sizeof path, "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (length <= 0)
		return false;
	stat[length] = '\0';
	/* "12 (name) S ...": the name may hold anything, also parentheses. */
	state = stat;
	for (char *at = stat; *at; at++)
		if (*at == ')')
			state = at;
	return state[0] && state[1] && (state[2] == 'S' || state[2] == 'D');
}

static void put_calls(struct out *out)
{
	char text[256];

	for (unsigned i = 0; i < snapshot->depth; i++) {
		weft__symbol_text(&snapshot->unwinder.modules, text, sizeof text, snapshot->pcs[i],
				  i == 0);
		weft__out(out, "    %s\n", text);
	}
}

static void tell(const struct worker *worker, int64_t stuck_ns)
{
	static struct out out;
	char who[WHAT_BYTES] = "its loop", site[SITE_BYTES] = "", text[32];
	bool blocked = is_blocked(worker->tid);
	bool answered = weft__snapshot_take(snapshot, worker, worker->tid);
	struct task_view view;

	if (answered && !snapshot->task)
		goto drop; /* it has just come free */
	out = (struct out){ .fd = 2 };
	if (answered && weft__task_view(snapshot->task, &view)) {
		weft__describe_task(snapshot->task, who);
		if (view.copy.task.flags & TASK_THREAD)
			weft__format(site, sizeof(site), "the start of its thread: main");
		else
			weft__describe_site(&view, site);
	}
	weft__out(
		&out, "weft: watchdog: worker %u has been kept by %s for %s%s\n", worker->index,
		answered ? who : "a task", weft__text_duration(text, stuck_ns),
		blocked ? "; its thread is blocked in a system call, which belongs into weft_offload()"
			: "; weft_task_yield() would let others run");
	if (answered && site[0])
		weft__out(&out, "  spawned at %s; it is in\n", site);
	if (answered)
		put_calls(&out);
	weft__out_flush(&out);
	atomic_fetch_add(&weft__watchdog_told, 1);
drop:
	weft__modules_drop(&snapshot->unwinder.modules);
}

/* --- looking ----------------------------------------------------------------------- */

no_tsan static uint64_t switches_of(const struct worker *worker)
{
	return *(const volatile uint64_t *)&worker->switches;
}

/* Does anybody but the running task depend on this worker? */
static bool matters(const struct worker *worker)
{
	return worker->runtime || worker_alive(worker) > 0;
}

static void come_free(struct ward *ward)
{
	if (ward->covered)
		weft__cover_stuck((unsigned)(ward - wards), ward->worker, false);
	ward->covered = ward->told = false;
}

static void look_at(struct ward *ward, struct worker *worker, int64_t now_ns, int64_t period)
{
	uint64_t switches = worker ? switches_of(worker) : 0;
	int64_t looked_ns =
		worker ? atomic_load_explicit(&worker->last_look_ns, memory_order_relaxed) : 0;

	if (!worker || worker != ward->worker || switches != ward->switches ||
	    looked_ns != ward->looked_ns ||
	    atomic_load_explicit(&worker->sleeping, memory_order_relaxed) || !matters(worker)) {
		come_free(ward);
		/* The clock after the look: who is kept from both is not kept by a task. */
		*ward = (struct ward){ worker, switches, looked_ns, weft__now(), false, false };
		return;
	}
	if (now_ns - ward->since_ns < period)
		return;
	if (!ward->covered)
		ward->covered = weft__cover_stuck((unsigned)(ward - wards), worker, true);
	if (!ward->told)
		tell(worker, now_ns - ward->since_ns);
	ward->told = true;
}

static bool make_room(unsigned count)
{
	struct ward *more;

	if (count <= wards_count)
		return true;
	more = realloc(wards, count * sizeof *wards);
	if (!more)
		return false;
	for (unsigned i = wards_count; i < count; i++)
		more[i] = (struct ward){ NULL, 0, 0, 0, false, false };
	wards = more;
	wards_count = count;
	return true;
}

static void pause_ns(int64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	weft__syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void *watchdog_main(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "weft-watchdog");
	for (;;) {
		int64_t period = atomic_load_explicit(&period_ns, memory_order_relaxed);
		int64_t look_ns = period / LOOKS_A_PERIOD;
		unsigned high = weft__worker_high;

		if (!period) {
			for (unsigned i = 0; i < wards_count; i++)
				come_free(&wards[i]);
			pause_ns(OFF_LOOK_NS);
			continue;
		}
		pause_ns(look_ns < LOOK_MIN_NS ? LOOK_MIN_NS : look_ns);
		if (!make_room(high + 1))
			continue;
		for (unsigned i = 1; i <= high; i++)
			look_at(&wards[i], weft__worker(i), weft__now(), period);
	}
	return NULL;
}

/* --- beginning ----------------------------------------------------------------------- */

static int start_thread(void)
{
	if (!snapshot)
		snapshot = weft__snapshot_new();
	return snapshot ? weft__helper_start(watchdog_main, STACK_BYTES) : -ENOMEM;
}

int weft_watchdog(int64_t new_period_ns)
{
	int rc = 0;

	if (new_period_ns < 0)
		return -EINVAL;
	atomic_store_explicit(&period_ns, new_period_ns, memory_order_relaxed);
	if (!new_period_ns)
		return 0;
	lock_take(&lock);
	if (!running)
		rc = start_thread();
	running |= rc == 0;
	lock_drop(&lock);
	return rc;
}

/* The child of fork(2) has no such thread, and mostly it calls exec(2) next: it makes one
 * when it is asked. */
static void forget_in_child(void)
{
	lock = (struct lock){ LOCK_FREE };
	running = false;
	wards_count = 0;
	wards = NULL;
	atomic_store_explicit(&period_ns, 0, memory_order_relaxed);
}

void weft__watchdog_init(void)
{
	const char *text = getenv("WEFT_WATCHDOG_MS");
	long ms = DEFAULT_MS;
	char *end;
	int rc;

	pthread_atfork(NULL, NULL, forget_in_child);
	if (text && *text) {
		ms = strtol(text, &end, 10);
		if (*end || ms < 0 || ms > 3600000) {
			weft__warn("WEFT_WATCHDOG_MS=%s is not a number of milliseconds", text);
			ms = DEFAULT_MS;
		}
	}
	rc = ms ? weft_watchdog(ms * INT64_C(1000000)) : 0;
	if (rc < 0)
		weft__warn("no thread for the watchdog: %s", strerror(-rc));
}
