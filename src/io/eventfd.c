/* SPDX-License-Identifier: MIT
 *
 * eventfd.c - will a write to an eventfd wait? poll(2) says writable while one
 * more fits into the counter; whoever adds more than one must know the counter,
 * and that stands in /proc alone. (Its write has no form that does not wait.)
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include <base/log.h>
#include <base/syscall.h>
#include <io/eventfd.h>

static const char counter_name[] = "eventfd-count:";

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: it is no eventfd, or there is no /proc, or no descriptor to open it. */
static bool read_counter(int fd, uint64_t *ret_count)
{
	char text[512], *at;
	long file, got;

	weft__format(text, sizeof text, "/proc/self/fdinfo/%d", fd);
	file = weft__syscall(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC, 0);
	if (file < 0)
		return false;
	got = weft__syscall(SYS_read, file, text, sizeof text - 1);
	weft__syscall(SYS_close, file);
	text[got > 0 ? got : 0] = '\0';
	at = strstr(text, counter_name);
	if (!at)
		return false;
	for (at += sizeof counter_name - 1; *at == ' ' || *at == '\t'; at++)
		;
	for (*ret_count = 0; hex_digit(*at) >= 0; at++)
		*ret_count = *ret_count << 4 | (unsigned)hex_digit(*at);
	return true;
}

bool weft__eventfd_full(int fd, uint64_t value)
{
	uint64_t count;

	/* 1 is what poll(2) answers for; 2^64 - 1 is an error, at once. */
	if (value <= 1 || value == UINT64_MAX)
		return false;
	return read_counter(fd, &count) && count > UINT64_MAX - 1 - value;
}
