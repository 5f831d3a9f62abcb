/* SPDX-License-Identifier: MIT
 *
 * exit.h - a task ends, or is told to, in the manner of a thread: what libweft-hook
 * makes pthread_exit() and pthread_cancel() of.
 *
 * X1 A cleanup may leave weft__cleanup_run() by a jump into the frame that pushed it (that is
 *    how pthread_cleanup_push() is made); weft__cleanup_continue() goes on where that
 *    was left. What the task ends with waits in its ext meanwhile.
 * X2 Requests name a task by its id. One whose task has ended without coming across it
 *    is dropped when the next one is made.
 */
#ifndef WEFT_CORE_EXIT_H
#define WEFT_CORE_EXIT_H

#include <pthread.h>
#include <setjmp.h>

#include <core/task.h>

struct worker;

/** Lies in the frame that called the body of a runtime's main task. */
struct main_call {
	jmp_buf env;
	int value;
};

/** fn(arg) as the main task of @worker, which is the calling thread's. Return: its
 * result, or what the task ended with by weft__exit_unwound(). */
int weft__main_call(struct worker *worker, weft_fn *fn, void *arg);

/**
 * weft__exit_unwound - end the calling task, as weft_exit(); its frames have been unwound
 *
 * In the main task of weft_run() it ends that task alone. The main task of any other
 * runtime has no caller to return to, and must not come here.
 */
void weft__exit_unwound(int value) WEFT_PRIVATE __attribute__((noreturn));

/** The calling task ends: no request ends it again, and its cleanups may wait even if one
 * has made it end. */
void weft__exit_begin(void) WEFT_PRIVATE;

/** In the main task of a thread that is about to end: waits until all others of its runtime
 * have ended; daemons are cancelled. */
void weft__exit_await_others(void) WEFT_PRIVATE;

/** A task ends: its cleanups, its deadlines, its variables. Once more when one of those has
 * ended it again. */
void weft__exit_clean(struct task *self);

/** What comes after a cleanup that has left by a jump (X1). */
void weft__cleanup_continue(void) WEFT_PRIVATE __attribute__((noreturn));

/** The innermost running coroutine's cleanups, or the task's; the latter needs its ext. */
weft_cleanup **weft__cleanup_list(void) WEFT_PRIVATE;

/**
 * weft__exit_request - ask a task of a thread to end at its next wait
 *
 * The task is the caller, when @thread is its own; else the one that runs there just now;
 * else the main task of that thread. It is cancelled as by weft_cancel(), and
 * weft__exit_requested() is true in it from then on.
 *
 * Return: 0, -ENOENT (the thread runs no tasks), -ESRCH (it does, and all of them wait),
 * -ENOMEM. Any thread.
 */
int weft__exit_request(pthread_t thread) WEFT_PRIVATE;

/** Has the calling task been asked to end, and does it allow that? */
bool weft__exit_requested(void) WEFT_PRIVATE;

/** In the child of fork(2): its tasks have no requests. */
void weft__exit_forked(void);

/** Whether the calling task may be asked to end; a request waits until it may. Return: what
 * held before. */
bool weft__exit_allow(bool allowed) WEFT_PRIVATE;

#endif
