/* SPDX-License-Identifier: MIT
 *
 * expression.c - DWARF expressions, as frame descriptions use them: a stack machine
 * over registers and memory (DWARF 4, 2.5). gcc writes them for functions that align
 * their stack, linkers for the stubs of a PLT.
 */
#include <debug/bytes.h>
#include <debug/unwind.h>

enum { STACK_WORDS = 16, BLOCK_MAX_BYTES = 4096 };

struct stack {
	uint64_t words[STACK_WORDS];
	unsigned depth;
	bool bad;
};

static void push(struct stack *stack, uint64_t word)
{
	if (stack->depth == STACK_WORDS)
		stack->bad = true;
	else
		stack->words[stack->depth++] = word;
}

static uint64_t pop(struct stack *stack)
{
	if (!stack->depth) {
		stack->bad = true;
		return 0;
	}
	return stack->words[--stack->depth];
}

/* The word @below the top one. */
static uint64_t look(struct stack *stack, unsigned below)
{
	if (below >= stack->depth) {
		stack->bad = true;
		return 0;
	}
	return stack->words[stack->depth - 1 - below];
}

static void push_register(struct stack *stack, const struct unwind_frame *frame, uint64_t reg,
			  int64_t offset)
{
	uintptr_t value = 0;

	if (!weft__frame_register(frame, reg, &value))
		stack->bad = true;
	push(stack, value + (uint64_t)offset);
}

static void dereference(struct stack *stack, struct stack_memory *memory, unsigned size)
{
	uint64_t value = 0;

	if (size > sizeof(value) ||
	    !weft__stack_memory_read(memory, &value, (uintptr_t)pop(stack), size))
		stack->bad = true;
	push(stack, value);
}

static bool run_constant(struct stack *stack, struct bytes *bytes, uint8_t op)
{
	if (op >= 0x30 && op <= 0x4f) { /* lit0 .. lit31 */
		push(stack, op - 0x30u);
	} else if (op == 0x03) { /* addr */
		push(stack, weft__bytes_uint(bytes, 8));
	} else if (op >= 0x08 && op <= 0x0f) { /* const1u, const1s, const2u ... */
		unsigned size = 1u << (op - 0x08) / 2;

		push(stack, op & 1 ? (uint64_t)weft__bytes_int(bytes, size)
				   : weft__bytes_uint(bytes, size));
	} else if (op == 0x10) {
		push(stack, weft__bytes_uleb(bytes));
	} else if (op == 0x11) {
		push(stack, (uint64_t)weft__bytes_sleb(bytes));
	} else {
		return false;
	}
	return true;
}

static bool run_order(struct stack *stack, struct bytes *bytes, uint8_t op)
{
	uint64_t a, b;

	switch (op) {
	case 0x12: /* dup */
		push(stack, look(stack, 0));
		return true;
	case 0x13: /* drop */
		pop(stack);
		return true;
	case 0x14: /* over */
		push(stack, look(stack, 1));
		return true;
	case 0x15: /* pick */
		push(stack, look(stack, weft__bytes_u8(bytes)));
		return true;
	case 0x16: /* swap */
		a = pop(stack);
		b = pop(stack);
		push(stack, a);
		push(stack, b);
		return true;
	default:
		return false;
	}
}

/* @a was pushed before @b. */
static bool run_binary(struct stack *stack, uint8_t op)
{
	uint64_t b = look(stack, 0), a = look(stack, 1), result;

	switch (op) {
	case 0x1a:
		result = a & b;
		break;
	case 0x1c:
		result = a - b;
		break;
	case 0x1e:
		result = a * b;
		break;
	case 0x21:
		result = a | b;
		break;
	case 0x22:
		result = a + b;
		break;
	case 0x24:
		result = b < 64 ? a << b : 0;
		break;
	case 0x25:
		result = b < 64 ? a >> b : 0;
		break;
	case 0x27:
		result = a ^ b;
		break;
	case 0x29: /* eq, ge, gt, le, lt, ne */
		result = a == b;
		break;
	case 0x2a:
		result = (int64_t)a >= (int64_t)b;
		break;
	case 0x2b:
		result = (int64_t)a > (int64_t)b;
		break;
	case 0x2c:
		result = (int64_t)a <= (int64_t)b;
		break;
	case 0x2d:
		result = (int64_t)a < (int64_t)b;
		break;
	case 0x2e:
		result = a != b;
		break;
	default:
		return false;
	}
	pop(stack);
	pop(stack);
	push(stack, result);
	return true;
}

static void run_one(struct stack *stack, struct bytes *bytes, uint8_t op,
		    const struct unwind_frame *frame, struct stack_memory *memory)
{
	uint64_t reg;

	if (op >= 0x70 && op <= 0x8f) { /* breg0 .. breg31 */
		push_register(stack, frame, op - 0x70u, weft__bytes_sleb(bytes));
	} else if (op == 0x92) { /* bregx */
		reg = weft__bytes_uleb(bytes);
		push_register(stack, frame, reg, weft__bytes_sleb(bytes));
	} else if (op == 0x06) { /* deref */
		dereference(stack, memory, 8);
	} else if (op == 0x94) { /* deref_size */
		dereference(stack, memory, weft__bytes_u8(bytes));
	} else if (op == 0x23) { /* plus_uconst */
		push(stack, pop(stack) + weft__bytes_uleb(bytes));
	} else if (op == 0x1f) { /* neg */
		push(stack, 0 - pop(stack));
	} else if (op == 0x20) { /* not */
		push(stack, ~pop(stack));
	} else if (op != 0x96 /* nop */ && !run_constant(stack, bytes, op) &&
		   !run_order(stack, bytes, op) && !run_binary(stack, op)) {
		stack->bad = true; /* branches, and what describes variables */
	}
}

bool weft__expression_run(uintptr_t block, const struct unwind_frame *frame,
			  struct stack_memory *memory, const uintptr_t *cfa, uintptr_t *ret_value)
{
	struct stack stack = { .depth = 0 };
	struct bytes bytes;
	uint64_t length;

	bytes_init(&bytes, block, block + 16);
	length = weft__bytes_uleb(&bytes);
	if (bytes.bad || length > BLOCK_MAX_BYTES)
		return false;
	bytes_init(&bytes, bytes.at, bytes.at + length);
	if (cfa)
		push(&stack, *cfa);
	while (bytes_left(&bytes) && !stack.bad)
		run_one(&stack, &bytes, weft__bytes_u8(&bytes), frame, memory);
	*ret_value = (uintptr_t)look(&stack, 0);
	return !stack.bad && !bytes.bad;
}
