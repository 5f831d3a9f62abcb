/* SPDX-License-Identifier: MIT
 *
 * hook_state.h - what libweft and libweft-hook tell each other at load.
 */
#ifndef WEFT_CORE_HOOK_STATE_H
#define WEFT_CORE_HOOK_STATE_H

#include <base/compiler.h>

/** A number that changes with the structures both libraries look into. */
#define WEFT_HOOK_LAYOUT                                                      \
	((uint32_t)(sizeof(struct task) | sizeof(struct private_task) << 10 | \
		    sizeof(struct thread) << 20))
extern const uint32_t weft__hook_layout WEFT_PRIVATE;

/** Set by libweft-hook's constructor, unless it is told to hook nothing. */
extern bool weft__hook_present WEFT_PRIVATE;

#endif
