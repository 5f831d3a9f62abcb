/* SPDX-License-Identifier: MIT
 *
 * dump.c - weft_dump(): first a count of what there is, then a record of each task;
 * of groups of them when there are many. The models are Go's dump of its goroutines
 * and the state strings of Plan 9's libthread.
 *
 * It takes no lock and stops nobody. What it needs to remember lies in one mapping
 * that is made for the time.
 */
#include <errno.h>
#include <sys/mman.h>

#include <base/clock.h>
#include <base/fault.h>
#include <core/coroutine.h>
#include <core/runtime.h>
#include <debug/record.h>
#include <weft/debug.h>

enum { SINGLY_MAX = 100, WORKERS_MAX = 65536, WORKER_LINES = 64 };

struct worker_count {
	uint32_t tasks, running, ready;
};

struct dump {
	struct recorder recorder;
	uint64_t tasks, coroutines, doing[DOING_KINDS];
	unsigned workers;
	uint32_t singles;
	struct {
		uint64_t id;
		const struct task *task;
	} single[SINGLY_MAX];
	struct worker_count by_worker[WORKERS_MAX];
	struct groups groups;
};

/* --- counting ------------------------------------------------------------------ */

static void note_single(struct dump *dump, const struct task *task, uint64_t id)
{
	uint32_t at = dump->singles;

	if (at == SINGLY_MAX)
		return;
	for (; at > 0 && dump->single[at - 1].id > id; at--)
		dump->single[at] = dump->single[at - 1];
	dump->single[at].id = id;
	dump->single[at].task = task;
	dump->singles++;
}

static bool count_task(struct task *task, void *arg)
{
	struct dump *dump = arg;
	struct worker_count *worker;
	struct task_view view;
	enum doing doing;

	if (!weft__task_view(task, &view))
		return true;
	doing = weft__doing(&view);
	if (view.copy.task.flags & TASK_GUEST) { /* a plain thread: shown when it waits */
		if (view.waiting)
			note_single(dump, task, view.copy.task.id);
		return true;
	}
	dump->tasks++;
	dump->doing[doing]++;
	worker = &dump->by_worker[view_worker(&view)];
	dump->workers += !worker->tasks++;
	worker->running += doing == DOING_RUN;
	worker->ready += doing == DOING_READY || doing == DOING_NEW;
	note_single(dump, task, view.copy.task.id);
	return true;
}

static bool count_coroutine(struct coroutine *coroutine, void *arg)
{
	struct dump *dump = arg;

	(void)coroutine;
	dump->coroutines++;
	return true;
}

static void put_workers(struct dump *dump)
{
	struct out *out = &dump->recorder.out;
	unsigned lines = 0;

	for (unsigned i = 0; i < WORKERS_MAX && lines < WORKER_LINES && lines < dump->workers;
	     i++) {
		const struct worker_count *worker = &dump->by_worker[i];
		char count[32];

		if (!worker->tasks)
			continue;
		lines++;
		weft__out(out, "worker %u: %s task%s, %u running, %u ready\n", i,
			  weft__text_count(count, worker->tasks), worker->tasks == 1 ? "" : "s",
			  worker->running, worker->ready);
	}
	if (lines < dump->workers)
		weft__out(out, "... and %u more workers\n", dump->workers - lines);
}

static void put_summary(struct dump *dump)
{
	struct out *out = &dump->recorder.out;
	const char *before = ": ";
	char count[32];

	weft__out(out, "weft: %s task%s", weft__text_count(count, dump->tasks),
		  dump->tasks == 1 ? "" : "s");
	for (enum doing doing = 0; doing < DOING_KINDS; doing++) {
		if (!dump->doing[doing])
			continue;
		weft__out(out, "%s%s %s", before, weft__text_count(count, dump->doing[doing]),
			  weft__doing_text(doing));
		before = ", ";
	}
	if (dump->coroutines)
		weft__out(out, "; %s coroutine%s", weft__text_count(count, dump->coroutines),
			  dump->coroutines == 1 ? "" : "s");
	weft__out(out, "\n");
	put_workers(dump);
}

/* --- records --------------------------------------------------------------------- */

static bool group_task(struct task *task, void *arg)
{
	struct dump *dump = arg;
	struct backtrace backtrace;
	struct task_view view;

	if (!weft__task_view(task, &view) || (view.copy.task.flags & TASK_GUEST))
		return true;
	weft__record_backtrace(&dump->recorder, &view, &backtrace);
	weft__group_add(&dump->groups, task, &view, &backtrace,
			weft__waiting_ns(&view, dump->recorder.now_ns));
	return true;
}

static void put_groups(struct dump *dump)
{
	struct task_visitor visitor = { .task = group_task, .arg = dump };
	char count[32];

	weft__task_each(&visitor);
	weft__groups_sort(&dump->groups);
	for (uint32_t i = 0; i < dump->groups.used; i++)
		weft__record_group(&dump->recorder, dump->groups.order[i]);
	if (dump->groups.left_over)
		weft__out(&dump->recorder.out, "\n%s tasks that are like none of these\n",
			  weft__text_count(count, dump->groups.left_over));
}

static int write_dump(struct dump *dump, int fd)
{
	struct task_visitor visitor = { count_task, count_coroutine, dump };

	dump->recorder.out.fd = fd;
	dump->recorder.now_ns = weft__now();
	weft__modules_load(&dump->recorder.unwinder.modules);
	weft__task_each(&visitor);
	put_summary(dump);
	if (dump->tasks <= SINGLY_MAX) {
		for (uint32_t i = 0; i < dump->singles; i++)
			weft__record_task(&dump->recorder, dump->single[i].task);
	} else {
		put_groups(dump);
	}
	weft__out(&dump->recorder.out, "\n");
	weft__modules_drop(&dump->recorder.unwinder.modules);
	return weft__out_flush(&dump->recorder.out);
}

int weft_dump(int fd)
{
	int saved_errno = errno, rc;
	struct dump *dump = weft__map(sizeof(*dump));

	if (!dump) {
		errno = saved_errno;
		return -ENOMEM;
	}
	rc = write_dump(dump, fd);
	munmap(dump, sizeof(*dump));
	errno = saved_errno;
	return rc;
}
