/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as output on a terminal: wherever they are torn, the same comes of
 * it; and of control bytes only what termsafe.h allows.  The first byte is the
 * size of the pieces; its highest bit strips.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "core/termsafe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void convert(
        struct buf *out, bool strip, const char *text, size_t len, size_t piece)
{
	struct termsafe t = {.strip = strip};

	while (len > 0) {
		size_t n = len < piece ? len : piece;

		termsafe_feed(&t, out, text, n);
		check(t.len < sizeof t.held);
		text += n;
		len -= n;
	}
	termsafe_end(&t, out);
	check(t.len == 0 && !buf_failed(out));
}

/* Colour, or erasing in the line; how long it is. */
static size_t harmless(const char *s)
{
	size_t n;

	check(s[1] == '[');
	n = 2 + strspn(s + 2, "0123456789;:");
	check(s[n] == 'm' || s[n] == 'K');
	return n;
}

static void check_safe(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++) {
		char c = b->data[i];

		if (c == '\x1b')
			i += harmless(b->data + i);
		else
			check((unsigned char)c >= ' ' ||
			        (c != '\0' && strchr("\n\r\t\b", c)));
		check(c != 0x7f);
	}
	check(text_utf8_is_valid(b->data, b->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf whole = BUF_INIT, torn = BUF_INIT;
	const char *text = (const char *)data + 1;
	bool strip;

	if (size < 1)
		return 0;
	strip = data[0] & 0x80;
	convert(&whole, strip, text, size - 1, SIZE_MAX);
	convert(&torn, strip, text, size - 1, (data[0] & 0x7fU) + 1);
	check(whole.len == torn.len &&
	        memcmp(whole.data, torn.data, whole.len) == 0);
	if (strip)
		check(!memchr(whole.data, '\x1b', whole.len));
	else
		check_safe(&whole);
	return 0;
}
