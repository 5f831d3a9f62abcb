/* SPDX-License-Identifier: MIT
 *
 * header_user.c - every public macro once, in the common subset of C99 and
 * C++11. It is only compiled.
 */
#include <weft/weft.h>

WEFT_LOCAL(struct weft_attr, own_attr);
WEFT_LOCAL(int, own_number);

static int body(void *arg)
{
	weft_cleanup node;

	(void)arg;
	if (weft_cleanup_push(&node, NULL, NULL) == 0)
		weft_cleanup_pop(&node, 0);
	return weft_cancelled();
}

int use_all(weft_generator *gen);

int use_all(weft_generator *gen)
{
	weft_attr attr = { "name", 0, NULL, WEFT_KEEP_FP | WEFT_DAEMON };
	int64_t sum = weft_in_us(1) + weft_in_ms(2) + weft_in_s(3) + WEFT_NOWAIT;
	weft_scope *scope;
	weft_task *task;
	int result = 0;

	if (weft_spawn(&task, &attr, body, NULL) == 0)
		weft_join(task, WEFT_FOREVER, &result);
	result += weft_go(body, NULL);
	if (weft_scope_open(&scope, WEFT_SCOPE_ALL) == 0)
		result += weft_scope_go(scope, body, NULL) +
			  weft_scope_spawn(scope, &attr, body, NULL) + weft_scope_close(scope);
	weft_foreach(char *, text, gen) {
		if (!*text)
			break;
		sum += *text;
	}
	if (own_number() && own_attr())
		*own_number() += (int)own_attr()->stack_bytes;
	return result + (int)sum;
}
