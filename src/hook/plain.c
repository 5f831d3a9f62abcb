/* SPDX-License-Identifier: MIT
 *
 * plain.c - read and write on any kind of descriptor. Pipes, eventfds,
 * terminals and sockets park the task; a regular file is read from the page
 * cache at once, and otherwise on a helper thread (io/blocking.h).
 */
#undef _FORTIFY_SOURCE
#include <unistd.h>

#include <hook/hook.h>

const char weft__hook_link_plain;

void __chk_fail(void) __attribute__((noreturn)); /* libc's: "buffer overflow detected" */

HOOK ssize_t read(int fd, void *buf, size_t len)
{
	if (!hooked(HOOK_IO))
		return weft__real.read(fd, buf, len);
	return hook_return(weft__io_read(fd, buf, len, IO_POSIX));
}
HOOK_ALIAS(__read, read);

HOOK ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
HOOK ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (unlikely(len > room))
		__chk_fail();
	return read(fd, buf, len);
}

HOOK ssize_t write(int fd, const void *buf, size_t len)
{
	if (!hooked(HOOK_IO))
		return weft__real.write(fd, buf, len);
	return hook_return(weft__io_write(fd, buf, len, IO_POSIX));
}
HOOK_ALIAS(__write, write);

HOOK ssize_t readv(int fd, const struct iovec *iov, int count)
{
	if (!hooked(HOOK_IO))
		return weft__real.readv(fd, iov, count);
	return hook_return(weft__io_readv(fd, iov, count, IO_POSIX));
}

HOOK ssize_t writev(int fd, const struct iovec *iov, int count)
{
	if (!hooked(HOOK_IO))
		return weft__real.writev(fd, iov, count);
	return hook_return(weft__io_writev(fd, iov, count, IO_POSIX));
}
