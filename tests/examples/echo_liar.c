/* SPDX-License-Identifier: MIT
 *
 * echo_liar.c - the echo server, but every thousandth answer has a bit flipped:
 * whoever drives it must notice.
 */
#include <string.h>
#include <sys/socket.h>

static ssize_t send_almost(int fd, const void *bytes, size_t count, int flags)
{
	static unsigned calls; /* threads race on it; some answer is wrong anyhow */
	char copy[1024];

	memcpy(copy, bytes, count);
	if (++calls % 1000 == 0)
		copy[count / 2] ^= 1;
	return send(fd, copy, count, flags);
}

#define send send_almost
#include "../../examples/echo-server.c"
