/* SPDX-License-Identifier: MIT
 *
 * select.c - sync/select.c as it is, over two rendezvous channels: two selects that want the same
 * channels, a plain sender, and a cancel. Exactly one case of a select fires, a value goes to one
 * of them, and nobody waits beside somebody whom he could meet.
 *
 *	left	recv A, or send to B
 *	right	recv A, or recv B
 *	sender	sends to A
 */
#include "parties.h"

#include <base/rng.h>

/* No chance: of those that are ready the last is taken. */
#define rng_below(rng, bound) ((void)(rng), (void)(bound), 0u)

#include <sync/select.c>
#include <sync/transfer.c>

enum { LEFT, RIGHT, SENDER, ENDER };
enum mutants { NO_CLAIM = 1 };
enum { OF_SENDER = 7, OF_LEFT = 8, NOTHING = 99, UNKNOWN = 1000 };

static struct {
	struct weft_chan a, b;
	uint32_t sent, offered, taken[2][2]; /* by left and right, of A and B */
	int fired[2], sender;                /* what they returned */
	weft_case cases[2][2];
	bool cancelled;
} shared;

static const struct model_part parts[] = { PARTIES_PART, { NULL, 0 } };

/* --- what select.c and transfer.c call of others: there are no such cases ------------------------ */

const struct select_source weft__select_tasks;
const struct select_source weft__select_promises;

int weft__ticker_recv(weft_chan *timer, void *ret_value, int64_t deadline_ns)
{
	(void)timer, (void)ret_value, (void)deadline_ns;
	parties_never();
	return 0;
}

bool weft__ticker_take(weft_chan *timer, int64_t now_ns, void *ret_value)
{
	(void)timer, (void)now_ns, (void)ret_value;
	parties_never();
	return false;
}

struct task *weft__task_self_slow(int *ret_error)
{
	*ret_error = -ENOMEM;
	parties_never();
	return NULL;
}

/* --- threads ---------------------------------------------------------------------------------------- */

static void setup_chan(struct weft_chan *chan)
{
	chan->elem_bytes = sizeof(uint32_t);
	waitq_init(&chan->receivers);
	waitq_init(&chan->senders);
}

static void setup(void)
{
	memset(&shared, 0, sizeof(shared));
	parties_setup();
	setup_chan(&shared.a);
	setup_chan(&shared.b);
	shared.fired[LEFT] = shared.fired[RIGHT] = shared.sender = UNKNOWN;
	for (int i = 0; i < 4; i++)
		shared.taken[i / 2][i % 2] = NOTHING;
	shared.sent = OF_SENDER;
	shared.offered = OF_LEFT;
	shared.cases[LEFT][0] = (weft_case)WEFT_RECV(&shared.a, &shared.taken[LEFT][0]);
	shared.cases[LEFT][1] = (weft_case)WEFT_SEND(&shared.b, &shared.offered);
	shared.cases[RIGHT][0] = (weft_case)WEFT_RECV(&shared.a, &shared.taken[RIGHT][0]);
	shared.cases[RIGHT][1] = (weft_case)WEFT_RECV(&shared.b, &shared.taken[RIGHT][1]);
}

static void select_one(void)
{
	unsigned self = model_self();

	shared.fired[self] = weft__select(shared.cases[self], 2, WEFT_FOREVER, NULL);
}

static void left(void)
{
	select_one();
}

static void right(void)
{
	select_one();
}

static void sender(void)
{
	shared.sender = weft_chan_send(&shared.a, &shared.sent, WEFT_FOREVER);
}

static void cancel_right(void)
{
	struct task *task = &parties.tasks[RIGHT];

	if (model_mutant() != NO_CLAIM)
		party_cancel(RIGHT);
	else if (atomic_load(&task->wait) & WAIT_WAITING)
		party_wake(task, -ECANCELED);
	shared.cancelled = true;
}

/* --- the end ------------------------------------------------------------------------------------------ */

static bool has(int self, int i)
{
	return shared.fired[self] == i;
}

static void check_values(void)
{
	MODEL_CHECK(shared.taken[LEFT][0] == (has(LEFT, 0) ? OF_SENDER : NOTHING));
	MODEL_CHECK(shared.taken[LEFT][1] == NOTHING);
	MODEL_CHECK(shared.taken[RIGHT][0] == (has(RIGHT, 0) ? OF_SENDER : NOTHING));
	MODEL_CHECK(shared.taken[RIGHT][1] == (has(RIGHT, 1) ? OF_LEFT : NOTHING));
}

static void check_end(void)
{
	bool left_waits = model_blocked(LEFT), right_waits = model_blocked(RIGHT);
	bool sender_waits = model_blocked(SENDER);

	check_values();
	/* Who sends has one who receives. */
	MODEL_CHECK((shared.sender == 0) == (has(LEFT, 0) + has(RIGHT, 0)));
	MODEL_CHECK(has(LEFT, 1) == has(RIGHT, 1));
	/* Nobody beside one whom he could meet; a cancelled one does not wait. */
	MODEL_CHECK(!(sender_waits && (left_waits || right_waits)));
	MODEL_CHECK(!(left_waits && right_waits));
	MODEL_CHECK(!(right_waits && shared.cancelled));
	/* Who is not waiting is in no queue. */
	MODEL_CHECK(sender_waits || waitq_empty(&shared.a.senders));
	MODEL_CHECK(left_waits || right_waits || waitq_empty(&shared.a.receivers));
	MODEL_CHECK(left_waits || waitq_empty(&shared.b.senders));
	MODEL_CHECK(right_waits || waitq_empty(&shared.b.receivers));
}

static const struct model selects = { .name = "two selects, a sender, a cancel",
				      .threads = { left, right, sender, cancel_right },
				      .setup = setup,
				      .check = check_end,
				      .state = &shared,
				      .state_bytes = sizeof(shared),
				      .parts = parts,
				      .may_block = 1 << LEFT | 1 << RIGHT | 1 << SENDER,
				      .preemptions = PREEMPTIONS,
				      .tso = true };

TEST_LIMIT(select, one_case_fires, 60)
{
	model_must_hold(&selects);
}

/* --- planted errors -------------------------------------------------------------------------------------- */

TEST(select, found_select_claimed_by_two)
{
	model_must_fail(&selects, &(struct mutant){ .op = MODEL_CAS,
						    .threads = 1 << SENDER | 1 << LEFT,
						    .at = &parties.tasks[RIGHT].wait,
						    .effect = MUTANT_SPLIT });
}

TEST(select, found_cancel_without_a_claim)
{
	model_must_fail(&selects, &(struct mutant){ .flag = NO_CLAIM });
}

TEST(select, found_wake_that_does_not_come)
{
	model_must_fail(&selects, &(struct mutant){ .op = MODEL_RMW,
						    .at = &parties.ready[LEFT],
						    .effect = MUTANT_SKIP });
}
