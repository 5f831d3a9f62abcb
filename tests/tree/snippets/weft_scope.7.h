/* SPDX-License-Identifier: MIT
 *
 * What the code at the head of weft/scope.h speaks of.
 */
static int pages[3], n = 3, i, rc;

static int fetch(void *arg)
{
	return *(int *)arg;
}
