/* SPDX-License-Identifier: MIT
 *
 * locks.c - row 63: a task leaves the CPU while it holds a mutex of libc's that blocks threads.
 * The next task of its thread that wants the mutex blocks the thread, and with it the one who could
 * give it back. It is told before that happens, and once for each place in the code that locks.
 *
 * Who sees the locks is libweft-hook, also when it hooks nothing (WEFT_HOOKS=none). A switch pays
 * nothing: a task that holds such a mutex has TASK_HOLDS, and goes the way of those that
 * leave by the rare path.
 *
 * B1 A record is its task's, made and dropped by it alone; another's is written only when that task
 *    has ended, and its id is no more what it was.
 * B2 A mutex that somebody else gave back is not held any more, though there is a record. So its
 *    word is looked at before it is told.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <base/atomic.h>
#include <base/fault.h>
#include <base/log.h>
#include <base/observe.h>
#include <base/peek.h>
#include <core/task.h>
#include <debug/describe.h>
#include <debug/locks.h>
#include <debug/symbols.h>
#include <debug/unwind.h>
#include <debug/unwind_cpu.h>

#ifdef NDEBUG
enum { BY_DEFAULT = 0 };
#else
enum { BY_DEFAULT = 1 };
#endif

enum { RECORDS = 256, SITES = 64, FRAMES = 24 };

struct record {
	const void *mutex; /* NULL: free */
	const struct task *task;
	uint64_t id;
	const void *site;
	const char *why;
	unsigned depth;
};

static struct spinlock lock; /* of all below */
static struct record records[RECORDS];
static unsigned records_high; /* none is in use from here on */
static const void *sites_told[SITES];
static unsigned sites_count;

/* --- records; the lock is held --------------------------------------------------------------- */

static bool is_of(const struct record *record, const struct task *task)
{
	return record->mutex && record->task == task && record->id == task_id(task);
}

/* Nobody's, or of a task that has ended (B1). */
static bool is_free(const struct record *record)
{
	return !record->mutex || record->id != task_id(record->task);
}

static struct record *find(const struct task *task, const void *mutex)
{
	for (unsigned i = 0; i < records_high; i++)
		if (is_of(&records[i], task) && records[i].mutex == mutex)
			return &records[i];
	return NULL;
}

static struct record *find_free(void)
{
	for (unsigned i = 0; i < records_high; i++)
		if (is_free(&records[i]))
			return &records[i];
	return records_high < RECORDS ? &records[records_high++] : NULL;
}

static bool holds_any(const struct task *task)
{
	for (unsigned i = 0; i < records_high; i++)
		if (is_of(&records[i], task))
			return true;
	return false;
}

/* Return: false: it has been told, or there is no room to remember that it was. */
static bool first_of_site(const void *site)
{
	for (unsigned i = 0; i < sites_count; i++)
		if (sites_told[i] == site)
			return false;
	if (sites_count == SITES)
		return false;
	sites_told[sites_count++] = site;
	return true;
}

/* B2 */
static bool is_locked(const void *mutex)
{
	int word;

	return weft__peek(&word, (uintptr_t) & ((const pthread_mutex_t *)mutex)->__data.__lock,
			  sizeof(word)) &&
	       word != 0;
}

static bool is_news(const struct record *record, const struct task *task)
{
	return is_of(record, task) && is_locked(record->mutex) && first_of_site(record->site);
}

/* Something of @task's that is to be told; a copy of it. The lock is not held. */
static bool take_news(const struct task *task, struct record *ret)
{
	unsigned i = 0;
	bool found;

	spin_lock(&lock);
	while (i < records_high && !is_news(&records[i], task))
		i++;
	found = i < records_high;
	if (found)
		*ret = records[i];
	spin_unlock(&lock);
	return found;
}

/* --- telling ------------------------------------------------------------------------------------ */

/* Large, and the stack may be small. One at a time. */
static struct report {
	struct spinlock busy;
	struct unwinder unwinder;
	struct stack_memory memory;
	ucontext_t here;
	struct out out;
	enum unwind_end end;
	uintptr_t pcs[FRAMES];
	char text[256];
} * report;

static const char *symbol_of(uintptr_t pc)
{
	weft__symbol_text(&report->unwinder.modules, report->text, sizeof report->text, pc, false);
	return report->text;
}

/* The calls that the caller is in. The first is this one. */
static noinline void put_calls(void)
{
	struct unwind_frame frame = { .exact = true };
	unsigned depth;

	getcontext(&report->here);
	unwind_interrupted(&report->here, frame.regs);
	frame.pc = unwind_interrupted_pc(&report->here);
	frame.known = ~UINT64_C(0) >> (64 - UNWIND_REGS);
	stack_memory_init(&report->memory, 0, 0, 0, false);
	depth = weft__unwind_from(&report->unwinder, &report->memory, frame, report->pcs, FRAMES,
				  &report->end);
	for (unsigned i = 1; i < depth; i++)
		weft__out(&report->out, "    %s\n", symbol_of(report->pcs[i]));
}

static void tell(const struct task *self, const struct record *news)
{
	char who[WHAT_BYTES];

	report->out = (struct out){ .fd = 2 };
	memset(&report->unwinder, 0, sizeof(report->unwinder)); /* of the last time */
	weft__modules_load(&report->unwinder.modules);
	weft__describe_task(self, who);
	weft__out(&report->out,
		  "weft: lock check: %s leaves the CPU while it holds the pthread mutex %p, which "
		  "blocks threads: %s\n",
		  who, news->mutex, news->why);
	weft__out(&report->out, "  locked at %s\n", symbol_of((uintptr_t)news->site));
	weft__out(
		&report->out,
		"  A task of this thread that wants it now blocks the thread for good. Give it back "
		"before a wait, let\n"
		"  libweft-hook wait for it (WEFT_HOOKS=sync), or take a weft_mutex.\n");
	weft__out(&report->out, "  spawned at %s; it is in\n",
		  task_site(self) ? task_site(self) : "the start of its thread");
	put_calls();
	weft__out_flush(&report->out);
	weft__modules_drop(&report->unwinder.modules);
}

/* --- what the observer is called for --------------------------------------------------------------- */

static void on_locked(const void *mutex, const void *site, const char *why)
{
	struct task *self = weft__thread.task;
	struct record *record;

	spin_lock(&lock);
	record = find(self, mutex);
	if (record) {
		record->depth++;
	} else if ((record = find_free()) != NULL) {
		*record = (struct record){ mutex, self, task_id(self), site, why, 1 };
		self->flags |= TASK_HOLDS;
	}
	spin_unlock(&lock);
}

static void on_unlocked(const void *mutex)
{
	struct task *self = weft__thread.task;
	struct record *record;

	spin_lock(&lock);
	record = find(self, mutex);
	if (record && --record->depth == 0) {
		record->mutex = NULL;
		if (!holds_any(self))
			self->flags &= (uint16_t)~TASK_HOLDS;
	}
	spin_unlock(&lock);
}

static void on_leave(void)
{
	struct task *self = weft__thread.task;
	struct record news;

	while (take_news(self, &news)) {
		spin_lock(&report->busy);
		tell(self, &news);
		spin_unlock(&report->busy);
	}
}

static const struct lock_observer observer = { on_locked, on_unlocked, on_leave };

static bool is_wanted(void)
{
	const char *check = getenv("WEFT_LOCK_CHECK");
	const char *watchdog = getenv("WEFT_WATCHDOG_MS");

	if (check && *check)
		return strcmp(check, "0") != 0;
	return BY_DEFAULT || (watchdog && *watchdog && strcmp(watchdog, "0") != 0);
}

/* Some thread that is not here may have held a lock. */
static void reset_in_child(void)
{
	lock = (struct spinlock){ 0 };
	report->busy = (struct spinlock){ 0 };
}

void weft__locks_init(void)
{
	if (!is_wanted())
		return;
	report = weft__map(sizeof *report);
	if (!report)
		return;
	pthread_atfork(NULL, NULL, reset_in_child);
	atomic_store_explicit(&weft__observe_locks, &observer, memory_order_relaxed);
}
