/* SPDX-License-Identifier: MIT
 *
 * hello.c - the README's twenty lines: two tasks that sleep at the same time.
 */
#include <stdio.h>
#include <weft/weft.h>

static int cook(void *dish)
{
	weft_sleep(100000000); /* 100 ms: this task sleeps, its thread does not */
	printf("%s is ready\n", (char *)dish);
	return 1;
}

int main(void)
{
	weft_task *soup, *bread;
	int a, b;

	weft_spawn(&soup, NULL, cook, "soup");
	weft_spawn(&bread, NULL, cook, "bread");
	weft_join(soup, weft_in_s(1), &a);
	weft_join(bread, weft_in_s(1), &b);
	printf("%d dishes in a tenth of a second\n", a + b);
	return 0;
}
