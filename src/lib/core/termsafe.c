/* SPDX-License-Identifier: MIT */
#include "core/termsafe.h"

#include <string.h>

#include "text.h"

#define ESC '\x1b'

static void put(struct termsafe *t, struct buf *out, char c)
{
	buf_addc(out, c);
	t->place.in_line = c != '\n' && (t->place.in_line || c != '\r');
}

static void put_visible(
        struct termsafe *t, struct buf *out, const char *data, size_t len)
{
	text_visible(out, data, len);
	t->place.in_line |= len > 0;
}

/* What is held back can be shown, or can never become anything else. */
static void flush(struct termsafe *t, struct buf *out)
{
	if (!t->strip)
		put_visible(t, out, t->held, t->len);
	t->len = 0;
}

/* Colour, or erasing in the line: nothing that outlives it. */
static bool is_harmless(const struct termsafe *t)
{
	char last = t->held[t->len - 1];

	return t->len > 2 && t->held[1] == '[' &&
	       (last == 'm' || last == 'K') &&
	       strspn(t->held + 2, "0123456789;:") == t->len - 3;
}

/* Select graphic rendition; all but its last word may be undone by that. */
static void note_style(struct termsafe *t)
{
	const char *last = strrchr(t->held, ';');

	last = last ? last + 1 : t->held + 2;
	if (t->held[t->len - 1] == 'm')
		t->place.is_styled = last[strspn(last, "0")] != 'm';
}

/* An operating system command and its like, up to BEL or ESC \. */
static bool is_string(const struct termsafe *t)
{
	return t->len >= 2 && strchr("]P_^X", t->held[1]);
}

/* ECMA-48: "ESC [ parameters letter", a string, or "ESC intermediates
 * letter"; true when @c, the last one held, completes it. */
static bool is_complete(const struct termsafe *t, char c)
{
	if (is_string(t))
		return c == '\a' ||
		       (t->len > 2 && c == '\\' && t->held[t->len - 2] == ESC);
	if (t->held[1] == '[')
		return t->len > 2 && !(c >= ' ' && c <= '?');
	return !(c >= ' ' && c <= '/');
}

/* No control byte belongs to a sequence, but to the end of a string. */
static bool breaks_off(const struct termsafe *t, char c)
{
	if (!is_string(t))
		return (unsigned char)c < ' ' || (unsigned char)c > '~';
	if (t->held[t->len - 1] == ESC)
		return c != '\\';
	return (unsigned char)c < ' ' && c != '\a' && c != ESC;
}

static void break_off(struct termsafe *t, struct buf *out, char c)
{
	bool escape = t->len > 1 && t->held[t->len - 1] == ESC;

	if (escape)
		t->len--;
	flush(t, out);
	/* That of the string's end begins something of its own. */
	if (escape)
		t->held[t->len++] = ESC;
	termsafe_feed(t, out, &c, 1);
}

static void take_escape(struct termsafe *t, struct buf *out, char c)
{
	if (breaks_off(t, c)) {
		break_off(t, out, c);
		return;
	}
	t->held[t->len++] = c;
	t->held[t->len] = '\0';
	if (is_complete(t, c)) {
		if (is_harmless(t) && !t->strip) {
			buf_add(out, t->held, t->len);
			note_style(t);
		} else {
			flush(t, out);
		}
		t->len = 0;
	} else if (t->strip && t->len > 3) {
		/* However long it is; how it began and the last one count. */
		t->held[2] = c;
		t->len = 3;
	} else if (t->len == sizeof t->held - 1) {
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
			put(t, out, c);
		else if (t->len > 0 || (unsigned char)c >= 0x80)
			take_utf8(t, out, c);
		else if (c == ESC)
			t->held[t->len++] = c;
		else if ((unsigned char)c >= ' ' && c != 0x7f)
			put(t, out, c);
		else if (strchr("\n\r\t\b", c) && c != '\0')
			put(t, out, c);
		else
			put_visible(t, out, &c, 1);
	}
}

void termsafe_end(struct termsafe *t, struct buf *out)
{
	flush(t, out);
}
