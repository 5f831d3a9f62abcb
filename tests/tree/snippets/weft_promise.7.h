/* SPDX-License-Identifier: MIT
 *
 * What the code at the head of weft/promise.h speaks of.
 */
static int rc;

static void start_work(weft_promise *promise)
{
	weft_promise_free(promise);
}
