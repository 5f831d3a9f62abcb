/* SPDX-License-Identifier: MIT
 *
 * eventfd.h - how much an eventfd can take.
 */
#ifndef WEFT_IO_EVENTFD_H
#define WEFT_IO_EVENTFD_H

#include <base/compiler.h>

/** True when @fd is an eventfd, poll(2) calls it writable, and writing @value to it
 * would wait all the same. Any descriptor may be asked. */
bool weft__eventfd_full(int fd, uint64_t value);

#endif
