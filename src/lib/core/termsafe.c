/* SPDX-License-Identifier: MIT */
#include "core/termsafe.h"

#include <string.h>

#include "text.h"

#define ESC '\x1b'

/* What is held back can be shown, or can never become anything else. */
static void flush(struct termsafe *t, struct buf *out)
{
	if (!t->strip)
		text_visible(out, t->held, t->len);
	t->len = 0;
}

/* Colour, or erasing in the line: nothing that outlives it. */
static bool is_harmless(const struct termsafe *t)
{
	char last = t->held[t->len - 1];

	return t->held[1] == '[' && (last == 'm' || last == 'K') &&
	       strspn(t->held + 2, "0123456789;:") == t->len - 3;
}

/* "ESC [ parameters letter" is complete with the letter; anything else is not
 * waited for: true when @c ends it, one way or another. */
static bool ends_sequence(const struct termsafe *t, char c)
{
	if (t->len == sizeof t->held - 1)
		return true;
	if (t->len == 2)
		return !strchr("[]P_^X", c) || c == '\0';
	/* A string, up to BEL or ESC \. */
	if (t->held[1] != '[')
		return c == '\a' || (c == '\\' && t->held[t->len - 2] == ESC);
	return (c >= '@' && c <= '~') || (unsigned char)c < ' ' ||
	       (unsigned char)c > '~';
}

static void take_escape(struct termsafe *t, struct buf *out, char c)
{
	t->held[t->len++] = c;
	t->held[t->len] = '\0';
	if (!ends_sequence(t, c))
		return;
	if (t->len > 2 && is_harmless(t)) {
		if (!t->strip)
			buf_add(out, t->held, t->len);
		t->len = 0;
	} else {
		flush(t, out);
	}
}

/* Bytes that UTF-8 puts in front, and how many follow. */
static size_t sequence_len(unsigned char lead)
{
	return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
}

static void take_utf8(struct termsafe *t, struct buf *out, char c)
{
	t->held[t->len++] = c;
	/* Broken: what was held is no character, @c may begin one. */
	if (((unsigned char)c & 0xc0) != 0x80 && t->len > 1) {
		t->len--;
		flush(t, out);
		termsafe_feed(t, out, &c, 1);
		return;
	}
	if (t->len < sequence_len((unsigned char)t->held[0]))
		return;
	flush(t, out);
}

void termsafe_feed(
        struct termsafe *t, struct buf *out, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (t->len > 0 && t->held[0] == ESC)
			take_escape(t, out, c);
		else if (t->strip && c != ESC)
			buf_addc(out, c);
		else if (t->len > 0 || (unsigned char)c >= 0x80)
			take_utf8(t, out, c);
		else if (c == ESC)
			t->held[t->len++] = c;
		else if ((unsigned char)c >= ' ' && c != 0x7f)
			buf_addc(out, c);
		else if (strchr("\n\r\t\b", c) && c != '\0')
			buf_addc(out, c);
		else
			text_visible(out, &c, 1);
	}
}

void termsafe_end(struct termsafe *t, struct buf *out)
{
	flush(t, out);
}
