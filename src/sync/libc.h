/* SPDX-License-Identifier: MIT
 *
 * libc.h - what weft knows of the inside of libc's locks: glibc's layout since 2.25, which programs
 * have compiled into them (struct __pthread_mutex_s and the like of its headers). Semaphores and
 * barriers are opaque there, and the same since 2.21 and 2.23.
 *
 * O1 __list is of robust and priority-inheriting mutexes, which are none of weft's business. In all
 *    others it is unused and begins as zeros; there stands who of the tasks holds it.
 * O2 Only the holder writes it, before he gives the mutex back. So a task that finds its own token
 *    there holds the mutex, and one that finds another's does not.
 */
#ifndef WEFT_SYNC_LIBC_H
#define WEFT_SYNC_LIBC_H

#include <pthread.h>

#include <sync/word.h>

enum {
	LIBC_TYPE = 3,           /* PTHREAD_MUTEX_NORMAL and so on */
	LIBC_FOREIGN = 0x10      /* robust */
		       | 0x20    /* priority inheritance */
		       | 0x40    /* priority protection */
		       | 0x80,   /* shared by processes */
	LIBC_COND_SHARED = 1,    /* of __wrefs */
	LIBC_COND_MONOTONIC = 2, /* of __wrefs: the clock of its timed waits */
	LIBC_NOBODY = -1         /* an owner that is no thread's number */
};

struct libc_owner {
	_Atomic uint64_t token; /* as in a mutex of weft's (word.h); 0: no task */
	uint64_t depth;         /* of a recursive one */
};

_Static_assert(sizeof(struct libc_owner) <= sizeof(((pthread_mutex_t *)0)->__data.__list), "fits");

/* __readers of a read-write lock: three bits, then how many read or, in a writer's phase, wait to. */
enum {
	LIBC_WRITE_PHASE = 1,
	LIBC_WRITE_LOCKED = 2, /* in a reader's phase: a thread waits to write */
	LIBC_READERS_SHIFT = 3
};

/** Who of the tasks has it to write: the token, as in libc_owner. Unused by libc, and 0 at first. */
static inline _Atomic uint64_t *libc_writer(pthread_rwlock_t *rwlock)
{
	return (_Atomic uint64_t *)(void *)&rwlock->__data.__pad2;
}

_Static_assert(sizeof(((pthread_rwlock_t *)0)->__data.__pad2) == sizeof(uint64_t), "fits");

/** glibc's sem_t on 64-bit machines. */
struct libc_semaphore {
	_Atomic uint64_t value; /* the upper half: how many threads wait */
	uint32_t shared;        /* 0, or it is for other processes, too */
};

/** glibc's pthread_barrier_t. Numbers of arrivals since the beginning: of all who have come; of
 * those whose round is over; of all who have gone. So many make a round. */
struct libc_barrier {
	_Atomic uint32_t in, over;
	uint32_t count, shared;
	_Atomic uint32_t out;
};

static inline struct libc_owner *libc_owner(pthread_mutex_t *mutex)
{
	return (struct libc_owner *)(void *)&mutex->__data.__list;
}

#endif
