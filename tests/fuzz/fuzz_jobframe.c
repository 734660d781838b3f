/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a host's answer: wherever they are torn, the same comes of it;
 * and no byte of output appears that the offsets do not count.  The first byte
 * is the size of the pieces; its highest bit puts the greeting in front.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/jobframe_reading.h"

#define HELLO "vmexec " NONCE " boot\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void feed(struct reading *r, const char *data, size_t len, size_t piece)
{
	while (len > 0 && r->result == 0) {
		size_t n = len < piece ? len : piece;

		r->result = jobframe_feed(&r->frame, data, n, NULL, &r->err);
		data += n;
		len -= n;
	}
}

static void same_text(const struct buf *a, const struct buf *b)
{
	check(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading whole, torn;
	const char *text = (const char *)data + 1;

	if (size < 1)
		return 0;
	reading_init(&whole);
	reading_init(&torn);
	if (data[0] & 0x80) {
		feed(&whole, HELLO, strlen(HELLO), SIZE_MAX);
		feed(&torn, HELLO, strlen(HELLO), 1);
	}
	feed(&whole, text, size - 1, SIZE_MAX);
	feed(&torn, text, size - 1, (data[0] & 0x7fU) + 1);
	check(whole.result == torn.result);
	check((whole.result < 0) == (whole.err.message[0] != '\0'));
	check(strcmp(whole.err.message, torn.err.message) == 0);
	check(strcmp(whole.frame.boot, torn.frame.boot) == 0);
	same_text(&whole.lines, &torn.lines);
	same_text(&whole.out[0], &torn.out[0]);
	same_text(&whole.out[1], &torn.out[1]);
	check(whole.frame.out == whole.out[0].len);
	check(whole.frame.err == whole.out[1].len);
	reading_done(&whole);
	reading_done(&torn);
	return 0;
}
