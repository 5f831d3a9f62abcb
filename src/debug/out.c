/* SPDX-License-Identifier: MIT
 *
 * out.c - see out.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>

#include <base/log.h>
#include <base/syscall.h>
#include <debug/out.h>

/* A descriptor that does not block may be full for a while: somebody reads it. */
static void await_room(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

	weft__syscall(SYS_ppoll, &pollfd, 1, 0, 0, 0);
}

int weft__out_flush(struct out *out)
{
	size_t done = 0;

	while (!out->error && done < out->used) {
		long rc = weft__syscall(SYS_write, out->fd, out->buf + done, out->used - done);

		if (rc > 0)
			done += (size_t)rc;
		else if (rc == -EAGAIN)
			await_room(out->fd);
		else if (rc != -EINTR)
			out->error = rc < 0 ? (int)rc : -EIO;
	}
	out->used = 0;
	return out->error;
}

void weft__out(struct out *out, const char *fmt, ...)
{
	va_list args;

	if (out->used + OUT_LINE_BYTES > OUT_BYTES)
		weft__out_flush(out);
	va_start(args, fmt);
	out->used += weft__format_list(out->buf + out->used, OUT_LINE_BYTES, fmt, &args);
	va_end(args);
}

/* --- numbers for people ------------------------------------------------------ */

const char *weft__text_count(char buf[32], uint64_t count)
{
	char *at = buf + 31;

	*at = '\0';
	for (unsigned digits = 0;; digits++) {
		if (digits && digits % 3 == 0)
			*--at = ',';
		*--at = (char)('0' + count % 10);
		count /= 10;
		if (!count)
			return at;
	}
}

/* @tenths of @unit, shown with one digit behind the point. */
static const char *put_tenths(char buf[32], int64_t tenths, const char *unit)
{
	weft__format(buf, 32, "%lld.%lld %s", (long long)(tenths / 10), (long long)(tenths % 10),
		     unit);
	return buf;
}

const char *weft__text_duration(char buf[32], int64_t ns)
{
	int64_t ms = ns / 1000000;

	if (ms < 1)
		weft__format(buf, 32, "%lld us", (long long)(ns < 0 ? 0 : ns / 1000));
	else if (ms < 1000)
		weft__format(buf, 32, "%lld ms", (long long)ms);
	else if (ms < 100 * 1000)
		return put_tenths(buf, ms / 100, "s");
	else if (ms < 100 * 60000)
		return put_tenths(buf, ms / 6000, "min");
	else if (ms < 48 * 3600000)
		return put_tenths(buf, ms / 360000, "h");
	else
		return put_tenths(buf, ms / 8640000, "days");
	return buf;
}
