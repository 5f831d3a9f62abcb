/* SPDX-License-Identifier: MIT
 *
 * chan.c - sync/chan.c and transfer.c as they are: a sender and a receiver who meet, while the
 * channel is closed and one of the two is cancelled or gives up. A value goes from hand to hand,
 * or both hear that it did not.
 */
#include "parties.h"

/* Copies between parties are announced: the lock must order them. */
static void copy_seen(void *to, const void *from, size_t bytes);
#define memcpy(to, from, bytes) copy_seen((to), (from), (bytes))

#include <sync/chan.c>
#include <sync/transfer.c>

enum { SENDER, RECEIVER };
enum mutants { NO_CLAIM = 1, CLOSE_FORGETS };

enum { VALUE = 7, NOTHING = 99, UNKNOWN = 1000 };

static struct {
	struct weft_chan chan;
	_Alignas(struct segment) char buffer[sizeof(struct segment) + 16]; /* a segment */
	uint32_t given, taken;
	int sent, received, closed; /* results */
} shared;

static const struct model_part parts[] = { PARTIES_PART, { NULL, 0 } };

/* There are no timers. */
int weft__ticker_recv(weft_chan *timer, void *ret_value, int64_t deadline_ns)
{
	(void)timer, (void)ret_value, (void)deadline_ns;
	parties_never();
	return 0;
}

static void copy_seen(void *to, const void *from, size_t bytes)
{
	model_reads(from);
	model_writes(to);
	__builtin_memcpy(to, from, bytes);
}

static void setup_chan(size_t capacity)
{
	struct values *values = &shared.chan.values;

	memset(&shared, 0, sizeof(shared));
	parties_setup();
	shared.chan.elem_bytes = sizeof(uint32_t);
	waitq_init(&shared.chan.receivers);
	waitq_init(&shared.chan.senders);
	values->capacity = capacity;
	values->first = (struct segment *)(void *)shared.buffer;
	values->put = values->take = values->first->slots;
	values->put_end = values->take_end = values->put + capacity * sizeof(uint32_t);
	shared.sent = shared.received = shared.closed = UNKNOWN;
}

static void setup_rendezvous(void)
{
	setup_chan(0);
}

static void setup_buffered(void)
{
	setup_chan(1);
}

/* --- threads ----------------------------------------------------------------------------------- */

static void sender(void)
{
	model_writes(&shared.given);
	shared.given = VALUE;
	shared.sent = weft_chan_send(&shared.chan, &shared.given, WEFT_FOREVER);
	/* It is ours again. */
	model_writes(&shared.given);
	shared.given = NOTHING;
}

static void receiver(void)
{
	model_writes(&shared.taken);
	shared.taken = NOTHING;
	shared.received = weft_chan_recv(&shared.chan, &shared.taken, WEFT_FOREVER);
	model_reads(&shared.taken);
	MODEL_CHECK(shared.taken == (shared.received == 0 ? VALUE : NOTHING));
}

/* Wakes whoever waits, but leaves the door open. */
static void close_and_forget(void)
{
	spin_lock(&shared.chan.lock);
	close_queue(&shared.chan.receivers);
	close_queue(&shared.chan.senders);
	spin_unlock(&shared.chan.lock);
}

static void closer(void)
{
	if (model_mutant() == CLOSE_FORGETS)
		close_and_forget();
	else
		shared.closed = weft_chan_close(&shared.chan);
}

static void end_wait_of(unsigned number, void (*end)(unsigned number))
{
	struct task *task = &parties.tasks[number];

	if (model_mutant() == NO_CLAIM) {
		if (atomic_load(&task->wait) & WAIT_WAITING)
			party_wake(task, -ECANCELED);
	} else {
		end(number);
	}
}

static void cancel_receiver(void)
{
	end_wait_of(RECEIVER, party_cancel);
}

static void cancel_sender(void)
{
	end_wait_of(SENDER, party_cancel);
}

static void expire_receiver(void)
{
	end_wait_of(RECEIVER, party_expire);
}

/* --- the end --------------------------------------------------------------------------------------- */

static bool is_error(int result)
{
	return result == -EPIPE || result == -ECANCELED || result == -ETIMEDOUT;
}

static void check_sums(void)
{
	size_t left = shared.chan.values.count;

	MODEL_CHECK(shared.sent == 0 || is_error(shared.sent));
	MODEL_CHECK(shared.received == 0 || is_error(shared.received));
	MODEL_CHECK((shared.sent == 0) == (shared.received == 0) + left);
	/* What was in it had to come first. */
	MODEL_CHECK(!left || shared.received != -EPIPE);
	MODEL_CHECK(waitq_empty(&shared.chan.receivers) && waitq_empty(&shared.chan.senders));
	MODEL_CHECK(!atomic_load(&shared.chan.lock.held));
}

static void check_closed(void)
{
	MODEL_CHECK(shared.closed == 0 && shared.chan.closed);
	check_sums();
}

#define CHAN_MODEL(...)                                                     \
	{                                                                   \
		__VA_ARGS__, .check = check_closed, .state = &shared,       \
			     .state_bytes = sizeof(shared), .parts = parts, \
			     .preemptions = PREEMPTIONS, .tso = true        \
	}

static const struct model rendezvous =
	CHAN_MODEL(.name = "rendezvous, close, receiver cancelled", .setup = setup_rendezvous,
		   .threads = { sender, receiver, closer, cancel_receiver });
static const struct model rendezvous_sender =
	CHAN_MODEL(.name = "rendezvous, close, sender cancelled", .setup = setup_rendezvous,
		   .threads = { sender, receiver, closer, cancel_sender });
static const struct model rendezvous_late =
	CHAN_MODEL(.name = "rendezvous, close, receiver's deadline", .setup = setup_rendezvous,
		   .threads = { sender, receiver, closer, expire_receiver });
static const struct model buffered =
	CHAN_MODEL(.name = "channel of 1, close, receiver cancelled", .setup = setup_buffered,
		   .threads = { sender, receiver, closer, cancel_receiver });

TEST_LIMIT(chan, rendezvous_closed_and_receiver_cancelled, 60)
{
	model_must_hold(&rendezvous);
}

TEST_LIMIT(chan, rendezvous_closed_and_sender_cancelled, 60)
{
	model_must_hold(&rendezvous_sender);
}

TEST_LIMIT(chan, rendezvous_closed_and_receiver_late, 60)
{
	model_must_hold(&rendezvous_late);
}

TEST_LIMIT(chan, buffered_closed_and_receiver_cancelled, 60)
{
	model_must_hold(&buffered);
}

/* --- a second sender behind a full buffer ------------------------------------------------------------ */

/* Two values in the order of one sender, and the second may have to wait for room. */
static void sender_of_two(void)
{
	model_writes(&shared.given);
	shared.given = VALUE;
	MODEL_CHECK(weft_chan_send(&shared.chan, &shared.given, WEFT_FOREVER) == 0);
	model_writes(&shared.given);
	shared.given = VALUE + 1;
	shared.sent = weft_chan_send(&shared.chan, &shared.given, WEFT_FOREVER);
	model_writes(&shared.given);
	shared.given = NOTHING;
}

static void receiver_of_two(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		model_writes(&shared.taken);
		shared.taken = NOTHING;
		shared.received = weft_chan_recv(&shared.chan, &shared.taken, WEFT_FOREVER);
		model_reads(&shared.taken);
		if (shared.received != 0)
			break;
		MODEL_CHECK(shared.taken == VALUE + i);
	}
}

/* The second receive waits for ever when the second send was cancelled. */
static void check_two(void)
{
	MODEL_CHECK(shared.sent == 0 || shared.sent == -ECANCELED);
	MODEL_CHECK(model_blocked(1) == (shared.sent != 0));
	MODEL_CHECK(!shared.chan.values.count && waitq_empty(&shared.chan.senders));
}

static const struct model two = { .name = "channel of 1, two values, sender cancelled",
				  .threads = { sender_of_two, receiver_of_two, cancel_sender },
				  .setup = setup_buffered,
				  .check = check_two,
				  .state = &shared,
				  .state_bytes = sizeof(shared),
				  .parts = parts,
				  .may_block = 1 << 1,
				  .tso = true };

TEST_LIMIT(chan, a_sender_waits_for_room_and_is_cancelled, 60)
{
	model_must_hold(&two);
}

/* --- planted errors ------------------------------------------------------------------------------------- */

TEST(chan, found_lock_that_two_take)
{
	model_must_fail(&buffered, &(struct mutant){ .op = MODEL_CAS,
						     .threads = 1 << SENDER,
						     .at = &shared.chan.lock,
						     .effect = MUTANT_SPLIT });
}

TEST(chan, found_unlock_without_order)
{
	model_must_fail(&buffered, &(struct mutant){ .op = MODEL_STORE,
						     .at = &shared.chan.lock,
						     .effect = MUTANT_NO_ORDER });
}

TEST(chan, found_receiver_claimed_by_two)
{
	model_must_fail(&rendezvous, &(struct mutant){ .op = MODEL_CAS,
						       .threads = 1 << SENDER,
						       .at = &parties.tasks[RECEIVER].wait,
						       .effect = MUTANT_SPLIT });
}

TEST(chan, found_cancel_without_a_claim)
{
	model_must_fail(&rendezvous, &(struct mutant){ .flag = NO_CLAIM });
}

TEST(chan, found_close_that_is_not_kept)
{
	model_must_fail(&rendezvous, &(struct mutant){ .flag = CLOSE_FORGETS });
}

TEST(chan, found_wake_that_does_not_come)
{
	model_must_fail(&rendezvous, &(struct mutant){ .op = MODEL_RMW,
						       .at = &parties.ready[SENDER],
						       .effect = MUTANT_SKIP });
}
