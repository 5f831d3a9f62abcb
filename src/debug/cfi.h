/* SPDX-License-Identifier: MIT
 *
 * cfi.h - how to get from a frame to its caller: the rows of the table that
 * .eh_frame packs as little programs. (DWARF 4, 6.4; Linux Standard Base, Core
 * Specification, "Exception Frames".)
 */
#ifndef WEFT_DEBUG_CFI_H
#define WEFT_DEBUG_CFI_H

#include <debug/modules.h>
#include <debug/unwind_cpu.h> /* src/arch/<cpu>/debug/ */

enum cfi_kind {
	CFI_SAME,       /* not changed by the callee */
	CFI_UNDEFINED,  /* lost; of the return address: nobody called */
	CFI_OFFSET,     /* saved at CFA + value */
	CFI_VAL_OFFSET, /* is CFA + value */
	CFI_REGISTER,   /* is in register number value */
	CFI_EXPRESSION, /* saved where the block at address value says */
	CFI_VAL_EXPRESSION
};

struct cfi_rules {
	uint8_t cfa_register;
	bool cfa_is_expression; /* the block is at address cfa_offset */
	int64_t cfa_offset;
	uint8_t kind[UNWIND_REGS];
	int64_t value[UNWIND_REGS];
};

/** What is known of one address of code. */
struct cfi_row {
	uintptr_t pc; /* 0: empty */
	bool known;   /* false: no frame description covers it */
	bool signal;  /* it was interrupted here, not called away */
	struct cfi_rules rules;
};

enum { CFI_REMEMBER = 8 };

/** Room for the work, which is too large for a signal stack. */
struct cfi_scratch {
	struct cfi_rules initial, remembered[CFI_REMEMBER];
};

/** Fills @row for row->pc. */
void weft__cfi_find(struct module *module, struct cfi_scratch *scratch, struct cfi_row *row);

/** The return address is where this CPU has it, or the table is not ours. */
#define CFI_RETURN_COLUMN UNWIND_PC

#endif
