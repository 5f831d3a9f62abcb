/* SPDX-License-Identifier: MIT
 *
 * bank.c - accounts are actors: each owns its balance, and nobody locks anything.
 *
 * Clients ask one account for money and give it to another. An auditor, an actor too, fails at each
 * fifth transfer; its supervisor restarts it, and no message is lost. The sum stays what it was.
 */
#include <errno.h>
#include <stdio.h>
#include <weft/weft.h>

enum { ACCOUNTS = 10, CLIENTS = 50, TRANSFERS = 100, OPENING = 1000 };

static weft_actor *accounts[ACCOUNTS], *auditor;
static long refused, audited; /* the auditor's */

/* The body is the amount, positive or negative; the answer is the new balance. */
static int account(void *state, weft_message *message)
{
	long *balance = state, amount = (long)message->body;

	if (*balance + amount < 0) {
		weft_promise_reject(message->promise, -ERANGE);
		return 0; /* refused, and open for business */
	}
	*balance += amount;
	weft_promise_resolve(message->promise, (void *)*balance);
	return 0;
}

static int open_book(void *arg, void **ret_state)
{
	*(long *)(*ret_state = arg) = 0;
	return 0;
}

static int audit(void *state, weft_message *message)
{
	audited++;
	refused += (long)message->body == -ERANGE;
	return ++*(long *)state == 5 ? -EOVERFLOW : 0;
}

static int client(void *arg)
{
	unsigned random = (unsigned)(long)arg * 2654435761u + 1;

	for (int i = 0; i < TRANSFERS; i++) {
		weft_actor *from = accounts[(random >> 16) % ACCOUNTS];
		weft_actor *to = accounts[(random >> 24) % ACCOUNTS];
		long amount = (long)(random >> 8) % 500, rc;

		rc = weft_actor_ask(from, (void *)-amount, WEFT_FOREVER, NULL);
		if (rc == 0)
			rc = weft_actor_ask(to, (void *)amount, WEFT_FOREVER, NULL);
		weft_actor_send(auditor, (void *)rc, WEFT_FOREVER);
		random = random * 1664525 + 1013904223;
	}
	return 0;
}

static int bank(void *arg)
{
	weft_supervisor_attr often = { .max_restarts = CLIENTS * TRANSFERS };
	weft_actor_attr attr = { .mailbox = 8, .init = open_book };
	long balances[ACCOUNTS], sum = 0;
	weft_task *clients[CLIENTS];

	weft_supervisor_new(&attr.supervisor, &often);
	weft_actor_spawn(&auditor, &attr, audit, arg);
	for (int i = 0; i < ACCOUNTS; i++) {
		balances[i] = OPENING;
		weft_actor_spawn(&accounts[i], NULL, account, &balances[i]);
	}
	for (long i = 0; i < CLIENTS; i++)
		weft_spawn(&clients[i], NULL, client, (void *)i);
	for (int i = 0; i < CLIENTS; i++)
		weft_join(clients[i], WEFT_FOREVER, NULL);
	for (int i = 0; i < ACCOUNTS; i++) {
		weft_actor_stop(accounts[i], WEFT_ACTOR_DRAIN);
		weft_actor_join(accounts[i], WEFT_FOREVER, NULL);
		weft_actor_free(accounts[i]);
		sum += balances[i];
	}
	weft_supervisor_stop(attr.supervisor, WEFT_ACTOR_DRAIN);
	weft_supervisor_wait(attr.supervisor, WEFT_FOREVER);
	printf("%ld transfers, %ld refused; %d restarts of the auditor; sum %ld\n", audited,
	       refused, (int)weft_supervisor_restarts(attr.supervisor), sum);
	weft_actor_free(auditor);
	weft_supervisor_free(attr.supervisor);
	return sum != ACCOUNTS * OPENING || audited != CLIENTS * TRANSFERS;
}

int main(void)
{
	long book; /* of the auditor's present life */
	int rc = 1;

	return weft_run(0, bank, &book, &rc) < 0 || rc;
}
