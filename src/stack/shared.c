/* SPDX-License-Identifier: MIT
 *
 * shared.c - who is on which shared stack, and the copies of the others.
 *
 *   new ------------enter-----------+
 *                                   v
 *   saved <--another one enters-- resident --leave--> gone
 *     +------------enter------------^
 *
 * A copy has exactly the live bytes; its size follows from the context that it
 * belongs to. Where a strand left its stack by resuming a coroutine elsewhere,
 * the copy begins with a head, and bit 0 of strand.saved says so.
 */
#include <errno.h>
#include <string.h>

#include <base/fault.h>
#include <base/log.h>
#include <base/peek.h>
#include <base/valgrind.h>
#include <stack/shared.h>
#include <stack/stack.h>

/* That other context lies in the frames that are copied: it cannot be asked. */
struct copy_head {
	const weft_context *outer;
	size_t bytes;
};
enum { COPY_HAS_HEAD = 1 };

struct weft_stack_group {
	uintptr_t owner; /* thread_number() */
	unsigned class, count;
	unsigned next;  /* stack of the next strand */
	uint64_t users; /* strands picked and not yet gone */
	struct shared_stack stacks[];
};

/* --- marks: what the overflow report finds ----------------------------------- */

/* Lies in the block of a slot that is a shared stack; where a task or a
 * coroutine has its identity, there are zeros. */
struct mark {
	char zeros[STACK_BLOCK_BYTES - sizeof(uint64_t) - sizeof(void *)];
	uint64_t magic; /* MARK_MAGIC ^ stack: old bytes do not look like it */
	struct shared_stack *stack;
};
#define MARK_MAGIC UINT64_C(0x7765667453686172)

_Static_assert(sizeof(struct mark) == STACK_BLOCK_BYTES, "it fills the block");

static void set_mark(struct shared_stack *stack)
{
	struct mark *mark = (struct mark *)(void *)stack->top;

	memset(mark, 0, sizeof(*mark));
	mark->magic = MARK_MAGIC ^ (uintptr_t)stack;
	mark->stack = stack;
}

struct shared_stack *weft__shared_of(const struct stack_slot *slot)
{
	const struct mark *mark = (const struct mark *)(const void *)slot->top;

	return mark->magic == (MARK_MAGIC ^ (uintptr_t)mark->stack) ? mark->stack : NULL;
}

/* --- groups ------------------------------------------------------------------ */

static void give_stacks(weft_stack_group *group, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct stack_slot slot = { .top = group->stacks[i].top,
					   .low = group->stacks[i].low,
					   .class = group->class };

		memset(slot.top, 0, sizeof(struct mark));
		weft__stack_give(&slot);
	}
}

int weft_stack_group_new(weft_stack_group **ret_group, unsigned count, size_t stack_bytes)
{
	int class = weft__stack_class(stack_bytes);
	weft_stack_group *group;
	struct stack_slot slot;

	if (!ret_group || !count || count > 65536 || class < 0)
		return -EINVAL;
	group = weft__calloc(1, sizeof(*group) + count * sizeof(group->stacks[0]));
	if (!group)
		return -ENOMEM;
	group->owner = thread_number(&weft__thread);
	group->class = (unsigned)class;
	for (; group->count < count; group->count++) {
		struct shared_stack *stack = &group->stacks[group->count];

		if (weft__stack_take(group->class, &slot) < 0) {
			give_stacks(group, group->count);
			weft__free(group);
			return -ENOMEM;
		}
		*stack = (struct shared_stack){ .low = slot.low, .top = slot.top, .group = group };
		set_mark(stack);
	}
	*ret_group = group;
	return 0;
}

int weft_stack_group_free(weft_stack_group *group)
{
	if (!group)
		return 0;
	if (group->owner != weft__thread.number)
		return -EPERM;
	if (group->users)
		return -EBUSY;
	give_stacks(group, group->count);
	weft__free(group);
	return 0;
}

struct shared_stack *weft__shared_pick(weft_stack_group *group)
{
	struct shared_stack *stack = &group->stacks[group->next];

	if (group->owner != weft__thread.number)
		return NULL;
	if (++group->next == group->count)
		group->next = 0;
	group->users++;
	return stack;
}

/* --- copies --------------------------------------------------------------------- */

/* Fills strand->saved; nothing is changed on failure (S4). */
static int save(struct shared_stack *stack)
{
	struct strand *strand = stack->occupant;
	const char *low = weft__context_low(stack->outer ? stack->outer : &strand->ctx);
	size_t bytes = (size_t)(stack->top - low);
	struct copy_head head = { .outer = stack->outer, .bytes = bytes };
	size_t extra = stack->outer ? sizeof(head) : 0;
	char *copy;

	invariant(low >= stack->low && low <= stack->top);
	copy = weft__slab_take(bytes + extra);
	if (unlikely(!copy))
		return -ENOMEM;
	memcpy(copy + extra, low, bytes);
	strand->saved = copy;
	if (extra) {
		memcpy(copy, &head, extra);
		strand->saved = copy + COPY_HAS_HEAD;
	}
	if (WEFT_POISON_VACATED)
		memset(stack->top - bytes, WEFT_POISON_BYTE, bytes);
	return 0;
}

/* Copies back when there is a stack to copy to, and frees the copy. */
static void restore(struct strand *strand, struct shared_stack *stack)
{
	uintptr_t saved = (uintptr_t)strand->saved;
	char *copy = (char *)(saved & ~(uintptr_t)COPY_HAS_HEAD);
	size_t extra = saved & COPY_HAS_HEAD ? sizeof(struct copy_head) : 0;
	struct copy_head head = { .outer = NULL };

	if (extra)
		memcpy(&head, copy, extra);
	else
		head.bytes = (size_t)(strand->shared->top - weft__context_low(&strand->ctx));
	if (stack) {
		weft__valgrind_frames(stack->top - head.bytes, head.bytes);
		memcpy(stack->top - head.bytes, copy + extra, head.bytes);
		stack->outer = head.outer;
	}
	weft__slab_give(copy, head.bytes + extra);
	strand->saved = NULL;
}

int weft__shared_enter(struct strand *strand)
{
	struct shared_stack *stack = strand->shared;

	if (stack->occupant == strand)
		return 0;
	/* Frames that were left behind have marked their red zones. */
	weft__asan_forget(stack->low, (size_t)(stack->top - stack->low));
	if (stack->occupant && save(stack) < 0)
		return -ENOMEM;
	stack->occupant = strand;
	stack->outer = NULL;
	if (strand->saved)
		restore(strand, stack);
	return 0;
}

void weft__shared_vacate(struct strand *strand)
{
	struct shared_stack *stack = strand->shared;

	if (stack->occupant == strand) {
		stack->occupant = NULL;
		stack->outer = NULL;
	} else if (strand->saved) {
		restore(strand, NULL);
	}
}

void weft__shared_leave(struct strand *strand)
{
	weft__shared_vacate(strand);
	strand->shared->group->users--;
	strand->shared = NULL;
	strand->saved = NULL;
}

/* --- looking on ------------------------------------------------------------------ */

/* Groups are freed by free(3), so even the stack's own record may be gone. */
static bool learn(const struct shared_stack *stack, struct shared_memo *memo)
{
	struct shared_stack copy;

	if (memo->stack == stack)
		return true;
	if (!weft__peek(&copy, (uintptr_t)stack, sizeof(copy)) || !copy.low || copy.low > copy.top)
		return false;
	*memo = (struct shared_memo){ stack, (uintptr_t)copy.low, (uintptr_t)copy.top };
	return true;
}

/* Small copies lie in a slab, whose memory stays; others came from malloc(3). A head is
 * 16 bytes long. */
static bool copy_is_mapped(size_t bytes)
{
	return bytes + sizeof(struct copy_head) <= SLAB_MAX_BYTES;
}

/* The context of a copy without a head is the strand's own, on that stack. */
bool weft__shared_place(const struct strand *strand, struct shared_memo *memo,
			struct shared_place *ret_place)
{
	uintptr_t saved = (uintptr_t)strand->saved, low;
	struct copy_head head;

	if (!learn(strand->shared, memo))
		return false;
	if (!saved) {
		*ret_place = (struct shared_place){ memo->low, memo->top, memo->low, true };
		return true;
	}
	low = (uintptr_t)weft__context_low(&strand->ctx);
	if (saved & COPY_HAS_HEAD) {
		saved &= ~COPY_HAS_HEAD;
		if (!weft__peek(&head, saved, sizeof(head)))
			return false;
		low = memo->top - head.bytes;
		saved += sizeof(head);
	}
	*ret_place =
		(struct shared_place){ low, memo->top, saved, copy_is_mapped(memo->top - low) };
	return low >= memo->low && low < memo->top;
}
