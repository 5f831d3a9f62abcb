/* SPDX-License-Identifier: MIT
 *
 * What the code in the comment of weft_deadline_push() speaks of.
 */
static weft_deadline *deadline;
static int rc, late, query;

static int ask_the_database(int what)
{
	return weft_sleep(what);
}
