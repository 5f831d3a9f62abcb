/* SPDX-License-Identifier: MIT
 *
 * log.c - a printf that runs anywhere: in a signal handler, on a small stack,
 * with malloc's lock held. It knows the conversions that log.h names and prints
 * every other one as it stands.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <base/log.h>
#include <base/syscall.h>

#define LINE_BYTES 512

/* Text under construction. What does not fit is cut; one byte stays for the NUL. */
struct out {
	char *buf;
	size_t size, length;
};

static void put_char(struct out *out, char c)
{
	if (out->length + 1 < out->size)
		out->buf[out->length++] = c;
}

static void put_string(struct out *out, const char *text)
{
	if (!text)
		text = "(null)";
	while (*text)
		put_char(out, *text++);
}

static void put_number(struct out *out, uint64_t value, unsigned base)
{
	char digits[20]; /* of 2^64 - 1 in decimal */
	unsigned count = 0;

	do
		digits[count++] = "0123456789abcdef"[value % base];
	while ((value /= base) != 0);
	while (count > 0)
		put_char(out, digits[--count]);
}

static void put_signed(struct out *out, int64_t value)
{
	if (value < 0)
		put_char(out, '-');
	put_number(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

/* How wide the argument is: 0 int, 1 long, 2 long long, 3 size_t. */
static const char *parse_width(const char *fmt, int *ret_width)
{
	*ret_width = 0;
	if (*fmt == 'z') {
		*ret_width = 3;
		return fmt + 1;
	}
	while (*fmt == 'l' && *ret_width < 2) {
		++*ret_width;
		++fmt;
	}
	return fmt;
}

static int64_t take_signed(va_list *args, int width)
{
	if (width == 0)
		return va_arg(*args, int);
	return width == 2 ? va_arg(*args, long long) : va_arg(*args, long);
}

static uint64_t take_unsigned(va_list *args, int width)
{
	if (width == 0)
		return va_arg(*args, unsigned);
	return width == 2 ? va_arg(*args, unsigned long long) : va_arg(*args, unsigned long);
}

/* One conversion. @fmt is behind the '%'. Return: what follows it. */
static const char *put_conversion(struct out *out, const char *fmt, va_list *args)
{
	const char *start = fmt;
	int width;

	fmt = parse_width(fmt, &width);
	switch (*fmt) {
	case 's':
		put_string(out, va_arg(*args, const char *));
		break;
	case 'c':
		put_char(out, (char)va_arg(*args, int));
		break;
	case 'd':
		put_signed(out, take_signed(args, width));
		break;
	case 'u':
		put_number(out, take_unsigned(args, width), 10);
		break;
	case 'x':
		put_number(out, take_unsigned(args, width), 16);
		break;
	case 'p':
		put_string(out, "0x");
		put_number(out, (uintptr_t)va_arg(*args, void *), 16);
		break;
	case '%':
		put_char(out, '%');
		break;
	default:
		put_char(out, '%');
		return start;
	}
	return fmt + 1;
}

size_t weft__format_list(char *buf, size_t size, const char *fmt, va_list *args)
{
	struct out out = { .buf = buf, .size = size };

	while (*fmt) {
		if (*fmt == '%')
			fmt = put_conversion(&out, fmt + 1, args);
		else
			put_char(&out, *fmt++);
	}
	if (size > 0)
		buf[out.length] = '\0';
	return out.length;
}

size_t weft__format(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t length;

	va_start(args, fmt);
	length = weft__format_list(buf, size, fmt, &args);
	va_end(args);
	return length;
}

/* One write, so that lines of several threads do not mix. The result is not
 * looked at: there is nowhere left to complain. */
static void say_line(const char *fmt, va_list *args)
{
	static const char prefix[] = "weft: ";
	char line[LINE_BYTES];
	size_t length = sizeof(prefix) - 1;

	memcpy(line, prefix, length);
	length += weft__format_list(line + length, sizeof(line) - length - 1, fmt, args);
	line[length++] = '\n';
	weft__syscall(SYS_write, 2, line, length);
}

void weft__warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_line(fmt, &args);
	va_end(args);
}

void weft__die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_line(fmt, &args);
	va_end(args);
	abort();
}
