/* SPDX-License-Identifier: MIT
 *
 * file.h - reads and writes on a helper thread.
 */
#ifndef WEFT_IO_FILE_H
#define WEFT_IO_FILE_H

#include <io/wait.h>

/** The place where the description's own offset stands. */
#define FILE_CURRENT ((off_t)-1)

/* One call each, which may block its helper. The task waits to the end of it,
 * cancelled or not: the data must not arrive in a frame that is gone. Buffers
 * that may lie on a shared stack are copied. */
ssize_t weft__file_read(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count,
			off_t offset);
ssize_t weft__file_write(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count,
			 off_t offset);

#endif
