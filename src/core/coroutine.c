/* SPDX-License-Identifier: MIT
 *
 * coroutine.c - coroutines: made, resumed, yielding, reset, freed.
 *
 *   weft_resume: begin_resume, switch ----> weft_yield returns there,
 *                                           or coroutine_main begins
 *   weft_resume returns <---- switch, begin_yield :weft_yield
 *                       <---- weft__coroutine_finish <---- the body returns
 *
 * The three functions that switch have a quick path here: two compares find
 * out that a resume is right, and two that a yield is (coroutine.h, C1 and C2).
 * All that needs care, errors included, is in coroutine_rare.c.
 */
#include <errno.h>
#include <string.h>

#include <base/cpu.h>
#include <base/fault.h>
#include <base/log.h>
#include <core/coroutine.h>
#include <core/task.h>
#include <stack/overflow.h>

/* C4 */
_Static_assert(offsetof(struct coroutine, no_wait) == offsetof(struct task, wait), "C4");
_Static_assert(offsetof(struct coroutine, no_task_id) == offsetof(struct task, id), "C4");

/* --- the quick paths, up to the switch ------------------------------------- */

static always_inline weft_context *begin_resume(weft_coroutine *handle, weft_context *here,
						void **ret_out)
{
	struct thread *thread = &weft__thread;
	struct coroutine *co = coroutine_at(handle);

	if (unlikely(!handle) || unlikely(coroutine_word(co) != (uintptr_t)handle) ||
	    unlikely(co->owner != thread->number))
		return weft__begin_resume_rare(handle, here, ret_out);
	coroutine_enter(thread, co, (uintptr_t)handle, here, ret_out);
	return &co->strand.ctx;
}

/* True when @self can be left without care; a stack that has run over cannot. */
static always_inline bool may_leave(const struct coroutine *self)
{
	return likely(!self->rare) && likely(stack_pointer() >= self->strand.low);
}

static always_inline struct weft__way begin_yield(void *value)
{
	struct thread *thread = &weft__thread;
	struct coroutine *self = thread->coroutine;

	if (unlikely(!self) || unlikely(!may_leave(self)))
		return weft__begin_yield_rare(value);
	coroutine_deliver(self, value);
	coroutine_leave(thread, self);
	return (struct weft__way){ &self->strand.ctx, self->caller };
}

static always_inline struct weft__way begin_transfer(weft_coroutine *handle)
{
	struct thread *thread = &weft__thread;
	struct coroutine *self = thread->coroutine, *co = coroutine_at(handle);

	if (unlikely(!handle) || unlikely(!self) ||
	    unlikely(coroutine_word(co) != (uintptr_t)handle) ||
	    unlikely(co->owner != thread->number) || unlikely(!may_leave(self)))
		return weft__begin_transfer_rare(handle);
	coroutine_hand_over(thread, self, co);
	return (struct weft__way){ &self->strand.ctx, &co->strand.ctx };
}

/* For weft/coroutine_inline.h. */
WEFT_API weft_context *weft__resume_begin(weft_coroutine *handle, weft_context *here,
					  void **ret_out)
{
	return begin_resume(handle, here, ret_out);
}

WEFT_API struct weft__way weft__yield_begin(void *value)
{
	return begin_yield(value);
}

WEFT_API struct weft__way weft__transfer_begin(weft_coroutine *handle)
{
	return begin_transfer(handle);
}

/* --- the same with the switch, for those who do not inline it -------------- */

WEFT_API int weft_resume(weft_coroutine *handle, void *value, void **ret_out)
{
	weft_context here, *to = begin_resume(handle, &here, ret_out);
	struct coroutine *co = weft__thread.coroutine;

	if (unlikely(!to))
		return weft__resume_rare(handle, value, ret_out);
	coroutine_asan_resume(co);
	return (int)(intptr_t)coroutine_switch(&here, to, value, landing_at(co));
}

WEFT_API int weft_yield_with(void *value, void **ret_in)
{
	const struct coroutine *self = weft__thread.coroutine;
	struct weft__way way = begin_yield(value);

	if (unlikely(!way.to))
		return weft__yield_rare(value, ret_in);
	value = coroutine_switch(way.from, way.to, YIELDED, landing_at_caller(self));
	if (ret_in)
		*ret_in = value;
	return 0;
}

WEFT_API void *weft_yield(void *value)
{
	void *in = NULL;

	weft_yield_with(value, &in);
	return in;
}

WEFT_API int weft_transfer(weft_coroutine *handle, void *value, void **ret_in)
{
	struct weft__way way = begin_transfer(handle);
	struct coroutine *co = weft__thread.coroutine;

	if (unlikely(!way.to))
		return weft__transfer_rare(handle, value, ret_in);
	value = coroutine_switch(way.from, way.to, value, landing_at(co));
	if (ret_in)
		*ret_in = value;
	return 0;
}

/* --- first and last frame -------------------------------------------------- */

void weft__coroutine_finish(struct coroutine *self, void *value)
{
	struct thread *thread = &weft__thread;

	self->state = COROUTINE_DEAD; /* and the word stays BUSY */
	self->cleanups = NULL;
	thread->coroutine = self->resumer;
	if (unlikely(self->generator))
		self->ret_out = NULL;
	if (unlikely(self->rare))
		weft__coroutine_finish_rare(self, value);
	coroutine_deliver(self, value);
	coroutine_switch_last(&self->strand.ctx, self->caller, ENDED, landing_at_caller(self));
}

static void coroutine_main(void *context, void *value)
{
	struct coroutine *self = context;

	coroutine_arrived(NULL);
	self->state = COROUTINE_STARTED;
	if (self->generator) {
		((weft_generator_fn *)(uintptr_t)self->fn)(self->arg);
		value = NULL;
	} else {
		value = self->fn(self->arg, value);
	}
	weft__coroutine_finish(self, value);
}

/* A new beginning, or the end: its fiber is in the functions of the last life. */
static void drop_fiber(struct coroutine *co)
{
#if WEFT_TSAN
	weft__tsan_free(co->strand.fiber);
	co->strand.fiber = NULL;
#else
	(void)co;
#endif
}

/* READY, from here on resumable. */
static void make_ready(struct coroutine *co, uint64_t handle)
{
	const struct shared_stack *shared = co->strand.shared;

	drop_fiber(co);
	weft__context_make_at(&co->strand.ctx, shared ? shared->top : (char *)co, coroutine_main);
	co->state = COROUTINE_READY;
	coroutine_set_word(co, handle);
}

/* --- new ------------------------------------------------------------------- */

/* For the report of an overflow; runs in a signal handler. */
static size_t describe(const struct strand *strand, char *buf, size_t size)
{
	const struct coroutine *co = weft__thread.coroutine;
	const struct task *task = weft__thread.task;

	if (!co || strand != &co->strand)
		return 0;
	if (!task)
		return weft__format(buf, size, "coroutine \"%s\"", coroutine_name(co));
	return weft__format(buf, size, "coroutine \"%s\" of task %llu \"%s\" (spawned at %s)",
			    coroutine_name(co), (unsigned long long)task_id(task), task_name(task),
			    task_site(task));
}

/* Handles are dealt to threads in blocks, so that no two coroutines that use
 * the same memory one after the other, on whatever thread, get the same one
 * before all 2 million are used up. */
enum { TAGS_DEALT = 1024 };

static coldpath uint32_t deal_tags(void)
{
	static _Atomic uint32_t dealt = 1;

	weft__overflow_describe(describe);
	/* relaxed: only the number matters */
	return atomic_fetch_add_explicit(&dealt, 1, memory_order_relaxed) * TAGS_DEALT;
}

static uint32_t next_tag(struct thread *thread)
{
	if (unlikely(thread->coroutine_tag % TAGS_DEALT == 0))
		thread->coroutine_tag = deal_tags();
	return thread->coroutine_tag++ << 1; /* the low bit is COROUTINE_BUSY's */
}

static struct coroutine *take_private(unsigned class)
{
	struct stack_slot slot;
	struct coroutine *co;

	if (unlikely(weft__stack_take(class, &slot) < 0))
		return NULL;
	co = (struct coroutine *)(void *)slot.top;
	co->strand.shared = NULL;
	co->strand.low = slot.low;
	co->stack_class = (uint8_t) class;
	co->rare = 0;
	if (unlikely(weft__stack_canaries) && weft__stack_guard_kind(&slot) == GUARD_CANARY)
		co->rare = RARE_CANARY;
	return co;
}

static int take_shared(weft_stack_group *group, struct coroutine **ret_co)
{
	struct strand strand = { .shared = weft__shared_pick(group) };
	struct coroutine *co;

	if (!strand.shared)
		return -EPERM;
	if (weft__hop_hold(&weft__thread) < 0)
		goto no_hop;
	co = weft__block_take();
	if (!co)
		goto no_block;
	co->strand.shared = strand.shared;
	co->strand.saved = NULL;
	co->rare = RARE_SHARED;
	*ret_co = co;
	return 0;

no_block:
	weft__hop_release(&weft__thread);
no_hop:
	weft__shared_leave(&strand);
	return -ENOMEM;
}

static void give_back(struct coroutine *co)
{
	coroutine_set_word(co, 0); /* from here on every handle is stale */
	drop_fiber(co);
	if (co->rare & RARE_KEEP_FP)
		weft__thread.coroutines_rare--;
	if (!coroutine_has_room(co))
		weft__free(co->ext);
	if (likely(!(co->rare & RARE_SHARED))) {
		struct stack_slot slot = { .top = (char *)co,
					   .low = co->strand.low,
					   .class = co->stack_class };

		weft__stack_give(&slot);
		return;
	}
	weft__shared_leave(&co->strand);
	weft__block_give(co);
	weft__hop_release(&weft__thread);
}

/* Name and FP words. */
static int add_ext(struct coroutine *co, const weft_attr *attr)
{
	if (coroutine_has_room(co))
		co->ext = (struct coroutine_ext *)(co + 1);
	else
		co->ext = weft__malloc(sizeof *co->ext);
	if (!co->ext)
		return -ENOMEM;
	co->ext->name[0] = '\0';
	if (attr->name)
		strncat(co->ext->name, attr->name, sizeof co->ext->name - 1);
	if (attr->flags & WEFT_KEEP_FP) {
		co->rare |= RARE_KEEP_FP;
		weft__thread.coroutines_rare++;
		weft__fp_save(&co->ext->fp);
	}
	return 0;
}

static int take(const weft_attr *attr, struct coroutine **ret_co)
{
	int class = weft__stack_class(attr ? attr->stack_bytes : 0);

	if (unlikely(class < 0) || (attr && (attr->flags & ~(unsigned)TASK_FLAGS_PUBLIC)))
		return -EINVAL;
	if (attr && attr->shared)
		return take_shared(attr->shared, ret_co);
	*ret_co = take_private((unsigned)class);
	return *ret_co ? 0 : -ENOMEM;
}

/* Where ASan finds its stack; TSan finds its fiber when it runs. */
static void note_stack(struct coroutine *co)
{
#if WEFT_ASAN
	const struct shared_stack *shared = co->strand.shared;
	const char *top = shared ? shared->top : (char *)co;

	co->strand.asan_low = shared ? shared->low : co->strand.low;
	co->strand.asan_bytes = (size_t)(top - (const char *)co->strand.asan_low);
#endif
#if WEFT_TSAN
	co->strand.fiber = NULL;
#endif
	(void)co;
}

int weft__coroutine_new(struct coroutine **ret_co, weft_coroutine_fn *fn, void *arg,
			const weft_attr *attr, bool generator)
{
	struct thread *thread = &weft__thread;
	struct coroutine *co;
	int rc;

	if (unlikely(!fn))
		return -EINVAL;
	if (unlikely(weft__shadow_stack_active()))
		return -ENOTSUP;
	rc = take(attr, &co);
	if (unlikely(rc < 0))
		return rc;
	note_stack(co);
	co->generator = generator;
	/* relaxed: C4's stale tickets and handles may be looking */
	atomic_store_explicit(&co->no_wait, 0, memory_order_relaxed);
	atomic_store_explicit(&co->no_task_id, 0, memory_order_relaxed);
	co->fn = fn;
	co->arg = arg;
	co->cleanups = NULL;
	co->ext = NULL;
	co->resumer = NULL;
	if (attr && (attr->name || (attr->flags & WEFT_KEEP_FP)) && add_ext(co, attr) < 0) {
		give_back(co);
		return -ENOMEM;
	}
	co->owner =
		thread_number(thread) | (co->rare & (RARE_SHARED | RARE_KEEP_FP) ? OWNER_RARE : 0);
	make_ready(co, handle_pack(co, next_tag(thread)));
	/* It is of this thread, so its maker stays here, too. */
	if (unlikely(thread->task && (thread->task->flags & WEFT_MIGRATE)))
		weft_task_pin();
	*ret_co = co;
	return 0;
}

WEFT_API int weft_coroutine_new(weft_coroutine **ret_co, weft_coroutine_fn *fn, void *arg,
				const weft_attr *attr)
{
	struct coroutine *co;
	int rc = ret_co ? weft__coroutine_new(&co, fn, arg, attr, false) : -EINVAL;

	if (likely(rc == 0))
		*ret_co = coroutine_handle(co);
	return rc;
}

/* --- reset and free -------------------------------------------------------- */

/* Makes sure that @co is not suspended in the middle of something. */
static int settle(const weft_coroutine *handle, struct coroutine **ret_co)
{
	struct coroutine *co = coroutine_of(handle);

	if (!co)
		return -ESRCH;
	if (!coroutine_ours(co))
		return -EPERM;
	if (coroutine_busy(co) && co->state != COROUTINE_DEAD)
		return -EBUSY;
	*ret_co = co;
	return co->cleanups ? weft__coroutine_unwind(co) : 0;
}

WEFT_API int weft_coroutine_reset(weft_coroutine *handle, weft_coroutine_fn *fn, void *arg)
{
	struct coroutine *co;
	int rc = settle(handle, &co);

	if (rc < 0)
		return rc;
	if (co->strand.shared)
		weft__shared_vacate(&co->strand);
	else
		weft__asan_forget(co->strand.low, (size_t)((char *)co - co->strand.low));
	if (fn)
		co->fn = fn;
	co->arg = arg;
	make_ready(co, (uintptr_t)handle);
	return 0;
}

WEFT_API int weft_coroutine_free(weft_coroutine *handle)
{
	struct coroutine *co;
	int rc;

	if (!handle)
		return 0;
	rc = settle(handle, &co);
	if (rc == 0)
		give_back(co);
	return rc;
}

/* --- questions ------------------------------------------------------------- */

WEFT_API weft_coroutine *weft_coroutine_self(void)
{
	const struct coroutine *self = weft__thread.coroutine;

	return self ? coroutine_handle(self) : NULL;
}

WEFT_API int weft_coroutine_status(weft_coroutine *handle)
{
	const struct coroutine *co = coroutine_of(handle);

	if (!co)
		return -ESRCH;
	if (coroutine_busy(co))
		return co->state == COROUTINE_DEAD ? WEFT_DEAD : WEFT_RUNNING;
	return co->state == COROUTINE_READY ? WEFT_READY : WEFT_SUSPENDED;
}

WEFT_API const char *weft_coroutine_name(weft_coroutine *handle)
{
	const struct coroutine *co = coroutine_of(handle);

	return co ? coroutine_name(co) : NULL;
}
