/* SPDX-License-Identifier: MIT
 *
 * weft/task.h - tasks: coroutines that a scheduler runs.
 *
 * The first call that needs one turns the calling thread into a runtime of
 * one worker, and its caller into that runtime's first task ("main"). A task
 * runs until it waits, yields or ends; then the next one runs. Making a thread a runtime may
 * fail with -ENOTSUP (shadow stacks), -ENOMEM, -EAGAIN (no thread-local key is left), or what
 * epoll_create1(2) failed with.
 *
 * A handle is counted: weft_spawn() gives one to its caller, who drops it by
 * weft_join() or weft_detach(). From then on join and detach answer -ESRCH, and
 * every call does once the task has ended, also when its memory serves another
 * task by now. While one thread drops a handle no other may use it.
 *
 * Where nothing else is said: any thread; not a cancellation point; not async-signal-safe.
 *
 * @task: a handle
 */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <weft/time.h>
#include <weft/types.h>

WEFT_BEGIN_DECLS

/**
 * weft_run - run fn(arg) as the main task of a runtime, and wait for its tasks
 * @workers: threads that run tasks, the caller's among them, at most 192; 0: as many as
 *           WEFT_WORKERS of the environment says, or one a CPU of this process
 * @fn:      body of the main task
 * @arg:     passed to @fn
 * @ret:     what @fn returned; may be NULL
 *
 * Returns when @fn and every task that is not WEFT_DAEMON have ended; daemons
 * are cancelled then, and joined.
 *
 * With several workers a task begins wherever there is time for it, and stays there from
 * then on, unless it has WEFT_MIGRATE. Tasks on shared stacks, and main, stay where
 * they are made. The order in which new tasks begin is not told: mostly the newest first.
 * (With one worker they begin in turn; but while more than 128 have not begun, those
 * beyond them begin with the newest.)
 *
 * Return: 0, -EINVAL (fn is NULL, too many workers), -EBUSY (this thread is a runtime
 * already), -ENOTSUP (shadow stacks), -ENOMEM, -EAGAIN (no thread-local key is left, or
 * no thread could be made; @fn has not run), or what epoll_create1(2) failed with.
 *
 * Any thread that is no runtime yet.
 */
WEFT_API int weft_run(unsigned workers, weft_fn *fn, void *arg, int *ret);

/**
 * weft_spawn - make a task; it runs when the scheduler comes to it
 * @ret_task: handle, to be joined or detached; NULL detaches at once
 * @attr:     NULL: the defaults
 * @fn:       body
 * @arg:      passed to @fn
 * @site:     where it is spawned, for dumps: a string that stays, as WEFT_HERE
 *
 * Never waits and never runs another task. The macro records file and line.
 *
 * Return: 0, -EINVAL (@fn is NULL, or @attr is not valid), -ENOMEM, -EPERM (the group
 * of @attr belongs to another thread), or the errors of making this thread a runtime.
 */
WEFT_API int weft_spawn_at(weft_task **ret_task, const weft_attr *attr, weft_fn *fn, void *arg,
			   const char *site);
#define weft_spawn(ret_task, attr, fn, arg) \
	weft_spawn_at((ret_task), (attr), (fn), (arg), WEFT_HERE)

/**
 * weft_go - make a task with the defaults, and detach it
 * @fn:  body
 * @arg: passed to @fn
 *
 * Return: 0, -EINVAL (@fn is NULL), -ENOMEM, or the errors of making this thread a runtime.
 */
#define weft_go(fn, arg) weft_spawn_at(NULL, NULL, (fn), (arg), WEFT_HERE)

/**
 * weft_join - wait until a task has ended; drops the handle
 * @task:        handle of this or another thread's task
 * @deadline_ns: absolute, in nanoseconds on the weft_now() clock; WEFT_NOWAIT asks once;
 *               WEFT_FOREVER waits
 * @ret:         what its body returned; may be NULL
 *
 * On every error the handle stays valid. One task joins at a time.
 *
 * Return: 0, -ESRCH (stale or NULL), -EDEADLK (the caller itself), -EBUSY
 * (another one joins it), -EAGAIN (WEFT_NOWAIT, and it has not ended), -ETIMEDOUT, -ECANCELED,
 * -ENOMEM (shared stack: no memory for a timer). Cancellation point.
 */
WEFT_API int weft_join(weft_task *task, int64_t deadline_ns, int *ret);

/**
 * weft_detach - drop the handle; the task goes on
 *
 * Return: 0, -ESRCH, -EBUSY (it is being joined).
 */
WEFT_API int weft_detach(weft_task *task);

/**
 * weft_cancel - ask a task to end
 *
 * Its present wait, and every later one, returns -ECANCELED. It ends by
 * itself: nothing is unwound.
 *
 * Return: 0, also when it is dead or cancelled already, -ESRCH (stale or NULL).
 */
WEFT_API int weft_cancel(weft_task *task);

/**
 * weft_cancelled - ask whether the calling task has been cancelled
 *
 * For a task that computes long and waits for nothing. Return: 1 when it has been, else 0;
 * 0 outside of a task.
 */
WEFT_API int weft_cancelled(void);

/**
 * weft_exit - end the calling task now, as if its body returned @value
 * @value: what weft_join() delivers
 *
 * Runs the cleanups still pushed. In the main task of a thread: exit(value).
 * Inside a coroutine of the task: ends the whole task.
 */
WEFT_API void weft_exit(int value) __attribute__((noreturn));

/**
 * weft_self - the calling task
 *
 * Return: a borrowed handle, valid until the task ends; it is not to be joined or
 * detached. NULL outside of a task.
 */
WEFT_API weft_task *weft_self(void);

/**
 * weft_task_id - a number that no other task of the process ever has
 *
 * Dumps, traces and gdb show it. Return: the number, > 0; 0 for a stale handle or NULL.
 */
WEFT_API uint64_t weft_task_id(weft_task *task);

/**
 * weft_task_name - the name that its attributes gave it
 *
 * Return: the name, "" when it has none, NULL for a stale handle. It lives as long as the task.
 */
WEFT_API const char *weft_task_name(weft_task *task);

/**
 * weft_task_yield - let every other runnable task run first
 *
 * With one worker: all of them; of more than 128 new ones that others have spawned, only after
 * eight of its turns at the latest.
 * With several workers: the others of this worker, and of the new and movable tasks as many as
 * it has, and its part of those that no worker has yet.
 *
 * Return: 0, or -ECANCELED (it has yielded all the same). Cancellation point.
 */
WEFT_API int weft_task_yield(void);

/**
 * weft_task_pin - never move the calling task to another worker from now on
 *
 * Ends WEFT_MIGRATE. Return: 0, -EPERM (outside of a task).
 */
WEFT_API int weft_task_pin(void);

/**
 * weft_offload - run a blocking function on a helper thread, parked meanwhile
 * @fn:  runs on a thread that is no task: nothing in it is hooked
 * @arg: passed to it. With a shared stack it must not point into the caller's frames.
 * @ret: what @fn returned; may be NULL
 *
 * The task waits for the end of @fn whatever happens: a cancellation is reported after
 * it. (Its end may be a pthread_exit(): that of the helper, and *ret is 0.) There are at
 * most 64 helpers; what is more waits for one. In a plain thread @fn is simply called.
 *
 * Return: 0, -EINVAL (@fn is NULL), -ENOMEM (@fn did not run), -EAGAIN (no thread could be made;
 * @fn did not run), -ECANCELED (cancelled; @fn did run, and *ret is set). Cancellation point, but
 * it does not return before @fn does.
 */
WEFT_API int weft_offload(weft_fn *fn, void *arg, int *ret);

/**
 * weft_shutdown_on - let a signal cancel every task of this runtime
 * @signal:   SIGTERM, SIGINT ...; its handler is replaced, for good
 * @grace_ns: how long the tasks may take to end after that, in nanoseconds; WEFT_FOREVER: as
 *            long as they like
 *
 * When the signal comes, each task of the calling task's runtime is cancelled as by
 * weft_cancel(), main and those that are spawned later as well: what they wait for returns
 * -ECANCELED, and weft_run() returns in its own time. If it has not when the grace is over,
 * those who are left are listed on standard error (weft_dump()), and the process ends by
 * _exit(128 + signal). A second signal ends it at once.
 *
 * One runtime of a process at a time, until that ends. For several signals call it once and
 * use sigaction(2) to give the others the same handler.
 *
 * Return: 0, -EINVAL (no such signal, negative grace), -EBUSY (it is on already), -ENOMEM,
 * or what eventfd(2) failed with.
 */
WEFT_API int weft_shutdown_on(int signal, int64_t grace_ns);

/**
 * weft_blocking_begin - the calling thread is about to block, where weft cannot see it
 *
 * For a call that is neither hooked nor worth weft_offload(): until the matching
 * weft_blocking_end() another worker, a spare if all are busy, takes the place of
 * this one: new and movable tasks go on at once. Tasks that stay with this worker wait.
 * May be nested. Between the two the task must not wait, yield or end.
 *
 * With one worker it has no effect. Return: 0, -EPERM (outside of a task).
 */
WEFT_API int weft_blocking_begin(void);

/**
 * weft_blocking_end - the thread is back
 *
 * Return: 0, -EPERM (without a weft_blocking_begin()).
 */
WEFT_API int weft_blocking_end(void);

/* --- embedding: a runtime inside a foreign event loop --------------------- */

/**
 * weft_runtime_fd - a descriptor that becomes readable when weft_runtime_step() has work
 *
 * It is the runtime's: to be polled, and not to be read or closed. Timers do not make it
 * readable; weft_runtime_step() says when the next one is due.
 *
 * Return: the descriptor, -EPERM (in a runtime of several workers), or the errors of making
 * this thread a runtime.
 */
WEFT_API int weft_runtime_fd(void);

/**
 * weft_runtime_step - run what is runnable now, without waiting
 *
 * Return: nanoseconds until the next timer of this runtime (0: call again at
 * once), or WEFT_FOREVER, -EPERM (not the main task of a thread's own runtime, or inside a
 * coroutine). Only the main task of a thread's own runtime.
 */
WEFT_API int64_t weft_runtime_step(void);

WEFT_END_DECLS

#endif
