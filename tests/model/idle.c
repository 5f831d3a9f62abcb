/* SPDX-License-Identifier: MIT
 *
 * idle.c - the sleep protocol: nobody sleeps while there is work for anybody.
 */
#include "idle_frame.h"

/* --- a worker publishes two tasks and computes; two others ------------------------------ */

static void setup_3(void)
{
	setup_workers(3);
}

static void publish_two(void)
{
	publish(0, 0);
	publish(0, 1);
}

static void check_3(void)
{
	nobody_sleeps_beside_work(1, 2);
}

static const struct model spread =
	IDLE_MODEL(.name = "idle, one publishes twice", .preemptions = PREEMPTIONS,
		   .threads = { publish_two, worker_1, worker_2 }, .setup = setup_3,
		   .check = check_3, .may_block = 2 | 4);

TEST_LIMIT(idle, a_publisher_and_two_workers, 60)
{
	model_must_hold(&spread);
}

/* --- two who are no workers publish; one worker, whose tasks are short -------------------- */

static void publish_first(void)
{
	publish(0, 0);
}

static void publish_second(void)
{
	publish(1, 1);
}

static void short_worker(void)
{
	while (!ran_all(2))
		go_round(&shared.keeps[0]);
	end_spin(&shared.keeps[0], false, STOPPED_AT_END);
}

static void check_ran_2(void)
{
	MODEL_CHECK(ran_all(2));
	MODEL_CHECK(!atomic_load(&shared.idle.spinning));
}

static const struct model foreign =
	IDLE_MODEL(.name = "idle, two publish from outside",
		   .threads = { short_worker, publish_first, publish_second }, .setup = setup_1,
		   .check = check_ran_2);

TEST_LIMIT(idle, two_publishers_and_a_worker, 60)
{
	model_must_hold(&foreign);
}

/* --- planted errors -------------------------------------------------------------------------- */

TEST(idle, found_no_second_look)
{
	model_must_fail(&spread, &(struct mutant){ .flag = NO_SECOND_LOOK });
}

TEST(idle, found_look_before_announce)
{
	model_must_fail(&spread, &(struct mutant){ .flag = LOOK_BEFORE_ANNOUNCE });
}

TEST(idle, found_last_spinner_is_silent)
{
	model_must_fail(&spread, &(struct mutant){ .flag = LAST_SPINNER_IS_SILENT });
}

TEST(idle, found_spinner_looks_before_it_stops)
{
	model_must_fail(&spread, &(struct mutant){ .flag = SPINNER_LOOKS_TOO_EARLY });
}

TEST(idle, found_notifier_forgets_to_look_again)
{
	model_must_fail(&foreign, &(struct mutant){ .flag = NOTIFIER_FORGETS });
}

TEST(idle, found_worker_forgets_that_it_spins)
{
	model_must_fail(&spread, &(struct mutant){ .flag = WITHDRAW_FORGETS });
}

TEST(idle, found_no_notify)
{
	model_must_fail(&spread, &(struct mutant){ .flag = NO_NOTIFY });
}

/* What a processor may do that does not keep the order of push and look. */
TEST(idle, found_look_before_publish)
{
	model_must_fail(&spread, &(struct mutant){ .flag = LOOK_BEFORE_PUBLISH });
}

TEST(idle, found_announce_without_fence)
{
	model_must_fail(&spread, &(struct mutant){ .op = MODEL_RMW,
						   .threads = 2,
						   .at = &shared.idle.sleepers[0],
						   .effect = MUTANT_RELAXED });
}
