/* SPDX-License-Identifier: MIT
 *
 * thread.c - a task ends as a thread does: pthread_exit, thrd_exit, pthread_cancel, and
 * the cleanup handlers of C.
 *
 * pthread_exit() unwinds the task's frames, so that destructors of C++ and cleanups of C with
 * -fexceptions run, and ends the task at its first frame. That takes _Unwind_ForcedUnwind()
 * of the Itanium C++ ABI (level II, 1.6.1), which libgcc_s or libunwind has; it is
 * looked for when it is needed. Without one, or where frames have no unwind tables, the
 * cleanups run all the same, and the rest does not.
 *
 * pthread_cleanup_push() without -fexceptions keeps a list of jump buffers, which libc has
 * one of for each thread. In a task each becomes a weft_cleanup, in the place that the
 * buffer has for such things: so weft_exit() and weft_coroutine_free() know them, too.
 */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <threads.h>
#include <unwind.h>

#include <base/fault.h>
#include <base/log.h>
#include <core/coroutine.h>
#include <core/exit.h>
#include <core/handoff.h>
#include <core/worker.h>
#include <hook/hook.h>
#include <stack/shared.h>

const char weft__hook_link_thread;

/* Is the caller a task whose end is ours to make? The main task of a runtime that has
 * made itself is its thread: its cleanups are libc's, and its end is the thread's. */
static inline struct task *ending_task(void)
{
	struct task *self = weft__thread.task;

	if (likely(!self) || !weft__hook_groups)
		return NULL;
	return (self->flags & TASK_THREAD) && !weft__thread.worker->main_call ? NULL : self;
}

/* --- cleanup handlers of C --------------------------------------------------------- */

_Static_assert(sizeof(weft_cleanup) <= sizeof(((__pthread_unwind_buf_t *)0)->__pad), "fits");

static weft_cleanup *node_of(__pthread_unwind_buf_t *buf)
{
	return (weft_cleanup *)(void *)buf->__pad;
}

/* Back into the frame that pushed it, which calls its handler and then
 * __pthread_unwind_next(). Only the first words of a jmp_buf are there. */
static void jump_to(void *arg)
{
	struct __jmp_buf_tag *env = arg;

	__asm__("" : "+r"(env)); /* the compiler wants to see a whole one */
	longjmp(env, 1);
}

HOOK void __pthread_register_cancel(__pthread_unwind_buf_t *buf)
{
	struct task *self = ending_task();

	if (!self) {
		weft__real.__pthread_register_cancel(buf);
		return;
	}
	if (weft__task_ext(self) < 0 || weft_cleanup_push(node_of(buf), jump_to, buf) < 0)
		weft__warn("task %llu: no memory for pthread_cleanup_push()",
			   (unsigned long long)self->id);
}

HOOK void __pthread_unregister_cancel(__pthread_unwind_buf_t *buf)
{
	if (ending_task())
		weft_cleanup_pop(node_of(buf), 0);
	else
		weft__real.__pthread_unregister_cancel(buf);
}

HOOK void __pthread_register_cancel_defer(__pthread_unwind_buf_t *buf)
{
	if (ending_task())
		__pthread_register_cancel(buf); /* a task is never cancelled asynchronously */
	else
		weft__real.__pthread_register_cancel_defer(buf);
}

HOOK void __pthread_unregister_cancel_restore(__pthread_unwind_buf_t *buf)
{
	if (ending_task())
		__pthread_unregister_cancel(buf);
	else
		weft__real.__pthread_unregister_cancel_restore(buf);
}

/* --- unwinding --------------------------------------------------------------------- */

/* Not in a frame: those below the one that is unwound just now are gone while its
 * destructors run. */
struct unwinding {
	struct _Unwind_Exception exception;
	const char *end; /* frames from here on are not the task's */
	int value;
};

static struct {
	__typeof(_Unwind_ForcedUnwind) *force;
	__typeof(_Unwind_GetCFA) *frame;
	_Atomic bool looked;
} unwinder;

static void look_for_unwinder(void)
{
	void *library = RTLD_DEFAULT;

	/* As libc does it. Where nothing is found both stay NULL. */
	if (!dlsym(library, "_Unwind_ForcedUnwind"))
		library = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
	*(void **)&unwinder.frame = dlsym(library, "_Unwind_GetCFA");
	*(void **)&unwinder.force = dlsym(library, "_Unwind_ForcedUnwind");
	unwinder.looked = true;
}

static int find_unwinder(void *unused)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)unused;
	return pthread_once(&once, look_for_unwinder);
}

/* On a helper's stack: the loader may want more than a task has. */
static bool have_unwinder(void)
{
	if (!unwinder.looked)
		weft_offload(find_unwinder, NULL, NULL);
	return unwinder.looked && unwinder.force && unwinder.frame;
}

static const char *end_of_strand(const struct strand *strand)
{
	return strand->shared ? strand->shared->top : (const char *)strand;
}

/* A coroutine's frames, those of a task, or of the main task's body. */
static const char *end_of_frames(const struct task *self)
{
	if (weft__thread.coroutine)
		return end_of_strand(&weft__thread.coroutine->strand);
	if (self->flags & TASK_THREAD)
		return (const char *)weft__thread.worker->main_call;
	return end_of_strand(&self->strand);
}

/* Those that lie in frames that are gone; and those that lie in no frame, and come before one
 * that does. One that jumps ends this unwinding: another goes on from there. */
static void run_cleanups_below(uintptr_t limit, struct unwinding *unwinding)
{
	weft_cleanup **head, *node;

	if (!weft__thread.coroutine && !weft__thread.task->ext)
		return;
	head = weft__cleanup_list();
	while ((node = *head) != NULL &&
	       ((uintptr_t)node < limit || (uintptr_t)node >= (uintptr_t)unwinding->end)) {
		*head = node->weft__next;
		if (node->weft__fn == jump_to)
			weft__free(unwinding);
		node->weft__fn(node->weft__arg);
	}
}

/* Before each frame. */
static _Unwind_Reason_Code step(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				struct _Unwind_Exception *exception,
				struct _Unwind_Context *context, void *arg)
{
	struct unwinding *unwinding = arg;
	uintptr_t frame = unwinder.frame(context), end = (uintptr_t)unwinding->end;
	int value = unwinding->value;

	(void)version, (void)class, (void)exception;
	run_cleanups_below(frame < end ? frame : end, unwinding);
	if (frame < end && !(actions & _UA_END_OF_STACK))
		return _URC_NO_REASON;
	weft__free(unwinding);
	weft__exit_unwound(value);
}

/* catch (...) in C++ must throw it again. */
static void swallowed(_Unwind_Reason_Code reason, struct _Unwind_Exception *exception)
{
	(void)reason, (void)exception;
	weft__die("task %llu: the end by pthread_exit() was caught and not thrown again",
		  (unsigned long long)weft__thread.task->id);
}

static void __attribute__((noreturn)) unwind(struct task *self, int value)
{
	struct unwinding *unwinding = NULL;

	if (have_unwinder())
		unwinding = weft__calloc(1, sizeof *unwinding);
	if (unwinding) {
		unwinding->exception.exception_cleanup = swallowed;
		unwinding->end = end_of_frames(self);
		unwinding->value = value;
		unwinder.force(&unwinding->exception, step, unwinding);
		weft__free(
			unwinding); /* a frame that cannot be unwound: this is as far as it goes */
	}
	weft__exit_unwound(value);
}

HOOK void __pthread_unwind_next(__pthread_unwind_buf_t *buf)
{
	struct coroutine *co = weft__thread.coroutine;
	struct task *self = ending_task();

	if (!self)
		weft__real.__pthread_unwind_next(buf);
	if (co && (co->rare & RARE_UNWINDING))
		weft__cleanup_continue();
	unwind(self, self->ext->exit_value);
}

/* --- pthread_exit ------------------------------------------------------------------ */

/* The thread's own end takes its runtime along: not before the others have ended. */
static void __attribute__((noreturn)) end_thread(void *value)
{
	if (weft__thread.task && weft__hook_groups)
		weft__exit_await_others();
	weft__real.pthread_exit(value);
	__builtin_unreachable();
}

HOOK void pthread_exit(void *value)
{
	struct task *self = ending_task();

	if (!self)
		end_thread(value);
	weft__exit_begin();
	if (weft__task_ext(self) == 0)
		self->ext->exit_value = (int)(intptr_t)value;
	unwind(self, (int)(intptr_t)value);
}

HOOK void thrd_exit(int value)
{
	pthread_exit((void *)(intptr_t)value);
}

/* --- pthread_cancel ------------------------------------------------------------------ */

void weft__hook_testcancel(void)
{
	weft__handoff_check();
	if (weft__thread.task && weft__exit_requested()) {
		weft__exit_begin();
		pthread_exit(PTHREAD_CANCELED);
	}
}

HOOK int pthread_cancel(pthread_t thread)
{
	int rc = weft__hook_groups ? weft__exit_request(thread) : -ENOENT;

	return rc == -ENOENT ? weft__real.pthread_cancel(thread) : -rc;
}

HOOK void pthread_testcancel(void)
{
	if (weft__thread.task && weft__hook_groups)
		weft__hook_testcancel();
	else
		weft__real.pthread_testcancel();
}

HOOK int pthread_setcancelstate(int state, int *ret_old)
{
	bool before;

	if (!weft__thread.task || !weft__hook_groups)
		return weft__real.pthread_setcancelstate(state, ret_old);
	if (state != PTHREAD_CANCEL_ENABLE && state != PTHREAD_CANCEL_DISABLE)
		return EINVAL;
	before = weft__exit_allow(state == PTHREAD_CANCEL_ENABLE);
	if (ret_old)
		*ret_old = before ? PTHREAD_CANCEL_ENABLE : PTHREAD_CANCEL_DISABLE;
	return 0;
}
