/* SPDX-License-Identifier: MIT
 *
 * json.c - JSON as text: numbers, strings, and the file they go to.
 */
#include <errno.h>

#include <base/syscall.h>
#include <debug/json.h>

void weft__json_flush(struct json *json)
{
	size_t done = 0;

	while (done < json->used && !json->error) {
		long rc = weft__syscall(SYS_write, json->fd, json->buf + done, json->used - done);

		if (rc >= 0)
			done += (size_t)rc;
		else if (rc != -EINTR)
			json->error = (int)rc;
	}
	json->used = 0;
}

void weft__json_char(struct json *json, char c)
{
	if (json->used == sizeof json->buf)
		weft__json_flush(json);
	json->buf[json->used++] = c;
}

void weft__json_put(struct json *json, const char *text)
{
	while (*text)
		weft__json_char(json, *text++);
}

void weft__json_number(struct json *json, int64_t value)
{
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char digits[20];
	unsigned count = 0;

	if (value < 0)
		weft__json_char(json, '-');
	do
		digits[count++] = (char)('0' + rest % 10);
	while ((rest /= 10) != 0);
	while (count > 0)
		weft__json_char(json, digits[--count]);
}

/* Microseconds with three digits behind the point. */
void weft__json_us(struct json *json, int64_t ns)
{
	if (ns < 0) {
		weft__json_char(json, '-');
		ns = -ns;
	}
	weft__json_number(json, ns / 1000);
	weft__json_char(json, '.');
	weft__json_char(json, (char)('0' + ns / 100 % 10));
	weft__json_char(json, (char)('0' + ns / 10 % 10));
	weft__json_char(json, (char)('0' + ns % 10));
}

/* Bytes of the UTF-8 sequence that begins here; 0 when it is none. (RFC 3629; long
 * forms and surrogates are let through: readers of JSON do not mind them here.) */
static unsigned utf8_length(const unsigned char *text)
{
	unsigned length = *text >= 0xf0 && *text < 0xf5   ? 4
			  : *text >= 0xe0 && *text < 0xf0 ? 3
			  : *text >= 0xc2 && *text < 0xe0 ? 2
							  : 0;

	for (unsigned i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

void weft__json_escaped(struct json *json, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		unsigned length = utf8_length(at);

		if (*at == '"' || *at == '\\') {
			weft__json_char(json, '\\');
			weft__json_char(json, (char)*at++);
		} else if (*at < 0x20 || *at == 0x7f) {
			weft__json_put(json, "\\u00");
			weft__json_char(json, hex[*at >> 4]);
			weft__json_char(json, hex[*at++ & 15]);
		} else if (*at < 0x80) {
			weft__json_char(json, (char)*at++);
		} else if (length) {
			while (length--)
				weft__json_char(json, (char)*at++);
		} else { /* a name that was cut, or never was UTF-8 */
			weft__json_put(json, "\\ufffd");
			at++;
		}
	}
}
