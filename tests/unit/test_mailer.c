/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/attach.h"
#include "core/mailer.h"
#include "core/settings.h"
#include "core/spool.h"
#include "log.h"
#include "scratch.h"
#include "str.h"
#include "sys/mail.h"

static char dir[SCRATCH_PATH], spool[SCRATCH_PATH + 8];
static struct settings *s;
static struct err err;

/* --- a server that says what the test wants ------------------------------- */

static struct {
	enum mail_verdict verdict;
	int calls;
	struct strv to;
	char from[128];
	struct mail_server seen;
} server;

enum mail_verdict mail_send_each(const struct mail_server *to_server,
        const char *from, char *const *to, int fd, enum mail_rcpt *ret_rcpt,
        struct err *e)
{
	(void)fd;
	server.calls++;
	server.seen = *to_server;
	(void)str_copy(server.from, sizeof(server.from), from);
	strv_done(&server.to);
	for (size_t i = 0; to[i]; i++) {
		assert_int_equal(strv_add(&server.to, to[i]), 0);
		ret_rcpt[i] = server.verdict == MAIL_SENT ? MAIL_RCPT_ACCEPTED
		              : server.verdict == MAIL_PERMANENT
		                      ? MAIL_RCPT_REFUSED
		                      : MAIL_RCPT_LATER;
	}
	if (server.verdict != MAIL_SENT)
		(void)err_set(e, -EIO, "451 come back tomorrow");
	return server.verdict;
}

enum mail_verdict mail_send(const struct mail_server *to_server,
        const char *from, char *const *to, int fd, struct err *e)
{
	enum mail_rcpt rcpt[MAIL_TO_MAX];

	return mail_send_each(to_server, from, to, fd, rcpt, e);
}

/* --- tests ---------------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	memset(&server, 0, sizeof(server));
	scratch_make(dir, "mailer");
	(void)snprintf(spool, sizeof(spool), "%s/spool", dir);
	s = settings_new();
	assert_non_null(s);
	scratch_set(&s->spool_directory, spool);
	scratch_set(&s->mail_from, "backup@example.org");
	scratch_set(&s->mail_server, "");
	s->mail_port = 587;
	s->mail_encryption = SETTINGS_CRYPT_STARTTLS;
	s->mail_timeout_seconds = 60;
	s->mail_attach_max_kb = 1000;
	assert_int_equal(strv_add(&s->mail_sysop, "root@example.org"), 0);
	assert_int_equal(strv_add(&s->mail_cc, "boss@example.org"), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strv_done(&server.to);
	settings_freep(&s);
	scratch_remove(dir);
	return 0;
}

static void with_server(enum mail_verdict verdict)
{
	scratch_set(&s->mail_server, "mail.example.org");
	server.verdict = verdict;
}

static struct mailer_message message = {
        .subject = "asbackup host: copy good",
        .body = "The copy is good.\n",
};

static int send_it(void)
{
	err = ERR_INIT;
	return mailer_send(s, &message, &err);
}

static size_t waiting(void)
{
	struct strv names = STRV_INIT;
	size_t n;

	assert_int_equal(spool_list(spool, &names, &err), 0);
	n = names.len;
	strv_done(&names);
	return n;
}

/* The only mail in the spool; free(). */
static char *the_mail(void)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	assert_int_equal(spool_list(spool, &names, &err), 0);
	assert_int_equal(names.len, 1);
	return scratch_read(spool, names.items[0]);
}

static void no_server(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(send_it(), 0);
	assert_int_equal(server.calls, 0);
	text = the_mail();
	assert_non_null(strstr(text, "backup@example.org>\r\n"));
	assert_non_null(strstr(text, "To: root@example.org"));
	assert_non_null(strstr(text, "boss@example.org"));
	assert_non_null(strstr(text, "Subject: asbackup host: copy good"));
}

static void sent(void **state)
{
	(void)state;
	with_server(MAIL_SENT);
	scratch_set(&s->mail_username, "user");
	scratch_set(&s->mail_password, "canary");
	assert_int_equal(send_it(), 0);
	assert_int_equal(server.calls, 1);
	assert_int_equal(waiting(), 0);
	assert_string_equal(server.from, "backup@example.org");
	assert_int_equal(server.to.len, 2);
	assert_int_equal(server.seen.port, 587);
	assert_true(server.seen.starttls);
	assert_string_equal(server.seen.username, "user");
	assert_string_equal(server.seen.password, "canary");
}

static void without_encryption(void **state)
{
	(void)state;
	with_server(MAIL_SENT);
	s->mail_encryption = SETTINGS_CRYPT_NONE;
	assert_int_equal(send_it(), 0);
	assert_false(server.seen.starttls);
}

/* Everybody once, whoever names him. */
static void addresses_of_the_disk(void **state)
{
	struct settings_disk disk = {.uuid = NULL};

	(void)state;
	with_server(MAIL_SENT);
	assert_int_equal(strv_add(&disk.mail, "anna@example.org"), 0);
	assert_int_equal(strv_add(&disk.mail, "root@example.org"), 0);
	message.disk = &disk;
	assert_int_equal(send_it(), 0);
	message.disk = NULL;
	strv_done(&disk.mail);
	assert_int_equal(server.to.len, 3);
	assert_true(strv_has(&server.to, "anna@example.org"));
	assert_true(strv_has(&server.to, "root@example.org"));
	assert_true(strv_has(&server.to, "boss@example.org"));
}

static void no_addresses_at_all(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	strv_done(&s->mail_sysop);
	strv_done(&s->mail_cc);
	scratch_set(&s->mail_from, "");
	assert_int_equal(send_it(), 0);
	text = the_mail();
	assert_non_null(strstr(text, "To: root@localhost"));
}

static void refused_for_now(void **state)
{
	(void)state;
	with_server(MAIL_TEMPORARY);
	assert_true(send_it() < 0);
	assert_non_null(strstr(err.message, "waits in the spool"));
	assert_non_null(strstr(err.message, "come back tomorrow"));
	assert_int_equal(waiting(), 1);
	with_server(MAIL_SETUP);
	assert_true(send_it() < 0);
	assert_int_equal(waiting(), 2);
}

static void refused_for_good(void **state)
{
	(void)state;
	with_server(MAIL_PERMANENT);
	assert_true(send_it() < 0);
	assert_non_null(strstr(err.message, "failed"));
	assert_null(strstr(err.message, "waits"));
	assert_int_equal(waiting(), 0);
	assert_true(scratch_has(spool, "failed"));
}

static void next_run_sends_what_waits(void **state)
{
	(void)state;
	assert_int_equal(send_it(), 0);
	assert_int_equal(send_it(), 0);
	assert_int_equal(waiting(), 2);
	with_server(MAIL_SENT);
	assert_int_equal(send_it(), 0);
	assert_int_equal(server.calls, 3);
	assert_int_equal(waiting(), 0);
}

/* At the start of a copy nobody waits long for a mail. */
static void in_a_hurry(void **state)
{
	(void)state;
	assert_int_equal(send_it(), 0);
	with_server(MAIL_SENT);
	message.timeout_ms = 500;
	assert_int_equal(send_it(), 0);
	message.timeout_ms = 0;
	assert_true(server.seen.timeout_ms <= 500);
	assert_int_equal(server.calls, 1);
	assert_int_equal(waiting(), 1);
}

static void flushes(void **state)
{
	(void)state;
	assert_int_equal(mailer_flush(s, &err), 0);
	assert_int_equal(send_it(), 0);
	/* No server: it goes on waiting. */
	assert_int_equal(mailer_flush(s, &err), 1);
	with_server(MAIL_TEMPORARY);
	err = ERR_INIT;
	assert_int_equal(mailer_flush(s, &err), 1);
	assert_non_null(strstr(err.message, "come back tomorrow"));
	/* Its time has not come. */
	server.calls = 0;
	assert_int_equal(mailer_flush(s, &err), 1);
	assert_int_equal(server.calls, 0);
}

static void attachments(void **state)
{
	struct attach_log logs[2] = {{.name = "asbackup.log"}, {.path = NULL}};
	_cleanup_free_ char *text = NULL;

	(void)state;
	scratch_write(dir, "log", "a line of the log\n");
	logs[0].path = scratch_path(dir, "log");
	logs[1].path = "/no/such/log";
	message.logs = logs;
	message.logs_len = 2;
	/* One that cannot be read costs a warning, not the mail. */
	assert_int_equal(send_it(), 0);
	message.logs = NULL;
	message.logs_len = 0;
	text = the_mail();
	assert_non_null(strstr(text, "filename=\"asbackup.log\""));
	assert_null(strstr(text, "no/such"));
}

static void nothing_can_be_injected(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	message.subject = "copy good - disk\r\nBcc: all@example.org";
	assert_int_equal(send_it(), 0);
	message.subject = "asbackup host: copy good";
	text = the_mail();
	assert_null(strstr(text, "\nBcc:"));
}

static void cannot_be_kept(void **state)
{
	(void)state;
	scratch_write(dir, "file", "");
	scratch_set(&s->spool_directory, scratch_path(dir, "file"));
	assert_true(send_it() < 0);
	assert_non_null(strstr(err.message, "could not be kept"));
	assert_true(mailer_flush(s, &err) < 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(no_server),
	        T(sent),
	        T(without_encryption),
	        T(addresses_of_the_disk),
	        T(no_addresses_at_all),
	        T(refused_for_now),
	        T(refused_for_good),
	        T(next_run_sends_what_waits),
	        T(in_a_hurry),
	        T(flushes),
	        T(attachments),
	        T(nothing_can_be_injected),
	        T(cannot_be_kept),
	};

	log_init(LOG_LEVEL_ERR);
	return cmocka_run_group_tests_name("mailer", tests, NULL, NULL);
}
