/* SPDX-License-Identifier: MIT
 *
 * task.h - the task control block: two cache lines, and what they mean.
 *
 *   NEW/READY --switch--> RUNNING --weft__park--> PARKED --weft__wake--> READY
 *                            |
 *                            +--weft__task_exit--> DEAD --last handle--> free
 *
 * Who writes what: everything but wait, refs and joiner belongs to the owner
 * worker (task.worker), and to whoever won the claim on the wait word while
 * the task is parked. Those three are atomic and anyone's.
 *
 * The wait word (D7 of docs/design; wait_word.h): a parked task waits for one event,
 * and many parties may try to be it: a timer, a cancel, a descriptor, another
 * task. Each holds a ticket: the task's address and the number (epoch) of its
 * wait. The one whose compare-and-swap takes the WAITING bit away wins,
 * delivers, and makes the task ready; every other is a no-op.
 *
 *   ticket:  task's address and epoch, as in base/handle.h
 *   handle:  task's address and the low bits of its id, likewise
 *
 * Where it may run (D6): a NEW task on any worker of its runtime; a started one
 * only on its owner, unless it is movable (WEFT_MIGRATE in a runtime of several
 * workers). A movable one has no owner: OWNER_NONE.
 *
 * K1 A sticky task is switched to only by its owner, so a wake that comes
 *    before its registers are saved does no harm: the owner is still busy
 *    saving them. A movable one could be grabbed at once: E4 of wait_word.h.
 * K2 Nothing that another party touches while the task is parked lies on its
 *    stack: a shared stack is not there. Waiter and timer are below.
 */
#ifndef WEFT_CORE_TASK_H
#define WEFT_CORE_TASK_H

#include <base/atomic.h>
#include <base/handle.h>
#include <base/list.h>
#include <core/timer.h>
#include <core/wait_word.h>
#include <core/waitable.h>
#include <stack/stack.h>
#include <stack/strand.h>
#include <weft/coroutine.h>
#include <weft/task.h>

enum task_flags {
	/* The low bits are enum weft_flags: what an attribute may ask for. */
	TASK_FLAGS_PUBLIC = WEFT_MIGRATE | WEFT_KEEP_FP | WEFT_NO_HOOKS | WEFT_DAEMON | WEFT_SPREAD,
	TASK_CREW = 1u << 4,   /* of a runtime of several workers; WEFT_SPREAD is not kept */
	TASK_CANARY = 1u << 5, /* its slot has a canary instead of a guard */
	TASK_CXX = 1u << 6,    /* the process has a C++ runtime: its globals are per task */
	TASK_HOLDS = 1u << 7,  /* a lock that blocks threads: debug/locks.c wants to see it leave */
	TASK_PRIVATE = 1u << 8,          /* its block is a private_task */
	TASK_STAYS = 1u << 9,            /* movable, but parked inside a coroutine of its thread */
	TASK_NO_EXIT_REQUEST = 1u << 10, /* exit.h: a request to end waits */
	TASK_GUEST = 1u << 11,           /* no task, but a plain thread: guest.h */
	TASK_THREAD = 1u << 12,          /* runs on the stack of its OS thread: "main" */
	TASK_CHILD = 1u << 14,           /* its joiner word is the address of a task_child */

	/* Leaving the CPU takes more than a switch: weft__leave_rare(). All in the low byte,
	 * which is tested at each switch. */
	TASK_LEAVES_RARE = WEFT_KEEP_FP | WEFT_MIGRATE | TASK_CANARY | TASK_CXX | TASK_HOLDS,
	TASK_YIELDS_RARE = TASK_LEAVES_RARE | TASK_CREW
};

/** In the place of an owner's index: a movable task has none, a guest (guest.h) is one. */
enum { OWNER_NONE = 0xffff, OWNER_GUEST = 0xfffe };

/** From WAIT_SLEEP on it is parked, and this is what it waits for. Only a NEW
 * one may move to another worker, unless it has WEFT_MIGRATE. */
enum task_state {
	TASK_NEW,
	TASK_READY,
	TASK_RUNNING,
	TASK_DEAD,
	WAIT_SLEEP,
	WAIT_JOIN,
	WAIT_FD,
	WAIT_FDS,
	WAIT_OFFLOAD,
	WAIT_END, /* main: of all other tasks */
	WAIT_OTHER,
	WAIT_OBJECT,  /* waited_object() is a struct waitable */
	WAIT_ADDRESS, /* of an object of libc's: sync/lot.h */
	WAIT_RESUME   /* it has suspended itself: handoff.h */
};

/** A place in an object's queue. Unlinked by the waker or by its owner, under
 * the object's lock. */
struct waiter {
	struct list link;
	union {
		uint64_t ticket;
		void *value; /* of a channel: where the partner finds or leaves it */
	};
	void *object;
};

struct locals;
struct deadline;
struct handoff;

/** Rarely needed, made by malloc when it is. */
struct task_ext {
	char name[32];
	weft_cleanup *cleanups;
	struct locals *locals;      /* local.c; or NULL */
	struct deadline *deadlines; /* deadline.h: those pushed, the innermost first; or NULL */
	uint64_t ended_wait;        /* the ticket of the last wait that one of them has ended */
	struct list daemon;         /* in worker.daemons, with WEFT_DAEMON */
	struct task *task;
	struct handoff *handoff; /* handoff.h; or NULL */
	struct fp_control fp;    /* with WEFT_KEEP_FP, while it does not run */
	int exit_value;          /* once it ends by weft_exit(): exit.h, X1 */
	enum task_state left_as; /* with WEFT_KEEP_FP: its state when it left the CPU last */
};

struct task {
	struct strand strand; /* 40 bytes */
	struct task *next;    /* run queue, inbox, or list of the dead */
	_Atomic uint32_t wait;
	uint16_t flags;
	_Atomic uint8_t state; /* enum task_state; the owner's view */
	uint8_t stack_class;
	int32_t result;        /* of the wait; when DEAD: what the body returned */
	_Atomic uint32_t refs; /* 1 for running, 1 for the handle */
	/* --- second line --- */
	_Atomic uint64_t id;     /* never reused; 0: this block is free. Stale handles look */
	_Atomic uint64_t origin; /* upper 16 bits: owner worker; lower 48: spawn site */
	_Atomic uint64_t joiner; /* the ticket of who joins, or a JOINER_ value */
	struct task_ext *ext;    /* or NULL */
	union {
		struct {
			weft_fn *fn;
			void *arg;
		} start;              /* while NEW */
		struct timer timer;   /* while in a sleep */
		struct waiter waiter; /* while in another wait */
	};
};

/** Whom to tell of a task's end, in place of a joiner (TASK_CHILD). The task sets both itself,
 * when it begins; that it has ended is said on its own stack, as its last deed. */
struct task_child {
	void (*ended)(struct task_child *child, int value);
};

/** With a private stack there is room: a wait with a deadline needs both. */
struct private_task {
	struct task task;
	struct timer deadline;
	/* Of a movable one: */
	struct runtime *runtime;
	struct worker *timer_home;    /* in whose movers the deadline is armed */
	_Atomic uint16_t last_worker; /* that took it to run; with TASK_STAYS it comes back there */
};

_Static_assert(WEFT_ASAN || WEFT_TSAN || sizeof(void *) < 8 || sizeof(struct task) == 128,
	       "two cache lines: ten million tasks count on it");
_Static_assert(sizeof(struct private_task) <= STACK_BLOCK_BYTES, "fits its slot");

/* The joiner word, when it is not a ticket. A ticket is > JOINER_DETACHED. */
enum {
	JOINER_NONE = 0,    /* alive, the handle is held, nobody waits */
	JOINER_DEAD = 1,    /* ended; the handle is still held, or the block is about to be freed */
	JOINER_JOINED = 2,  /* ended, and the handle is its joiner's, who is about to drop it */
	JOINER_DETACHED = 3 /* alive, and nobody may join any more */
};

/**
 * first_wait - the wait word of a new task
 *
 * Tickets of the block's last owner may still be about, with a waker that is
 * late; they must not match. So each id has 1024 epochs of its own, and they come
 * again after 4096 ids. To be mistaken a waker must be late by more than a
 * thousand waits of the next owner, and by the right number of them.
 */
static inline uint32_t first_wait(uint64_t id)
{
	return (uint32_t)id << (WAIT_EPOCH_SHIFT + 10);
}

static inline struct task *ticket_task(uint64_t ticket)
{
	return tagged_pointer(ticket);
}

/** The ticket of a wait, from the value of task->wait. */
static inline uint64_t ticket_of(const struct task *task, uint32_t word)
{
	return tagged_pack(task, word >> WAIT_EPOCH_SHIFT);
}

/** Of a task that is there. */
static inline uint64_t task_id(const struct task *task)
{
	return atomic_load_explicit(&((struct task *)task)->id, memory_order_relaxed);
}

/** The public face of a task. */
static inline weft_task *task_handle(const struct task *task)
{
	return (weft_task *)handle_pack(task, (uint32_t)task_id(task));
}

/** The task behind a handle, or NULL when the handle is stale or NULL. */
static inline struct task *task_of(const weft_task *handle)
{
	struct task *task = handle_pointer((uintptr_t)handle);
	uint64_t id;

	if (unlikely(!task))
		return NULL;
	/* relaxed: who has a good handle knows of the task already */
	id = atomic_load_explicit(&task->id, memory_order_relaxed);
	if (unlikely(!id || ((uint32_t)id & HANDLE_TAG_MASK) != handle_tag((uintptr_t)handle)))
		return NULL;
	return task;
}

/** Makes task->ext when it is not there yet. 0 or -ENOMEM. */
int weft__task_ext(struct task *task) WEFT_PRIVATE;

/* origin and state are their owner's to write; others may look at any time, and must find
 * the old value or the new one: relaxed. */
static inline uint64_t task_origin(const struct task *task)
{
	return atomic_load_explicit(&((struct task *)task)->origin, memory_order_relaxed);
}

static inline const char *task_site(const struct task *task)
{
	return (const char *)(uintptr_t)(task_origin(task) << 16 >> 16);
}

static inline unsigned task_worker(const struct task *task)
{
	return (unsigned)(task_origin(task) >> 48);
}

static inline void task_set_origin(struct task *task, const char *site, unsigned index)
{
	atomic_store_explicit(&task->origin, (uint64_t)(uintptr_t)site | (uint64_t)index << 48,
			      memory_order_relaxed);
}

static inline void task_set_worker(struct task *task, unsigned index)
{
	task_set_origin(task, task_site(task), index);
}

static inline enum task_state task_state(const struct task *task)
{
	return (enum task_state)atomic_load_explicit(&((struct task *)task)->state,
						     memory_order_relaxed);
}

static inline void task_set_state(struct task *task, enum task_state state)
{
	atomic_store_explicit(&task->state, (uint8_t)state, memory_order_relaxed);
}

/** A task's larger block; only with TASK_PRIVATE. */
static inline struct private_task *task_private(const struct task *task)
{
	return (struct private_task *)(uintptr_t)task;
}

/* In a WAIT_JOIN waiter.object is the task that is joined, plus JOIN_TIMED when that has
 * a deadline. */
#define JOIN_TIMED ((uintptr_t)1)

static inline void *join_object(const struct task *task, bool timed)
{
	return (void *)((uintptr_t)task | (timed ? JOIN_TIMED : 0));
}

/** The task that a task in WAIT_JOIN waits for. */
static inline struct task *joined_task(const struct task *self)
{
	return (struct task *)((uintptr_t)self->waiter.object & ~JOIN_TIMED);
}

static inline bool join_is_timed(const struct task *self)
{
	return (uintptr_t)self->waiter.object & JOIN_TIMED;
}

/* In a WAIT_OBJECT waiter.object is the object's struct waitable, plus OBJECT_TIMED when the
 * wait has a deadline: then it is no part of a circle that never ends. */
#define OBJECT_TIMED ((uintptr_t)1)

static inline void *waited_object_of(const struct waitable *object, bool timed)
{
	return (void *)((uintptr_t)object | (timed ? OBJECT_TIMED : 0));
}

/** The object that a task in WAIT_OBJECT waits for. */
static inline const struct waitable *waited_object(const struct task *self)
{
	return (const struct waitable *)((uintptr_t)self->waiter.object & ~OBJECT_TIMED);
}

static inline bool object_is_timed(const struct task *self)
{
	return (uintptr_t)self->waiter.object & OBJECT_TIMED;
}

static inline const char *task_name(const struct task *task)
{
	return task->ext ? task->ext->name : "";
}

#endif
