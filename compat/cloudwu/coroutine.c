/* SPDX-License-Identifier: MIT
 *
 * coroutine.c - schedules of cloudwu/coroutine: a group of one shared stack, and numbers
 * for weft's coroutines.
 *
 * S1 schedule.running is the innermost coroutine of it that runs, and `below` leads from
 *    each to the one that ran when it was resumed: its resumer, or somebody further
 *    up, with coroutines of other kinds between.
 * S2 Whoever resumes keeps S1, after the switch back: whatever way a coroutine was
 *    suspended, it does not run then. Only a task that was ended inside of one leaves S1
 *    broken, and tidy() mends it.
 */
#include <errno.h>

#include <base/fault.h>
#include <base/log.h>
#include <core/coroutine.h>

#include "../misuse.h"
#include "../numbers.h"
#include "include/coroutine.h"

enum { STACK_BYTES = 1 << 20 }; /* as the original */

struct schedule {
	uintptr_t owner; /* a thread's number: only this one writes here */
	weft_stack_group *group;
	struct numbers numbers;   /* of its coroutines */
	struct numbered *running; /* S1; or NULL */
};

struct numbered {
	weft_coroutine *co;
	struct schedule *schedule;
	struct numbered *below; /* S1; while it runs */
	coroutine_func func;
	void *ud;
	int number;
};

/* --- schedules ----------------------------------------------------------------------- */

WEFT_API struct schedule *coroutine_open(void)
{
	struct schedule *S = weft__calloc(1, sizeof(*S));

	if (S && weft_stack_group_new(&S->group, 1, STACK_BYTES) < 0) {
		weft__free(S);
		S = NULL;
	}
	if (!S) {
		errno = ENOMEM;
		return NULL;
	}
	S->owner = weft__thread.number; /* the group has made it */
	return S;
}

static bool is_ours(const struct schedule *S)
{
	return S->owner == weft__thread.number;
}

/* 0 when it is gone, or a negative errno. */
static int release(struct numbered *it)
{
	struct schedule *S = it->schedule;
	int rc;

	/* Its cleanups, if it has any, are part of it. */
	it->below = S->running;
	S->running = it;
	rc = weft_coroutine_free(it->co);
	S->running = it->below;
	if (rc < 0)
		return rc;
	numbers_remove(&S->numbers, it->number);
	weft__free(it);
	return 0;
}

/* Of those who do not run any more, although S1 says so, the task has been ended. */
static void tidy(struct schedule *S)
{
	struct numbered *it;

	while ((it = S->running) && weft_coroutine_status(it->co) != WEFT_RUNNING) {
		S->running = it->below;
		if (weft_coroutine_status(it->co) == WEFT_DEAD)
			release(it);
	}
}

/* All that are there. A cleanup may make new ones: they are found, too. */
static int release_all(struct schedule *S)
{
	int rc = 0;

	while (S->numbers.used && rc == 0)
		for (unsigned i = 0; i < S->numbers.size && rc == 0; i++)
			if (S->numbers.slots[i].item)
				rc = release(S->numbers.slots[i].item);
	return rc;
}

WEFT_API void coroutine_close(struct schedule *S)
{
	int rc;

	if (!S)
		return;
	if (is_ours(S))
		tidy(S);
	rc = !is_ours(S) ? -EPERM : S->running ? -EBUSY : release_all(S);
	if (rc == 0)
		rc = weft_stack_group_free(S->group);
	if (rc < 0) {
		MISUSE(-rc, "coroutine_close: a coroutine runs, or the schedule is another "
			    "thread's, or there is no memory: it stays as it is");
		return;
	}
	numbers_fini(&S->numbers);
	weft__free(S);
}

/* --- coroutines ------------------------------------------------------------------------ */

static void *body(void *arg, void *value)
{
	struct numbered *self = arg;

	(void)value;
	self->func(self->schedule, self->ud);
	return NULL;
}

/* 0, or a negative errno. */
static int make(struct schedule *S, struct numbered *it)
{
	weft_attr attr = { .shared = S->group };
	int rc = weft_coroutine_new(&it->co, body, it, &attr);

	if (rc < 0)
		return rc;
	it->number = numbers_add(&S->numbers, it);
	if (it->number < 0) {
		weft_coroutine_free(it->co);
		return -ENOMEM;
	}
	return 0;
}

WEFT_API int coroutine_new(struct schedule *S, coroutine_func func, void *ud)
{
	struct numbered *it;
	int rc;

	if (!S || !func) {
		MISUSE(EINVAL, "coroutine_new: no %s", S ? "function" : "schedule");
		return -1;
	}
	it = weft__malloc(sizeof(*it));
	if (!it) {
		errno = ENOMEM;
		return -1;
	}
	*it = (struct numbered){ .schedule = S, .func = func, .ud = ud };
	rc = make(S, it);
	if (rc < 0) {
		weft__free(it);
		if (rc == -EPERM)
			MISUSE(EPERM, "coroutine_new: the schedule is another thread's");
		errno = -rc;
		return -1;
	}
	return it->number;
}

WEFT_API int coroutine_status(struct schedule *S, int id)
{
	static const int status_of[] = { [WEFT_READY] = COROUTINE_READY,
					 [WEFT_RUNNING] = COROUTINE_RUNNING,
					 [WEFT_SUSPENDED] = COROUTINE_SUSPEND,
					 [WEFT_DEAD] = COROUTINE_DEAD };
	struct numbered *it = S ? numbers_find(&S->numbers, id) : NULL;
	int status = it ? weft_coroutine_status(it->co) : WEFT_DEAD;

	return status < 0 ? COROUTINE_DEAD : status_of[status];
}

WEFT_API int coroutine_running(struct schedule *S)
{
	return S && S->running ? S->running->number : -1;
}

/* --- resume and yield ------------------------------------------------------------------- */

/* Does the caller run inside of the coroutine that runs in @S? If not, that one
 * waits, in another task, for something that its task waits for. */
static bool is_inside(struct schedule *S)
{
	tidy(S);
	for (struct coroutine *co = weft__thread.coroutine; co; co = co->resumer)
		if (S->running && coroutine_handle(co) == S->running->co)
			return true;
	return !S->running;
}

static coldpath void resume_nobody(struct schedule *S, int id)
{
	if (!S)
		MISUSE(EINVAL, "coroutine_resume: no schedule");
	else if (!numbers_dealt(&S->numbers, id))
		MISUSE(EINVAL, "coroutine_resume: no coroutine ever had the number %d", id);
	else
		errno = ESRCH; /* programs do so, and in the original it is no mistake */
}

static coldpath void resume_refused(int id, int rc)
{
	switch (-rc) {
	case EDEADLK:
		MISUSE(EDEADLK, "coroutine_resume: %d is the caller itself", id);
		break;
	case EBUSY:
		MISUSE(EBUSY,
		       "coroutine_resume: %d has resumed the caller, or its schedule is in use by "
		       "another task",
		       id);
		break;
	case EPERM:
		MISUSE(EPERM, "coroutine_resume: %d belongs to another thread", id);
		break;
	default:
		errno = -rc;
	}
}

WEFT_API void coroutine_resume(struct schedule *S, int id)
{
	struct numbered *it = likely(S != NULL) ? numbers_find(&S->numbers, id) : NULL;
	struct numbered *below, *was_below;
	int rc;

	if (unlikely(!it)) {
		resume_nobody(S, id);
		return;
	}
	if (unlikely(!is_ours(S)) || (unlikely(S->running != NULL) && !is_inside(S))) {
		resume_refused(id, is_ours(S) ? -EBUSY : -EPERM);
		return;
	}
	below = S->running;
	was_below = it->below;
	it->below = below;
	S->running = it;
	rc = weft_resume(it->co, NULL, NULL);
	S->running = below;
	if (unlikely(rc < 0)) {
		it->below = was_below; /* it may run further up */
		resume_refused(id, rc);
	} else if (unlikely(rc == 0) && weft_coroutine_status(it->co) == WEFT_DEAD) {
		release(it);
	}
}

WEFT_API void coroutine_yield(struct schedule *S)
{
	int rc = -EPERM;

	if (unlikely(!S)) {
		MISUSE(EINVAL, "coroutine_yield: no schedule");
		return;
	}
	if (likely(S->running != NULL) && likely(weft_coroutine_self() == S->running->co))
		rc = weft_yield_with(NULL, NULL);
	if (unlikely(rc == -EPERM))
		MISUSE(EPERM, "coroutine_yield: the caller is not the coroutine that runs");
	else if (unlikely(rc < 0))
		errno = -rc;
}
