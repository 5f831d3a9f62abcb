/* SPDX-License-Identifier: MIT
 *
 * arch.h - the contract of a switch backend. weft/context.h is its public
 * half: weft_context, weft_context_make(), weft_context_switch().
 *
 * One backend is built, chosen by CMake (-DWEFT_SWITCH=inline|asm|ucontext|
 * sjlj) and announced in weft/config.h as WEFT_SWITCH_INLINE and so on.
 */
#ifndef WEFT_ARCH_ARCH_H
#define WEFT_ARCH_ARCH_H

#include <base/compiler.h>
#include <weft/context.h>

/* First frames, per CPU (entry.S) or portable: arrive with a context and the
 * value; see weft__context_make_at() and weft__context_divert(). */
extern const char weft__context_entry[] __attribute__((visibility("hidden")));
extern const char weft__context_entry_arg[] __attribute__((visibility("hidden")));
extern const char weft__context_entry_run[] __attribute__((visibility("hidden")));

/**
 * weft__context_make_at - the cheap weft_context_make()
 * @ctx:       the first member of the caller's control block
 * @stack_top: the stack grows down from here; rounded down to 16
 * @fn:        called with @ctx and the value of the first switch; must not
 *             return
 *
 * Three stores: nothing is written to the stack, which may be in use by
 * another context until the first switch to @ctx.
 */
static inline void weft__context_make_at(weft_context *ctx, void *stack_top,
					 void (*fn)(void *ctx, void *value))
{
	ctx->sp = (void *)((uintptr_t)stack_top & ~(uintptr_t)15);
	ctx->bp = (void *)(uintptr_t)fn;
	ctx->pc = (void *)(uintptr_t)weft__context_entry;
}

/** What a context runs that weft__context_make_run() has made. */
struct context_call {
	int (*fn)(void *arg);
	void *arg;
};

struct context_run {
	/* The first call: says what is to be run. It must return on the same stack. */
	struct context_call (*begin)(void *ctx, void *value);
	/* With what that has returned; must not return. */
	void (*end)(int result);
};

/**
 * weft__context_make_run - a context whose function has nothing but one word above it
 * @ctx:       the first member of the caller's control block
 * @stack_top: as above
 * @run:       stays; its calls are made in turn from the first frame
 *
 * begin() has left the stack when the function runs, which so begins right below the top: on
 * inline and asm a parked one is 16 bytes smaller than one below a frame of C, and it is parked by
 * the million. Three stores, as above.
 */
static inline void weft__context_make_run(weft_context *ctx, void *stack_top,
					  const struct context_run *run)
{
	ctx->sp = (void *)((uintptr_t)stack_top & ~(uintptr_t)15);
	ctx->bp = (void *)(uintptr_t)run;
	ctx->pc = (void *)(uintptr_t)weft__context_entry_run;
}

/** Did no switch arrive at it yet? Only of a context that weft_context_switch() has not left. */
static inline bool weft__context_is_new(const weft_context *ctx)
{
	return ctx->pc == weft__context_entry || ctx->pc == weft__context_entry_arg ||
	       ctx->pc == weft__context_entry_run;
}

/** Where a first frame goes when its function returns: aborts, with a reason. */
void weft__context_returned(void) __attribute__((noreturn));

/**
 * weft__context_low - lowest address in use on a suspended context's stack
 *
 * Everything from here up to the stack's top must be kept to continue it
 * later (red zone included). Exact for inline and asm, a safe bound for the
 * portable backends.
 */
char *weft__context_low(const weft_context *ctx);

/**
 * weft__context_trail - the saved registers of a parked context, for those who walk it
 *
 * Return: where stack pointer, frame pointer and place of the innermost frame lie,
 * as inline and asm keep them in the context itself: @ctx, or an address on the stack that
 * @ctx is on (which may be away); NULL: it never ran. Looks at nothing but *@ctx.
 */
const weft_context *weft__context_trail(const weft_context *ctx);

/** A piece of code that @ctx will run when it is continued next, on its own
 * stack below everything live, instead of going on; it must not return. */
void weft__context_divert(weft_context *ctx, void (*fn)(void *arg, void *value), void *arg);

/** Control words of the floating-point unit; status flags are not kept. */
struct fp_control {
	uint32_t mxcsr; /* aarch64: FPCR; riscv64: frm */
	uint16_t x87_cw;
};

/*
 * cpu.h of the CPU defines, inline:
 *
 * weft__fp_save(struct fp_control *fp): reads the words of this thread.
 * weft__fp_replace(const struct fp_control *now, const struct fp_control *fp): makes @fp the words of
 * this thread, which are @now; writes only what differs.
 */
#include <arch/cpu.h>

static always_inline void weft__fp_load(const struct fp_control *fp)
{
	struct fp_control now;

	weft__fp_save(&now);
	weft__fp_replace(&now, fp);
}

/** Both, and the words are read once. Not the same object twice. */
static always_inline void weft__fp_swap(struct fp_control *save, const struct fp_control *load)
{
	weft__fp_save(save);
	weft__fp_replace(save, load);
}

/**
 * weft__shadow_stack_active - would a switch of stacks fault?
 *
 * True when this process runs with shadow stacks (x86 CET, aarch64 GCS, riscv64 Zicfiss): then
 * whoever would make a coroutine or a runtime answers -ENOTSUP instead. Asks
 * the kernel once; later calls cost one load. Async-signal-safe.
 */
bool weft__shadow_stack_active(void);

/** What the kernel says; per CPU. */
bool weft__shadow_stack_probe(void);

#endif
