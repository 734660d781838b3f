/* SPDX-License-Identifier: MIT */
/* chains_vbm: the names of restore points in a .vbm file. */
#include "core/chains.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "util.h"

#define NAME_BYTES_MAX 255
/* "&#x000e4;" and the like make a name longer. */
#define RAW_MAX ((size_t)4 * NAME_BYTES_MAX)

static bool is_delimiter(unsigned char c)
{
	return c < 0x20 || strchr("\"<>/\\|*?:", c);
}

/* Behind the extension the name must be over. */
static bool goes_on(unsigned char c)
{
	return isalnum(c) || c >= 0x80 || c == '_' || c == '-' || c == '.';
}

static bool is_extension(const char *p, size_t len)
{
	if (len < 4 || p[0] != '.' || (p[1] | 0x20) != 'v')
		return false;
	if (len > 4 && goes_on((unsigned char)p[4]))
		return false;
	if ((p[2] | 0x20) == 'i')
		return (p[3] | 0x20) == 'b';
	return ((p[2] | 0x20) == 'b' && (p[3] | 0x20) == 'k') ||
	       ((p[2] | 0x20) == 'r' && (p[3] | 0x20) == 'b');
}

static void add_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(b, (char)c);
	} else if (c < 0x800) {
		buf_addc(b, (char)(0xc0 | c >> 6));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_addc(b, (char)(0xe0 | c >> 12));
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_addc(b, (char)(0xf0 | c >> 18));
		buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	}
}

/* "&amp;", "&#228;", "&#xe4;" at @p: its length and character, else 0. */
static size_t entity(const char *p, size_t len, uint32_t *ret)
{
	static const struct {
		const char *text;
		char c;
	} known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'},
	        {"&quot;", '"'}, {"&apos;", '\''}};
	uint32_t c = 0;
	size_t i = 2;
	uint32_t base = 10;

	for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
		size_t n = strlen(known[k].text);

		if (len >= n && memcmp(p, known[k].text, n) == 0) {
			*ret = (unsigned char)known[k].c;
			return n;
		}
	}
	if (len < 4 || p[0] != '&' || p[1] != '#')
		return 0;
	if ((p[2] | 0x20) == 'x') {
		base = 16;
		i = 3;
	}
	for (; i < len && i < 12 && p[i] != ';'; i++) {
		int digit = isdigit((unsigned char)p[i]) ? p[i] - '0'
		            : isxdigit((unsigned char)p[i]) && base == 16
		                    ? (p[i] | 0x20) - 'a' + 10
		                    : -1;

		if (digit < 0 || c > 0x10ffff)
			return 0;
		c = c * base + (uint32_t)digit;
	}
	if (i >= len || p[i] != ';' || c == 0 || c > 0x10ffff ||
	        (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return i + 1;
}

/* XML within the values of XML comes with its quotes and brackets escaped. */
static bool ends_in_markup(const char *data, size_t len)
{
	return (len >= 4 && (memcmp(data + len - 4, "&lt;", 4) == 0 ||
	                            memcmp(data + len - 4, "&gt;", 4) == 0)) ||
	       (len >= 6 && memcmp(data + len - 6, "&quot;", 6) == 0);
}

/* Where the name that ends at @end begins; @end when it has none. */
static size_t name_start(const char *data, size_t end)
{
	size_t start = end;

	while (start > 0 && !is_delimiter((unsigned char)data[start - 1]) &&
	        !ends_in_markup(data, start)) {
		if (end - start == RAW_MAX)
			return end;
		start--;
		/* An apostrophe is a delimiter only where a value begins: it
		 * may stand in a name. */
		if (start > 0 && data[start] == '\'' && data[start - 1] == '=')
			return start + 1;
	}
	while (start < end && data[start] == ' ')
		start++;
	return start;
}

/* Is the decoded @c no part of the name, but the end of what is before it? */
static bool begins_anew(const struct buf *b, uint32_t c)
{
	if (c == '\'')
		return b->len > 0 && b->data[b->len - 1] == '=';
	return c < 0x80 && is_delimiter((unsigned char)c);
}

/* Decodes and adds the name. */
static int add_name(struct strv *names, const char *p, size_t len)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < len;) {
		uint32_t c = 0;
		size_t n = p[i] == '&' ? entity(p + i, len - i, &c) : 0;

		if (n == 0 && p[i] == ' ' && b.len == 0)
			i++;
		else if (n == 0)
			buf_addc(&b, p[i++]);
		else if (begins_anew(&b, c))
			buf_cut(&b, 0);
		else
			add_utf8(&b, c);
		i += n;
	}
	if (buf_failed(&b))
		return -ENOMEM;
	/* Only an extension is no name. */
	if (b.len <= 4 || b.len > NAME_BYTES_MAX)
		return 0;
	return strv_add(names, b.data);
}

static int scan(const char *data, size_t len, struct strv *names)
{
	for (size_t i = 0; i + 4 <= len; i++) {
		size_t start;
		int r;

		if (data[i] != '.' || !is_extension(data + i, len - i))
			continue;
		start = name_start(data, i);
		if (start == i)
			continue;
		if (names->len >= CHAINS_VBM_NAMES_MAX)
			return 0;
		r = add_name(names, data + start, i + 4 - start);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_utf16(const char *data, size_t len)
{
	if (len >= 2 && (unsigned char)data[0] == 0xff &&
	        (unsigned char)data[1] == 0xfe)
		return true;
	return len >= 4 && data[0] && !data[1] && data[2] && !data[3];
}

static uint32_t unit(const char *data, size_t i)
{
	return (uint32_t)(unsigned char)data[i] |
	       (uint32_t)(unsigned char)data[i + 1] << 8;
}

static void from_utf16(const char *data, size_t len, struct buf *b)
{
	for (size_t i = 0; i + 2 <= len; i += 2) {
		uint32_t c = unit(data, i);

		if (c >= 0xd800 && c < 0xdc00 && i + 4 <= len) {
			uint32_t low = unit(data, i + 2);

			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c & 0x3ff) << 10) +
				    (low & 0x3ff);
				i += 2;
			}
		}
		if (c >= 0xd800 && c < 0xe000)
			c = 0xfffd;
		add_utf8(b, c == 0xfeff ? '\n' : c);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_unique(struct strv *v)
{
	size_t out = 0;

	if (v->len == 0)
		return;
	qsort(v->items, v->len, sizeof *v->items, by_text);
	for (size_t i = 0; i < v->len; i++) {
		if (out > 0 && strcmp(v->items[out - 1], v->items[i]) == 0)
			free(v->items[i]);
		else
			v->items[out++] = v->items[i];
	}
	v->items[out] = NULL;
	v->len = out;
}

int chains_scan_vbm(const char *data, size_t len, struct strv *ret)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	if (len > CHAINS_VBM_MAX)
		len = CHAINS_VBM_MAX;
	if (is_utf16(data, len)) {
		from_utf16(data, len, &b);
		if (buf_failed(&b))
			return -ENOMEM;
		r = scan(b.data, b.len, &names);
	} else {
		r = scan(data, len, &names);
	}
	if (r < 0)
		return r;
	sort_unique(&names);
	*ret = names;
	names = STRV_INIT;
	return 0;
}
