/* SPDX-License-Identifier: MIT
 *
 * hooked.c - blocking calls in two tasks of one thread: each waits for the other.
 * Without the hooks the first read(2) blocks the thread, and alarm(2) ends it.
 */
#include <stdio.h>
#include <unistd.h>

#include <weft/weft.h>

static int there[2], back[2];

static int answer(void *arg)
{
	char c;

	(void)arg;
	if (read(there[0], &c, 1) != 1)
		return 1;
	c++;
	return write(back[1], &c, 1) != 1;
}

int main(void)
{
	weft_task *task;
	char c = 'a';
	int result = -1;

	alarm(20);
	if (pipe(there) != 0 || pipe(back) != 0)
		return 1;
	if (weft_spawn(&task, NULL, answer, NULL) != 0)
		return 2;
	if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
		return 3;
	if (weft_join(task, WEFT_FOREVER, &result) != 0 || result != 0)
		return 4;
	printf("hooked: %c\n", c);
	return c != 'b';
}
