/* SPDX-License-Identifier: MIT
 *
 * libc.h - what weft knows of the inside of libc's mutexes and conditions: glibc's layout since
 * 2.25, which programs have compiled into them (struct __pthread_mutex_s of its headers).
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

static inline struct libc_owner *libc_owner(pthread_mutex_t *mutex)
{
	return (struct libc_owner *)(void *)&mutex->__data.__list;
}

#endif
