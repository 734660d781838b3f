/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "core/lease_record.h"
#include "str.h"
#include "util.h"

#define TEN "0123456789"
#define EIGHTY TEN TEN TEN TEN TEN TEN TEN TEN

static const struct lease_record nothing;

static const char text[] = "asbackup-lease 1\n"
                           "job Daily%20backup\n"
                           "run 4711\n"
                           "host srv.example\n"
                           "machine 0123456789abcdef0123456789abcdef\n"
                           "boot 11111111-2222-4333-8444-555555555555\n"
                           "taken 1700000000\n"
                           "taken_boot_ms 12345\n"
                           "ttl_s 86400\n"
                           "remote 1\n"
                           "forced 0\n"
                           "pid 42\n"
                           "end\n";

static int parse(const char *s, struct lease_record *ret)
{
	/* a copy of just this size, so that a byte too many is seen */
	_cleanup_free_ char *copy = malloc(strlen(s) + 1);

	assert_non_null(copy);
	memcpy(copy, s, strlen(s));
	return lease_record_parse(copy, strlen(s), ret);
}

static void is_torn(const char *s, size_t len)
{
	struct lease_record rec;

	memset(&rec, 0x55, sizeof rec);
	if (lease_record_parse(s, len, &rec) != -EBADMSG)
		fail_msg("it was read: %.*s", (int)len, s);
	assert_memory_equal(&rec, &nothing, sizeof rec);
}

/* The text with the first @from replaced; false when @from is not there. */
static char *with(const char *from, const char *to)
{
	const char *p = strstr(text, from);

	assert_non_null(p);
	return str_printf(
	        "%.*s%s%s", (int)(p - text), text, to, p + strlen(from));
}

static void read_as_written(void **s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct lease_record rec;

	(void)s;
	assert_int_equal(parse(text, &rec), 0);
	assert_string_equal(rec.job, "Daily backup");
	assert_string_equal(rec.run, "4711");
	assert_string_equal(rec.host, "srv.example");
	assert_string_equal(rec.machine, "0123456789abcdef0123456789abcdef");
	assert_string_equal(rec.boot, "11111111-2222-4333-8444-555555555555");
	assert_true(rec.taken == 1700000000);
	assert_true(rec.taken_boot_ms == 12345);
	assert_true(rec.ttl_s == 86400);
	assert_true(rec.remote);
	assert_false(rec.forced);
	assert_int_equal(rec.pid, 42);
	lease_record_format(&b, &rec);
	assert_string_equal(b.data, text);
}

/* A crash or a full disk leaves any beginning of it. */
static void every_beginning_is_torn(void **s)
{
	_cleanup_free_ char *more = str_printf("%s\n", text);
	_cleanup_free_ char *twice = str_printf("%s%s", text, text);

	(void)s;
	for (size_t i = 0; i < sizeof text - 1; i++)
		is_torn(text, i);
	is_torn(text, sizeof text); /* with its NUL */
	is_torn(more, strlen(more));
	is_torn(twice, strlen(twice));
}

static void every_key_is_needed_once(void **s)
{
	static const char *const keys[] = {"job ", "run ", "host ", "machine ",
	        "boot ", "taken ", "taken_boot_ms ", "ttl_s ", "remote ",
	        "forced ", "pid "};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		_cleanup_free_ char *key = str_printf("\n%s", keys[i]);
		_cleanup_free_ char *other = str_printf("\nx%s", keys[i]);
		const char *line = strstr(text, key) + 1;
		int len = (int)(strchr(line, '\n') + 1 - line);
		_cleanup_free_ char *twice = str_printf("%.*s%.*s%s",
		        (int)(line - text), text, len, line, line);
		_cleanup_free_ char *without = with(key, other);

		is_torn(twice, strlen(twice));
		is_torn(without, strlen(without));
	}
}

static void hand_edited(void **s)
{
	static const char *const wrong[][2] = {
	        {"asbackup-lease 1", "asbackup-lease 2"},
	        {"asbackup-lease 1", " asbackup-lease 1"},
	        {"asbackup-lease 1\n", "asbackup-lease 1\r\n"},
	        {"asbackup-lease 1\n", ""},
	        {"Daily%20backup", ""},
	        {"Daily%20backup", "%0A"},
	        {"Daily%20backup", "%00"},
	        {"Daily%20backup", "%7F"},
	        {"Daily%20backup", "%FF"},
	        {"Daily%20backup", "a%2"},
	        {"Daily%20backup", "a%"},
	        {"Daily%20backup", "a%2f"},
	        {"Daily%20backup", "a%G0"},
	        {"Daily%20backup", EIGHTY "1"},
	        {"job Daily%20backup", "job"},
	        {"4711", "%1B"},
	        {"4711", EIGHTY "1"},
	        {"srv.example", EIGHTY},
	        {"1700000000", ""},
	        {"1700000000", "-1"},
	        {"1700000000", "01"},
	        {"1700000000", "1e9"},
	        {"1700000000", " 1"},
	        {"1700000000", "1 "},
	        {"1700000000", "31556952001"},
	        {"1700000000", "99999999999999999999999999"},
	        {"12345", "31556952000001"},
	        {"86400", "0"},
	        {"86400", "31556952001"},
	        {"remote 1", "remote 2"},
	        {"forced 0", "forced -1"},
	        {"pid 42", "pid 2147483648"},
	        {"pid 42", "pid  42"},
	        {"end\n", "end"},
	        {"end\n", "end \n"},
	        {"end\n", "End\n"},
	};
	static const char *const right[][2] = {
	        {"pid 42\n", "pid 42\nweather fine\n\nx\n"},
	        {"run 4711", "run "},
	        {"run 4711", "run"},
	        {"Daily%20backup", "Daily backup"},
	        {"Daily%20backup", EIGHTY},
	        {"1700000000", "31556952000"},
	        {"pid 42", "pid 2147483647"},
	};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_free_ char *t = with(wrong[i][0], wrong[i][1]);

		is_torn(t, strlen(t));
	}
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		_cleanup_free_ char *t = with(right[i][0], right[i][1]);
		struct lease_record rec;

		if (parse(t, &rec) != 0)
			fail_msg("it was not read: %s", t);
	}
}

static void a_long_one_is_not_read(void **s)
{
	struct lease_record rec;
	int room = LEASE_RECORD_MAX - (int)sizeof text;

	(void)s;
	for (int more = 0; more < 2; more++) {
		_cleanup_free_ char *line =
		        str_printf("\n%0*d\nend\n", room + more, 0);
		_cleanup_free_ char *t = with("\nend\n", line);

		assert_int_equal(strlen(t), LEASE_RECORD_MAX + more);
		assert_int_equal(parse(t, &rec), more ? -EBADMSG : 0);
	}
}

static const char *const ids[][2] = {
        {"veeam", "veeam"},
        {"100%", "100%25"},
        {"a b", "a%20b"},
        {"T\xc3\xa4gliche Sicherung", "T%C3%A4gliche%20Sicherung"},
        {"../../etc/passwd", "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd"},
        {"..", "%2E%2E"},
        {".", "%2E"},
        {".hidden", "%2Ehidden"},
        {"a\\b:c*?\"<>|", "a%5Cb%3Ac%2A%3F%22%3C%3E%7C"},
        {"%41", "%2541"},
        {"-_09azAZ", "-_09azAZ"},
        {EIGHTY, EIGHTY},
};

static void names_of_files(void **s)
{
	char name[3 * LEASE_JOB_MAX + 1], job[LEASE_JOB_MAX + 1];

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_true(lease_record_is_id(ids[i][0]));
		assert_string_equal(
		        lease_record_name(name, ids[i][0]), ids[i][1]);
		assert_true(lease_record_job(job, name));
		assert_string_equal(job, ids[i][0]);
	}
}

static void every_id_comes_back(void **s)
{
	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct lease_record rec = {.ttl_s = 1}, again;

		(void)str_copy(rec.job, sizeof rec.job, ids[i][0]);
		(void)str_copy(rec.run, sizeof rec.run, ids[i][0]);
		(void)str_copy(rec.host, sizeof rec.host, "\n\x01%");
		lease_record_format(&b, &rec);
		assert_int_equal(lease_record_parse(b.data, b.len, &again), 0);
		assert_string_equal(again.job, ids[i][0]);
		assert_string_equal(again.run, ids[i][0]);
		assert_string_equal(again.host, "\n\x01%");
	}
}

/* 80 bytes that each take three. */
static void the_longest_id_fits(void **s)
{
	char id[LEASE_JOB_MAX + 1], name[3 * LEASE_JOB_MAX + 1],
	        job[LEASE_JOB_MAX + 1];

	(void)s;
	for (size_t i = 0; i < LEASE_JOB_MAX; i += 2)
		memcpy(id + i, "\xc3\xa4", 2);
	id[LEASE_JOB_MAX] = '\0';
	assert_true(lease_record_is_id(id));
	assert_int_equal(
	        strlen(lease_record_name(name, id)), 3 * LEASE_JOB_MAX);
	assert_true(lease_record_job(job, name));
	assert_string_equal(job, id);
}

static void what_is_no_id(void **s)
{
	static const char *const bad[] = {"", EIGHTY "1", "a\nb", "\t", "\x7f",
	        "\xff", "\xc3", "\xed\xa0\x80", "a\x1b[0m"};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(lease_record_is_id(bad[i]));
}

/* A job has one name only. */
static void what_is_no_name(void **s)
{
	static const char *const bad[] = {"", ".", "..", "a b", "a%2fb", "%41",
	        "%", "%4", "a%", "%00", "a.b", "a:b", "%0A", "%FF",
	        "T\xc3\xa4glich", EIGHTY "1"};
	char job[LEASE_JOB_MAX + 1];

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (lease_record_job(job, bad[i]))
			fail_msg("%s is a name", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(read_as_written),
	        cmocka_unit_test(every_beginning_is_torn),
	        cmocka_unit_test(every_key_is_needed_once),
	        cmocka_unit_test(hand_edited),
	        cmocka_unit_test(a_long_one_is_not_read),
	        cmocka_unit_test(names_of_files),
	        cmocka_unit_test(every_id_comes_back),
	        cmocka_unit_test(the_longest_id_fits),
	        cmocka_unit_test(what_is_no_id),
	        cmocka_unit_test(what_is_no_name),
	};

	return cmocka_run_group_tests_name("lease_record", tests, NULL, NULL);
}
