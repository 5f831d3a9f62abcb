/* SPDX-License-Identifier: MIT
 *
 * observe.c - the hooks of observe.h, while nobody hangs on them.
 */
#include <base/observe.h>

int64_t (*_Atomic weft__observe_idle)(void);
const struct lock_observer *_Atomic weft__observe_locks;
_Atomic int weft__known_threads;
