/* SPDX-License-Identifier: MIT */
#include "quote.h"

static void put(struct quote *q, wchar_t c, size_t times)
{
	for (; times > 0; times--) {
		if (q->length + 1 >= QUOTE_MAX) {
			q->overflow = true;
			return;
		}
		q->text[q->length++] = c;
		q->text[q->length] = 0;
	}
}

void quote_init(struct quote *q)
{
	q->length = 0;
	q->overflow = false;
	q->text[0] = 0;
}

/* Backslashes are themselves, unless a quote follows: then each is written
 * twice, and one more makes the quote an ordinary character.  At the end the
 * quote that follows is ours. */
void quote_add(struct quote *q, const wchar_t *argument)
{
	size_t backslashes = 0;

	if (q->length > 0) {
		put(q, L' ', 1);
	}
	put(q, L'"', 1);
	for (const wchar_t *s = argument; *s; s++) {
		if (*s == L'\\') {
			backslashes++;
			continue;
		}
		put(q, L'\\', *s == L'"' ? 2 * backslashes + 1 : backslashes);
		put(q, *s, 1);
		backslashes = 0;
	}
	put(q, L'\\', 2 * backslashes);
	put(q, L'"', 1);
}
