/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "text.h"
#include "util.h"

static void utf8_sequences(void **s)
{
	static const struct {
		const char *text;
		size_t len, expected;
	} cases[] = {
	        {"", 0, 0},
	        {"a", 1, 1},
	        {"\0", 1, 1},
	        {"\x7f", 1, 1},
	        {"\xc3\xa4", 2, 2},
	        {"\xe2\x82\xac", 3, 3},
	        {"\xf0\x9f\x92\xbe", 4, 4},
	        {"\xf4\x8f\xbf\xbf", 4, 4},
	        {"\xed\x9f\xbf", 3, 3},
	        {"\xee\x80\x80", 3, 3},
	        /* cut */
	        {"\xc3\xa4", 1, 0},
	        {"\xe2\x82\xac", 2, 0},
	        {"\xf0\x9f\x92\xbe", 3, 0},
	        /* a stray continuation, an impossible lead */
	        {"\x80", 1, 0},
	        {"\xbf\x80", 2, 0},
	        {"\xfe", 1, 0},
	        {"\xff\xff", 2, 0},
	        {"\xf8\x88\x80\x80\x80", 5, 0},
	        /* overlong */
	        {"\xc0\x80", 2, 0},
	        {"\xc1\xbf", 2, 0},
	        {"\xe0\x9f\xbf", 3, 0},
	        {"\xf0\x8f\xbf\xbf", 4, 0},
	        /* surrogates, above U+10FFFF */
	        {"\xed\xa0\x80", 3, 0},
	        {"\xed\xbf\xbf", 3, 0},
	        {"\xf4\x90\x80\x80", 4, 0},
	        {"\xf5\x80\x80\x80", 4, 0},
	        /* a lead without its continuation */
	        {"\xc3z", 2, 0},
	        {"\xe2\x82z", 3, 0},
	};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(text_utf8_len(cases[i].text, cases[i].len),
		        cases[i].expected);
		assert_int_equal(
		        text_utf8_is_valid(cases[i].text, cases[i].len),
		        cases[i].expected > 0 || cases[i].len == 0);
	}
	assert_true(text_utf8_is_valid("a\xc3\xa4z", 4));
	assert_false(text_utf8_is_valid("a\xc3\xa4\xc3", 4));
}

static void check_visible(const char *in, size_t len, const char *out)
{
	struct buf b = BUF_INIT;

	text_visible(&b, in, len);
	assert_string_equal(b.data, out);
	buf_done(&b);
}

#define CHECK_VISIBLE(in, out) check_visible(in, sizeof(in) - 1, out)

static void visible(void **s)
{
	(void)s;
	CHECK_VISIBLE("", "");
	CHECK_VISIBLE("caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac");
	CHECK_VISIBLE("a\nb\rc\td", "a\\nb\\rc\\td");
	CHECK_VISIBLE("\x1b[31m", "\\x1B[31m");
	CHECK_VISIBLE("a\0b", "a\\x00b");
	CHECK_VISIBLE("\x7f\x08", "\\x7F\\x08");
	/* C1, as a character and as a byte of another coding */
	CHECK_VISIBLE("\xc2\x9b", "\\xC2\\x9B");
	CHECK_VISIBLE("\x9b", "\\x9B");
	CHECK_VISIBLE("\xc2\xa0", "\xc2\xa0");
	/* broken */
	CHECK_VISIBLE("\xff\xc3", "\\xFF\\xC3");
	/* right-to-left override, isolates, marks, line separator */
	CHECK_VISIBLE("\xe2\x80\xae", "\\xE2\\x80\\xAE");
	CHECK_VISIBLE("\xe2\x81\xa6", "\\xE2\\x81\\xA6");
	CHECK_VISIBLE("\xe2\x80\x8f", "\\xE2\\x80\\x8F");
	CHECK_VISIBLE("\xe2\x80\xa8", "\\xE2\\x80\\xA8");
	CHECK_VISIBLE("\xd8\x9c", "\\xD8\\x9C");
	/* backslashes only where they could be mistaken */
	CHECK_VISIBLE("C:\\Backup", "C:\\Backup");
	CHECK_VISIBLE("C:\\new", "C:\\\\new");
	CHECK_VISIBLE("\\\\srv\\a", "\\\\\\srv\\a");
	CHECK_VISIBLE("end\\", "end\\");
	CHECK_VISIBLE("\\\n", "\\\\\\n");
}

/* Undoes text_visible() as a reader would. */
static size_t undo(const char *in, char *out)
{
	size_t n = 0;

	while (*in) {
		unsigned byte = 0;

		if (in[0] != '\\' || !in[1] || !strchr("nrtx\\", in[1])) {
			out[n++] = *in++;
			continue;
		}
		if (in[1] == 'x') {
			char hex[3] = {in[2], in[3], '\0'};

			byte = (unsigned)strtoul(hex, NULL, 16);
			in += 2;
		} else {
			byte = in[1] == 'n'   ? '\n'
			       : in[1] == 'r' ? '\r'
			       : in[1] == 't' ? '\t'
			                      : '\\';
		}
		out[n++] = (char)byte;
		in += 2;
	}
	return n;
}

static void the_original_can_be_told(void **s)
{
	/* The bytes that meet in trouble, in every order, and then some. */
	static const char set[] = {'\\', 'n', 'x', '\n', '\x1b', '\xc2', '\x9b',
	        '\xa0', 'a', '\xe2', '\x80', '\xae', '0', '\0'};
	uint32_t seed = 1;

	(void)s;
	for (int round = 0; round < 20000; round++) {
		struct buf b = BUF_INIT;
		char in[12], out[12 * 4];
		size_t len = (size_t)round % sizeof(in);

		for (size_t i = 0; i < len; i++) {
			seed = seed * 1664525 + 1013904223;
			in[i] = set[(seed >> 16) % sizeof(set)];
		}
		text_visible(&b, in, len);
		assert_true(text_utf8_is_valid(b.data, b.len));
		for (size_t i = 0; i < b.len; i++)
			assert_true((unsigned char)b.data[i] >= 0x20);
		assert_int_equal(undo(b.data, out), len);
		assert_memory_equal(in, out, len);
		buf_done(&b);
	}
}

static void visible_in_a_small_place(void **s)
{
	static const char text[] = "a\xc3\xa4\n\x1b[0m\xe2\x82\xac tail";
	struct buf whole = BUF_INIT;
	char dst[64], one[1] = {'x'};

	(void)s;
	text_visible(&whole, text, strlen(text));
	assert_string_equal(
	        text_visible_str(dst, sizeof(dst), text), whole.data);
	for (size_t size = 1; size <= whole.len + 1; size++) {
		size_t len;

		memset(dst, '#', sizeof(dst));
		assert_ptr_equal(text_visible_str(dst, size, text), dst);
		len = strlen(dst);
		assert_true(len < size);
		assert_int_equal(dst[size], '#');
		assert_true(text_utf8_is_valid(dst, len));
		if (size == whole.len + 1) {
			assert_string_equal(dst, whole.data);
		} else if (size >= 4) {
			assert_string_equal(dst + len - 3, "...");
			assert_memory_equal(dst, whole.data, len - 3);
		}
	}
	/* An escape is shown whole or not at all. */
	assert_string_equal(text_visible_str(dst, 7, "\x01\x02\x03"), "...");
	assert_string_equal(
	        text_visible_str(dst, 8, "\x01\x02\x03"), "\\x01...");
	(void)text_visible_str(one, 0, "abc");
	assert_int_equal(one[0], 'x');
	buf_done(&whole);
}

static void repairing(void **s)
{
	struct buf b = BUF_INIT;

	(void)s;
	text_utf8_repair(&b, "a\n\x1b\xc3\xa4", 5);
	assert_string_equal(b.data, "a\n\x1b\xc3\xa4");
	buf_reset(&b);
	text_utf8_repair(&b, "a\xff\xc3z\xed\xa0\x80", 7);
	assert_true(text_utf8_is_valid(b.data, b.len));
	assert_string_equal(b.data, "a\xef\xbf\xbd\xef\xbf\xbdz"
	                            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	buf_done(&b);
}

static void html(void **s)
{
	struct buf b = BUF_INIT;

	(void)s;
	text_html(&b, "<a href=\"x\">&'\xc3\xa4</a>", 20);
	assert_string_equal(b.data,
	        "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\xc3\xa4&lt;/a&gt;");
	buf_reset(&b);
	text_html(&b, "\0\x1b\xff\xe2\x80\xae", 6);
	assert_string_equal(
	        b.data, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	buf_done(&b);
}

static void headers(void **s)
{
	(void)s;
	assert_true(text_is_header_safe(""));
	assert_true(text_is_header_safe("Backup von gr\xc3\xbc\xc3\x9f"));
	assert_false(text_is_header_safe(NULL));
	assert_false(text_is_header_safe("a\r\nBcc: x@example.org"));
	assert_false(text_is_header_safe("a\n"));
	assert_false(text_is_header_safe("a\r"));
	assert_false(text_is_header_safe("a\tb"));
	assert_false(text_is_header_safe("\x7f"));
	assert_false(text_is_header_safe("\xc2\x85"));
	assert_false(text_is_header_safe("\x85"));
}

static void mail_addresses(void **s)
{
	static const char *const good[] = {"a@b", "root@localhost",
	        "first.last+tag@mail.example.org", "o'brien@example.org",
	        "x_y-z=1@192-0-2-1.example"};
	static const char *const bad[] = {"", "@", "a", "a@", "@b", "a@b@c",
	        "a b@c", "a@b c", "\"a\"@b", "<a@b>", "a@[192.0.2.1]",
	        "a@b,c@d", "a@b;c", "a:b@c", "a\\b@c", "a(b)@c", "a\n@b",
	        "a@b\r\nBcc: c", "\xc3\xa4@b", "a@\xc3\xa4", ".a@b", "a.@b",
	        "a..b@c", "a@.b", "a@b.", "a@b..c", "a@-b", "a\t@b"};
	char lng[300];

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(text_is_mail_address(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(text_is_mail_address(bad[i]));
	assert_false(text_is_mail_address(NULL));

	memset(lng, 'd', sizeof(lng));
	memcpy(lng, "a@", 2);
	lng[254] = '\0';
	assert_true(text_is_mail_address(lng));
	lng[254] = 'd';
	lng[255] = '\0';
	assert_false(text_is_mail_address(lng));
	memset(lng, 'l', 65);
	memcpy(lng + 65, "@b", 3);
	assert_false(text_is_mail_address(lng));
	assert_true(text_is_mail_address(lng + 1));
}

static void byte_figures(void **s)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
	        {0, "0 bytes"},
	        {1, "1 byte"},
	        {512, "512 bytes"},
	        {999, "999 bytes"},
	        {1000, "1.0 kB"},
	        {1049, "1.0 kB"},
	        {1050, "1.1 kB"},
	        {999949, "999.9 kB"},
	        {999950, "1.0 MB"},
	        {1440000000, "1.4 GB"},
	        {4000787030016, "4.0 TB"},
	        {999950000000000000, "1.0 EB"},
	        {UINT64_MAX, "18.4 EB"},
	};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char dst[32];

		assert_string_equal(
		        text_bytes(dst, cases[i].bytes), cases[i].text);
	}
}

static void durations(void **s)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
	        {-5, "0.0 s"},
	        {0, "0.0 s"},
	        {800, "0.8 s"},
	        {9949, "9.9 s"},
	        {9950, "10 s"},
	        {59499, "59 s"},
	        {59500, "1 min 00 s"},
	        {190000, "3 min 10 s"},
	        {3599499, "59 min 59 s"},
	        {3599500, "1 h 00 min"},
	        {7500000, "2 h 05 min"},
	        {360000000, "100 h 00 min"},
	};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char dst[32];

		assert_string_equal(
		        text_duration(dst, cases[i].ms), cases[i].text);
	}
	for (int64_t ms = INT64_MAX; ms > 0; ms /= 7) {
		char dst[32];

		assert_true(strlen(text_duration(dst, ms)) < 32);
	}
}

static void counts(void **s)
{
	char dst[32];

	(void)s;
	assert_string_equal(text_count(dst, 0), "0");
	assert_string_equal(text_count(dst, 999), "999");
	assert_string_equal(text_count(dst, 1000), "1,000");
	assert_string_equal(text_count(dst, 1234567), "1,234,567");
	assert_string_equal(
	        text_count(dst, UINT64_MAX), "18,446,744,073,709,551,615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(utf8_sequences),
	        cmocka_unit_test(visible),
	        cmocka_unit_test(the_original_can_be_told),
	        cmocka_unit_test(visible_in_a_small_place),
	        cmocka_unit_test(repairing),
	        cmocka_unit_test(html),
	        cmocka_unit_test(headers),
	        cmocka_unit_test(mail_addresses),
	        cmocka_unit_test(byte_figures),
	        cmocka_unit_test(durations),
	        cmocka_unit_test(counts),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
