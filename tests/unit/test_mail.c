/* SPDX-License-Identifier: MIT */
/*
 * What mail_send() refuses before it connects, and one session with a tiny
 * server in a thread.  The rest, with TLS, is tests/cli/mail.sh.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "sig.h"
#include "sys/mail.h"

#define FROM "backup@company.example"
static char good_to[] = "boss@company.example";
static char *const to[] = {good_to, NULL};

static int message(const char *text, size_t len)
{
	int fd = memfd_create("eml", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	return fd;
}

static int good_message(void)
{
	static const char text[] = "Subject: x\r\n\r\nbody\r\n.\r\n";

	return message(text, sizeof(text) - 1);
}

static const struct mail_server nowhere = {
        .host = "127.0.0.1", .port = 1, .timeout_ms = 5000};

static void check(const struct mail_server *server, const char *from,
        char *const *list, int fd, enum mail_verdict want, const char *part)
{
	struct err err = ERR_INIT;
	enum mail_verdict got = mail_send(server, from, list, fd, &err);

	if (got != want || strstr(err.message, part) == NULL)
		fail_msg("verdict %d, wanted %d: %s", (int)got, (int)want,
		        err.message);
	close(fd);
}

static void test_server(void **state)
{
	static const char *const bad[] = {"", "a b", "[::1]", "::1", "a:25",
	        "-x", ".x", "a/b", "ä.example", "a\r\nb"};
	struct mail_server s = nowhere;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		s.host = bad[i];
		check(&s, FROM, to, good_message(), MAIL_SETUP, "not the name");
	}
	s.host = NULL;
	check(&s, FROM, to, good_message(), MAIL_SETUP, "not the name");
	s = nowhere;
	s.port = 465;
	check(&s, FROM, to, good_message(), MAIL_SETUP, "465");
	s.port = 0;
	check(&s, FROM, to, good_message(), MAIL_SETUP, "not a port");
	s.port = 65536;
	check(&s, FROM, to, good_message(), MAIL_SETUP, "not a port");
	s = nowhere;
	s.username = "u";
	s.password = "secret";
	check(&s, FROM, to, good_message(), MAIL_SETUP, "never sent without");
	s = nowhere;
	s.starttls = true;
	s.ca_file = "/nonexistent";
	check(&s, FROM, to, good_message(), MAIL_SETUP, "/nonexistent");
}

static void test_addresses(void **state)
{
	static char bad[] = "a@b.example>\r\nRCPT TO:<c@d.example";
	char *const bad_to[] = {good_to, bad, NULL};
	char *const nobody[] = {NULL};
	char *many[MAIL_TO_MAX + 2];

	(void)state;
	check(&nowhere, bad, to, good_message(), MAIL_PERMANENT, "not an e-m");
	check(&nowhere, "", to, good_message(), MAIL_PERMANENT, "not an e-m");
	check(&nowhere, FROM, bad_to, good_message(), MAIL_PERMANENT,
	        "not an e-m");
	check(&nowhere, FROM, nobody, good_message(), MAIL_PERMANENT,
	        "0 recipients");
	for (size_t i = 0; i <= MAIL_TO_MAX; i++)
		many[i] = good_to;
	many[MAIL_TO_MAX + 1] = NULL;
	check(&nowhere, FROM, many, good_message(), MAIL_PERMANENT,
	        "101 recipients");
}

static void check_text(const char *text, size_t len)
{
	check(&nowhere, FROM, to, message(text, len), MAIL_PERMANENT,
	        "not an e-mail");
}

static void test_message(void **state)
{
	char line[1100];

	(void)state;
	check_text("a\n", 2);
	check_text("a\r\nb\n", 5);
	check_text("a\rb\r\n", 5);
	check_text("a\r\nb", 4);
	check_text("a\r", 2);
	check_text("a\0b\r\n", 5);
	memset(line, 'x', sizeof(line));
	memcpy(line + 999, "\r\n", 2);
	check_text(line, 1001);
	check(&nowhere, FROM, to, message("", 0), MAIL_PERMANENT,
	        "not a regular");
	check(&nowhere, FROM, to, -1, MAIL_PERMANENT, "not a regular");
	/* 998 are allowed: it gets as far as connecting */
	memset(line, 'x', sizeof(line));
	memcpy(line + 998, "\r\n", 2);
	check(&nowhere, FROM, to, message(line, 1000), MAIL_TEMPORARY,
	        "cannot reach");
}

/* --- a server that says what it was told to say ------------------------------
 */

struct tiny {
	const char *const *replies; /* one per command; NULL = close */
	int listener;
	int port;
	pthread_t thread;
	char heard[2048];
};

static bool read_until(struct tiny *t, FILE *f, const char *end)
{
	char line[512];

	while (fgets(line, sizeof(line), f) != NULL) {
		strncat(t->heard, line,
		        sizeof(t->heard) - strlen(t->heard) - 1);
		if (strcmp(end, "\n") == 0 || strcmp(line, end) == 0)
			return true;
	}
	return false;
}

static void *tiny_run(void *arg)
{
	struct tiny *t = arg;
	int fd = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
	FILE *f = fdopen(fd, "r+");

	for (size_t i = 0; f != NULL && t->replies[i] != NULL; i++) {
		bool data = strncmp(t->replies[i], "354", 3) == 0;

		if (write(fd, t->replies[i], strlen(t->replies[i])) < 0 ||
		        !read_until(t, f, data ? ".\r\n" : "\n"))
			break;
	}
	if (f != NULL)
		fclose(f);
	return NULL;
}

/* Takes connections; whether anybody ever says something is another thing. */
static void tiny_listen(struct tiny *t)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	        bind(t->listener, (const struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(t->listener, 4), 0);
	assert_int_equal(
	        getsockname(t->listener, (struct sockaddr *)&a, &len), 0);
	t->port = ntohs(a.sin_port);
}

static void tiny_start(struct tiny *t, const char *const *replies)
{
	*t = (struct tiny){.replies = replies};
	tiny_listen(t);
	assert_int_equal(pthread_create(&t->thread, NULL, tiny_run, t), 0);
}

static enum mail_verdict session(struct tiny *t, const char *const *replies,
        char *const *list, enum mail_rcpt *rcpt, struct err *err)
{
	struct mail_server s = nowhere;
	int fd = good_message();
	enum mail_verdict v;

	*err = ERR_INIT;
	tiny_start(t, replies);
	s.port = t->port;
	v = mail_send_each(&s, FROM, list, fd, rcpt, err);
	pthread_join(t->thread, NULL);
	close(t->listener);
	close(fd);
	return v;
}

static void test_session(void **state)
{
	static const char *const replies[] = {"220 hello\r\n", "250 hi\r\n",
	        "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 kept\r\n",
	        "221 bye\r\n", NULL};
	enum mail_rcpt rcpt[1];
	struct tiny t;
	struct err err;

	(void)state;
	assert_int_equal(session(&t, replies, to, rcpt, &err), MAIL_SENT);
	assert_int_equal(rcpt[0], MAIL_RCPT_ACCEPTED);
	assert_non_null(strstr(t.heard, "MAIL FROM:<" FROM ">"));
	assert_non_null(strstr(t.heard, "RCPT TO:<boss@company.example>"));
	/* the dot is doubled */
	assert_non_null(strstr(t.heard, "body\r\n..\r\n.\r\n"));
	assert_null(strstr(t.heard, "AUTH"));
}

static void test_recipients(void **state)
{
	static const char *const replies[] = {"220 hello\r\n", "250 hi\r\n",
	        "250 ok\r\n", "250 ok\r\n", "550-no\r\n550 never\r\n",
	        "450 later\r\n", "354 go\r\n", "250 kept\r\n", "221 bye\r\n",
	        NULL};
	static char two[] = "b@c.example", three[] = "d@e.example";
	char *const list[] = {good_to, two, three, NULL};
	enum mail_rcpt rcpt[3];
	struct tiny t;
	struct err err;

	(void)state;
	assert_int_equal(session(&t, replies, list, rcpt, &err), MAIL_PARTLY);
	assert_int_equal(rcpt[0], MAIL_RCPT_ACCEPTED);
	assert_int_equal(rcpt[1], MAIL_RCPT_REFUSED);
	assert_int_equal(rcpt[2], MAIL_RCPT_LATER);
	assert_non_null(strstr(err.message, "b@c.example: 550 no never"));
}

static void test_lost_answer(void **state)
{
	static const char *const replies[] = {"220 hello\r\n", "250 hi\r\n",
	        "250 ok\r\n", "250 ok\r\n", "354 go\r\n", NULL};
	enum mail_rcpt rcpt[1];
	struct tiny t;
	struct err err;

	(void)state;
	assert_int_equal(session(&t, replies, to, rcpt, &err), MAIL_TEMPORARY);
	assert_int_equal(rcpt[0], MAIL_RCPT_OPEN);
	assert_string_not_equal(err.meaning, "");
}

static void test_signal(void **state)
{
	struct mail_server silent = nowhere;
	struct tiny t = {.replies = NULL};
	struct err err = ERR_INIT;
	int fd = good_message();

	(void)state;
	tiny_listen(&t);
	silent.port = t.port;
	silent.timeout_ms = 60000;
	assert_int_equal(sig_init(&err), 0);
	raise(SIGTERM);
	assert_int_equal(
	        mail_send(&silent, FROM, to, fd, &err), MAIL_TEMPORARY);
	assert_int_equal(err.code, -ECANCELED);
	sig_reset();
	close(t.listener);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_server),
	        cmocka_unit_test(test_addresses),
	        cmocka_unit_test(test_message),
	        cmocka_unit_test(test_session),
	        cmocka_unit_test(test_recipients),
	        cmocka_unit_test(test_lost_answer),
	        cmocka_unit_test(test_signal),
	};

	return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
