/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "jobframe_reading.h"

#define HELLO "vmexec " NONCE " boot/12\n"

static void check(bool holds)
{
	assert_true(holds);
}

/* From memory of its own, so that reading beyond it is seen. */
static void feed(struct reading *r, const char *data, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	if (r->result == 0)
		r->result = jobframe_feed(&r->frame, copy, len, NULL, &r->err);
	free(copy);
}

static void same(const struct reading *a, const struct reading *b)
{
	assert_int_equal(a->result, b->result);
	assert_string_equal(a->err.message, b->err.message);
	assert_string_equal(a->lines.data, b->lines.data);
	assert_string_equal(a->frame.boot, b->frame.boot);
	assert_int_equal(a->frame.out, b->frame.out);
	assert_int_equal(a->frame.err, b->frame.err);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a->out[i].len, b->out[i].len);
		assert_memory_equal(
		        a->out[i].data, b->out[i].data, a->out[i].len);
	}
}

/* In one piece, in all pairs of pieces and byte by byte; *@whole is
 * reading_done() by the caller. */
static void read_all(struct reading *whole, const char *data, size_t len)
{
	struct reading torn;
	size_t step = len > 3000 ? 97 : 1;

	reading_init(whole);
	feed(whole, data, len);
	for (size_t i = 0; i <= len; i += step) {
		reading_init(&torn);
		feed(&torn, data, i);
		feed(&torn, data + i, len - i);
		same(whole, &torn);
		reading_done(&torn);
	}
	reading_init(&torn);
	for (size_t i = 0; i < len; i++)
		feed(&torn, data + i, 1);
	same(whole, &torn);
	reading_done(&torn);
}

#define READ(r, text) read_all(r, text, sizeof(text) - 1)

static void test_conversation(void **state)
{
	struct reading r;

	(void)state;
	READ(&r, "Welcome!\nlast login: now\n" HELLO
	         "S started running setsid 1700000000 boot/12 /a b c\n"
	         "O 0 5\nab\n\0c"
	         "E 0 2\nO "
	         "H 5 2\n"
	         "O 5 0\n"
	         "O 5 1\nX"
	         "X 0 6 2 1700000001 exit\n"
	         "Z\nZ \n");
	assert_int_equal(r.result, 0);
	assert_string_equal(r.frame.boot, "boot/12");
	assert_string_equal(r.lines.data,
	        "S started|running|setsid|1700000000|boot/12|/a|b|c;"
	        "H 5|2;X 0|6|2|1700000001|exit;Z;Z;");
	assert_int_equal(r.out[0].len, 6);
	assert_memory_equal(r.out[0].data, "ab\n\0cX", 6);
	assert_string_equal(r.out[1].data, "O ");
	assert_int_equal(r.frame.out, 6);
	assert_int_equal(r.frame.err, 2);
	reading_done(&r);
}

static void test_words(void **state)
{
	struct reading r;

	(void)state;
	READ(&r, HELLO "J 1 2 3 4 5 6 7 8 9 10 11 the rest of it\n"
	               "F  two\nG a \n");
	assert_int_equal(r.result, 0);
	assert_string_equal(r.lines.data,
	        "J 1|2|3|4|5|6|7|8|9|10|11|the rest of it;F |two;G a|;");
	reading_done(&r);
}

static void test_noise(void **state)
{
	static const char *const texts[] = {
	        "no newline in front: " HELLO,
	        "vmexec is nice\nvmexec is nice: " HELLO,
	        "vmexec " NONCE "\n" HELLO,
	        "vmexec " NONCE " \n" HELLO,
	        "vmexec 00000000000000000000000000000000 x\n" HELLO,
	        "vmexec " NONCE "0 x\n" HELLO,
	        "O 0 5\nhello\nZ\n" HELLO,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct reading r;

		read_all(&r, texts[i], strlen(texts[i]));
		assert_int_equal(r.result, 0);
		assert_string_equal(r.frame.boot, "boot/12");
		assert_int_equal(r.frame.out, 0);
		assert_string_equal(r.lines.data, "");
		reading_done(&r);
	}
}

static void read_noise(
        struct reading *r, size_t lines, size_t len, const char *end)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < lines; i++) {
		for (size_t k = 0; k < len; k++)
			buf_addc(&b, (char)('a' + k % 26));
		if (i + 1 < lines)
			buf_addc(&b, '\n');
	}
	buf_adds(&b, end);
	assert_false(buf_failed(&b));
	read_all(r, b.data, b.len);
}

static void test_much_noise(void **state)
{
	static const size_t lens[] = {4000, 4040, 4094, 4095, 4096, 4097, 8191,
	        8192, 20000, JOBFRAME_NOISE_MAX - 4096};
	struct reading r;

	(void)state;
	/* The greeting behind a long line without an end, wherever the end of
	 * the line's memory falls. */
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		read_noise(&r, 1, lens[i], HELLO);
		assert_int_equal(r.result, 0);
		assert_string_equal(r.frame.boot, "boot/12");
		reading_done(&r);
	}
	read_noise(&r, 16, 4095, "\n" HELLO);
	assert_int_equal(r.result, 0);
	assert_string_equal(r.frame.boot, "boot/12");
	reading_done(&r);
	/* Without an end: both kinds. */
	read_noise(&r, 17, 4095, "\n" HELLO);
	assert_int_equal(r.result, -EPROTO);
	reading_done(&r);
	read_noise(&r, 1, JOBFRAME_NOISE_MAX + 4096, HELLO);
	assert_int_equal(r.result, -EPROTO);
	assert_int_equal(r.err.code, -EPROTO);
	assert_true(r.frame.boot[0] == '\0');
	reading_done(&r);
}

static void test_nonsense(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {
#define BAD(s) {s, sizeof(s) - 1}
	        BAD(HELLO "\n"),
	        BAD(HELLO "hello\n"),
	        BAD(HELLO "Q 1\n"),
	        BAD(HELLO " \n"),
	        BAD(HELLO "Zx\n"),
	        BAD(HELLO "\0 x\n"),
	        BAD(HELLO "H 1\0 2\n"),
	        BAD(HELLO "Z\r\n"),
	        /* Offsets that do not fit. */
	        BAD(HELLO "O 1 1\nx"),
	        BAD(HELLO "E 1 1\nx"),
	        BAD(HELLO "O 0 2\nxxO 0 2\nxx"),
	        BAD(HELLO "O 0 2\nxxO 3 2\nxx"),
	        BAD(HELLO "O 0 2\nxxE 2 2\nxx"),
	        /* Lengths. */
	        BAD(HELLO "O 0 67108865\n"),
	        BAD(HELLO "O 0 18446744073709551615\n"),
	        BAD(HELLO "O 0 18446744073709551616\n"),
	        BAD(HELLO "O 0 -1\n"),
	        BAD(HELLO "O 0 0x1\n"),
	        BAD(HELLO "O 0\n"),
	        BAD(HELLO "O 0 \n"),
	        BAD(HELLO "O\n"),
	        BAD(HELLO "O \n"),
	        BAD(HELLO "O 0 1 1\n"),
	        BAD(HELLO "O  0 1\n"),
	        BAD(HELLO "O +0 1\n"),
	        BAD(HELLO "O 0 1\0\n"),
	        BAD(HELLO "O 00000000000000000000000000000000000000000000000"
	                  "0000000000000000000000000000000 1\n"),
	        /* A boot id that is none. */
	        BAD("vmexec " NONCE " aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb"
	            "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct reading r;

		read_all(&r, bad[i].text, bad[i].len);
		if (r.result != -EPROTO)
			fail_msg("taken: %s", bad[i].text);
		assert_int_equal(r.err.code, -EPROTO);
		assert_true(r.err.message[0] != '\0');
		assert_string_equal(r.lines.data, "");
		reading_done(&r);
	}
}

static void test_long_line(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct reading r;

	(void)state;
	buf_adds(&b, HELLO "F ");
	while (b.len < strlen(HELLO) + JOBFRAME_LINE_MAX - 1)
		buf_addc(&b, 'x');
	buf_adds(&b, "\n");
	read_all(&r, b.data, b.len);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.lines.len, JOBFRAME_LINE_MAX);
	reading_done(&r);
	buf_cut(&b, b.len - 1);
	buf_adds(&b, "x\n");
	read_all(&r, b.data, b.len);
	assert_int_equal(r.result, -EPROTO);
	reading_done(&r);
}

/* What is shown of nonsense is safe to show. */
static void test_shown(void **state)
{
	struct reading r;

	(void)state;
	READ(&r, HELLO "\x1b]0;title\a\n");
	assert_int_equal(r.result, -EPROTO);
	assert_null(strchr(r.err.message, '\x1b'));
	assert_non_null(strstr(r.err.message, "\\x1B]0;title"));
	reading_done(&r);
}

static void test_offsets_stay(void **state)
{
	struct reading r;

	(void)state;
	reading_init(&r);
	feed(&r, HELLO "O 0 5\nabc", strlen(HELLO) + 9);
	assert_int_equal(r.frame.out, 3);
	/* The line breaks in the middle of a frame. */
	jobframe_restart(&r.frame);
	assert_string_equal(r.frame.boot, "");
	feed(&r, "noise\n", 6);
	feed(&r, HELLO "O 3 2\ndeE 0 1", strlen(HELLO) + 13);
	/* And of a line. */
	jobframe_restart(&r.frame);
	feed(&r, HELLO "E 0 1\nxZ\n", strlen(HELLO) + 9);
	assert_int_equal(r.result, 0);
	assert_string_equal(r.out[0].data, "abcde");
	assert_string_equal(r.out[1].data, "x");
	assert_string_equal(r.lines.data, "Z;");
	/* Much later, beyond 32 bits. */
	r.frame.out = 1ULL << 40;
	feed(&r, "O 1099511627776 1\ny", 19);
	assert_int_equal(r.result, 0);
	assert_true(r.frame.out == (1ULL << 40) + 1);
	reading_done(&r);
}

static void test_pause(void **state)
{
	struct reading r;
	bool more = true;

	(void)state;
	reading_init(&r);
	r.stop_at = 2;
	assert_int_equal(jobframe_feed(&r.frame, HELLO "O 0 1\naE 0 1\nb",
	                         strlen(HELLO) + 14, &more, &r.err),
	        0);
	/* All was taken, and the last word counts. */
	assert_false(more);
	assert_int_equal(r.frame.err, 1);
	more = false;
	assert_int_equal(jobframe_feed(&r.frame, "Z\n", 2, &more, &r.err), 0);
	assert_true(more);
	reading_done(&r);
}

static void test_handler_refuses(void **state)
{
	struct reading r;

	(void)state;
	reading_init(&r);
	r.refuse = -EXDEV;
	feed(&r, HELLO "Z\nZ\n", strlen(HELLO) + 4);
	assert_int_equal(r.result, -EXDEV);
	assert_string_equal(r.lines.data, "Z;");
	reading_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_conversation),
	        cmocka_unit_test(test_words),
	        cmocka_unit_test(test_noise),
	        cmocka_unit_test(test_much_noise),
	        cmocka_unit_test(test_nonsense),
	        cmocka_unit_test(test_long_line),
	        cmocka_unit_test(test_shown),
	        cmocka_unit_test(test_offsets_stay),
	        cmocka_unit_test(test_pause),
	        cmocka_unit_test(test_handler_refuses),
	};

	return cmocka_run_group_tests_name("jobframe", tests, NULL, NULL);
}
