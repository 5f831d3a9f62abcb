/* SPDX-License-Identifier: MIT
 *
 * hook_state.c - weft/hook.h: whether the calling task's libc calls are
 * hooked. Part of libweft: a program may ask without linking the hooks.
 */
#include <errno.h>

#include <core/hook_state.h>
#include <core/park.h>
#include <weft/hook.h>

const uint32_t weft__hook_layout = WEFT_HOOK_LAYOUT;
bool weft__hook_present;

int weft_hook_enable(void)
{
	struct task *self = weft__task_current();

	if (!self)
		return -EPERM;
	self->flags &= (uint16_t)~WEFT_NO_HOOKS;
	return 0;
}

int weft_hook_disable(void)
{
	struct task *self = weft__task_current();

	if (!self)
		return -EPERM;
	self->flags |= WEFT_NO_HOOKS;
	return 0;
}

int weft_hook_enabled(void)
{
	const struct task *self = weft__task_current();

	return self && weft__hook_present && !(self->flags & WEFT_NO_HOOKS);
}
