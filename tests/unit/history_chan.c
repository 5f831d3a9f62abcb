/* SPDX-License-Identifier: MIT
 *
 * history_chan.c - the history checker on histories of channels: good ones pass, and each
 * kind of planted error is refused, at the call that shows it.
 */
#include "history.h"

/* --- good ones -------------------------------------------------------------------------- */

TEST(history, nothing_happened)
{
	made = history_new(2, 4);
	CHECK_ACCEPTED(spec_channel(1));
}

TEST(history, one_after_the_other)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(0, SEND, 3, 4, 11, 0);
	ADD(1, RECV, 5, 6, 10, 0);
	ADD(1, RECV, 7, 8, 11, 0);
	ADD(1, TRY_RECV, 9, 10, 0, -EAGAIN);
	ADD(0, CLOSE, 11, 12, 0, 0);
	ADD(1, RECV, 13, 14, 0, -EPIPE);
	ADD(0, TRY_SEND, 15, 16, 12, -EPIPE);
	ADD(0, CLOSE, 17, 18, 0, -EALREADY);
	CHECK_ACCEPTED(spec_channel(2));
}

TEST(history, overlapping_sends_come_out_in_any_order)
{
	ADD(0, SEND, 1, 6, 10, 0);
	ADD(1, SEND, 2, 5, 11, 0);
	ADD(2, SEND, 3, 4, 12, 0);
	ADD(3, RECV, 7, 8, 12, 0);
	ADD(3, RECV, 9, 10, 10, 0);
	ADD(3, RECV, 11, 12, 11, 0);
	CHECK_ACCEPTED(spec_channel(UNBOUNDED));
}

/* The sender waits for room: it comes in after the first receive. */
TEST(history, send_waits_for_room)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(1, SEND, 3, 8, 11, 0);
	ADD(2, TRY_SEND, 4, 5, 12, -EAGAIN);
	ADD(2, RECV, 6, 7, 10, 0);
	ADD(2, RECV, 9, 10, 11, 0);
	CHECK_ACCEPTED(spec_channel(1));
}

TEST(history, errors_have_no_effect)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(0, SEND, 3, 4, 11, -ETIMEDOUT);
	ADD(1, SEND, 5, 6, 12, -ECANCELED);
	ADD(1, RECV, 7, 8, 0, -ECANCELED);
	ADD(1, RECV, 9, 10, 10, 0);
	ADD(1, RECV, 11, 12, 0, -ETIMEDOUT);
	CHECK_ACCEPTED(spec_channel(1));
}

/* A call that did not return may have taken effect. */
TEST(history, open_send_was_received)
{
	ADD(0, SEND, 1, NEVER, 10, 0);
	ADD(1, RECV, 2, 3, 10, 0);
	CHECK_ACCEPTED(spec_channel(1));
	ADD(0, SEND, 1, NEVER, 10, 0);
	ADD(1, RECV, 2, 3, 10, 0);
	CHECK_ACCEPTED(spec_channel(0));
}

/* ... or none. */
TEST(history, open_calls_need_not_have_happened)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(1, RECV, 3, NEVER, 0, 0);
	ADD(2, CLOSE, 4, NEVER, 0, 0);
	ADD(3, SEND, 5, 6, 11, 0);
	ADD(3, RECV, 7, 8, 10, 0);
	ADD(3, RECV, 9, 10, 11, 0);
	CHECK_ACCEPTED(spec_channel(UNBOUNDED));
}

/* Somebody who did not return took 10, and somebody closed. */
TEST(history, open_calls_explain_what_is_seen)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(0, SEND, 3, 4, 11, 0);
	ADD(1, RECV, 5, NEVER, 0, 0);
	ADD(2, CLOSE, 6, NEVER, 0, 0);
	ADD(3, RECV, 7, 8, 11, 0);
	ADD(3, RECV, 9, 10, 0, -EPIPE);
	CHECK_ACCEPTED(spec_channel(2));
}

TEST(history, rendezvous_meets)
{
	ADD(0, SEND, 1, 4, 10, 0);
	ADD(1, RECV, 2, 3, 10, 0);
	ADD(1, TRY_RECV, 5, 6, 0, -EAGAIN);
	ADD(2, SEND, 7, 10, 11, 0);
	ADD(3, SEND, 8, 13, 12, 0);
	ADD(1, RECV, 9, 11, 12, 0);
	ADD(0, TRY_RECV, 9, 12, 11, 0);
	ADD(0, CLOSE, 14, 15, 0, 0);
	ADD(1, RECV, 16, 17, 0, -EPIPE);
	CHECK_ACCEPTED(spec_channel(0));
}

TEST(history, a_value_may_be_sent_twice)
{
	for (int i = 0; i < 2; i++) {
		ADD(0, SEND, 1, 2, 10, 0);
		ADD(1, SEND, 3, 4, 10, 0);
		ADD(2, RECV, 5, 6, 10, 0);
		if (i == 0)
			ADD(3, RECV, 7, NEVER, 0, 0);
		ADD(2, TRY_RECV, 8, 9, i ? 10 : 0, i ? 0 : -EAGAIN);
		CHECK_ACCEPTED(spec_channel(4));
	}
}

/* --- planted errors ----------------------------------------------------------------------- */

TEST(history, lost_value)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(0, SEND, 3, 4, 11, 0);
	ADD(1, RECV, 5, 6, 11, 0);
	CHECK_REFUSED(spec_channel(2), "recv() -> 0, 11");
}

TEST(history, lost_at_the_end)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(1, TRY_RECV, 3, 4, 0, -EAGAIN);
	CHECK_REFUSED(spec_channel(UNBOUNDED), "try_recv() -> -EAGAIN");
}

/* The error says that nothing was taken, but something was. */
TEST(history, lost_by_a_timeout)
{
	ADD(0, RECV, 1, 6, 0, -ETIMEDOUT);
	ADD(1, SEND, 2, 4, 10, 0);
	ADD(1, TRY_RECV, 7, 8, 0, -EAGAIN);
	CHECK_REFUSED(spec_channel(1), "try_recv() -> -EAGAIN");
}

TEST(history, sent_though_canceled)
{
	ADD(0, SEND, 1, 4, 10, -ECANCELED);
	ADD(1, RECV, 2, 3, 10, 0);
	CHECK_REFUSED(spec_channel(1), "send(10) -> -ECANCELED");
	ADD(0, SEND, 1, 4, 10, -ECANCELED);
	ADD(1, RECV, 2, 3, 10, 0);
	CHECK_REFUSED(spec_channel(0), "send(10) -> -ECANCELED");
}

TEST(history, doubled_value)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(1, RECV, 3, 6, 10, 0);
	ADD(2, RECV, 4, 5, 10, 0);
	CHECK_REFUSED(spec_channel(2), "party 1  recv() -> 0, 10");
}

TEST(history, invented_value)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(1, RECV, 3, 4, 12, 0);
	CHECK_REFUSED(spec_channel(2), "recv() -> 0, 12");
}

TEST(history, received_before_it_was_sent)
{
	ADD(1, RECV, 1, 2, 10, 0);
	ADD(0, SEND, 3, 4, 10, 0);
	CHECK_REFUSED(spec_channel(2), "recv() -> 0, 10");
}

TEST(history, reordered_values_of_one_sender)
{
	ADD(1, SEND, 1, 20, 30, 0);
	ADD(0, SEND, 2, 3, 10, 0);
	ADD(0, SEND, 4, 5, 11, 0);
	ADD(2, RECV, 6, 7, 30, 0);
	ADD(2, RECV, 8, 9, 11, 0);
	ADD(2, RECV, 10, 11, 10, 0);
	CHECK_REFUSED(spec_channel(UNBOUNDED), "recv() -> 0, 11");
}

/* By two receivers at once it would be all right. */
TEST(history, reordered_only_if_it_shows)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(0, SEND, 3, 4, 11, 0);
	ADD(1, RECV, 5, 8, 11, 0);
	ADD(2, RECV, 6, 7, 10, 0);
	CHECK_ACCEPTED(spec_channel(2));
}

TEST(history, sent_after_close)
{
	ADD(0, CLOSE, 1, 2, 0, 0);
	ADD(1, SEND, 3, 4, 10, 0);
	CHECK_REFUSED(spec_channel(1), "send(10) -> 0");
}

TEST(history, send_refused_before_close)
{
	ADD(1, SEND, 1, 2, 10, -EPIPE);
	ADD(0, CLOSE, 3, 4, 0, 0);
	CHECK_REFUSED(spec_channel(1), "send(10) -> -EPIPE");
}

TEST(history, closed_before_it_was_drained)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(0, CLOSE, 3, 4, 0, 0);
	ADD(1, RECV, 5, 6, 0, -EPIPE);
	ADD(1, RECV, 7, 8, 10, 0);
	CHECK_REFUSED(spec_channel(1), "recv() -> -EPIPE");
}

TEST(history, closed_twice)
{
	ADD(0, CLOSE, 1, 4, 0, 0);
	ADD(1, CLOSE, 2, 3, 0, 0);
	CHECK_REFUSED(spec_channel(1), "close() -> 0");
}

TEST(history, too_many)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(1, SEND, 3, 4, 11, 0);
	ADD(0, RECV, 5, 6, 10, 0);
	CHECK_REFUSED(spec_channel(1), "send(11) -> 0");
}

TEST(history, full_though_there_was_room)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(1, TRY_SEND, 3, 4, 11, -EAGAIN);
	CHECK_REFUSED(spec_channel(2), "try_send(11) -> -EAGAIN");
}

TEST(history, timed_out_though_there_was_a_value)
{
	ADD(0, SEND, 1, 2, 10, 0);
	ADD(1, RECV, 3, 4, 0, -ETIMEDOUT);
	CHECK_REFUSED(spec_channel(2), "recv() -> -ETIMEDOUT");
}

/* A channel of one may do this, a rendezvous not: they did not meet. */
TEST(history, rendezvous_that_did_not_meet)
{
	for (unsigned capacity = 0; capacity < 2; capacity++) {
		ADD(0, SEND, 1, 2, 10, 0);
		ADD(1, RECV, 3, 4, 10, 0);
		if (capacity)
			CHECK_ACCEPTED(spec_channel(capacity));
		else
			CHECK_REFUSED(spec_channel(capacity), "send(10) -> 0");
	}
}

/* Each receive overlaps the send, but there is one value. */
TEST(history, rendezvous_of_three)
{
	ADD(0, SEND, 1, 6, 10, 0);
	ADD(1, RECV, 2, 3, 10, 0);
	ADD(2, RECV, 4, 5, 10, 0);
	CHECK_REFUSED(spec_channel(0), "party 2  recv() -> 0, 10");
}

TEST(history, rendezvous_after_close)
{
	ADD(0, SEND, 1, 6, 10, 0);
	ADD(2, CLOSE, 2, 3, 0, 0);
	ADD(1, RECV, 4, 5, 10, 0);
	CHECK_REFUSED(spec_channel(0), "recv() -> 0, 10");
}

/* --- the report, the bounds ---------------------------------------------------------------- */

TEST(history, the_report_shows_what_led_there)
{
	enum verdict verdict;
	const char *text;

	for (unsigned i = 0; i < 20; i++) {
		ADD(0, SEND, 100 * i + 1, 100 * i + 2, i, 0);
		ADD(1, RECV, 100 * i + 3, 100 * i + 4, i == 13 ? 77 : i, 0);
	}
	ADD(3, SEND, 1290, NEVER, 55, 0);
	text = judge(spec_channel(4), &verdict);
	CHECK_EQ(verdict, REFUSED);
	CHECK(strstr(text, "history of channel 0: 41 calls of 8 parties, 1 of them open: "
			   "not linearizable\n"));
	CHECK(strstr(text, "returned what it did:\n"
			   "    [ 1303 -  1304]  party 1  recv() -> 0, 77\n"));
	CHECK(strstr(text, "fits in this order, of which this is the end:\n"));
	CHECK(strstr(text,
		     "    [ 1301 -  1302]  party 0  send(13) -> 0    | open, 1 queued: 13\n"));
	CHECK(strstr(text, "open beside it, and not needed for that:\n"
			   "    [ 1290 -      ]  party 3  send(55) -> ?\n"));
	CHECK(!strstr(text, "14"));
}

/* Each object of a history by itself. */
TEST(history, objects_do_not_mix)
{
	struct spec spec = spec_channel(1);
	struct op op = { .begun = 1, .ended = 2, .kind = OP_SEND, .value = 10 };

	made = history_new(1, 8);
	history_add(made, &op);
	op = (struct op){ .begun = 3, .ended = 4, .kind = OP_RECV, .value = 10, .object = 1 };
	history_add(made, &op);
	CHECK_EQ(linear_check(made, 0, &spec, NULL), EXPLAINED);
	CHECK_EQ(linear_check(made, 1, &spec, NULL), REFUSED);
	history_free(made);
	made = NULL;
}

TEST(history, more_states_than_allowed)
{
	struct spec spec = spec_channel(UNBOUNDED);
	struct search *search;

	for (unsigned party = 0; party < 6; party++)
		ADD(party, SEND, 1 + party, 20 + party, party, 0);
	ADD(7, RECV, 30, 31, 99, 0);
	search = search_new(made, 0, &spec, NEVER - 1);
	search->states_most = 20;
	CHECK_EQ(search_run(search), GAVE_UP);
	search_free(search);
	search = search_new(made, 0, &spec, NEVER - 1);
	CHECK_EQ(search_run(search), REFUSED);
	search_free(search);
	history_free(made);
	made = NULL;
}

TEST(history, more_values_than_a_state_holds)
{
	struct spec spec = spec_channel(UNBOUNDED);
	struct history *history = history_new(1, STATE_WORDS);

	for (unsigned i = 0; i < STATE_WORDS; i++)
		history_end(history, history_begin(history, 0, OP_SEND, 0, i), 0);
	CHECK_EQ(linear_check(history, 0, &spec, NULL), GAVE_UP);
	history_free(history);
}

/* --- the recorder ------------------------------------------------------------------------------- */

TEST(history, stamps_are_in_the_order_of_events)
{
	struct history *history = history_new(2, 2);
	struct op *a = history_begin(history, 0, OP_RECV, 3, 0);
	struct op *b = history_begin(history, 1, OP_SEND, 3, 9);
	unsigned open;

	CHECK_EQ(a->ended, NEVER);
	history_end(history, b, 0);
	CHECK_EQ(history_count(history, &open), 2);
	CHECK_EQ(open, 1);
	history_end(history, a, -EPIPE);
	CHECK_LT(a->begun, b->begun);
	CHECK_LT(b->begun, b->ended);
	CHECK_LT(b->ended, a->ended);
	CHECK_EQ(a->object, 3);
	history_drop(history, history_begin(history, 0, OP_SEND, 0, 0));
	CHECK_EQ(history_count(history, &open), 2);
	CHECK_EQ(open, 0);
	history_free(history);
}

static void overfill(void *arg)
{
	for (int i = 0; i < 3; i++)
		history_begin(arg, 0, OP_CLOSE, 0, 0);
}

TEST(history, a_full_log_fails)
{
	struct history *history = history_new(1, 2);
	struct death death = run_to_death(overfill, history);

	CHECK_NE(death.code, 0);
	CHECK(strstr(death.text, "room"));
	history_free(history);
}
