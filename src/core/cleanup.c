/* SPDX-License-Identifier: MIT
 *
 * cleanup.c - what has to be called if a frame is never returned to.
 *
 * The list belongs to the innermost running coroutine, or else to the task;
 * its nodes lie in their frames.
 */
#include <errno.h>

#include <core/cleanup.h>
#include <core/coroutine.h>
#include <core/park.h>

void weft__cleanup_run(weft_cleanup **head)
{
	weft_cleanup *node;

	while ((node = *head) != NULL) {
		*head = node->weft__next;
		node->weft__fn(node->weft__arg);
	}
}

/* The list of whoever runs. A task has one from its first push on. */
static int running_list(bool make, weft_cleanup ***ret_head)
{
	struct coroutine *co = weft__thread.coroutine;
	struct task *task = weft__thread.task;

	if (co) {
		*ret_head = &co->cleanups;
		return 0;
	}
	if (!task)
		return -EPERM;
	if (!task->ext) {
		if (!make)
			return -EINVAL;
		if (weft__task_ext(task) < 0)
			return -ENOMEM;
	}
	*ret_head = &task->ext->cleanups;
	return 0;
}

WEFT_API int weft_cleanup_push(weft_cleanup *node, void (*fn)(void *arg), void *arg)
{
	weft_cleanup **head;
	int rc = running_list(true, &head);

	if (rc < 0)
		return rc;
	node->weft__fn = fn;
	node->weft__arg = arg;
	node->weft__next = *head;
	*head = node;
	return 0;
}

WEFT_API int weft_cleanup_pop(weft_cleanup *node, int run)
{
	weft_cleanup **head;
	int rc = running_list(false, &head);

	if (rc < 0)
		return rc;
	if (!node || *head != node)
		return -EINVAL;
	*head = node->weft__next;
	if (run)
		node->weft__fn(node->weft__arg);
	return 0;
}
