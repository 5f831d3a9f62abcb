/* SPDX-License-Identifier: MIT
 *
 * overflow.h - "your stack is used up", said in words before the process dies.
 *
 * A handler of SIGSEGV and SIGBUS, on a signal stack of its own, looks whether
 * the fault lies in the guard of a stack of ours; if so it says whose, where it
 * was spawned, how large it is and what helps. Of another crash it names the task or
 * coroutine, where nobody but the default action comes next. Then everything goes on as
 * without it: an earlier handler is called, or the default action kills the
 * process, with the core dump at the faulting instruction.
 *
 * It is set up by the first private stack of a process and of each thread;
 * nobody need call install or thread_init.
 */
#ifndef WEFT_STACK_OVERFLOW_H
#define WEFT_STACK_OVERFLOW_H

#include <stack/strand.h>

/**
 * Says whose a strand is
 * @strand: of a running task or coroutine
 * @buf:    gets e.g.  task 42 "parser" (spawned at server.c:88)
 *
 * Return: length of the text (what weft__format() returns), or 0: not a strand
 * of that kind. Runs in a signal handler.
 */
typedef size_t weft__describe_fn(const struct strand *strand, char *buf, size_t size);

/** Adds one kind of strand; at most 4, for the life of the process. */
void weft__overflow_describe(weft__describe_fn *fn);

/** Puts the handler in place; does so once. 0 or a negative errno. */
int weft__overflow_install(void);

/** Gives the calling thread a signal stack, unless it has one that will do. 0, -ENOMEM. */
int weft__overflow_thread_init(void);

/** Takes it away again; part of weft__stack_cache_drop(). */
void weft__overflow_thread_fini(void);

/**
 * weft__overflow_die - a strand was found beyond its stack: report and abort()
 * @strand: whose stack pointer lies outside of it, or whose canary is gone
 */
void weft__overflow_die(const struct strand *strand) __attribute__((cold, noreturn));

#endif
