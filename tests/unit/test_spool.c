/* SPDX-License-Identifier: MIT */
/*
 * The spool without a server that works; the rest is tests/cli/mail.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "atomicfile.h"
#include "buf.h"
#include "clock.h"
#include "core/mime.h"
#include "core/spool.h"
#include "core/spool_dir.h"
#include "core/spool_env.h"
#include "path.h"
#include "sys/mail.h"

static char base[] = "/tmp/test_spool.XXXXXX";
static char dir[64];
static char address_to[] = "boss@company.example";
static char *const to[] = {address_to, NULL};
static const struct mime_message basic = {
        .from = "backup@company.example",
        .to = to,
        .subject = "Copy finished",
        .body = "Hello\n",
};
/* Nothing listens there. */
static const struct mail_server nowhere = {
        .host = "127.0.0.1", .port = 1, .timeout_ms = 5000};

static int setup(void **state)
{
	(void)state;
	memcpy(base + strlen(base) - 6, "XXXXXX", 6);
	if (mkdtemp(base) == NULL)
		return -1;
	(void)snprintf(dir, sizeof(dir), "%s/state/spool", base);
	return 0;
}

static void remove_all(const char *path)
{
	static const char *const subs[] = {"/failed", ""};
	char sub[256];

	for (size_t i = 0; i < ARRAY_SIZE(subs); i++) {
		_cleanup_strv_ struct strv names = STRV_INIT;

		(void)snprintf(sub, sizeof(sub), "%s%s", path, subs[i]);
		assert_true(spool_list(sub, &names, NULL) <= 0);
		for (size_t k = 0; k < names.len; k++) {
			char file[512], env[64];

			spool_dir_env_name(env, names.items[k]);
			(void)snprintf(file, sizeof(file), "%s/%s", sub,
			        names.items[k]);
			unlink(file);
			(void)snprintf(file, sizeof(file), "%s/%s", sub, env);
			unlink(file);
		}
		rmdir(sub);
	}
}

static int teardown(void **state)
{
	char state_dir[64];

	(void)state;
	chmod(dir, 0700);
	remove_all(dir);
	(void)snprintf(state_dir, sizeof(state_dir), "%s/state", base);
	rmdir(state_dir);
	/* what a test left behind shows here */
	return rmdir(base);
}

static char *put(void)
{
	struct err err = ERR_INIT;
	char *path = NULL;

	assert_int_equal(spool_put(dir, &basic, &path, &err), 0);
	assert_non_null(path);
	return path;
}

static size_t waiting(void)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	assert_int_equal(spool_list(dir, &names, NULL), 0);
	return names.len;
}

static char *env_path(const char *eml)
{
	char *p = strdup(eml);

	assert_non_null(p);
	memcpy(p + strlen(p) - 3, "env", 3);
	return p;
}

static struct spool_result flush_with(
        const struct mail_server *server, bool force)
{
	const struct spool_flush f = {.dir = dir,
	        .server = server,
	        .limit_ms = 10000,
	        .force = force};
	struct spool_result res;
	struct err err = ERR_INIT;

	assert_int_equal(spool_flush(&f, &res, &err), 0);
	return res;
}

static void test_put(void **state)
{
	char *path = put();
	char *env = env_path(path);
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(env, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(waiting(), 1);
	free(env);
	free(path);
}

static void test_put_errors(void **state)
{
	static char bad[] = "nobody";
	char *const bad_to[] = {bad, NULL};
	struct mime_message m = basic;
	struct err err = ERR_INIT;
	char file[80];

	(void)state;
	m.to = bad_to;
	assert_int_equal(spool_put(dir, &m, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.message, "nobody"));
	assert_string_not_equal(err.action, "");
	assert_int_equal(waiting(), 0);
	/* a file where the directory should be */
	(void)snprintf(file, sizeof(file), "%s/file", base);
	assert_int_equal(
	        atomicfile_write(AT_FDCWD, file, "", 0, 0600, false, NULL), 0);
	assert_true(spool_put(file, &basic, NULL, &err) < 0);
	unlink(file);
	/* one that others may write to */
	free(put());
	assert_int_equal(chmod(dir, 0770), 0);
	assert_int_equal(spool_put(dir, &basic, NULL, &err), -EPERM);
	assert_non_null(strstr(err.action, "chmod 700"));
	assert_int_equal(chmod(dir, 0700), 0);
}

static void test_no_server(void **state)
{
	const struct mail_server empty = {.host = ""};
	struct err err = ERR_INIT;
	char *path = put();
	struct spool_result res;

	(void)state;
	assert_int_equal(spool_send(path, NULL, &err), 1);
	assert_string_not_equal(err.action, "");
	assert_int_equal(spool_send(path, &empty, &err), 1);
	res = flush_with(NULL, true);
	assert_int_equal(res.not_due, 1);
	assert_int_equal(waiting(), 1);
	free(path);
}

static void test_no_directory(void **state)
{
	struct err err = ERR_INIT;
	struct spool_result res = flush_with(&nowhere, false);

	(void)state;
	assert_int_equal(res.not_due, 0);
	assert_int_equal(waiting(), 0);
	assert_int_equal(
	        spool_send("/nonexistent/x.eml", &nowhere, &err), -ENOENT);
	assert_int_equal(spool_send("/etc/passwd", &nowhere, &err), -EINVAL);
	assert_int_equal(spool_send("/tmp/.eml", &nowhere, &err), -EINVAL);
}

static struct spool_env read_env(const char *eml)
{
	struct spool_env env = SPOOL_ENV_INIT;
	char *path = env_path(eml);

	assert_int_equal(spool_env_read(AT_FDCWD, path, &env, NULL), 0);
	free(path);
	return env;
}

static void test_back_off(void **state)
{
	struct err err = ERR_INIT;
	char *path = put();
	struct spool_env env;
	struct spool_result res;
	int64_t now = clock_real_s();

	(void)state;
	assert_int_equal(spool_send(path, &nowhere, &err), 1);
	assert_non_null(strstr(err.message, "cannot reach"));
	assert_string_not_equal(err.meaning, "");
	env = read_env(path);
	assert_int_equal(env.attempts, 1);
	assert_true(env.next_s >= now + 300 && env.next_s < now + 400);
	assert_non_null(strstr(env.error, "cannot reach"));
	spool_env_done(&env);

	res = flush_with(&nowhere, false);
	assert_int_equal(res.not_due, 1);
	assert_int_equal(res.waiting, 0);
	res = flush_with(&nowhere, true);
	assert_int_equal(res.waiting, 1);
	assert_int_equal(res.err.code, -EHOSTUNREACH);
	env = read_env(path);
	assert_int_equal(env.attempts, 2);
	assert_true(env.next_s >= now + 600);
	spool_env_done(&env);
	assert_int_equal(waiting(), 1);
	free(path);
}

/* A clock that was a year ahead must not silence a mail for a year. */
static void test_wrong_clock(void **state)
{
	char *path = put();
	char *env_file = env_path(path);
	struct spool_env env = read_env(path);
	struct spool_result res;

	(void)state;
	env.next_s = clock_real_s() + 365 * 86400;
	assert_int_equal(spool_env_write(AT_FDCWD, env_file, &env, NULL), 0);
	res = flush_with(&nowhere, false);
	assert_int_equal(res.waiting, 1);
	spool_env_done(&env);
	free(env_file);
	free(path);
}

static void test_busy(void **state)
{
	struct err err = ERR_INIT;
	char *path = put();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct spool_result res;

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(spool_send(path, &nowhere, &err), -EWOULDBLOCK);
	res = flush_with(&nowhere, true);
	assert_int_equal(res.not_due, 1);
	close(fd);
	free(path);
}

static void test_setup_stops(void **state)
{
	struct mail_server s = nowhere;
	struct spool_result res;

	(void)state;
	s.port = 465;
	for (int i = 0; i < 3; i++)
		free(put());
	res = flush_with(&s, true);
	assert_int_equal(res.waiting, 1);
	assert_int_equal(res.not_due, 2);
	assert_int_equal(waiting(), 3);
}

static void test_maximum(void **state)
{
	const struct spool_flush f = {
	        .dir = dir, .server = &nowhere, .max = 1, .limit_ms = 10000};
	const struct spool_flush none = {
	        .dir = dir, .server = &nowhere, .limit_ms = 0};
	struct spool_result res;

	(void)state;
	free(put());
	free(put());
	assert_int_equal(spool_flush(&none, &res, NULL), 0);
	assert_int_equal(res.not_due, 2);
	assert_int_equal(spool_flush(&f, &res, NULL), 0);
	assert_int_equal(res.waiting, 1);
	assert_int_equal(res.not_due, 1);
}

static void test_no_envelope(void **state)
{
	struct err err = ERR_INIT;
	char *path = put();
	char *env = env_path(path);
	char failed[128];

	(void)state;
	assert_int_equal(unlink(env), 0);
	assert_int_equal(spool_send(path, &nowhere, &err), 2);
	assert_int_equal(waiting(), 0);
	(void)snprintf(failed, sizeof(failed), "%s/failed/%s", dir,
	        strrchr(path, '/') + 1);
	assert_int_equal(access(failed, F_OK), 0);
	free(env);
	free(path);
}

/* A symbolic link is not followed. */
static void test_link(void **state)
{
	struct err err = ERR_INIT;
	char *path = put();
	char link_path[128];

	(void)state;
	(void)snprintf(link_path, sizeof(link_path), "%s/link.eml", dir);
	assert_int_equal(symlink(path, link_path), 0);
	assert_int_equal(spool_send(link_path, &nowhere, &err), -ELOOP);
	unlink(link_path);
	free(path);
}

/* A file of ours with a second name was perhaps put there by somebody else,
 * who may not read it: it is not sent, and stays. */
static void test_hard_link(void **state)
{
	struct err err = ERR_INIT;
	char *path = put();
	char other[128];

	(void)state;
	(void)snprintf(other, sizeof(other), "%s/other", base);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(spool_send(path, &nowhere, &err), -EPERM);
	assert_non_null(strstr(err.message, "not a regular file of this user"));
	assert_int_equal(waiting(), 1);
	/* with one name only it is a mail like others */
	assert_int_equal(unlink(other), 0);
	assert_int_equal(spool_send(path, &nowhere, &err), 1);
	free(path);
}

static void test_envelope_format(void **state)
{
	static const char *const bad[] = {"", "x\n",
	        "asbackup-envelope 2\nfrom: a@b.example\nto: c@d.example\n",
	        "asbackup-envelope 1\n",
	        "asbackup-envelope 1\nfrom: a@b.example\n",
	        "asbackup-envelope 1\nto: a@b.example\n",
	        "asbackup-envelope 1\nfrom: a@b.example\nto: x\n",
	        "asbackup-envelope 1\nfrom: x\nto: a@b.example\n",
	        "asbackup-envelope 1\nfrom: a@b.example\nto: c@d.example",
	        "asbackup-envelope 1\nfrom: a@b.example\nto: "
	        "c@d.example\n\nx\n",
	        "asbackup-envelope 1\nfrom: a@b.example\nto: c@d.example\nx\n",
	        "asbackup-envelope 1\nfrom: a@b.example\nto: c@d.example\n"
	        "attempts: -1\n",
	        "asbackup-envelope 1\nfrom: a@b.example\nto: c@d.example\n"
	        "next: soon\n"};
	char good[] = "asbackup-envelope 1\nfrom: a@b.example\n"
	              "to: c@d.example\nto: e@f.example\nattempts: 7\n"
	              "next: 2026-11-20T18:45:09Z\nnew-key: x\n"
	              "error: 450 no\n";
	struct spool_env env = SPOOL_ENV_INIT;
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *text = strdup(bad[i]);

		assert_int_equal(spool_env_parse(text, &env), -EBADMSG);
		free(text);
	}
	assert_int_equal(spool_env_parse(good, &env), 0);
	assert_string_equal(env.from, "a@b.example");
	assert_int_equal(env.to.len, 2);
	assert_int_equal(env.attempts, 7);
	assert_string_equal(env.error, "450 no");
	/* an error text cannot forge a line */
	(void)snprintf(env.error, sizeof(env.error), "x\nto: y@z.example");
	spool_env_format(&env, &b);
	assert_non_null(strstr(b.data, "error: x\\nto: y@z.example\n"));
	spool_env_done(&env);
}

static void test_back_off_times(void **state)
{
	(void)state;
	assert_int_equal(spool_backoff_s(1), 300);
	assert_int_equal(spool_backoff_s(2), 600);
	assert_int_equal(spool_backoff_s(6), 9600);
	assert_int_equal(spool_backoff_s(7), 4 * 3600);
	assert_int_equal(spool_backoff_s(1000000), 4 * 3600);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(spool_dir_is_name("a.eml"));
	assert_false(spool_dir_is_name(".eml"));
	assert_false(spool_dir_is_name(".a.eml"));
	assert_false(spool_dir_is_name("../a.eml"));
	assert_false(spool_dir_is_name("a.env"));
	assert_false(spool_dir_is_name("x23456789012345678901234567890123456789"
	                               "01234567890123456789.eml"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        CASE(test_put),
	        CASE(test_put_errors),
	        CASE(test_no_server),
	        CASE(test_no_directory),
	        CASE(test_back_off),
	        CASE(test_wrong_clock),
	        CASE(test_busy),
	        CASE(test_setup_stops),
	        CASE(test_maximum),
	        CASE(test_no_envelope),
	        CASE(test_link),
	        CASE(test_hard_link),
	        cmocka_unit_test(test_envelope_format),
	        cmocka_unit_test(test_back_off_times),
	        cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
