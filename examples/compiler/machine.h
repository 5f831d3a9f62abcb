/* SPDX-License-Identifier: MIT
 *
 * machine.h - the stack machine that compiler.c compiles for. An instruction takes its operands off
 * the stack, and leaves its result there. It knows which place of the source it is from.
 */
#ifndef EXAMPLES_COMPILER_MACHINE_H
#define EXAMPLES_COMPILER_MACHINE_H

#include <stdio.h>

enum { CODE_MAX = 1000, STACK_MAX = 256, NAMES_MAX = 50 };

/* Beside these: '+' '-' '*' '/' '<' '>'. */
enum op_kind { STOP = 256, PUSH, LOAD, STORE, JUMP, JUMP_IF_ZERO, OUT };

struct place {
	int line, column;
};

struct op {
	int kind;
	long value; /* a number, a variable, where to jump */
	struct place at;
};

/* Arithmetic wraps around: unsigned numbers do, and signed ones must not. */
static inline long calculate(int kind, long a, long b)
{
	unsigned long x = (unsigned long)a, y = (unsigned long)b;

	switch (kind) {
	case '+':
		return (long)(x + y);
	case '-':
		return (long)(x - y);
	case '*':
		return (long)(x * y);
	case '/':
		return b == -1 ? (long)(0 - x) : a / b;
	case '<':
		return a < b;
	default:
		return a > b;
	}
}

/* Return: NULL, or what went wrong, at *ret_at. */
static inline const char *run(const struct op *code, struct place *ret_at)
{
	long stack[STACK_MAX], *top = stack, variables[NAMES_MAX] = { 0 };

	for (const struct op *op = code; op->kind != STOP; op++) {
		if (op->kind == PUSH) {
			*top++ = op->value;
		} else if (op->kind == LOAD) {
			*top++ = variables[op->value];
		} else if (op->kind == STORE) {
			variables[op->value] = *--top;
		} else if (op->kind == OUT) {
			printf("%ld\n", *--top);
		} else if (op->kind == JUMP || op->kind == JUMP_IF_ZERO) {
			if (op->kind == JUMP || *--top == 0)
				op = code + op->value - 1;
		} else if (op->kind == '/' && top[-1] == 0) {
			*ret_at = op->at;
			return "division by zero";
		} else {
			top--;
			top[-1] = calculate(op->kind, top[-1], top[0]);
		}
	}
	return NULL;
}

#endif
