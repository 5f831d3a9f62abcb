/* SPDX-License-Identifier: MIT
 *
 * overflow.c - see overflow.h. Everything from on_fault() down is
 * async-signal-safe: it reads the arena's chunk table (written before its
 * count, never removed from), the running strand, and writes one line.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <base/fault.h>
#include <base/log.h>
#include <base/only_once.h>
#include <base/stack_cpu.h>
#include <stack/overflow.h>
#include <stack/shared.h>
#include <stack/stack.h>

enum { DESCRIBERS = 4, WHO_BYTES = 256 };

static weft__describe_fn *_Atomic describers[DESCRIBERS];

/* What was there before us. */
static struct sigaction earlier_segv, earlier_bus;

void weft__overflow_describe(weft__describe_fn *fn)
{
	for (unsigned i = 0; i < DESCRIBERS; i++) {
		weft__describe_fn *none = NULL;

		/* Seq_cst, once a process: no partner to name. */
		if (atomic_compare_exchange_strong(&describers[i], &none, fn) || none == fn)
			return;
	}
}

/* --- the report ------------------------------------------------------------------ */

/* A stack that is used up: whose and how large. */
struct victim {
	const struct strand *strand; /* NULL: nobody that we know */
	struct stack_slot slot;
	bool shared;
};

static void describe(const struct victim *victim, char *who, size_t size)
{
	for (unsigned i = 0; victim->strand && i < DESCRIBERS; i++) {
		weft__describe_fn *fn = describers[i];

		if (fn && fn(victim->strand, who, size) > 0)
			return;
	}
	weft__format(who, size, "the context on stack %p", (void *)victim->slot.top);
}

/* The next larger size, as WEFT_STACK takes it. */
static void format_size(char *buf, size_t size, size_t bytes)
{
	if (bytes >= (size_t)1 << 30)
		weft__format(buf, size, "%zuG", bytes >> 30);
	else if (bytes >= (size_t)1 << 20)
		weft__format(buf, size, "%zuM", bytes >> 20);
	else
		weft__format(buf, size, "%zuK", bytes >> 10);
}

static void format_remedy(const struct victim *victim, char *buf, size_t size)
{
	char more[16];

	format_size(more, sizeof(more), weft__stack_class_bytes(victim->slot.class) * 2);
	if (victim->slot.class == STACK_CLASSES - 1)
		weft__format(buf, size, "no stack can be larger");
	else if (victim->shared)
		weft__format(buf, size, "give weft_stack_group_new() more (%s)", more);
	else
		weft__format(buf, size, "give it more with weft_attr.stack_bytes or WEFT_STACK=%s",
			     more);
}

static void report(const struct victim *victim, const char *what)
{
	char who[WHO_BYTES], remedy[96];

	describe(victim, who, sizeof(who));
	format_remedy(victim, remedy, sizeof(remedy));
	weft__warn("stack overflow in %s: %zu bytes of %sstack are used up%s; %s, or move large "
		   "arrays to the heap.",
		   who, weft__stack_class_bytes(victim->slot.class),
		   victim->shared ? "shared " : "", what, remedy);
}

enum {
	FRAME_BELOW_BYTES = 256, /* red zone, and what a call pushes */
	THREAD_FRAME_BYTES = 65536
};
#define FRAME_MAX_BYTES ((uintptr_t)64 << 20)

/* --- whose stack -------------------------------------------------------------------- */

static const struct strand *running_strand(void)
{
	const void *strand = weft__thread.task; /* strand is the first member of both */

	if (weft__thread.coroutine)
		strand = weft__thread.coroutine;
	return strand;
}

/* False for a thread's own stack, and for one of a stranger. */
static bool victim_of_strand(const struct strand *strand, struct victim *ret)
{
	*ret = (struct victim){ .strand = strand };
	if (!strand)
		return false;
	ret->shared = strand->shared != NULL;
	if (ret->shared)
		return weft__stack_find(strand->shared->low, &ret->slot) == STACK_HIT_USABLE;
	return weft__stack_find(strand, &ret->slot) == STACK_HIT_USABLE &&
	       ret->slot.top == (const char *)strand;
}

/* A frame that reaches from the stack over its guard and more: the fault is in that frame, or
 * where a call writes below it. Larger ones than this were no frame of a sane program. */
static bool is_in_frame_below(const struct victim *victim, const char *addr, const char *sp)
{
	const char *low = victim->slot.low;

	return sp < low && addr < low && addr >= sp - FRAME_BELOW_BYTES &&
	       (uintptr_t)low - (uintptr_t)sp <= FRAME_MAX_BYTES;
}

/* An overflow is a fault in a guard, from a stack pointer that is near it or has
 * left its stack altogether; or a fault in a frame that has stepped over the guard. A wild
 * pointer that happens to point at a guard, used by a stack that is in order, is not. */
static bool find_victim(const char *addr, const char *sp, struct victim *ret)
{
	struct stack_slot hit, on;
	enum stack_hit sp_hit = weft__stack_find(sp, &on);
	bool known = victim_of_strand(running_strand(), ret);

	if (known && is_in_frame_below(ret, addr, sp))
		return true;
	if (weft__stack_find(addr, &hit) != STACK_HIT_GUARD || sp_hit == STACK_HIT_NONE)
		return false;
	if (known)
		return sp < ret->slot.low || hit.low == ret->slot.low;
	*ret = (struct victim){ .slot = hit };
	return sp_hit == STACK_HIT_GUARD || on.top == hit.top;
}

/* --- stale pointers ------------------------------------------------------------------ */

/* Made of bytes that a strand has left (shared.h), give or take an offset into something. */
static bool is_poison(uint64_t value)
{
	const uint64_t poison = UINT64_C(0x0101010101010101) * WEFT_POISON_BYTE;

	return value >> 20 == poison >> 20;
}

/* The faulting address itself is not told where it is none that could be mapped (x86-64). */
static bool is_stale_pointer(const siginfo_t *info, const void *ucontext)
{
	if (is_poison((uint64_t)(uintptr_t)info->si_addr))
		return true;
	return !info->si_addr && ucontext_any_register(ucontext, is_poison);
}

static void report_stale_pointer(void)
{
	struct victim victim = { .strand = running_strand() };
	char who[WHO_BYTES] = "a thread";

	if (victim.strand)
		describe(&victim, who, sizeof(who));
	weft__warn("%s used a pointer that it has read from frames that are not there: they are "
		   "of another user of a shared stack, which is suspended. What others point "
		   "to must not lie in such a frame.",
		   who);
}

/* --- other crashes -------------------------------------------------------------------- */

static const char *name_of(int sig)
{
	return sig == SIGBUS ? "SIGBUS" : "SIGSEGV";
}

/* A frame of a thread's own stack that meets the end of it: pages as near as that are mapped
 * otherwise. */
static bool is_near(const char *addr, const char *sp)
{
	return addr >= sp - FRAME_BELOW_BYTES && addr < sp + THREAD_FRAME_BYTES;
}

/* The default action follows, which says neither who it was nor why. */
static void report_crash(int sig, const siginfo_t *info, const char *sp)
{
	struct victim victim = { .strand = running_strand() };
	const char *addr = info->si_addr;
	char who[WHO_BYTES];

	if (!victim.strand)
		return; /* a thread that is none of ours */
	describe(&victim, who, sizeof(who));
	if (!victim_of_strand(victim.strand, &victim) && is_near(addr, sp))
		weft__warn(
			"stack overflow in %s: the thread's own stack is used up; see ulimit -s and "
			"pthread_attr_setstacksize(3).",
			who);
	else if (info->si_code == SI_KERNEL)
		weft__warn("%s in %s, at an address that cannot be.", name_of(sig), who);
	else
		weft__warn("%s in %s, at address %p.", name_of(sig), who, (const void *)addr);
}

/* --- the handler --------------------------------------------------------------------- */

/* As if we had not been there: the default action, on the instruction that
 * faulted; a signal that was sent comes once more instead. */
static void die_by(int sig, const siginfo_t *info)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	sigaction(sig, &dfl, NULL);
	if (info->si_code <= 0)
		weft__syscall(SYS_tgkill, getpid(), weft__syscall(SYS_gettid, 0), sig);
}

static void chain(int sig, siginfo_t *info, void *ucontext, struct sigaction *earlier)
{
	struct sigaction act = *earlier;
	sigset_t self;

	if (act.sa_handler == SIG_DFL || (act.sa_handler == SIG_IGN && info->si_code > 0)) {
		die_by(sig, info);
		return;
	}
	if (act.sa_handler == SIG_IGN)
		return;
	if (act.sa_flags & (int)SA_RESETHAND)
		earlier->sa_handler = SIG_DFL;
	/* The kernel restores the mask of the interrupted context when we return. */
	pthread_sigmask(SIG_BLOCK, &act.sa_mask, NULL);
	if (act.sa_flags & SA_NODEFER) {
		sigemptyset(&self);
		sigaddset(&self, sig);
		pthread_sigmask(SIG_UNBLOCK, &self, NULL);
	}
	if (act.sa_flags & SA_SIGINFO)
		act.sa_sigaction(sig, info, ucontext);
	else
		act.sa_handler(sig);
}

static void on_fault(int sig, siginfo_t *info, void *ucontext)
{
	static const void *_Atomic said; /* a handler that returns faults again: once is enough */
	struct sigaction *earlier = sig == SIGBUS ? &earlier_bus : &earlier_segv;
	const char *sp = ucontext_stack_pointer(ucontext);
	struct victim victim;

	if (info->si_code > 0 && info->si_addr != said && find_victim(info->si_addr, sp, &victim)) {
		said = info->si_addr;
		report(&victim, "");
	} else if (WEFT_POISON_VACATED && info->si_code > 0 && is_stale_pointer(info, ucontext)) {
		report_stale_pointer();
	} else if (info->si_code > 0 && earlier->sa_handler == SIG_DFL) {
		report_crash(sig, info, sp);
	}
	chain(sig, info, ucontext, earlier);
}

static int install_result;

static void install(void)
{
	struct sigaction act = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

	act.sa_sigaction = on_fault;
	sigemptyset(&act.sa_mask);
	if (sigaction(SIGSEGV, &act, &earlier_segv) < 0 ||
	    sigaction(SIGBUS, &act, &earlier_bus) < 0)
		install_result = -errno;
}

int weft__overflow_install(void)
{
	static struct only_once once;

	only_once(&once, install);
	return install_result;
}

void weft__overflow_die(const struct strand *strand)
{
	struct victim victim;

	if (victim_of_strand(strand, &victim))
		report(&victim, ", and memory below them was overwritten");
	weft__die("memory is damaged by a stack overflow");
}

/* --- signal stacks ------------------------------------------------------------------- */

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* Room for the kernel's frame (11 KiB with AMX), our report, and the earlier
 * handler that we call. */
static size_t signal_stack_bytes(void)
{
	return ((size_t)getauxval(AT_MINSIGSTKSZ) + (64 << 10) + 4095) & ~(size_t)4095;
}

int weft__overflow_thread_init(void)
{
	struct stack_cache *cache = weft__stack_cache();
	stack_t ours = { .ss_size = signal_stack_bytes() }, old;

	if (!cache)
		return -ENOMEM;
	if (cache->signal_stack)
		return 0;
	if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE) &&
	    old.ss_size >= (8 << 10))
		return 0;
	ours.ss_sp = weft__map(ours.ss_size);
	if (!ours.ss_sp)
		return -ENOMEM;
	if (sigaltstack(&ours, NULL) < 0) {
		munmap(ours.ss_sp, ours.ss_size);
		return -errno;
	}
	cache->signal_stack = ours.ss_sp;
	return 0;
}

void weft__overflow_thread_fini(void)
{
	struct stack_cache *cache = weft__thread.stacks;
	stack_t none = { .ss_flags = SS_DISABLE }, now;

	if (!cache || !cache->signal_stack)
		return;
	if (sigaltstack(NULL, &now) == 0 && now.ss_sp == cache->signal_stack)
		sigaltstack(&none, NULL);
	munmap(cache->signal_stack, signal_stack_bytes());
	cache->signal_stack = NULL;
}
