/* SPDX-License-Identifier: MIT
 *
 * history.h - a record of who called what, when, and what came back.
 *
 *	struct op *op = history_begin(history, me, OP_SEND, CHANNEL, value);
 *	int rc = weft_chan_send(channel, &value, deadline_ns);
 *	history_end(history, op, rc);
 *
 * Each party (a task or a thread) writes a log of its own; all they share is one counter,
 * from which each begin and each end draws a stamp. So an end whose stamp is less than that of
 * a begin really came before it, and what the counter does not order overlapped, or might as
 * well have. linear.h asks whether the object can have behaved like that.
 *
 * The counter orders more than the object under test does: a call that begins after another has
 * ended sees all that the other one wrote. A missing barrier between calls that do not overlap is
 * therefore hidden here; it is a matter for the models and for TSan.
 */
#ifndef WEFT_TESTS_HISTORY_H
#define WEFT_TESTS_HISTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PARTIES_MOST = 64 };

/** The stamp of an end that did not come. */
#define NEVER ((uint64_t)INT64_MAX)

enum op_kind {
	OP_SEND,
	OP_TRY_SEND,
	OP_RECV,
	OP_TRY_RECV,
	OP_CLOSE,
	OP_LOCK,
	OP_TRY_LOCK,
	OP_UNLOCK,
	OP_READ_LOCK,
	OP_TRY_READ_LOCK,
	OP_READ_UNLOCK,
	OP_ACQUIRE,
	OP_TRY_ACQUIRE,
	OP_RELEASE,
};

struct op {
	uint64_t begun, ended; /* stamps, from 1; NEVER: still at it */
	enum op_kind kind;
	int result;     /* 0 or a negative errno, once it has ended */
	uint32_t value; /* sent, received, or how many */
	uint16_t party, object;
};

/** What one party did, in its order: no two of its calls overlap. */
struct record {
	_Alignas(64) struct op *ops;
	unsigned count;
};

struct history {
	_Alignas(64) _Atomic uint64_t clock;
	unsigned parties, room;
	struct record records[PARTIES_MOST];
};

/** For @parties of at most @room calls each. */
struct history *history_new(unsigned parties, unsigned room);
void history_free(struct history *history);

/** The party is about to call; it alone writes to the op. A full log fails the test. @value: what
 * is sent, or 0. */
struct op *history_begin(struct history *history, unsigned party, enum op_kind kind,
			 unsigned object, uint32_t value);

/** The call has returned; a received value is put into op->value before. */
static inline void history_end(struct history *history, struct op *op, int result)
{
	op->result = result;
	op->ended = atomic_fetch_add(&history->clock, 1) + 1;
}

/** An op with stamps of one's own choice, for histories made by hand. */
void history_add(struct history *history, const struct op *op);

/** The op took no part in anything: it is struck off, by its party, as its last. */
void history_drop(struct history *history, struct op *op);

/** How many calls there are, and how many have not returned. */
unsigned history_count(const struct history *history, unsigned *ret_open);

bool op_is_send(enum op_kind kind);
bool op_is_recv(enum op_kind kind);

/** "[   12 -    15]  party 2  recv() -> 0, 7", without the end of the line. */
void op_show(const struct op *op, FILE *out);

#endif
