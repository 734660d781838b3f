/* SPDX-License-Identifier: MIT */
/* mime_header: header fields that nothing can be injected into. */
#include "core/mime.h"

#include <errno.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "i18n.h"
#include "str.h"
#include "text.h"

/* Where a header line is folded. */
#define LINE_MAX_COLUMNS 76
/* Bytes in one encoded-word: 42 give 56 base64 characters, 68 with the frame,
 * of the 75 that RFC 2047 allows. */
#define WORD_BYTES 42
/* A word longer than this cannot be folded well: encoded instead. */
#define PLAIN_WORD_MAX 60

/* --- text ---------------------------------------------------------------- */

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f;
}

void mime_clean(struct buf *b, const char *text, size_t len, bool multiline)
{
	size_t i = 0;

	while (i < len) {
		size_t n = 0;

		while (i + n < len &&
		        (is_plain(text[i + n]) ||
		                (multiline && (text[i + n] == '\n' ||
		                                      text[i + n] == '\t'))))
			n++;
		if (n > 0) {
			buf_add(b, text + i, n);
			i += n;
			continue;
		}
		/* One character at a time, so that text_visible() sees no
		 * backslash together with what follows it. */
		n = text_utf8_len(text + i, len - i);
		if (n == 0)
			n = 1;
		text_visible(b, text + i, n);
		i += n;
	}
}

/* --- base64 -------------------------------------------------------------- */

void mime_base64(struct buf *b, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i += 57) {
		base64_add(b, p + i, len - i < 57 ? len - i : 57);
		buf_adds(b, "\r\n");
	}
}

/* --- headers ------------------------------------------------------------- */

/* May @s go into a header as it is, folded at its spaces? */
static bool can_stay_plain(const char *s)
{
	size_t word = 0;

	if (s[0] == '\0' || s[0] == ' ' || strstr(s, "=?") != NULL)
		return false;
	for (; *s != '\0'; s++) {
		if (!is_plain(*s))
			return false;
		/* Folding is undone by readers only where a single space was;
		 * a space at the end does not survive at all. */
		if (*s == ' ' && (s[1] == ' ' || s[1] == '\0'))
			return false;
		word = *s == ' ' ? 0 : word + 1;
		if (word > PLAIN_WORD_MAX)
			return false;
	}
	return true;
}

static void add_folded(struct buf *b, size_t column, const char *s)
{
	while (*s != '\0') {
		size_t n = strcspn(s, " ");

		if (column > 1 && column + 1 + n > LINE_MAX_COLUMNS) {
			buf_adds(b, "\r\n");
			column = 0;
		}
		buf_addc(b, ' ');
		buf_add(b, s, n);
		column += n + 1;
		s += n;
		if (*s == ' ')
			s++;
	}
}

/* @s is valid UTF-8: each encoded-word holds whole characters. */
static void add_encoded_words(struct buf *b, const char *s)
{
	size_t len = strlen(s);
	bool first = true;

	while (len > 0) {
		size_t n = len > WORD_BYTES ? WORD_BYTES : len;

		while (n < len && n > 0 && (s[n] & 0xc0) == 0x80)
			n--;
		buf_adds(b, first ? " =?UTF-8?B?" : "\r\n =?UTF-8?B?");
		base64_add(b, s, n);
		buf_adds(b, "?=");
		first = false;
		s += n;
		len -= n;
	}
}

void mime_header_text(struct buf *b, const char *name, const char *value)
{
	_cleanup_buf_ struct buf clean = BUF_INIT;

	mime_clean(&clean, value, strlen(value), false);
	buf_adds(b, name);
	buf_addc(b, ':');
	if (can_stay_plain(clean.data)) {
		add_folded(b, strlen(name) + 1, clean.data);
	} else if (clean.len > 0) {
		/* Name and first word together stay below 78 columns. */
		if (strlen(name) > 8)
			buf_adds(b, "\r\n");
		add_encoded_words(b, clean.data);
	} else {
		buf_addc(b, ' ');
	}
	buf_adds(b, "\r\n");
	if (buf_failed(&clean))
		b->failed = true;
}

bool mime_is_address(const char *s)
{
	const char *at;

	if (s == NULL || !text_is_mail_address(s))
		return false;
	at = strchr(s, '@');
	return at != NULL && at > s && at - s <= 64 && at[1] != '\0' &&
	       strpbrk(s, ",;:\\()<>[]\"") == NULL;
}

static int bad_address(struct err *err, const char *s)
{
	char shown[128];

	err_set(err, -EINVAL, _("\"%s\" is not an e-mail address"),
	        text_visible_str(shown, sizeof(shown), s != NULL ? s : ""));
	err_action(err, _("correct it in the configuration; it must look like "
	                  "name@company.example"));
	return -EINVAL;
}

int mime_header_addresses(
        struct buf *b, const char *name, char *const *list, struct err *err)
{
	size_t column = strlen(name) + 1;

	buf_adds(b, name);
	buf_addc(b, ':');
	for (size_t i = 0; list[i] != NULL; i++) {
		size_t n = strlen(list[i]);

		if (!mime_is_address(list[i]))
			return bad_address(err, list[i]);
		if (i > 0) {
			buf_addc(b, ',');
			column++;
		}
		if (column + n + 2 > LINE_MAX_COLUMNS && i > 0) {
			buf_adds(b, "\r\n");
			column = 0;
		}
		buf_addc(b, ' ');
		buf_adds(b, list[i]);
		column += n + 1;
	}
	buf_adds(b, "\r\n");
	return 0;
}

int mime_header_from(
        struct buf *b, const char *address, const char *shown, struct err *err)
{
	_cleanup_buf_ struct buf name = BUF_INIT;

	if (!mime_is_address(address))
		return bad_address(err, address);
	buf_adds(b, "From:");
	if (!str_is_empty(shown)) {
		mime_clean(&name, shown, strlen(shown), false);
		/* Encoded always: then no rule about quoting is needed. */
		add_encoded_words(b, name.data);
		buf_adds(b, "\r\n");
	}
	buf_printf(b, " <%s>\r\n", address);
	return buf_failed(&name) ? err_nomem(err) : 0;
}

/* --- file names ---------------------------------------------------------- */

/* A name that no mail program and no file system takes amiss: no path, no
 * control characters, no leading dot, not too long. */
static void clean_filename(struct buf *b, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len;) {
		size_t n = text_utf8_len(name + i, len - i);
		size_t start = b->len;

		if (b->len + (n > 0 ? n : 1) > MIME_NAME_MAX)
			break;
		if (n == 0 || (n == 1 && strchr("/\\:*?\"<>|", name[i]))) {
			buf_addc(b, '_');
			i++;
			continue;
		}
		text_visible(b, name + i, n);
		/* Anything that had to be escaped is not worth an escape. */
		if (b->len - start != n) {
			buf_cut(b, start);
			buf_addc(b, '_');
		}
		i += n;
	}
	if (b->len == 0)
		buf_adds(b, "attachment");
	if (b->data[0] == '.' && !buf_failed(b))
		b->data[0] = '_';
}

static bool is_attribute_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

void mime_filename_ascii(struct buf *b, const char *name)
{
	_cleanup_buf_ struct buf clean = BUF_INIT;

	clean_filename(&clean, name);
	for (size_t i = 0; i < clean.len; i++) {
		if (is_plain(clean.data[i]))
			buf_addc(b, clean.data[i]);
		else if ((clean.data[i] & 0xc0) != 0x80)
			buf_addc(b, '_'); /* one per character, not per byte */
	}
	if (buf_failed(&clean))
		b->failed = true;
}

void mime_header_filename(struct buf *b, const char *name)
{
	_cleanup_buf_ struct buf clean = BUF_INIT;
	bool ascii = true;

	clean_filename(&clean, name);
	for (size_t i = 0; i < clean.len; i++)
		ascii = ascii && is_plain(clean.data[i]);
	buf_adds(b, "Content-Disposition: attachment;\r\n filename");
	if (ascii) {
		buf_printf(b, "=\"%s\"\r\n", clean.data);
	} else {
		/* Not both: two parameters of one name are an error in mail
		 * (RFC 2231), other than in HTTP. */
		buf_adds(b, "*=UTF-8''");
		for (size_t i = 0; i < clean.len; i++) {
			if (is_attribute_char(clean.data[i]))
				buf_addc(b, clean.data[i]);
			else
				buf_printf(b, "%%%02X",
				        (unsigned char)clean.data[i]);
		}
		buf_adds(b, "\r\n");
	}
	if (buf_failed(&clean))
		b->failed = true;
}
