/* SPDX-License-Identifier: MIT
 *
 * describe.c - see describe.h. All of it is guesses about tasks that go on meanwhile.
 */
#include <base/log.h>
#include <base/peek.h>
#include <core/guest.h>
#include <core/waitable.h>
#include <core/runtime.h>
#include <debug/describe.h>
#include <poll/poll.h>
#include <sync/libc.h>
#include <sync/lot.h>

static const char *const texts[DOING_KINDS] = {
	[DOING_RUN] = "running",
	[DOING_READY] = "ready",
	[DOING_NEW] = "new",
	[DOING_SLEEP] = "sleeping",
	[DOING_JOIN] = "joining",
	[DOING_FD] = "waiting for a descriptor",
	[DOING_FDS] = "waiting for several descriptors",
	[DOING_OFFLOAD] = "offloading",
	[DOING_OBJECT] = "waiting for an object",
	[DOING_ADDRESS] = "waiting for an object of libc's",
	[DOING_OTHER] = "waiting",
	[DOING_DEAD] = "ended, not joined",
};

static const uint8_t doings[] = {
	[TASK_NEW] = DOING_NEW,         [TASK_READY] = DOING_READY,  [TASK_RUNNING] = DOING_RUN,
	[TASK_DEAD] = DOING_DEAD,       [WAIT_SLEEP] = DOING_SLEEP,  [WAIT_JOIN] = DOING_JOIN,
	[WAIT_FD] = DOING_FD,           [WAIT_FDS] = DOING_FDS,      [WAIT_OFFLOAD] = DOING_OFFLOAD,
	[WAIT_END] = DOING_OTHER,       [WAIT_OTHER] = DOING_OTHER,  [WAIT_OBJECT] = DOING_OBJECT,
	[WAIT_ADDRESS] = DOING_ADDRESS, [WAIT_RESUME] = DOING_OTHER,
};

enum doing weft__doing(const struct task_view *view)
{
	unsigned state = view->copy.task.state;

	if (state >= WAIT_SLEEP && !view->waiting)
		return DOING_READY; /* woken, but not by its own worker, who does not know yet */
	return state < sizeof(doings) ? (enum doing)doings[state] : DOING_OTHER;
}

const char *weft__doing_text(enum doing doing)
{
	return texts[doing];
}

/* --- who ------------------------------------------------------------------------ */

void weft__describe_name(const struct task_view *view, char buf[NAME_BYTES])
{
	char name[sizeof(((struct task_ext *)0)->name)];
	uintptr_t ext = (uintptr_t)view->copy.task.ext;

	buf[0] = '\0';
	if (ext && weft__peek_string(name, sizeof(name), ext + offsetof(struct task_ext, name)) &&
	    name[0])
		weft__format(buf, NAME_BYTES, " \"%s\"", name);
}

void weft__describe_site(const struct task_view *view, char buf[SITE_BYTES])
{
	uintptr_t site = (uintptr_t)task_site(&view->copy.task);

	if (!site || !weft__peek_string(buf, SITE_BYTES, site))
		weft__format(buf, SITE_BYTES, "unknown");
}

void weft__describe_task(const struct task *task, char buf[WHAT_BYTES])
{
	struct task_view view;
	char name[NAME_BYTES];
	uint64_t word;

	/* A waiter's object may be anything by now. */
	if (!task || !weft__peek(&word, (uintptr_t)task, sizeof(word)) ||
	    !weft__task_view(task, &view)) {
		weft__format(buf, WHAT_BYTES, "a task");
		return;
	}
	if (view.copy.task.flags & TASK_GUEST) {
		weft__format(buf, WHAT_BYTES, "plain thread %u", guest_tid(&view.copy.task));
		return;
	}
	weft__describe_name(&view, name);
	weft__format(buf, WHAT_BYTES, "task %llu%s", (unsigned long long)view.copy.task.id, name);
}

/* --- what for -------------------------------------------------------------------- */

/* See waiter_object() in io/fd.c. */
static void describe_fd(const struct task *task, char buf[WHAT_BYTES])
{
	uintptr_t object = (uintptr_t)task->waiter.object;
	unsigned bits = object & (POLL_READABLE | POLL_WRITABLE);

	weft__format(buf, WHAT_BYTES, "fd %u %s", (unsigned)(object >> 8),
		     bits == POLL_READABLE   ? "read"
		     : bits == POLL_WRITABLE ? "write"
					     : "read or write");
}

static bool object_kind(const struct task *task, struct waitable_kind *ret_kind)
{
	struct waitable object;

	return weft__peek(&object, (uintptr_t)waited_object(task), sizeof(object)) &&
	       weft__peek(ret_kind, (uintptr_t)object.kind, sizeof(*ret_kind));
}

static void describe_object(const struct task *task, char buf[WHAT_BYTES])
{
	const struct waitable *object = waited_object(task);
	struct waitable_kind kind;
	char noun[32], more[64], holder[WHAT_BYTES];
	struct task *held_by;

	if (!object_kind(task, &kind) ||
	    !weft__peek_string(noun, sizeof(noun), (uintptr_t)kind.noun)) {
		weft__format(buf, WHAT_BYTES, "an object");
		return;
	}
	if (!kind.describe || !kind.describe(object, more, sizeof(more)))
		more[0] = '\0';
	held_by = kind.holder ? kind.holder(object) : NULL;
	if (held_by)
		weft__describe_task(held_by, holder);
	weft__format(buf, WHAT_BYTES, "%s %p%s%s%s%s", noun, (const void *)object,
		     more[0] ? " " : "", more,
		     !held_by             ? ""
		     : kind.only_expected ? ", expected of "
					  : ", held by ",
		     held_by ? holder : "");
}

/* Where the token of a task stands that holds what @task waits for; or 0. */
static uintptr_t libc_token(const struct task *task)
{
	switch (lot_kind_of(task)) {
	case LOT_MUTEX:
		return (uintptr_t)&libc_owner(task->waiter.value)->token;
	case LOT_READ:
	case LOT_WRITE:
		return (uintptr_t)libc_writer(task->waiter.value);
	default:
		return 0;
	}
}

/* The task that holds libc's lock, or NULL: a plain thread does, or nobody knows. */
static struct task *libc_holder(const struct task *task)
{
	uintptr_t at = libc_token(task);
	uint64_t token, word;

	if (!at || !weft__peek(&token, at, sizeof(token)) ||
	    !weft__peek(&word, (uintptr_t)token_party(token), sizeof(word)))
		return NULL;
	return token_is_gone(token) ? NULL : token_party(token);
}

static void describe_address(const struct task *task, char buf[WHAT_BYTES])
{
	static const char *const nouns[] = { [LOT_MUTEX] = "pthread mutex",
					     [LOT_COND] = "pthread condition",
					     [LOT_STATIC] = "static variable in the making",
					     [LOT_READ] = "pthread rwlock to read",
					     [LOT_WRITE] = "pthread rwlock to write",
					     [LOT_SEMAPHORE] = "semaphore of libc's",
					     [LOT_BARRIER] = "pthread barrier",
					     [LOT_ONCE] = "pthread_once in the making",
					     [LOT_THREAD] = "end of the thread" };
	unsigned kind = lot_kind_of(task);
	struct task *held_by = libc_holder(task);
	char holder[WHAT_BYTES];

	if (held_by)
		weft__describe_task(held_by, holder);
	weft__format(buf, WHAT_BYTES, "%s %p%s%s",
		     kind < sizeof(nouns) / sizeof(*nouns) ? nouns[kind] : "object",
		     task->waiter.value, held_by ? ", held by " : "", held_by ? holder : "");
}

struct task *weft__waited_for(const struct task_view *view)
{
	struct waitable_kind kind;

	if (!view->waiting)
		return NULL;
	if (view->copy.task.state == WAIT_JOIN)
		return view_joined(view);
	if (view->copy.task.state == WAIT_OBJECT && object_kind(&view->copy.task, &kind) &&
	    kind.holder)
		return kind.holder(waited_object(&view->copy.task));
	if (view->copy.task.state == WAIT_ADDRESS)
		return libc_holder(&view->copy.task);
	return NULL;
}

static void describe_join(const struct task_view *view, char buf[WHAT_BYTES])
{
	char whom[WHAT_BYTES];

	weft__describe_task(view_joined(view), whom);
	weft__format(buf, WHAT_BYTES, "join of %s", whom);
}

static void describe_other(const struct task *task, char buf[WHAT_BYTES])
{
	weft__format(buf, WHAT_BYTES, "%s",
		     task->state == WAIT_END      ? "the end of its tasks"
		     : task->state == WAIT_RESUME ? "being resumed"
						  : "waiting");
}

static void describe_sleep(int64_t deadline_ns, int64_t now_ns, char buf[WHAT_BYTES])
{
	char text[32];

	if (deadline_ns == INT64_MAX)
		weft__format(buf, WHAT_BYTES, "sleep without end");
	else
		weft__format(buf, WHAT_BYTES, "timer in %s",
			     weft__text_duration(text, deadline_ns - now_ns));
}

static void add_deadline(int64_t deadline_ns, int64_t now_ns, char buf[WHAT_BYTES])
{
	size_t length = __builtin_strlen(buf);
	char text[32];

	if (deadline_ns != INT64_MAX)
		weft__format(buf + length, WHAT_BYTES - length, ", times out in %s",
			     weft__text_duration(text, deadline_ns - now_ns));
}

no_tsan void weft__describe_wait(const struct task *task, const struct task_view *view,
				 int64_t now_ns, char buf[WHAT_BYTES])
{
	int64_t deadline_ns = weft__view_deadline(task, view);
	enum doing doing = weft__doing(view);

	switch (doing) {
	case DOING_SLEEP:
		describe_sleep(deadline_ns, now_ns, buf);
		return;
	case DOING_JOIN:
		describe_join(view, buf);
		break;
	case DOING_FD:
		describe_fd(&view->copy.task, buf);
		break;
	case DOING_OBJECT:
		describe_object(&view->copy.task, buf);
		break;
	case DOING_ADDRESS:
		describe_address(&view->copy.task, buf);
		break;
	case DOING_OTHER:
		describe_other(&view->copy.task, buf);
		break;
	case DOING_FDS:
		weft__format(buf, WHAT_BYTES, "several descriptors");
		break;
	case DOING_OFFLOAD:
		weft__format(buf, WHAT_BYTES, "offload");
		break;
	default:
		weft__format(buf, WHAT_BYTES, "%s", weft__doing_text(doing));
		return;
	}
	add_deadline(deadline_ns, now_ns, buf);
}

/* wait_begin() has put the coarse time in the place of the result. */
int64_t weft__waiting_ns(const struct task_view *view, int64_t now_ns)
{
	if (!view->waiting)
		return -1;
	return (int64_t)(uint32_t)(coarse_time(now_ns) - (uint32_t)view->copy.task.result) << 20;
}
