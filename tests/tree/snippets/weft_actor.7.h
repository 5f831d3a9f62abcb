/* SPDX-License-Identifier: MIT
 *
 * What the code at the head of weft/actor.h speaks of.
 */
static long savings;

static int keep_account(void *state, weft_message *message)
{
	*(long *)state += (long)message->body;
	weft_promise_resolve(message->promise, (void *)*(long *)state);
	return 0;
}
