/* SPDX-License-Identifier: MIT
 *
 * unwind.c - from frame to frame, by the rules of cfi.h.
 *
 * The first frame is special: of a parked context only stack pointer, frame pointer
 * and place are saved, since the compiler was told that all the rest is lost. Its
 * rules need no more than these; and what they restore is known from then on.
 */
#include <base/peek.h>
#include <debug/unwind.h>

/* --- memory -------------------------------------------------------------------- */

/* Up to @bytes from @place into the window. Memory that surely is there costs no system
 * call: its bounds are multiples of 8, and so are all addresses of it. */
static bool fill(struct stack_memory *memory, uintptr_t place, size_t bytes, bool mapped)
{
	if (!mapped || place % 8 || bytes % 8)
		return weft__peek(memory->window, place, bytes);
	weft__peek_racy(memory->window, (const void *)place, bytes);
	return true;
}

/* A window on the frames from @addr up: they lie close together. */
static bool refill(struct stack_memory *memory, uintptr_t addr, size_t size)
{
	bool inside = memory->high && addr >= memory->low && addr < memory->high;
	uintptr_t place = inside ? addr - memory->low + memory->bytes : addr;
	size_t bytes = STACK_WINDOW;

	memory->window_bytes = 0;
	if (inside && bytes > memory->high - addr)
		bytes = memory->high - addr;
	if (size > bytes)
		return false;
	if (!fill(memory, place, bytes, inside && memory->mapped)) {
		bytes = size; /* the stack may end here */
		if (!weft__peek(memory->window, place, bytes))
			return false;
	}
	memory->window_at = addr;
	memory->window_bytes = bytes;
	return true;
}

bool weft__stack_memory_read(struct stack_memory *memory, void *dst, uintptr_t addr, size_t size)
{
	uintptr_t skip = addr - memory->window_at;

	if (skip > memory->window_bytes || size > memory->window_bytes - skip) {
		if (size > STACK_WINDOW || !refill(memory, addr, size))
			return false;
		skip = 0;
	}
	__builtin_memcpy(dst, memory->window + skip, size);
	return true;
}

/* --- one step -------------------------------------------------------------------- */

static const struct cfi_row *row_of(struct unwinder *unwinder, uintptr_t pc)
{
	struct cfi_row *row = &unwinder->rows[(pc * UINT64_C(0x9e3779b97f4a7c15)) >> 55];
	struct module *module;

	if (row->pc == pc)
		return row;
	row->pc = pc;
	row->known = false;
	module = weft__module_of(&unwinder->modules, pc);
	if (module)
		weft__cfi_find(module, &unwinder->scratch, row);
	return row;
}

static bool find_cfa(const struct cfi_rules *rules, const struct unwind_frame *frame,
		     struct stack_memory *memory, uintptr_t *ret_cfa)
{
	if (rules->cfa_is_expression)
		return weft__expression_run((uintptr_t)rules->cfa_offset, frame, memory, NULL,
					    ret_cfa);
	if (!weft__frame_register(frame, rules->cfa_register, ret_cfa))
		return false;
	*ret_cfa += (uintptr_t)rules->cfa_offset;
	return true;
}

/* The caller's value of register @reg. */
static bool recover(const struct cfi_rules *rules, const struct unwind_frame *frame,
		    struct stack_memory *memory, uintptr_t cfa, unsigned reg, uintptr_t *ret_value)
{
	int64_t value = rules->value[reg];
	uintptr_t addr;

	switch ((enum cfi_kind)rules->kind[reg]) {
	case CFI_SAME:
		return weft__frame_register(frame, reg, ret_value);
	case CFI_OFFSET:
		return weft__stack_memory_read(memory, ret_value, cfa + (uintptr_t)value,
					       sizeof(*ret_value));
	case CFI_VAL_OFFSET:
		*ret_value = cfa + (uintptr_t)value;
		return true;
	case CFI_REGISTER:
		return weft__frame_register(frame, (uint64_t)value, ret_value);
	case CFI_EXPRESSION:
		return weft__expression_run((uintptr_t)value, frame, memory, &cfa, &addr) &&
		       weft__stack_memory_read(memory, ret_value, addr, sizeof(*ret_value));
	case CFI_VAL_EXPRESSION:
		return weft__expression_run((uintptr_t)value, frame, memory, &cfa, ret_value);
	case CFI_UNDEFINED:
		break;
	}
	return false;
}

enum step { STEP_ON, STEP_END, STEP_LOST };

/* @frame becomes its caller. */
static enum step step(struct unwinder *unwinder, struct stack_memory *memory,
		      struct unwind_frame *frame)
{
	const struct cfi_row *row = row_of(unwinder, frame->pc - !frame->exact);
	struct unwind_frame caller = { .exact = row->signal };
	uintptr_t cfa, pc;

	if (!row->known)
		return STEP_LOST;
	if (row->rules.kind[UNWIND_PC] == CFI_UNDEFINED)
		return STEP_END;
	if (!find_cfa(&row->rules, frame, memory, &cfa) || cfa < frame->regs[UNWIND_SP])
		return STEP_LOST;
	if (!recover(&row->rules, frame, memory, cfa, UNWIND_PC, &pc))
		return STEP_LOST;
	for (unsigned reg = 0; reg < UNWIND_REGS; reg++)
		if (recover(&row->rules, frame, memory, cfa, reg, &caller.regs[reg]))
			caller.known |= UINT64_C(1) << reg;
	if (row->rules.kind[UNWIND_SP] == CFI_SAME)
		caller.regs[UNWIND_SP] = cfa;
	/* Once used it is the caller's own affair: where that was called from it says itself. */
	caller.known &= ~(UINT64_C(1) << UNWIND_PC);
	caller.known |= UINT64_C(1) << UNWIND_SP;
	caller.pc = unwind_strip(pc);
	if (caller.regs[UNWIND_SP] < frame->regs[UNWIND_SP] ||
	    (caller.regs[UNWIND_SP] == frame->regs[UNWIND_SP] && caller.pc == frame->pc))
		return STEP_LOST; /* it would go on for ever */
	*frame = caller;
	return frame->pc ? STEP_ON : STEP_END;
}

/* --- all of them ------------------------------------------------------------------- */

/* Where the saved words of a parked context are depends on the switch. */
static bool first_frame(struct stack_memory *memory, const weft_context *ctx,
			struct unwind_frame *frame)
{
	const weft_context *trail = weft__context_trail(ctx);
	weft_context words = *ctx;

	if (trail != ctx &&
	    !weft__stack_memory_read(memory, &words, (uintptr_t)trail, sizeof(words)))
		return false;
	*frame = (struct unwind_frame){ .pc = unwind_strip((uintptr_t)words.pc), .exact = true };
	frame->regs[UNWIND_SP] = (uintptr_t)words.sp;
	frame->regs[UNWIND_BP] = (uintptr_t)words.bp;
	frame->known = UINT64_C(1) << UNWIND_SP | UINT64_C(1) << UNWIND_BP;
	return frame->pc != 0;
}

/* Of makecontext(3)'s first frame nobody says that it is the last; but nothing is above. */
static bool at_top(const struct stack_memory *memory, const struct unwind_frame *frame)
{
	enum { LEAST_FRAME = 64 };
	uintptr_t sp = frame->regs[UNWIND_SP];

	return memory->high && sp <= memory->high && memory->high - sp < LEAST_FRAME;
}

unsigned weft__unwind(struct unwinder *unwinder, struct stack_memory *memory,
		      const weft_context *ctx, uintptr_t *pcs, unsigned max,
		      enum unwind_end *ret_end)
{
	struct unwind_frame frame;

	*ret_end = UNWIND_NEW;
	if (!weft__context_trail(ctx))
		return 0;
	*ret_end = UNWIND_LOST;
	if (!first_frame(memory, ctx, &frame))
		return 0;
	return weft__unwind_from(unwinder, memory, frame, pcs, max, ret_end);
}

unsigned weft__unwind_from(struct unwinder *unwinder, struct stack_memory *memory,
			   struct unwind_frame frame, uintptr_t *pcs, unsigned max,
			   enum unwind_end *ret_end)
{
	enum step how = STEP_ON;
	unsigned depth = 0;

	while (how == STEP_ON && depth < max) {
		pcs[depth++] = frame.pc;
		how = step(unwinder, memory, &frame);
	}
	if (how == STEP_LOST && at_top(memory, &frame))
		how = STEP_END;
	*ret_end = how == STEP_ON ? UNWIND_DEEP : how == STEP_END ? UNWIND_COMPLETE : UNWIND_LOST;
	return depth;
}
