/* SPDX-License-Identifier: MIT
 *
 * stuck.c - where another thread is just now: asked by a signal, answered in its handler.
 *
 * SIGURG, as Go's runtime uses it for the same purpose: ignored by default, so that one
 * that comes late or to the wrong thread does no harm, and hardly used by programs. A
 * program's own handler, installed before, gets what is not ours.
 *
 * The handler walks its own stack into memory that the asker has prepared, and takes
 * no lock. Asker and handler settle by one word who may touch that memory: a thread that
 * answers too late finds ASKED gone.
 */
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <base/fault.h>
#include <base/peek.h>
#include <core/runtime.h>
#include <debug/watchdog.h>

enum { ANSWER_NS = 200000000 };

enum { IDLE, ASKED, ANSWERING };

static struct {
	_Atomic int state;
	const struct worker *worker;
	struct snapshot *snapshot;
	sem_t answered;
} question;

static struct sigaction before;

static void fill_in(struct snapshot *snapshot, const ucontext_t *uc)
{
	struct unwind_frame frame = { .exact = true };

	snapshot->task = weft__thread.task;
	snapshot->id = snapshot->task ? task_id(snapshot->task) : 0;
	unwind_interrupted(uc, frame.regs);
	frame.pc = unwind_strip(unwind_interrupted_pc(uc));
	frame.known = ~UINT64_C(0) >> (64 - UNWIND_REGS);
	stack_memory_init(&snapshot->memory, 0, 0, 0, false);
	snapshot->depth = weft__unwind_from(&snapshot->unwinder, &snapshot->memory, frame,
					    snapshot->pcs, UNWIND_DEPTH, &snapshot->end);
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
	if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(sig, info, context);
	else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
		before.sa_handler(sig);
}

no_tsan static void on_signal(int sig, siginfo_t *info, void *context)
{
	int saved_errno = errno, asked = ASKED;

	if (info->si_code != SI_TKILL || info->si_pid != getpid()) {
		pass_on(sig, info, context);
		return;
	}
	/* acq_rel: pairs with the asker's store, and with its taking the question back. */
	if (weft__thread.worker == question.worker &&
	    atomic_compare_exchange_strong(&question.state, &asked, ANSWERING)) {
		fill_in(question.snapshot, context);
		sem_post(&question.answered);
	}
	errno = saved_errno;
}

struct snapshot *weft__snapshot_new(void)
{
	struct sigaction act = { .sa_sigaction = on_signal,
				 .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
	struct snapshot *snapshot = weft__map(sizeof *snapshot);

	if (!snapshot)
		return NULL;
	sem_init(&question.answered, 0, 0);
	sigemptyset(&act.sa_mask);
	sigaction(SIGURG, &act, &before);
	return snapshot;
}

static bool wait_for_answer(void)
{
	struct timespec until;
	int rc;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ANSWER_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	do
		rc = sem_timedwait(&question.answered, &until);
	while (rc < 0 && errno == EINTR);
	return rc == 0;
}

bool weft__snapshot_take(struct snapshot *snapshot, const struct worker *worker, int tid)
{
	int asked = ASKED;
	bool answered = false;

	memset(&snapshot->unwinder, 0, sizeof snapshot->unwinder); /* of the last time */
	weft__modules_load(&snapshot->unwinder.modules);
	question.worker = worker;
	question.snapshot = snapshot;
	atomic_store(&question.state, ASKED);
	if (weft__syscall(SYS_tgkill, getpid(), tid, SIGURG) == 0)
		answered = wait_for_answer();
	/* It may be at it just now: then it is ours to wait for. */
	if (!answered && !atomic_compare_exchange_strong(&question.state, &asked, IDLE)) {
		while (sem_wait(&question.answered) < 0)
			;
		answered = true;
	}
	atomic_store(&question.state, IDLE);
	return answered;
}
