/* SPDX-License-Identifier: MIT
 *
 * routine.c - coroutines: made, resumed, suspended, released.
 */
#include <errno.h>
#include <stdlib.h>

#include <base/fault.h>
#include <base/log.h>
#include <weft/task.h>

#include "co.h"

enum { STACK_DEFAULT = 128 << 10, STACK_MOST = 8 << 20 };

/** The group is made by the first coroutine, and belongs to its thread. */
struct stShareStack_t {
	unsigned count;
	size_t stack_bytes;
	weft_stack_group *group;
};

/* As libco rounds it; and not less than weft has. */
static size_t size_of_stack(int asked)
{
	const size_t page = 4096, least = 16 << 10;
	size_t bytes = asked <= 0 ? STACK_DEFAULT : asked > STACK_MOST ? STACK_MOST : (size_t)asked;

	bytes = (bytes + page - 1) / page * page;
	return bytes < least ? least : bytes;
}

struct stShareStack_t *weft__co_alloc_sharestack(int count, int stack_bytes)
{
	struct stShareStack_t *stacks = NULL;

	if (count <= 0) {
		errno = EINVAL;
		return NULL;
	}
	stacks = weft__calloc(1, sizeof(*stacks));
	if (!stacks) {
		errno = ENOMEM;
		return NULL;
	}
	stacks->count = (unsigned)count;
	stacks->stack_bytes = size_of_stack(stack_bytes);
	return stacks;
}

int weft__co_free_sharestack(struct stShareStack_t *stacks)
{
	int rc = stacks && stacks->group ? weft_stack_group_free(stacks->group) : 0;

	if (rc == 0)
		weft__free(stacks);
	return rc;
}

/* --- beginning and end ------------------------------------------------------------------ */

static void free_record(struct stCoRoutine_t *co)
{
	weft__co_values_free(co->values);
	weft__co_environ_free(co->environ);
	weft__free(co->resolver);
	weft__free(co);
}

static void on_end(struct handoff *hand)
{
	struct stCoRoutine_t *co = container_of(hand, struct stCoRoutine_t, hand);

	co->over = true;
	if (co->released)
		free_record(co);
}

static int run(void *arg)
{
	struct stCoRoutine_t *co = arg;

	co->routine(co->arg);
	return 0;
}

/* 0 or a negative errno. */
static int make_task(struct stCoRoutine_t *co)
{
	weft_attr attr = { .stack_bytes = co->stack_bytes, .flags = WEFT_NO_HOOKS };
	struct stShareStack_t *stacks = co->stacks;
	int rc = 0;

	if (stacks) {
		if (!stacks->group)
			rc = weft_stack_group_new(&stacks->group, stacks->count,
						  stacks->stack_bytes);
		if (rc < 0)
			return rc;
		attr.shared = stacks->group;
		attr.stack_bytes = 0;
	}
	co->over = false;
	return weft__handoff_new(&co->hand, &attr, run, co, "co_create()");
}

int weft__co_create(struct stCoRoutine_t **ret_co, int stack_bytes, struct stShareStack_t *stacks,
		    void *(*routine)(void *arg), void *arg)
{
	struct stCoRoutine_t *co;
	int rc;

	if (!ret_co || !routine)
		return -EINVAL;
	if (!weft__co_env())
		return -errno;
	co = weft__calloc(1, sizeof(*co));
	if (!co)
		return -ENOMEM;
	co->hand.on_end = on_end;
	co->routine = routine;
	co->arg = arg;
	co->stack_bytes = size_of_stack(stack_bytes);
	co->stacks = stacks;
	rc = make_task(co);
	if (rc < 0) {
		weft__free(co);
		return rc;
	}
	*ret_co = co;
	return 0;
}

/* --- resume and yield ---------------------------------------------------------------------- */

static coldpath void refused(int rc)
{
	switch (-rc) {
	case ESRCH:
		MISUSE(ESRCH, "co_resume: the coroutine has ended; co_reset() lets it begin anew");
		break;
	case EBUSY:
		MISUSE(EBUSY, "co_resume: the coroutine runs, or has resumed the caller, or waits "
			      "for a helper thread");
		break;
	case EPERM:
		MISUSE(EPERM, "co_resume: the coroutine belongs to another thread");
		break;
	default:
		MISUSE(-rc, "co_resume: no stack for the coroutine: error %d", -rc);
	}
}

void weft__co_resume(struct stCoRoutine_t *co)
{
	int rc = 0;

	if (unlikely(co->is_thread))
		rc = -EBUSY;
	else if (unlikely(!co->hand.task))
		rc = co->over ? -ESRCH : make_task(co);
	if (rc == 0)
		rc = weft__handoff_take(&co->hand);
	if (unlikely(rc < 0)) {
		refused(rc);
		return;
	}
	weft__handoff_resume(&co->hand);
}

void weft__co_yield(void)
{
	if (unlikely(!co_running())) {
		MISUSE(EPERM,
		       "co_yield: the caller is no coroutine, there is nobody to go back to");
		return;
	}
	weft__handoff_yield();
}

/* --- release and reset ----------------------------------------------------------------------- */

void weft__co_release(struct stCoRoutine_t *co)
{
	int rc;

	if (!co)
		return;
	if (co->is_thread) {
		MISUSE(EINVAL, "co_release: this stands for a thread, and goes with it");
		return;
	}
	if (!co->hand.task) {
		free_record(co);
		return;
	}
	co->released = true;
	rc = weft__handoff_end(&co->hand); /* it is gone, unless this fails */
	if (rc == -EPERM) {
		co->released = false;
		MISUSE(EPERM, "co_release: the coroutine belongs to another thread");
	}
}

void weft__co_reset(struct stCoRoutine_t *co)
{
	int rc = 0;

	if (co->is_thread)
		return;
	if (co->hand.task)
		rc = weft__handoff_end(&co->hand);
	if (rc == 0 && co->hand.task)
		rc = -EBUSY;
	if (rc < 0) {
		MISUSE(-rc, "co_reset: the coroutine runs, or belongs to another thread");
		return;
	}
	co->over = false;
}
