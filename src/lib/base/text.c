/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "buf.h"
#include "i18n.h"
#include "str.h"
#include "text.h"

/* U+FFFD */
#define REPLACEMENT "\xef\xbf\xbd"

/* The longest that one sequence becomes: four bytes as \xHH each. */
#define VISIBLE_MAX 16

size_t text_utf8_len(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n;

	if (len == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 0;
	n = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong (E0, F0), surrogates (ED), above U+10FFFF (F4). */
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xf0 && u[1] < 0x90) ||
	        (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

bool text_utf8_is_valid(const char *s, size_t len)
{
	while (len > 0) {
		size_t n = text_utf8_len(s, len);

		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

/* The code point of a valid sequence of @n bytes. */
static uint32_t decode(const char *s, size_t n)
{
	static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)s[0] & lead[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Changes the order in which what follows is shown, or starts a line. */
static bool is_layout(uint32_t c)
{
	return c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* The length of the next piece of @s (at least 1); *@ret_plain: it may be
 * shown as it is. @len > 0. */
static size_t next_piece(const char *s, size_t len, bool *ret_plain)
{
	size_t n = text_utf8_len(s, len);
	uint32_t c;

	*ret_plain = false;
	if (n == 0)
		return 1;
	c = decode(s, n);
	*ret_plain = !is_control(c) && !is_layout(c);
	return n;
}

/* A backslash is doubled when what follows it in the output would make it
 * look like an escape: a letter of one, or an escape's own backslash. */
static bool backslash_is_ambiguous(const char *s, size_t len)
{
	bool plain;

	if (len == 0)
		return false;
	(void)next_piece(s, len, &plain);
	return !plain || memchr("nrtx\\", *s, 5);
}

/* Writes the visible form of the next piece of @s to @out (not terminated).
 * Returns the bytes read, *@ret_len the bytes written. */
static size_t visible_piece(
        const char *s, size_t len, char out[VISIBLE_MAX], size_t *ret_len)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char letters[] = "t\tn\nr\r";
	bool plain;
	size_t n = next_piece(s, len, &plain);

	*ret_len = 0;
	if (plain) {
		memcpy(out, s, n);
		*ret_len = n;
		if (*s == '\\' && backslash_is_ambiguous(s + 1, len - 1))
			out[(*ret_len)++] = '\\';
		return n;
	}
	for (size_t i = 1; i < sizeof(letters); i += 2) {
		if (*s != letters[i])
			continue;
		out[0] = '\\';
		out[1] = letters[i - 1];
		*ret_len = 2;
		return n;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char u = (unsigned char)s[i];

		out[(*ret_len)++] = '\\';
		out[(*ret_len)++] = 'x';
		out[(*ret_len)++] = hex[u >> 4];
		out[(*ret_len)++] = hex[u & 15];
	}
	return n;
}

void text_visible(struct buf *b, const char *s, size_t len)
{
	while (len > 0) {
		char out[VISIBLE_MAX];
		size_t out_len, n = visible_piece(s, len, out, &out_len);

		buf_add(b, out, out_len);
		s += n;
		len -= n;
	}
}

char *text_visible_str(char *dst, size_t size, const char *s)
{
	size_t len = strlen(s), used = 0, safe = 0;

	if (size == 0)
		return dst;
	while (len > 0) {
		char out[VISIBLE_MAX];
		size_t out_len, n = visible_piece(s, len, out, &out_len);

		/* Up to here, and "..." and the NUL still fit. */
		if (used + sizeof("...") <= size)
			safe = used;
		if (used + out_len >= size) {
			dst[safe] = '\0';
			if (safe + sizeof("...") <= size)
				memcpy(dst + safe, "...", sizeof("..."));
			return dst;
		}
		memcpy(dst + used, out, out_len);
		used += out_len;
		s += n;
		len -= n;
	}
	dst[used] = '\0';
	return dst;
}

void text_utf8_repair(struct buf *b, const char *s, size_t len)
{
	while (len > 0) {
		size_t n = text_utf8_len(s, len);

		if (n == 0)
			buf_adds(b, REPLACEMENT);
		else
			buf_add(b, s, n);
		n += n == 0;
		s += n;
		len -= n;
	}
}

static const char *html_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void text_html(struct buf *b, const char *s, size_t len)
{
	while (len > 0) {
		const char *entity = html_entity(*s);
		bool plain;
		size_t n = next_piece(s, len, &plain);

		if (entity)
			buf_adds(b, entity);
		else if (plain)
			buf_add(b, s, n);
		else
			buf_adds(b, REPLACEMENT);
		s += n;
		len -= n;
	}
}

bool text_is_header_safe(const char *s)
{
	size_t len;

	if (!s)
		return false;
	len = strlen(s);
	while (len > 0) {
		size_t n = text_utf8_len(s, len);

		if (n == 0 || is_control(decode(s, n)))
			return false;
		s += n;
		len -= n;
	}
	return true;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* No empty label: not at the ends, not in the middle. */
static bool is_dotted(const char *s, size_t len)
{
	char before = '.';

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '.' && before == '.')
			return false;
		before = s[i];
	}
	return before != '.';
}

bool text_is_mail_address(const char *s)
{
	const char *at;
	size_t local_len;

	if (!s || strlen(s) > 254)
		return false;
	at = strchr(s, '@');
	if (!at || strchr(at + 1, '@'))
		return false;

	local_len = (size_t)(at - s);
	if (local_len > 64 || !is_dotted(s, local_len))
		return false;
	for (const char *p = s; p < at; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"`()<>[]{},;:\\", *p))
			return false;

	for (const char *p = at + 1; *p; p++)
		if (!is_alnum(*p) && *p != '.' && *p != '-')
			return false;
	return at[1] != '-' && is_dotted(at + 1, strlen(at + 1));
}

char *text_bytes(char dst[32], uint64_t bytes)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	uint64_t unit = 1000, tenths;
	size_t i = 0;

	if (bytes < 1000) {
		(void)snprintf(dst, 32,
		        P_("%u byte", "%u bytes", (unsigned long)bytes),
		        (unsigned)bytes);
		return dst;
	}
	for (;; i++, unit *= 1000) {
		/* Rounded: 999,950 is 1.0 MB and not 1000.0 kB. Divided first,
		 * since bytes * 10 can be too large. */
		tenths = bytes / (unit / 10);
		tenths += bytes % (unit / 10) >= unit / 20;
		if (tenths < 10000 || i + 1 == ARRAY_SIZE(units))
			break;
	}
	(void)snprintf(dst, 32, "%llu%c%llu %s",
	        (unsigned long long)(tenths / 10), i18n_decimal_sign(),
	        (unsigned long long)(tenths % 10), units[i]);
	return dst;
}

char *text_duration(char dst[32], int64_t ms)
{
	uint64_t t = ms > 0 ? (uint64_t)ms : 0;
	uint64_t tenths = (t + 50) / 100;
	uint64_t s = (t + 500) / 1000;
	uint64_t min = (t + 30000) / 60000;

	/* The units are the same in every language that we speak. */
	if (tenths < 100)
		(void)snprintf(dst, 32, "%u%c%u s", (unsigned)(tenths / 10),
		        i18n_decimal_sign(), (unsigned)(tenths % 10));
	else if (s < 60)
		(void)snprintf(dst, 32, "%u s", (unsigned)s);
	else if (s < 3600)
		(void)snprintf(dst, 32, "%u min %02u s", (unsigned)(s / 60),
		        (unsigned)(s % 60));
	else
		(void)snprintf(dst, 32, "%llu h %02u min",
		        (unsigned long long)(min / 60), (unsigned)(min % 60));
	return dst;
}

char *text_count(char dst[32], uint64_t n)
{
	char sign = i18n_decimal_sign() == '.' ? ',' : '.';
	char digits[24];
	size_t len, used = 0;

	(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	len = strlen(digits);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			dst[used++] = sign;
		dst[used++] = digits[i];
	}
	dst[used] = '\0';
	return dst;
}
