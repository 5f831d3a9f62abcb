/* SPDX-License-Identifier: MIT
 *
 * crew.c - weft_run() with several workers: their threads, from the first to the last.
 *
 * The caller's thread is the worker at place 0, and runs main. The others are made
 * here, and are complete before main's body begins: nobody meets half a crew. When all
 * tasks have ended, stopping is set and they are woken; each gives back what is its
 * own, and the caller joins their threads.
 */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <base/fault.h>
#include <base/log.h>
#include <core/exit.h>
#include <core/leave.h>
#include <core/runtime.h>

enum { SPARES_MIN = 8 };

/* What a new thread is told, and tells. */
struct recruit {
	struct runtime *runtime;
	unsigned place;
	int result;
	sem_t done;
};

unsigned weft__crew_default(void)
{
	const char *asked = getenv("WEFT_WORKERS");
	cpu_set_t set;
	long count = 0;

	if (asked && *asked) {
		char *end;

		count = strtol(asked, &end, 10);
		if (*end || count < 1 || count > RUNTIME_WORKERS_MAX) {
			weft__warn(
				"WEFT_WORKERS=%s is not a number from 1 to %d; one worker a CPU is "
				"used",
				asked, RUNTIME_WORKERS_MAX);
			count = 0;
		}
	}
	if (count == 0 && sched_getaffinity(0, sizeof set, &set) == 0)
		count = CPU_COUNT(&set);
	return count < 1 ? 1 : count > RUNTIME_WORKERS_MAX ? RUNTIME_WORKERS_MAX : (unsigned)count;
}

/* --- a helper's thread ------------------------------------------------------------ */

/* For debuggers and top(1). */
static void name_thread(unsigned place)
{
	char name[16];

	weft__format(name, sizeof name, "weft-%u", place);
	pthread_setname_np(pthread_self(), name);
}

static void *helper_main(void *arg)
{
	struct recruit *recruit = arg;
	struct runtime *runtime = recruit->runtime;
	unsigned place = recruit->place;
	struct worker *worker;

	recruit->result =
		weft__runtime_enter(&worker, runtime, runtime->poller_first + place, false);
	if (recruit->result < 0) {
		sem_post(&recruit->done);
		return NULL;
	}
	name_thread(place);
	worker->place = (uint8_t)place;
	runtime->workers[place] = worker;
	/* Before it runs anything, for the sums of N1 leave out nobody who counts. release: pairs
	 * with those who go through all places (share.c) */
	atomic_store_explicit(&runtime->places, place + 1, memory_order_release);
	sem_post(&recruit->done); /* recruit is gone from here on */

	weft__worker_loop(worker, NULL);
	/* Others may look into our rings and our poller until they have left their loops. */
	pthread_barrier_wait(&runtime->all_left);
	weft__runtime_leave(worker);
	weft__stack_cache_drop();
	return NULL;
}

/* libc's waits in here must block the thread, though libweft-hook makes waits of the task of them:
 * this is the inside of a runtime. Return: for hooks_back(). */
static uint16_t hooks_away(void)
{
	struct task *self = weft__thread.task;
	uint16_t before = WEFT_NO_HOOKS;

	if (self) {
		before &= self->flags;
		self->flags |= WEFT_NO_HOOKS;
	}
	return before;
}

static void hooks_back(uint16_t before)
{
	if (!before)
		weft__thread.task->flags &= (uint16_t)~WEFT_NO_HOOKS;
}

/* Waits until the new worker is complete, and has taken its place. */
static int hire(struct runtime *runtime, unsigned place)
{
	struct recruit recruit = { .runtime = runtime, .place = place };
	uint16_t before = hooks_away();
	int rc;

	sem_init(&recruit.done, 0, 0);
	rc = weft__fault_hit()
		     ? EAGAIN
		     : pthread_create(&runtime->threads[place], NULL, helper_main, &recruit);
	if (rc == 0) {
		while (sem_wait(&recruit.done) < 0)
			; /* a signal */
		rc = -recruit.result;
		if (rc)
			pthread_join(runtime->threads[place], NULL);
	}
	sem_destroy(&recruit.done);
	hooks_back(before);
	return -rc;
}

int weft__crew_hire(struct runtime *runtime)
{
	unsigned place = atomic_load_explicit(&runtime->places, memory_order_relaxed);

	return place == runtime->places_max ? -EAGAIN : hire(runtime, place);
}

/* --- the whole ----------------------------------------------------------------------- */

static void dismiss_all(struct runtime *runtime)
{
	uint16_t before;
	unsigned places;

	weft__cover_open(runtime, false);
	places = atomic_load(&runtime->places);
	if (places == 1)
		return;
	pthread_barrier_init(&runtime->all_left, NULL, places - 1);
	atomic_store(&runtime->stopping, true);
	/* Who is about to sleep sees stopping in its second look, or is seen asleep. */
	for (unsigned place = 1; place < places; place++)
		weft__worker_wake(runtime->workers[place]);
	before = hooks_away();
	for (unsigned place = 1; place < places; place++)
		pthread_join(runtime->threads[place], NULL);
	pthread_barrier_destroy(&runtime->all_left);
	hooks_back(before);
}

static struct runtime *runtime_new(unsigned count)
{
	struct runtime *runtime = weft__map(sizeof *runtime);

	if (!runtime)
		return NULL;
	runtime->count = count;
	/* Whole words of bits, with room for a few spares. */
	runtime->places_max =
		(count + SPARES_MIN + IDLE_PER_WORD - 1) / IDLE_PER_WORD * IDLE_PER_WORD;
	runtime->idle.workers = runtime->places_max;
	runtime->poller_count = runtime->places_max;
	runtime->poller_first = weft__poller_ids(runtime->places_max);
	runtime->idle.spinners_max = (count + 1) / 2;
	list_init(&runtime->daemons.list);
	return runtime;
}

int weft__crew_run(unsigned count, weft_fn *fn, void *arg, int *ret)
{
	struct runtime *runtime = runtime_new(count);
	struct worker *worker;
	int rc, value = 0;

	if (!runtime)
		return -ENOMEM;
	rc = weft__runtime_enter(&worker, runtime, runtime->poller_first, true);
	if (rc < 0)
		goto no_worker;
	runtime->workers[0] = worker;
	atomic_store(&runtime->places, 1);
	while (rc == 0 && runtime->places < count)
		rc = weft__crew_hire(runtime);
	if (rc == 0) {
		weft__cover_open(runtime, true);
		value = weft__main_call(worker, fn, arg);
	}
	weft__runtime_finish(worker);
	weft__share_end_visits(runtime);
	dismiss_all(runtime);
	weft__runtime_leave(worker);
	if (rc == 0 && ret)
		*ret = value;
	weft__cover_open(runtime, false); /* nobody is at it any more */
no_worker:
	munmap(runtime, sizeof *runtime);
	return rc;
}
