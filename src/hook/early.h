/* SPDX-License-Identifier: MIT
 *
 * early.h - libc's mutexes before libc's functions are known: an allocator locks one at its first
 * use, and must not come to dlsym() by that (H3).
 *
 * They work on libc's own words, so that what was locked here is unlocked there, and the other
 * way round.
 */
#ifndef WEFT_HOOK_EARLY_H
#define WEFT_HOOK_EARLY_H

#include <pthread.h>

int weft__early_mutex_lock(pthread_mutex_t *mutex);
int weft__early_mutex_trylock(pthread_mutex_t *mutex);
int weft__early_mutex_unlock(pthread_mutex_t *mutex);

#endif
