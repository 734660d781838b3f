/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "text.h"
#include "core/termsafe.h"

static void feed(struct termsafe *t, struct buf *out, const char *s, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, s, len);
	termsafe_feed(t, out, copy, len);
	free(copy);
	assert_true(t->len < sizeof t->held);
}

/* In pieces of @first bytes and the rest; of one each when @first is -1. */
static void convert(
        struct buf *out, bool strip, const char *s, size_t len, size_t first)
{
	struct termsafe t = {.strip = strip};

	if (first == (size_t)-1) {
		for (size_t i = 0; i < len; i++)
			feed(&t, out, s + i, 1);
	} else {
		feed(&t, out, s, first);
		feed(&t, out, s + first, len - first);
	}
	termsafe_end(&t, out);
	assert_int_equal(t.len, 0);
	assert_false(buf_failed(out));
}

static void expect_mem(bool strip, const char *s, size_t len, const char *text,
        size_t text_len)
{
	for (size_t i = 0; i <= len + 1; i++) {
		_cleanup_buf_ struct buf out = BUF_INIT;

		convert(&out, strip, s, len, i > len ? (size_t)-1 : i);
		if (out.len != text_len ||
		        memcmp(out.data, text, text_len) != 0)
			fail_msg("torn at %zu: \"%s\" instead of \"%s\"", i,
			        out.data, text);
	}
}

static void expect(const char *s, const char *text)
{
	expect_mem(false, s, strlen(s), text, strlen(text));
}

static void expect_strip(const char *s, const char *text)
{
	expect_mem(true, s, strlen(s), text, strlen(text));
}

static void test_passes(void **state)
{
	(void)state;
	expect("", "");
	expect("plain\r\n\ttext\b\\n", "plain\r\n\ttext\b\\n");
	expect("Gr\xc3\xbc\xc3\x9f"
	       "e \xe2\x82\xac \xf0\x9f\x98\x80",
	        "Gr\xc3\xbc\xc3\x9f"
	        "e \xe2\x82\xac \xf0\x9f\x98\x80");
	expect("\x1b[m\x1b[0m\x1b[1;31mred\x1b[38:5:1m\x1b[K\x1b[2K",
	        "\x1b[m\x1b[0m\x1b[1;31mred\x1b[38:5:1m\x1b[K\x1b[2K");
}

static void test_controls(void **state)
{
	(void)state;
	expect("\a\x0e\x0f\x7f\f\v", "\\x07\\x0E\\x0F\\x7F\\x0C\\x0B");
	expect_mem(false, "a\0b", 3,
	        "a\\x00"
	        "b",
	        6);
	/* C1, as UTF-8 and as a byte. */
	expect("\xc2\x9b"
	       "31m",
	        "\\xC2\\x9B"
	        "31m");
	expect("\x9b"
	       "31m",
	        "\\x9B"
	        "31m");
	/* Right to left. */
	expect("\xe2\x80\xae"
	       "x",
	        "\\xE2\\x80\\xAE"
	        "x");
}

static void test_sequences(void **state)
{
	(void)state;
	/* Titles, clipboard, links; with either end. */
	expect("\x1b]0;title\ax", "\\x1B]0;title\\x07x");
	expect("\x1b]52;c;AAAA\x1b\\x", "\\x1B]52;c;AAAA\\x1B\\x");
	/* Device control, answers typed back, key maps. */
	expect("\x1bP+q6E\x1b\\.", "\\x1BP+q6E\\x1B\\.");
	expect("\x1b[6n\x1b[c\x1b[>c", "\\x1B[6n\\x1B[c\\x1B[>c");
	/* Private, with an intermediate byte, or not what they seem. */
	expect("\x1b[?1049h\x1b[>4;1m\x1b[?25l\x1b[1 q",
	        "\\x1B[?1049h\\x1B[>4;1m\\x1B[?25l\\x1B[1 q");
	expect("\x1b[1 m", "\\x1B[1 m");
	/* The cursor goes elsewhere, the screen goes. */
	expect("\x1b[2J\x1b[H\x1b[1A\x1b"
	       "c\x1b"
	       "7",
	        "\\x1B[2J\\x1B[H\\x1B[1A\\x1B"
	        "c\\x1B"
	        "7");
	expect("\x1b(0\x1b(B", "\\x1B(0\\x1B(B");
	expect("\x1bK\x1bm", "\\x1BK\\x1Bm");
}

static void test_broken_off(void **state)
{
	(void)state;
	/* A sequence without an end keeps nothing of the next line. */
	expect("\x1b[31\nnext\n", "\\x1B[31\nnext\n");
	expect("\x1b]0;title\nnext\n", "\\x1B]0;title\nnext\n");
	expect("\x1b\nnext", "\\x1B\nnext");
	expect("\x1b[31\x1b[1mx", "\\x1B[31\x1b[1mx");
	expect("\x1b\x1b\x1b[1mx", "\\x1B\\x1B\x1b[1mx");
	expect("\x1b]0;a\x1b[1mx", "\\x1B]0;a\x1b[1mx");
	expect("\x1b]0;a\x1b\x1b\\", "\\x1B]0;a\\x1B\\x1B\\");
	expect("\x1b[\xc3\xbc\x1b\xc3\xbc", "\\x1B[\xc3\xbc\\x1B\xc3\xbc");
	/* At the end. */
	expect("\x1b", "\\x1B");
	expect("\x1b[", "\\x1B[");
	expect("\x1b[31", "\\x1B[31");
	expect("\x1b]0;x\x1b", "\\x1B]0;x\\x1B");
}

static void test_utf8(void **state)
{
	(void)state;
	expect("\xc3", "\\xC3");
	expect("\xe2\x82", "\\xE2\\x82");
	expect("\xe2\x82x", "\\xE2\\x82x");
	expect("\xe2\xc3\xbc", "\\xE2\xc3\xbc");
	expect("\xe2\x1b[m", "\\xE2\x1b[m");
	expect("\xc3\n", "\\xC3\n");
	expect("\xc0\x80", "\\xC0\\x80");          /* overlong */
	expect("\xed\xa0\x80", "\\xED\\xA0\\x80"); /* surrogate */
	expect("\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80");
	expect("\xff\xfe\xbf", "\\xFF\\xFE\\xBF");
	expect("\xf0\x9f\x98\x80\x80", "\xf0\x9f\x98\x80\\x80");
}

static void test_strip(void **state)
{
	(void)state;
	expect_strip("a\x1b[1;31mred\x1b[0m\x1b[K\n", "ared\n");
	expect_strip("\x1b]0;title\ax\x1b]8;;http://x\x1b\\y", "xy");
	/* As tput sgr0 says it. */
	expect_strip("a\x1b(B\x1b[mb", "ab");
	expect_strip("a\x1b"
	             "7b\x1b[?25lc",
	        "abc");
	expect_strip("a\x1b[31\nb\x1b]0;t\nc", "a\nb\nc");
	/* All else as it is. */
	expect_mem(true, "\0\x01\r\a\xff\xc3\x9b\x7f", 8,
	        "\0\x01\r\a\xff\xc3\x9b\x7f", 8);
	expect_strip("x\x1b[3", "x");
}

static void test_long(void **state)
{
	_cleanup_buf_ struct buf in = BUF_INIT, shown = BUF_INIT;

	(void)state;
	buf_adds(&in, "a\x1b]0;");
	buf_adds(&shown, "a\\x1B]0;");
	for (int i = 0; i < 500; i++) {
		buf_addc(&in, 't');
		buf_addc(&shown, 't');
	}
	buf_adds(&in, "\x1b\\b");
	buf_adds(&shown, "\\x1B\\b");
	expect(in.data, shown.data);
	/* Nothing of it is left, however long it was. */
	expect_strip(in.data, "ab");
	buf_reset(&in);
	buf_adds(&in, "\x1b[");
	for (int i = 0; i < 500; i++)
		buf_adds(&in, "1;");
	buf_adds(&in, "mx");
	expect_strip(in.data, "x");
}

static void expect_place(const char *s, bool in_line, bool is_styled)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct termsafe t = {.len = 0};

	feed(&t, &out, s, strlen(s));
	if (t.place.in_line != in_line || t.place.is_styled != is_styled)
		fail_msg("\"%s\" leaves it %sin a line, %sin a style", out.data,
		        t.place.in_line ? "" : "not ",
		        t.place.is_styled ? "" : "not ");
}

static void test_place(void **state)
{
	(void)state;
	expect_place("", false, false);
	expect_place("a", true, false);
	expect_place("a\n", false, false);
	expect_place("\r", false, false);
	/* What is in the line is there still. */
	expect_place("50%\r", true, false);
	expect_place("\xc3\xbc", true, false);
	expect_place("a\n\x1b]", false, false); /* held */
	expect_place("a\n\a", true, false);
	expect_place("a\n\x1b[2J", true, false);
	expect_place("\x1b[1;31ma\n", false, true);
	expect_place("\x1b[K", false, false);
	expect_place("\x1b[31m\x1b[K", false, true);
	expect_place("\x1b[31ma\x1b[0m\n", false, false);
	expect_place("\x1b[31ma\x1b[m\n\x1b[00m", false, false);
	expect_place("\x1b[1;0m", false, false);
	expect_place("\x1b[0;1m", false, true);
	expect_place("\x1b[10m", false, true);
}

/* What comes out holds no control byte but those of the header, whatever goes
 * in. */
static void check_safe(const struct buf *out)
{
	for (size_t i = 0; i < out->len; i++) {
		unsigned char c = (unsigned char)out->data[i];
		size_t n;

		if (c != '\x1b') {
			assert_true(c >= ' ' || strchr("\n\r\t\b", c));
			assert_true(c != 0x7f && c != 0);
			continue;
		}
		assert_int_equal(out->data[i + 1], '[');
		n = strspn(out->data + i + 2, "0123456789;:");
		assert_non_null(strchr("mK", out->data[i + 2 + n]));
	}
	assert_true(text_utf8_is_valid(out->data, out->len));
}

static void test_random(void **state)
{
	static const char letters[] =
	        "\x1b\x1b\x1b[[]P\\\a\n0;:?mKABC \xc3\xbc\xe2\x82\xac\x9b\xff";
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		_cleanup_buf_ struct buf whole = BUF_INIT, torn = BUF_INIT;
		char s[100];

		for (size_t i = 0; i < sizeof s; i++)
			s[i] = letters[(size_t)rand_r(&seed) %
			               (sizeof letters - 1)];
		for (int strip = 0; strip < 2; strip++) {
			buf_reset(&whole);
			buf_reset(&torn);
			convert(&whole, strip, s, sizeof s, 0);
			convert(&torn, strip, s, sizeof s, (size_t)-1);
			assert_int_equal(whole.len, torn.len);
			assert_memory_equal(whole.data, torn.data, torn.len);
			if (!strip)
				check_safe(&whole);
			else
				assert_null(strchr(whole.data, '\x1b'));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_passes),
	        cmocka_unit_test(test_controls),
	        cmocka_unit_test(test_sequences),
	        cmocka_unit_test(test_broken_off),
	        cmocka_unit_test(test_utf8),
	        cmocka_unit_test(test_strip),
	        cmocka_unit_test(test_place),
	        cmocka_unit_test(test_long),
	        cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("termsafe", tests, NULL, NULL);
}
