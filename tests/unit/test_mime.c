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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "atomicfile.h"
#include "buf.h"
#include "core/attach.h"
#include "core/mime.h"
#include "log.h"

static char address_to[] = "boss@company.example";
static char *const to[] = {address_to, NULL};
static const struct mime_message basic = {
        .from = "backup@company.example",
        .to = to,
        .subject = "Copy finished",
        .body = "Hello\n",
        .host = "host.example",
        .date_s = 1795200309,
};

/* The whole message as a string; *ret_r is the result. */
static char *compose(const struct mime_message *m, int *ret_r, struct err *err)
{
	int fd = memfd_create("m", MFD_CLOEXEC);
	struct stat st;
	char *text;

	assert_true(fd >= 0);
	*ret_r = mime_write(m, fd, err);
	assert_int_equal(fstat(fd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	close(fd);
	return text;
}

static char *compose_good(const struct mime_message *m)
{
	struct err err = ERR_INIT;
	int r;
	char *text = compose(m, &r, &err);

	assert_string_equal(err.message, "");
	assert_int_equal(r, 0);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static size_t occurrences(const char *text, const char *part)
{
	size_t n = 0;

	while ((text = strstr(text, part)) != NULL) {
		text += strlen(part);
		n++;
	}
	return n;
}

static void test_basic(void **state)
{
	char *text = compose_good(&basic);

	(void)state;
	assert_has(text, "Date: Fri, 20 Nov 2026 ");
	assert_has(text, "\r\nFrom: <backup@company.example>\r\n");
	assert_has(text, "\r\nTo: boss@company.example\r\n");
	assert_has(text, "\r\nSubject: Copy finished\r\n");
	assert_has(text, "\r\nMessage-ID: <1795200309.");
	assert_has(text, "@host.example>\r\n");
	assert_has(text, "\r\nAuto-Submitted: auto-generated\r\n");
	assert_has(text, "\r\n\r\nSGVsbG8NCg==\r\n"); /* Hello CR LF */
	assert_null(strstr(text, "multipart"));
	assert_null(strstr(text, "Cc:"));
	assert_null(strstr(text, "Content-Language"));
	free(text);
}

static void test_message_ids_differ(void **state)
{
	char *a = compose_good(&basic);
	char *b = compose_good(&basic);

	(void)state;
	assert_string_not_equal(a, b);
	free(a);
	free(b);
}

static void test_host(void **state)
{
	static const struct {
		const char *host, *want;
	} cases[] = {
	        {"a>\r\nBcc: x@y", "@aBccxy>\r\n"},
	        {"", "@localhost>\r\n"},
	        {"...", "@localhost>\r\n"},
	        {"a..b", "@localhost>\r\n"},
	        {".a", "@localhost>\r\n"},
	        {"a.", "@localhost>\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mime_message m = basic;
		char *text;

		m.host = cases[i].host;
		text = compose_good(&m);
		assert_has(text, cases[i].want);
		assert_null(strstr(text, "\r\nBcc"));
		free(text);
	}
}

static void test_bad_addresses(void **state)
{
	static const char *const bad[] = {"", "a", "@b", "a@", "a b@c.example",
	        "a@b\r\nBcc: c@d.example", "a@b\n", "\"a\"@b.example",
	        "<a@b.example>", "a,b@c.example", "a;b@c.example",
	        "a:b@c.example", "a\\b@c.example", "a(b)@c.example",
	        "ä@b.example", "a@b@c.example",
	        ("a2345678901234567890123456789012345678901234567890"
	         "123456789012345@b.example")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *list[] = {(char *)(uintptr_t)bad[i], NULL};
		struct mime_message m = basic;
		struct err err = ERR_INIT;
		int r;

		assert_false(mime_is_address(bad[i]));
		m.to = list;
		free(compose(&m, &r, &err));
		assert_int_equal(r, -EINVAL);
		assert_string_not_equal(err.message, "");
		m = basic;
		m.cc = list;
		free(compose(&m, &r, &err));
		assert_int_equal(r, -EINVAL);
		m = basic;
		m.from = bad[i];
		free(compose(&m, &r, &err));
		assert_int_equal(r, -EINVAL);
	}
	assert_true(mime_is_address("first.last+tag@sub.company.example"));
	assert_false(mime_is_address(NULL));
}

static void test_no_recipient(void **state)
{
	char *const none[] = {NULL};
	struct mime_message m = basic;
	struct err err = ERR_INIT;
	int r;

	(void)state;
	m.to = none;
	free(compose(&m, &r, &err));
	assert_int_equal(r, -EINVAL);
	m.to = NULL;
	free(compose(&m, &r, &err));
	assert_int_equal(r, -EINVAL);
}

static void check_subject(const char *subject, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	mime_header_text(&b, "Subject", subject);
	assert_string_equal(b.data, want);
}

static void test_subject(void **state)
{
	(void)state;
	check_subject("plain text", "Subject: plain text\r\n");
	check_subject("", "Subject: \r\n");
	check_subject("ä", "Subject: =?UTF-8?B?w6Q=?=\r\n");
	/* what a reader would change must be encoded */
	check_subject(" x", "Subject: =?UTF-8?B?IHg=?=\r\n");
	check_subject("x ", "Subject: =?UTF-8?B?eCA=?=\r\n");
	check_subject("a  b", "Subject: =?UTF-8?B?YSAgYg==?=\r\n");
	check_subject("=?x", "Subject: =?UTF-8?B?PT94?=\r\n");
	/* made visible: \r\nBcc: a@b */
	check_subject("\r\nBcc: a@b", "Subject: \\r\\nBcc: a@b\r\n");
	check_subject("\xff", "Subject: \\xFF\r\n");
	check_subject("a\x1b[2J", "Subject: a\\x1B[2J\r\n");
	/* encoded-words hold whole characters: 14 of 3 bytes in each */
	check_subject("€€€€€€€€€€€€€€€",
	        "Subject: =?UTF-8?B?4oKs4oKs4oKs4oKs4oKs4oKs4oKs"
	        "4oKs4oKs4oKs4oKs4oKs4oKs4oKs?=\r\n"
	        " =?UTF-8?B?4oKs?=\r\n");
	check_subject("x€€€€€€€€€€€€€€",
	        "Subject: =?UTF-8?B?eOKCrOKCrOKCrOKCrOKCrOKCrOKCrOKC"
	        "rOKCrOKCrOKCrOKCrOKCrA==?=\r\n"
	        " =?UTF-8?B?4oKs?=\r\n");
}

static void test_folding(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	mime_header_text(&b, "Subject",
	        "one two three four five six seven eight nine ten eleven "
	        "twelve "
	        "thirteen");
	assert_string_equal(b.data,
	        "Subject: one two three four five six seven eight nine ten "
	        "eleven twelve\r\n thirteen\r\n");
}

static void test_clean(void **state)
{
	static const struct {
		const char *in, *multi, *single;
	} cases[] = {
	        {"a\tb\nc", "a\tb\nc", "a\\tb\\nc"},
	        {"a\rb", "a\\rb", "a\\rb"},
	        /* visible already: not a second time */
	        {"a\\nb\\\\", "a\\nb\\\\", "a\\nb\\\\"},
	        {"\xc3\xa4", "ä", "ä"},
	        {"\xc3", "\\xC3", "\\xC3"},
	        {"\xe2\x80\xae", "\\xE2\\x80\\xAE", "\\xE2\\x80\\xAE"},
	        {"\xc2\x9b", "\\xC2\\x9B", "\\xC2\\x9B"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;

		mime_clean(&b, cases[i].in, strlen(cases[i].in), true);
		assert_string_equal(b.data, cases[i].multi);
		buf_reset(&b);
		mime_clean(&b, cases[i].in, strlen(cases[i].in), false);
		assert_string_equal(b.data, cases[i].single);
	}
}

static void check_filename(
        const char *name, const char *ascii, const char *header)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	mime_filename_ascii(&b, name);
	assert_string_equal(b.data, ascii);
	buf_reset(&b);
	mime_header_filename(&b, name);
	assert_has(b.data, header);
}

static void test_filename(void **state)
{
	char longest[400];

	(void)state;
	check_filename("rsync.log", "rsync.log", "filename=\"rsync.log\"\r\n");
	check_filename("", "attachment", "filename=\"attachment\"\r\n");
	check_filename("größe €", "gr__e _",
	        "filename*=UTF-8''gr%C3%B6%C3%9Fe%20%E2%82%AC\r\n");
	check_filename("/etc/passwd", "_etc_passwd", "\"_etc_passwd\"");
	check_filename("..\\x", "_._x", "\"_._x\"");
	check_filename("a\"\r\nB: c", "a___B_ c", "\"a___B_ c\"");
	check_filename("a\xff", "a_", "\"a_\"");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	{
		_cleanup_buf_ struct buf b = BUF_INIT;

		mime_filename_ascii(&b, longest);
		assert_int_equal(b.len, MIME_NAME_MAX);
	}
}

static void test_base64(void **state)
{
	static const char *const want[] = {"", "Zg==\r\n", "Zm8=\r\n",
	        "Zm9v\r\n", "Zm9vYg==\r\n", "Zm9vYmE=\r\n", "Zm9vYmFy\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;

		mime_base64(&b, "foobar", i);
		assert_string_equal(b.data, want[i]);
	}
}

static void test_attachments(void **state)
{
	const struct mime_attachment items[] = {
	        {.name = "a.txt", .type = "text/plain", .data = "x", .len = 1},
	        {.name = "b", .type = "multipart/mixed", .data = "", .len = 0},
	        {.name = "c", .type = "x\r\nBcc: a@b", .data = "y", .len = 1},
	        {.name = NULL, .type = NULL, .data = "z", .len = 1},
	};
	struct mime_message m = basic;
	char *text;

	(void)state;
	m.attachments = items;
	m.attachments_len = ARRAY_SIZE(items);
	text = compose_good(&m);
	assert_has(text, "Content-Type: multipart/mixed;\r\n boundary=\"=_");
	assert_has(text, "Content-Type: text/plain; charset=utf-8;\r\n"
	                 " name=\"a.txt\"\r\n");
	assert_int_equal(occurrences(text, "application/octet-stream"), 3);
	assert_int_equal(occurrences(text, "Bcc"), 0);
	assert_int_equal(occurrences(text, "\r\n--=_"), 6);
	assert_has(text, "--\r\n");
	free(text);
}

static void test_attachment_errors(void **state)
{
	struct mime_attachment item = {.name = "pipe"};
	struct mime_message m = basic;
	struct err err = ERR_INIT;
	int r, p[2];

	(void)state;
	m.attachments = &item;
	m.attachments_len = 1;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	item.fd = p[0];
	free(compose(&m, &r, &err));
	assert_int_equal(r, -EINVAL);
	close(p[0]);
	close(p[1]);
	item.fd = -1;
	free(compose(&m, &r, &err));
	assert_int_equal(r, -EBADF);
	assert_has(err.message, "pipe");
}

static void test_write_error(void **state)
{
	struct err err = ERR_INIT;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(mime_write(&basic, fd, &err), -ENOSPC);
	assert_string_not_equal(err.message, "");
	close(fd);
}

static void test_body_limit(void **state)
{
	struct mime_message m = basic;
	char *body = malloc(MIME_BODY_MAX * 2);
	char *text;

	(void)state;
	assert_non_null(body);
	/* one line without an end, a character across the limit */
	memset(body, 'x', MIME_BODY_MAX * 2);
	memcpy(body + MIME_BODY_MAX - 1, "ä", 2);
	body[MIME_BODY_MAX * 2 - 1] = '\0';
	m.body = body;
	text = compose_good(&m);
	/* base64 with CRLF makes 78 of 57 */
	assert_true(strlen(text) < MIME_BODY_MAX / 57 * 78 + 4000);
	assert_true(strlen(text) > MIME_BODY_MAX / 57 * 78);
	free(text);
	free(body);
}

static void test_language(void **state)
{
	struct mime_message m = basic;
	char *text;

	(void)state;
	m.language = "de-AT";
	text = compose_good(&m);
	assert_has(text, "\r\nContent-Language: de-AT\r\n");
	free(text);
	m.language = "de\r\nBcc: a@b";
	text = compose_good(&m);
	assert_null(strstr(text, "Content-Language"));
	free(text);
}

/* --- attach ------------------------------------------------------------------
 */

static char *make_file(const char *dir, const char *name, size_t size, char c)
{
	char *path, *data = malloc(size + 1);

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	assert_non_null(data);
	memset(data, c, size);
	for (size_t i = 79; i < size; i += 80)
		data[i] = '\n';
	assert_int_equal(
	        atomicfile_write(AT_FDCWD, path, data, size, 0600, false, NULL),
	        0);
	free(data);
	return path;
}

static int64_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

static void test_attach(void **state)
{
	char dir[] = "/tmp/test_mime.XXXXXX";
	struct attach a = ATTACH_INIT;
	struct err err = ERR_INIT;
	char *small, *large, *empty;

	(void)state;
	assert_non_null(mkdtemp(dir));
	small = make_file(dir, "small", 100, 's');
	large = make_file(dir, "large", 200000, 'l');
	empty = make_file(dir, "empty", 0, 'e');
	const struct attach_log logs[] = {{.path = large, .name = "L"},
	        {.path = small}, {.path = empty}, {.path = ""}, {.path = NULL},
	        {.path = "/nonexistent/log"}, {.path = dir}};

	/* the first error is told, the others are there */
	assert_int_equal(
	        attach_logs(&a, logs, ARRAY_SIZE(logs), 1000, &err), -ENOENT);
	assert_has(err.message, "/nonexistent/log");
	assert_int_equal(a.len, 2);
	assert_string_equal(a.items[0].name, "small");
	assert_string_equal(a.items[0].type, "text/plain");
	assert_int_equal(size_of(a.fds[0]), 100);
	assert_string_equal(a.items[1].name, "L.gz");
	assert_string_equal(a.items[1].type, "application/gzip");
	assert_true(size_of(a.fds[1]) < 10000);
	attach_done(&a);

	/* nothing is allowed */
	assert_int_equal(attach_logs(&a, logs, 2, 0, &err), 0);
	assert_int_equal(a.len, 0);
	assert_int_equal(attach_logs(&a, logs, 2, -5, &err), 0);
	assert_int_equal(a.len, 0);

	unlink(small);
	unlink(large);
	unlink(empty);
	rmdir(dir);
	free(small);
	free(large);
	free(empty);
}

static void test_attach_limit(void **state)
{
	char dir[] = "/tmp/test_mime.XXXXXX";
	char *path;
	int fd;
	unsigned x = 1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = make_file(dir, "noise", 300000, 'n');
	fd = open(path, O_WRONLY | O_CLOEXEC);
	for (int i = 0; i < 300000; i++) {
		char c;

		x = x * 1103515245 + 12345;
		c = (char)('!' + (x >> 16) % 90);
		if (i % 80 != 79)
			assert_int_equal(pwrite(fd, &c, 1, i), 1);
	}
	close(fd);
	for (int64_t kb = 2; kb < 400; kb *= 2) {
		struct attach a = ATTACH_INIT;
		const struct attach_log log = {.path = path};
		struct err err = ERR_INIT;

		assert_int_equal(attach_logs(&a, &log, 1, kb, &err), 0);
		assert_int_equal(a.len, 1);
		assert_true(size_of(a.fds[0]) * 78 / 57 <= kb * 1024);
		/* and not much less than allowed */
		if (kb <= 128)
			assert_true(
			        size_of(a.fds[0]) > kb * 1024 * 57 / 78 / 2);
		attach_done(&a);
	}
	unlink(path);
	rmdir(dir);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_basic),
	        cmocka_unit_test(test_message_ids_differ),
	        cmocka_unit_test(test_host),
	        cmocka_unit_test(test_bad_addresses),
	        cmocka_unit_test(test_no_recipient),
	        cmocka_unit_test(test_subject),
	        cmocka_unit_test(test_folding),
	        cmocka_unit_test(test_clean),
	        cmocka_unit_test(test_filename),
	        cmocka_unit_test(test_base64),
	        cmocka_unit_test(test_attachments),
	        cmocka_unit_test(test_attachment_errors),
	        cmocka_unit_test(test_write_error),
	        cmocka_unit_test(test_body_limit),
	        cmocka_unit_test(test_language),
	        cmocka_unit_test(test_attach),
	        cmocka_unit_test(test_attach_limit),
	};

	return cmocka_run_group_tests_name("mime", tests, NULL, NULL);
}
