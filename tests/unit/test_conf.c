/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "str.h"
#include "sys/conf.h"
#include "sys/conf_scan.h"
#include "util.h"

static char dir[256];
static char path[300];

static int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/conf.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/config.ini", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static void write_bytes(const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, 0600), 0);
	close(fd);
}

static struct conf *load(const char *text)
{
	struct conf *conf = NULL;
	struct err err = ERR_INIT;

	write_bytes(text, strlen(text));
	if (conf_load(path, &conf, &err) != 0)
		fail_msg("%s", err.message);
	return conf;
}

/* The file is refused in @line with @part in the message. */
static void refused_bytes(
        const char *text, size_t len, unsigned line, const char *part)
{
	struct conf *conf = (struct conf *)-1;
	struct err err = ERR_INIT;
	char start[400];

	write_bytes(text, len);
	assert_int_equal(conf_load(path, &conf, &err), -EINVAL);
	assert_ptr_equal(conf, (struct conf *)-1);
	assert_int_equal(err.code, -EINVAL);
	(void)snprintf(start, sizeof(start), "%s:%u: ", path, line);
	if (!str_starts(err.message, start) || !strstr(err.message, part))
		fail_msg("not \"%s...%s\": %s", start, part, err.message);
	assert_true(err.action[0] != '\0');
}

static void refused(const char *text, unsigned line, const char *part)
{
	refused_bytes(text, strlen(text), line, part);
}

/* [s] k of the file is @value. */
static void means(const char *text, const char *value)
{
	_cleanup_(conf_freep) struct conf *conf = load(text);
	const struct conf_entry *e = conf_get(conf, "s", "k");

	assert_non_null(e);
	assert_string_equal(e->value, value);
}

/* --- what a file means -----------------------------------------------------*/

static void test_entries(void **state)
{
	_cleanup_(conf_freep) struct conf *conf = load("# comment = 1\n"
	                                               "\n"
	                                               "[ Backup ]\n"
	                                               "Key-One = 1\n"
	                                               "  ; indented comment\n"
	                                               "two:2\n"
	                                               "[MAIL] # comment\n"
	                                               "key-one=3\n");

	(void)state;
	assert_int_equal(conf_count(conf), 3);
	assert_string_equal(conf_at(conf, 0)->section, "Backup");
	assert_string_equal(conf_at(conf, 0)->key, "key-one");
	assert_string_equal(conf_at(conf, 0)->value, "1");
	assert_int_equal(conf_at(conf, 0)->line, 4);
	assert_string_equal(conf_at(conf, 1)->key, "two");
	assert_int_equal(conf_at(conf, 1)->line, 6);
	assert_string_equal(conf_at(conf, 2)->section, "MAIL");
	assert_int_equal(conf_at(conf, 2)->line, 8);
	assert_null(conf_at(conf, 3));

	assert_string_equal(conf_get(conf, "backup", "KEY-ONE")->value, "1");
	assert_string_equal(conf_get(conf, "Mail", "key-one")->value, "3");
	assert_null(conf_get(conf, "mail", "two"));
	assert_string_equal(conf_path(conf), path);
}

static void test_empty(void **state)
{
	_cleanup_(conf_freep) struct conf *conf = load("");

	(void)state;
	assert_int_equal(conf_count(conf), 0);
	assert_null(conf_at(conf, 0));
	assert_null(conf_get(conf, "a", "b"));
}

static void test_delimiters(void **state)
{
	(void)state;
	means("[s]\nk = a\n", "a");
	means("[s]\nk=a=b:c\n", "a=b:c");
	means("[s]\nk:a=b\n", "a=b");
	means("[s]\nk : a\n", "a");
	means("[s]\nk =\n", "");
}

static void test_line_ends(void **state)
{
	(void)state;
	means("[s]\nk = a", "a");
	means("[s]\r\nk = a\r\n", "a");
	means("[s]\rk = a\r", "a");
	means("[s]\r\nk = a\r\n b\r\n", "a\nb");
	means("\xef\xbb\xbf[s]\nk = a\n", "a");
	means("[s]\n\tk = a \t\n", "a");
	/* the no-break space of a web page */
	means("[s]\nk\xc2\xa0=\xc2\xa0"
	      "a\xc2\xa0\n",
	        "a");
}

static void test_continuation(void **state)
{
	(void)state;
	means("[s]\nk = a,\n  b,\n\tc\nx = d\n", "a,\nb,\nc");
	means("[s]\nk =\n  a\n  b\n", "a\nb");
	means("[s]\nk = a\n\n  b\n\n\nx = 1\n", "a\n\nb");
	means("[s]\nk = a\n# no\n  b\n  ; no\n  c\n", "a\nb\nc");
	/* deeper than the key, whatever depth that has */
	means("[s]\n  k = a\n  x = b\n", "a");
	means("[s]\n  k = a\n    x = b\n", "a\nx = b");
	means("[s]\n  x = a\n k = b\n", "b");
	means("[s]\nk = a\n [t]\n", "a\n[t]");
	/* a new section ends the value */
	means("[t]\nx = 1\n[s]\n  k = a\n", "a");
}

static void test_quotes(void **state)
{
	(void)state;
	means("[s]\nk = \"a b\"\n", "a b");
	means("[s]\nk = 'a ; b'\n", "a ; b");
	means("[s]\nk = \" a \"\n", " a ");
	means("[s]\nk = \"it's\"\n", "it's");
	means("[s]\nk = '\"'\n", "\"");
	means("[s]\nk = \"\"\n", "");
	means("[s]\nk = a\"b\n", "a\"b");
	means("[s]\nk = \"%%(x)s %\"\n", "%%(x)s %");
	refused("[s]\nx = 1\nk = \"a\n", 3, "[s] k: the value begins");
	refused("[s]\nk = 'a\"\n", 2, "not closed");
	refused("[s]\nk = \"\n", 2, "not closed");
	refused("[s]\nk = \"a\" \"b\"\n", 2, "a quote inside quotes");
}

static void test_comment_signs(void **state)
{
	(void)state;
	means("[s]\nk = a;b#c\n", "a;b#c");
	means("[s]\nk =#a\n", "#a");
	refused("[s]\nk = a ; b\n", 2, "[s] k: it is not clear");
	refused("[s]\nk = a\t#b\n", 2, "it is not clear");
	refused("[s]\nk = # b\n", 2, "it is not clear");
	refused("[s]\nk = \"a\" # b\n", 2, "it is not clear");
	refused("[s]\nk = a\n  b ;c\n", 3, "it is not clear");
	refused("[s]\nk = a\xc2\xa0# b\n", 2, "it is not clear");
}

static void test_percent(void **state)
{
	(void)state;
	means("[s]\nk = 100%%\n", "100%");
	means("[s]\nk = 100%\n", "100%");
	means("[s]\nk = %%(a)s\n", "%(a)s");
	means("[s]\nk = %(a\n", "%(a");
	refused("[s]\nk = /srv/%(name)s/x\n", 2, "references to other keys");
}

static void test_passwords(void **state)
{
	static const char *const same[] = {
	        "a ; b # c",
	        "#a",
	        "a\"b'",
	        "\"a",
	        "'a\"",
	        "\"",
	        "a%b",
	        "a\\",
	        "[x]=:",
	        "\xc3\xa4\xe2\x82\xac",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		_cleanup_free_ char *text =
		        str_printf("[Mail]\npassword = %s\n", same[i]);
		_cleanup_(conf_freep) struct conf *conf = load(text);

		assert_string_equal(
		        conf_get(conf, "Mail", "password")->value, same[i]);
	}
	means("[s]\npassword = x\nk = 1\n", "1");
	assert_true(conf_scan_is_secret("password"));
	assert_true(conf_scan_is_secret("mail-password"));
	assert_false(conf_scan_is_secret("password-file"));
}

static void test_quoted_password(void **state)
{
	_cleanup_(conf_freep) struct conf *conf =
	        load("[a]\npassword = \"a\"b%%\"\n[b]\npassword = 'x'\n");

	(void)state;
	assert_string_equal(conf_get(conf, "a", "password")->value, "a\"b%%");
	assert_string_equal(conf_get(conf, "b", "password")->value, "x");
}

/* What breaks iniparser 4.1: lines over 1022 bytes, backslashes, ... */
static void test_long_values(void **state)
{
	static const size_t sizes[] = {
	        249, 250, 251, 500, 970, 1022, 1023, 4000, 100000, 262144};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT, value = BUF_INIT;

		buf_addc(&value, 'x');
		for (size_t j = 2; j < sizes[i]; j++)
			buf_addc(&value, "abc;=#\"'\\[]$,"[j % 13]);
		buf_addc(&value, 'y');
		buf_printf(&text, "[s]\nk = %s\n", value.data);
		means(text.data, value.data);
	}
}

static void test_backslash(void **state)
{
	(void)state;
	means("[s]\nk = C:\\dir\\\nx = 1\n", "C:\\dir\\");
	means("[s]\nx = 1\nk = a\\", "a\\");
	means("[mail:port]\nx = 1\n[s]\nk = a\n", "a");
}

static void test_many(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_(conf_freep) struct conf *conf = NULL;

	(void)state;
	buf_adds(&text, "[s]\n");
	for (int i = 0; i < CONF_SCAN_ENTRIES_MAX; i++)
		buf_printf(&text, "k%d = %d\n", i, i);
	conf = load(text.data);
	assert_int_equal(conf_count(conf), CONF_SCAN_ENTRIES_MAX);
	assert_string_equal(conf_get(conf, "s", "k4711")->value, "4711");
	assert_int_equal(conf_get(conf, "s", "k4711")->line, 4713);

	buf_adds(&text, "more = 1\n");
	refused(text.data, CONF_SCAN_ENTRIES_MAX + 2, "more than 5000 keys");
}

/* --- what is refused -------------------------------------------------------*/

static void test_bad_lines(void **state)
{
	(void)state;
	refused("k = 1\n", 1, "before the first section");
	refused("[s]\nhello\n", 2, "the line in section [s] is not");
	refused("[s]\n= a\n", 2, "is not \"key = value\"");
	refused("[s\nk = 1\n", 1, "not the head of a section");
	refused("[]\n", 1, "not the head of a section");
	refused("[ ]\n", 1, "not the head of a section");
	refused("[a]b\n", 1, "not the head of a section");
	refused("[[a]]\n", 1, "not the head of a section");
	refused("[a]b]\n", 1, "not the head of a section");
	refused("[s]\nk = 1\nK = 2\n", 3,
	        "[s] k: the key stands already in "
	        "line 2");
	refused("[s]\nk = 1\n[S]\nk = 2\n", 4, "already in line 2");
}

static void test_bad_bytes(void **state)
{
	(void)state;
	refused_bytes("[s]\nk = a\0b\n", 12, 2,
	        "[s] k: the line contains a "
	        "NUL byte");
	refused_bytes("[s]\nk\0 = ab\n", 12, 2, "NUL");
	refused_bytes("[s\0]\n", 5, 1, "NUL");
	refused("[s]\nk = a\033[2J\n", 2, "control character");
	refused("[s]\nk = \"a\x7f\"\n", 2, "control character");
	refused("[s]\nk = \xe4\n", 2, "not UTF-8");
	refused("[s]\nk = a\n  b\xff\n", 3, "not UTF-8");
	refused("[\xe4]\n", 1, "not UTF-8");
	refused_bytes("\xff\xfe[\0s\0", 6, 1, "UTF-16");
	refused_bytes("[\0s\0]\0\n\0", 8, 1, "NUL");
	/* a comment may have any letters: it is not read */
	means("# \xe4\n[s]\nk = a\n", "a");
}

static void test_too_long(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	(void)state;
	buf_adds(&text, "[s]\nx = 1\nk = ");
	for (int i = 0; i < 1000000; i++)
		buf_addc(&text, 'a');
	refused(text.data, 3, "[s] k: the value is longer than 262144 bytes");

	buf_reset(&text);
	buf_adds(&text, "[s]\n");
	for (int i = 0; i < 101; i++)
		buf_addc(&text, 'a');
	buf_adds(&text, " = 1\n");
	refused(text.data, 2, "is not \"key = value\"");

	buf_reset(&text);
	buf_adds(&text, "[");
	for (int i = 0; i < 101; i++)
		buf_addc(&text, 'a');
	buf_adds(&text, "]\n");
	refused(text.data, 1, "longer than 100 bytes");
}

static void test_too_large(void **state)
{
	struct conf *conf;
	struct err err = ERR_INIT;

	(void)state;
	write_bytes("", 0);
	assert_int_equal(truncate(path, 4 * 1024 * 1024 + 1), 0);
	assert_int_equal(conf_load(path, &conf, &err), -EFBIG);
	assert_non_null(strstr(err.message, path));
}

static void test_counts_problems(void **state)
{
	struct conf *conf;
	struct err err = ERR_INIT;
	static const char two[] = "[s]\na\nb = 1\n";
	static const char many[] = "x = 1\ny = 1\n[s]\na\nk = 1\n";

	(void)state;
	write_bytes(two, strlen(two));
	assert_int_equal(conf_load(path, &conf, &err), -EINVAL);
	assert_null(strstr(err.message, "more error"));

	write_bytes(many, strlen(many));
	assert_int_equal(conf_load(path, &conf, &err), -EINVAL);
	assert_non_null(strstr(err.message, "(and 1 more error)"));

	refused("[s]\na\nb\nc\nk = 1 ; x\n", 2, "(and 3 more errors)");
}

/* Garbage of some megabytes must not take minutes. */
static void test_gives_up(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	(void)state;
	buf_adds(&text, "[s]\n");
	for (int i = 0; i < CONF_SCAN_ENTRIES_MAX - 1; i++)
		buf_printf(&text, "k%d=\n", i);
	for (int i = 0; i < 500000; i++)
		buf_adds(&text, "k4998=\n");
	refused(text.data, 5001, "(and 999 more errors)");
}

/* A mistake must not carry what may be a password to the terminal or a mail. */
static void test_no_secret_in_errors(void **state)
{
	static const char *const texts[] = {
	        "hunter2\n",
	        "[Mail]\nhunter2\n",
	        "[Mail]\npassword hunter2\n",
	        "[Mail]\npassword = hunter2\033\n",
	        "[Mail]\npassword = hunter2\xff\n",
	        "[Mail]\npassword = %(hunter2)s\n",
	        "[Mail]\npassword = hunter2\npassword = hunter2\n",
	        "[Mail]\nserver = hunter2 ; hunter2\n",
	        "[Mail]\nserver = \"hunter2\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct conf *conf;
		struct err err = ERR_INIT;

		write_bytes(texts[i], strlen(texts[i]));
		assert_int_equal(conf_load(path, &conf, &err), -EINVAL);
		assert_null(strstr(err.message, "hunter2"));
		assert_null(strstr(err.action, "hunter2"));
		assert_null(strstr(err.meaning, "hunter2"));
	}
}

static void test_lenient(void **state)
{
	_cleanup_(conf_freep) struct conf *conf = NULL;
	static const char text[] = "x = 1\n"
	                           "[a]\n"
	                           "nonsense\n"
	                           "b = 1 ; 2\n"
	                           "k = 1\n"
	                           "k = 2\n"
	                           "[broken\n"
	                           "c = 1\n"
	                           "[d]\n"
	                           "e = 1\n";

	(void)state;
	write_bytes(text, strlen(text));
	assert_int_equal(conf_load_lenient(path, &conf, NULL), 0);
	assert_int_equal(conf_count(conf), 2);
	assert_string_equal(conf_get(conf, "a", "k")->value, "1");
	assert_string_equal(conf_get(conf, "d", "e")->value, "1");
}

/* --- the file itself -------------------------------------------------------*/

static void test_missing(void **state)
{
	struct conf *conf;
	struct err err = ERR_INIT;

	(void)state;
	(void)unlink(path);
	assert_int_equal(conf_load(path, &conf, &err), -ENOENT);
	assert_non_null(strstr(err.message, path));
	assert_true(err.action[0] != '\0');
	assert_int_equal(conf_load(path, &conf, NULL), -ENOENT);
	assert_int_equal(conf_load_lenient(path, &conf, &err), -ENOENT);
}

static void test_not_a_file(void **state)
{
	struct conf *conf;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(conf_load(dir, &conf, &err), -EISDIR);
	(void)unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(conf_load(path, &conf, &err), -EINVAL);
	assert_non_null(strstr(err.message, "not a regular file"));
	assert_int_equal(unlink(path), 0);
}

static void test_modes(void **state)
{
	static const struct {
		mode_t mode;
		bool exposed;
		int secret;
		int trusted;
	} cases[] = {
	        {0600, false, 0, 0},
	        {0400, false, 0, 0},
	        {0640, true, -EPERM, 0},
	        {0644, true, -EPERM, 0},
	        {0620, false, -EPERM, -EPERM},
	        {0610, false, -EPERM, 0},
	        {0664, true, -EPERM, -EPERM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = ERR_INIT;
		struct conf *again;

		conf_free(load("[s]\nk = a\n"));
		assert_int_equal(chmod(path, cases[i].mode), 0);
		assert_int_equal(conf_load(path, &again, &err), 0);
		assert_int_equal(conf_is_exposed(again), cases[i].exposed);
		assert_int_equal(
		        conf_check_secret(again, &err), cases[i].secret);
		if (cases[i].secret < 0) {
			assert_non_null(strstr(err.action, "chmod 600 "));
			assert_non_null(strstr(err.action, path));
		}
		assert_int_equal(
		        conf_check_trusted(again, &err), cases[i].trusted);
		if (cases[i].trusted < 0)
			assert_non_null(strstr(err.action, "chmod go-w "));
		conf_free(again);
		assert_int_equal(chmod(path, 0600), 0);
	}
}

static void test_world_writable(void **state)
{
	struct conf *conf;
	struct err err = ERR_INIT;

	(void)state;
	write_bytes("", 0);
	assert_int_equal(chmod(path, 0602), 0);
	assert_int_equal(conf_load(path, &conf, &err), -EPERM);
	assert_non_null(strstr(err.action, "chmod o-w "));
}

static void test_symlink(void **state)
{
	struct conf *linked;
	struct err err = ERR_INIT;
	char name[300];

	(void)state;
	conf_free(load("[s]\nk = a\n"));
	(void)snprintf(name, sizeof(name), "%s/link", dir);
	assert_int_equal(symlink(path, name), 0);
	assert_int_equal(conf_load(name, &linked, &err), 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(conf_count(linked), 1);
	assert_int_equal(conf_check_secret(linked, &err), -EPERM);
	assert_non_null(strstr(err.message, "symbolic link"));
	assert_int_equal(conf_check_trusted(linked, &err), 0);
	conf_free(linked);
}

static void test_foreign_owner(void **state)
{
	_cleanup_(conf_freep) struct conf *conf = NULL;
	struct err err = ERR_INIT;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root: a file of another user\n");
		skip();
	}
	write_bytes("[s]\nk = a\n", 10);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(conf_load(path, &conf, &err), 0);
	assert_int_equal(conf_check_secret(conf, &err), -EPERM);
	assert_non_null(strstr(err.action, "chown 0 "));
	assert_int_equal(conf_check_trusted(conf, &err), -EPERM);
	assert_int_equal(unlink(path), 0);
}

static void test_free_null(void **state)
{
	(void)state;
	conf_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_entries),
	        cmocka_unit_test(test_empty),
	        cmocka_unit_test(test_delimiters),
	        cmocka_unit_test(test_line_ends),
	        cmocka_unit_test(test_continuation),
	        cmocka_unit_test(test_quotes),
	        cmocka_unit_test(test_comment_signs),
	        cmocka_unit_test(test_percent),
	        cmocka_unit_test(test_passwords),
	        cmocka_unit_test(test_quoted_password),
	        cmocka_unit_test(test_long_values),
	        cmocka_unit_test(test_backslash),
	        cmocka_unit_test(test_many),
	        cmocka_unit_test(test_bad_lines),
	        cmocka_unit_test(test_bad_bytes),
	        cmocka_unit_test(test_too_long),
	        cmocka_unit_test(test_too_large),
	        cmocka_unit_test(test_counts_problems),
	        cmocka_unit_test(test_gives_up),
	        cmocka_unit_test(test_no_secret_in_errors),
	        cmocka_unit_test(test_lenient),
	        cmocka_unit_test(test_missing),
	        cmocka_unit_test(test_not_a_file),
	        cmocka_unit_test(test_modes),
	        cmocka_unit_test(test_world_writable),
	        cmocka_unit_test(test_symlink),
	        cmocka_unit_test(test_foreign_owner),
	        cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests_name("conf", tests, make_dir, remove_dir);
}
