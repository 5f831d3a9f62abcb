/* SPDX-License-Identifier: MIT
 *
 * history.c - see history.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "../test.h"
#include "history.h"

struct history *history_new(unsigned parties, unsigned room)
{
	struct history *history = aligned_alloc(64, sizeof *history);

	CHECK(history);
	CHECK_LE(parties, PARTIES_MOST);
	atomic_init(&history->clock, 0);
	history->parties = parties;
	history->room = room;
	for (unsigned i = 0; i < parties; i++) {
		history->records[i].ops = calloc(room, sizeof(struct op));
		history->records[i].count = 0;
		CHECK(history->records[i].ops);
	}
	return history;
}

void history_free(struct history *history)
{
	if (!history)
		return;
	for (unsigned i = 0; i < history->parties; i++)
		free(history->records[i].ops);
	free(history);
}

static struct op *append(struct history *history, unsigned party)
{
	struct record *record = &history->records[party];

	CHECK_LT(party, history->parties);
	CHECK_LT(record->count, history->room);
	return &record->ops[record->count++];
}

struct op *history_begin(struct history *history, unsigned party, enum op_kind kind,
			 unsigned object, uint32_t value)
{
	struct op *op = append(history, party);

	*op = (struct op){
		.ended = NEVER,
		.kind = kind,
		.value = value,
		.party = (uint16_t)party,
		.object = (uint16_t)object,
	};
	op->begun = atomic_fetch_add(&history->clock, 1) + 1;
	return op;
}

void history_add(struct history *history, const struct op *op)
{
	struct record *record = &history->records[op->party];

	CHECK_LT(op->begun, op->ended);
	if (record->count)
		CHECK_LT(record->ops[record->count - 1].ended, op->begun);
	*append(history, op->party) = *op;
}

void history_drop(struct history *history, struct op *op)
{
	struct record *record = &history->records[op->party];

	CHECK_EQ(op, &record->ops[record->count - 1]);
	record->count--;
}

unsigned history_count(const struct history *history, unsigned *ret_open)
{
	unsigned count = 0;

	*ret_open = 0;
	for (unsigned i = 0; i < history->parties; i++) {
		const struct record *record = &history->records[i];

		count += record->count;
		if (record->count && record->ops[record->count - 1].ended == NEVER)
			++*ret_open;
	}
	return count;
}

bool op_is_send(enum op_kind kind)
{
	return kind == OP_SEND || kind == OP_TRY_SEND;
}

bool op_is_recv(enum op_kind kind)
{
	return kind == OP_RECV || kind == OP_TRY_RECV;
}

static const char *name_of(enum op_kind kind)
{
	static const char *const names[] = {
		[OP_SEND] = "send",
		[OP_TRY_SEND] = "try_send",
		[OP_RECV] = "recv",
		[OP_TRY_RECV] = "try_recv",
		[OP_CLOSE] = "close",
		[OP_LOCK] = "lock",
		[OP_TRY_LOCK] = "try_lock",
		[OP_UNLOCK] = "unlock",
		[OP_READ_LOCK] = "read_lock",
		[OP_TRY_READ_LOCK] = "try_read_lock",
		[OP_READ_UNLOCK] = "read_unlock",
		[OP_ACQUIRE] = "acquire",
		[OP_TRY_ACQUIRE] = "try_acquire",
		[OP_RELEASE] = "release",
	};

	return names[kind];
}

static void show_result(int result, FILE *out)
{
	static const struct {
		int error;
		const char *name;
	} errors[] = {
		{ EPIPE, "EPIPE" },         { EAGAIN, "EAGAIN" },     { ETIMEDOUT, "ETIMEDOUT" },
		{ ECANCELED, "ECANCELED" }, { EBUSY, "EBUSY" },       { EDEADLK, "EDEADLK" },
		{ EPERM, "EPERM" },         { EALREADY, "EALREADY" }, { ENOMEM, "ENOMEM" },
	};

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (result == -errors[i].error) {
			fprintf(out, "-%s", errors[i].name);
			return;
		}
	}
	fprintf(out, "%d", result);
}

void op_show(const struct op *op, FILE *out)
{
	bool open = op->ended == NEVER;

	if (open)
		fprintf(out, "[%5llu -      ]", (unsigned long long)op->begun);
	else
		fprintf(out, "[%5llu - %5llu]", (unsigned long long)op->begun,
			(unsigned long long)op->ended);
	fprintf(out, "  party %u  %s(", op->party, name_of(op->kind));
	if (op_is_send(op->kind) || op->kind == OP_RELEASE)
		fprintf(out, "%u", op->value);
	fprintf(out, ") -> ");
	if (open)
		fprintf(out, "?");
	else
		show_result(op->result, out);
	if (!open && op->result == 0 && op_is_recv(op->kind))
		fprintf(out, ", %u", op->value);
}
