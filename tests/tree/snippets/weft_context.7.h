/* SPDX-License-Identifier: MIT
 *
 * What the code at the head of weft/context.h speaks of.
 */
static char stack[65536];
static void *arg, *question, *answer;

static void body(void *given, void *value)
{
	(void)given;
	(void)value;
}
