/* SPDX-License-Identifier: MIT */
/* timeout: 240 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <cmocka.h>

#include "sys/sshclient.h"
#include "sshd.h"

#define LIMIT_MS 30000

/* A connection, and what came of it. */
struct client {
	struct sshd_login login;
	struct sshclient *s;
	int r; /* of the last sshclient_pump() */
	struct err err;
	struct buf out[2];
	size_t counts[2]; /* bytes, when they are not kept */
	bool count_only;
	bool wrong;      /* when counting: something else than expected */
	int pause_every; /* on_data says "wait" each so many times */
	int calls;
	bool paused;
	int ends;
	struct sshclient_end end;
	enum { NEVER, ON_DATA, ON_END, ON_END_AGAIN } act;
	int asked;
	enum sshclient_question question; /* that is to be asked */
	const char *about;                /* its text */
	const char *answer;
};

static int said_fd = -1; /* standard error while sshclient_pump() is called */

static bool on_data(bool is_stderr, const char *data, size_t len, void *arg)
{
	struct client *c = arg;

	assert_true(len > 0 && len <= 65536);
	assert_non_null(c->s);
	if (c->count_only) {
		c->counts[is_stderr] += len;
		c->wrong |= memchr(data, is_stderr ? 'o' : 'e', len) != NULL;
	} else {
		buf_add(&c->out[is_stderr], data, len);
	}
	c->calls++;
	if (c->act == ON_DATA) {
		sshclient_close(c->s);
		c->s = NULL;
	}
	c->paused = c->pause_every > 0 && c->calls % c->pause_every == 0;
	return !c->paused;
}

static void on_end(const struct sshclient_end *end, void *arg)
{
	struct client *c = arg;
	struct sshclient_handlers h = {
	        .on_data = on_data, .on_end = on_end, .arg = c};

	assert_non_null(c->s);
	c->ends++;
	c->end = *end;
	if (c->act == ON_END) {
		sshclient_close(c->s);
		c->s = NULL;
	} else if (c->act == ON_END_AGAIN) {
		c->act = NEVER;
		assert_int_equal(
		        sshclient_exec(c->s, "echo again", &h, &c->err), 0);
	}
}

static char *on_ask(enum sshclient_question what, const char *text, void *arg)
{
	struct client *c = arg;

	assert_int_equal(what, c->question);
	assert_string_equal(text, c->about);
	c->asked++;
	return c->answer ? strdup(c->answer) : NULL;
}

/* Knows the server and has the right key. */
static void init(struct client *c)
{
	*c = (struct client){.err = ERR_INIT, .out = {BUF_INIT, BUF_INIT}};
	sshd_login_init(&c->login);
}

static void open_fd(struct client *c, int fd)
{
	assert_true(fd >= 0);
	assert_int_equal(
	        sshclient_open(&c->s, &c->login.options, fd, &c->err), 0);
	c->r = SSHCLIENT_CONNECTING;
}

static void pump(struct client *c)
{
	int before = dup(STDERR_FILENO);

	(void)dup2(said_fd, STDERR_FILENO);
	c->r = sshclient_pump(c->s, &c->err);
	(void)dup2(before, STDERR_FILENO);
	close(before);
}

/* Serves the line once: no call may wait. */
static void step(struct client *c)
{
	struct pollfd p = {
	        .fd = sshclient_fd(c->s), .events = sshclient_events(c->s)};

	(void)poll(&p, 1, 100);
	pump(c);
	if (c->r < 0 && c->s)
		assert_int_equal(c->err.code, c->r);
}

static int log_in(struct client *c)
{
	int64_t end = clock_mono_ms() + LIMIT_MS;

	open_fd(c, sshd_connect_to(sshd.port));
	while (c->r == SSHCLIENT_CONNECTING) {
		assert_true(clock_mono_ms() < end);
		step(c);
	}
	return c->r;
}

static void begin(struct client *c, const char *command)
{
	struct sshclient_handlers h = {
	        .on_data = on_data, .on_end = on_end, .arg = c};

	buf_reset(&c->out[0]);
	buf_reset(&c->out[1]);
	c->ends = 0;
	assert_int_equal(sshclient_exec(c->s, command, &h, &c->err), 0);
	pump(c);
}

static void run(struct client *c, const char *command)
{
	int64_t end = clock_mono_ms() + LIMIT_MS;

	begin(c, command);
	while (c->r == SSHCLIENT_READY && c->ends == 0) {
		assert_true(clock_mono_ms() < end);
		step(c);
	}
	assert_int_equal(c->ends, c->r == SSHCLIENT_READY);
}

static void done(struct client *c)
{
	sshclient_close(c->s);
	buf_done(&c->out[0]);
	buf_done(&c->out[1]);
}

/* --- the host's key ---------------------------------------------------------
 */

static void expect_key(struct client *c, int r, const char *words)
{
	assert_int_equal(log_in(c), r);
	if (words)
		assert_non_null(strstr(c->err.message, words));
	done(c);
}

static void test_key_unknown(void **state)
{
	struct client c;

	(void)state;
	NEED_SSHD();
	init(&c);
	scratch_write(sshd.dir, "known", "");
	expect_key(&c, -EKEYREJECTED, "SHA256:");
	/* Nothing was learnt. */
	init(&c);
	c.login.known[0] = sshd_file("nowhere");
	expect_key(&c, -EKEYREJECTED, "is not known");
	assert_false(scratch_has(sshd.dir, "nowhere"));
	init(&c);
	c.login.known[0] = NULL;
	expect_key(&c, -EKEYREJECTED, "is not known");
}

static void test_key_learnt(void **state)
{
	struct client c;

	(void)state;
	NEED_SSHD();
	init(&c);
	c.login.known[0] = sshd_file("learnt");
	c.login.options.accept_new = true;
	expect_key(&c, SSHCLIENT_READY, NULL);
	init(&c);
	c.login.known[0] = sshd_file("learnt");
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	assert_non_null(strstr(sshclient_host_key(c.s), "SHA256:"));
	done(&c);
	_cleanup_free_ char *text = scratch_read(sshd.dir, "learnt");

	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

/* Although another line says that it is right. */
static void test_key_revoked(void **state)
{
	_cleanup_free_ char *key = NULL;
	struct client c;

	(void)state;
	NEED_SSHD();
	sshd_know("known", "host");
	key = scratch_read(sshd.dir, "known");
	for (int i = 0; i < 6; i++) {
		static const char *const hosts[] = {
		        "*", "127.0.0.*,[127.0.0.1]:*", "elsewhere"};
		_cleanup_free_ char *line = str_printf("%s@revoked %s %s%s",
		        i < 3 ? key : "", hosts[i % 3], strchr(key, ' ') + 1,
		        i < 3 ? "" : key);

		init(&c);
		scratch_write(sshd.dir, "known", line);
		expect_key(&c, i % 3 == 2 ? SSHCLIENT_READY : -EKEYREJECTED,
		        i % 3 == 2 ? NULL : "REVOKED");
	}
	init(&c);
	sshd_know("second", "other");
	_cleanup_free_ char *other = scratch_read(sshd.dir, "second");
	_cleanup_free_ char *line =
	        str_printf("%s@revoked * %s", key, strchr(other, ' ') + 1);

	scratch_write(sshd.dir, "known", line);
	expect_key(&c, SSHCLIENT_READY, NULL);
	/* In the other file, and never learnt. */
	init(&c);
	_cleanup_free_ char *own =
	        str_printf("@revoked * %s", strchr(key, ' ') + 1);

	scratch_write(sshd.dir, "second", own);
	c.login.known[1] = sshd_file("second");
	expect_key(&c, -EKEYREJECTED, "REVOKED");
	init(&c);
	scratch_write(sshd.dir, "known", own);
	c.login.options.accept_new = true;
	expect_key(&c, -EKEYREJECTED, "REVOKED");
}

static void test_key_changed(void **state)
{
	struct client c;

	(void)state;
	NEED_SSHD();
	for (int accept = 0; accept < 2; accept++) {
		/* Another one of the same kind, or of another kind. */
		init(&c);
		sshd_know("known", "other");
		c.login.options.accept_new = accept;
		expect_key(&c, -EKEYREJECTED, "CHANGED");
		init(&c);
		sshd_know("known", "host_rsa");
		c.login.options.accept_new = accept;
		expect_key(&c, -EKEYREJECTED, "CHANGED");
		/* In the second file only. */
		init(&c);
		sshd_know("second", "other");
		scratch_write(sshd.dir, "known", "");
		c.login.known[1] = sshd_file("second");
		c.login.options.accept_new = accept;
		expect_key(&c, -EKEYREJECTED, "CHANGED");
	}
}

/* A host of which only the second file knows, and only its RSA key: that one
 * is to be asked for. */
static void test_key_kind(void **state)
{
	_cleanup_free_ char *extra =
	        str_printf("HostKey %s", sshd_file("host_rsa"));
	struct client c;

	(void)state;
	NEED_SSHD();
	sshd_stop();
	sshd_start(extra);
	init(&c);
	scratch_write(sshd.dir, "known", "elsewhere ssh-ed25519 AAAA\n");
	sshd_know("second", "host_rsa");
	c.login.known[1] = sshd_file("second");
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	done(&c);
	sshd_stop();
	sshd_start("");
}

/* --- login ------------------------------------------------------------------
 */

static void test_login_refused(void **state)
{
	struct client c;

	(void)state;
	NEED_SSHD();
	init(&c);
	c.login.keys[0] = sshd_file("other");
	assert_int_equal(log_in(&c), -EACCES);
	assert_true(c.err.action[0] != '\0');
	done(&c);
	init(&c);
	c.login.keys[0] = NULL;
	assert_int_equal(log_in(&c), -EACCES);
	done(&c);
	/* One that is not there, one that is refused, and the right one. */
	init(&c);
	c.login.keys[0] = sshd_file("nowhere");
	c.login.keys[1] = sshd_file("user");
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	done(&c);
}

/* It takes the connection and says nothing. */
static void test_frozen_agent(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t before = clock_mono_ms();
	struct client c;

	(void)state;
	NEED_SSHD();
	assert_int_equal(
	        str_copy(a.sun_path, sizeof a.sun_path, sshd_file("agent")), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(setenv("SSH_AUTH_SOCK", a.sun_path, 1), 0);
	for (int i = 0; i < 2; i++) {
		init(&c);
		c.login.keys[0] = sshd_file("other");
		c.login.options.agent = true;
		assert_int_equal(log_in(&c), -EACCES);
		done(&c);
	}
	/* Once for both. */
	assert_true(clock_mono_ms() - before >= 3000);
	assert_true(clock_mono_ms() - before < 15000);
	assert_int_equal(unsetenv("SSH_AUTH_SOCK"), 0);
	close(fd);
}

/* It hangs up then; libssh alone would go on waiting. */
static void test_too_many_keys(void **state)
{
	struct client c;

	(void)state;
	NEED_SSHD();
	sshd_stop();
	sshd_start("MaxAuthTries 1");
	init(&c);
	c.login.keys[0] = sshd_file("other");
	c.login.keys[1] = sshd_file("user");
	assert_int_equal(log_in(&c), -EACCES);
	assert_non_null(strstr(c.err.message, "Too many auth"));
	assert_non_null(strstr(c.err.action, "IdentitiesOnly"));
	done(&c);
	sshd_stop();
	sshd_start("");
}

static void test_passphrase(void **state)
{
	_cleanup_free_ char *keys = NULL;
	struct client c;

	(void)state;
	NEED_SSHD();
	keys = scratch_read(sshd.dir, "authorized_keys");
	_cleanup_free_ char *pub = scratch_read(sshd.dir, "locked.pub");

	scratch_write(sshd.dir, "authorized_keys", pub);
	for (int i = 0; i < 3; i++) {
		static const char *const answers[] = {"secret", "wrong", NULL};

		init(&c);
		c.login.keys[0] = sshd_file("locked");
		c.login.options.ask = on_ask;
		c.login.options.ask_arg = &c;
		c.question = SSHCLIENT_ASK_PASSPHRASE;
		c.about = c.login.keys[0];
		c.answer = answers[i];
		assert_int_equal(
		        log_in(&c), i == 0 ? SSHCLIENT_READY : -EACCES);
		assert_int_equal(c.asked, 1);
		done(&c);
	}
	/* Nobody to ask. */
	init(&c);
	c.login.keys[0] = sshd_file("locked");
	assert_int_equal(log_in(&c), -EACCES);
	done(&c);
	scratch_write(sshd.dir, "authorized_keys", keys);
}

/* "secret"; as openssl passwd -6 tells it. */
static const char hash[] =
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8w"
        "iOQSpT0Y77vwPZN.Pq.H91p5hVO1";

static void expect_password(const char *answer, int r, int asked)
{
	_cleanup_free_ char *who = str_printf("%s@127.0.0.1", sshd_user());
	struct client c;

	init(&c);
	c.login.keys[0] = NULL;
	c.login.options.ask = on_ask;
	c.login.options.ask_arg = &c;
	c.question = SSHCLIENT_ASK_PASSWORD;
	c.about = who;
	c.answer = answer;
	assert_int_equal(log_in(&c), r);
	assert_int_equal(c.asked, asked);
	done(&c);
}

static void test_password(void **state)
{
	struct client c;

	(void)state;
	NEED_SSHD();
	if (geteuid() != 0) {
		print_message("needs root, whose password can be set\n");
		skip();
	}
	sshd_stop();
	sshd_start("PasswordAuthentication yes");
	sshd_password(hash);
	expect_password("secret", SSHCLIENT_READY, 1);
	expect_password("wrong", -EACCES, 3);
	expect_password(NULL, -EACCES, 1);
	/* Nobody to ask; and a key that is accepted needs nobody. */
	init(&c);
	c.login.keys[0] = NULL;
	assert_int_equal(log_in(&c), -EACCES);
	done(&c);
	init(&c);
	c.login.options.ask = on_ask;
	c.login.options.ask_arg = &c;
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	assert_int_equal(c.asked, 0);
	done(&c);
	sshd_password("*");
	sshd_stop();
	sshd_start("");
}

/* --- programs ----------------------------------------------------------------
 */

static void test_programs(void **state)
{
	static const int codes[] = {0, 1, 127, 250, 255};
	struct client c;

	(void)state;
	NEED_SSHD();
	init(&c);
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	run(&c, "printf 'a\\000b\\r\\n'; printf err >&2");
	assert_int_equal(c.end.status, 0);
	assert_string_equal(c.end.signal, "");
	assert_int_equal(c.out[0].len, 5);
	assert_memory_equal(c.out[0].data, "a\0b\r\n", 5);
	assert_string_equal(c.out[1].data, "err");
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		char text[32];

		(void)snprintf(text, sizeof text, "exit %d", codes[i]);
		run(&c, text);
		assert_int_equal(c.end.status, codes[i]);
		assert_int_equal(c.out[0].len + c.out[1].len, 0);
	}
	run(&c, "echo x; kill -TERM $$");
	assert_int_equal(c.end.status, -1);
	assert_string_equal(c.end.signal, "TERM");
	assert_string_equal(c.out[0].data, "x\n");
	/* The next one from the handler of the end. */
	c.act = ON_END_AGAIN;
	run(&c, "echo first");
	while (c.ends < 2)
		step(&c);
	assert_string_equal(c.out[0].data, "first\nagain\n");
	done(&c);
}

static void test_one_at_a_time(void **state)
{
	struct sshclient_handlers h = {.on_data = on_data, .on_end = on_end};
	struct client c;

	(void)state;
	NEED_SSHD();
	init(&c);
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	begin(&c, "cat");
	assert_int_equal(sshclient_exec(c.s, "true", &h, &c.err), -EBUSY);
	while (sshclient_write_end(c.s) < 0)
		step(&c);
	while (c.ends == 0)
		step(&c);
	assert_int_equal(c.end.status, 0);
	/* Nobody is there to write to. */
	assert_int_equal(sshclient_write(c.s, "x", 1), 0);
	assert_true(sshclient_write_end(c.s) < 0);
	done(&c);
}

static void test_refused_program(void **state)
{
	struct client c;

	(void)state;
	NEED_SSHD();
	sshd_stop();
	sshd_start("MaxSessions 0");
	init(&c);
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	for (int i = 0; i < 2; i++) {
		run(&c, "true");
		assert_int_equal(c.r, -EAGAIN);
		assert_true(c.err.message[0] != '\0');
		step(&c);
		assert_int_equal(c.r, SSHCLIENT_READY);
	}
	done(&c);
	sshd_stop();
	sshd_start("");
}

static void test_input(void **state)
{
	size_t len = 3 << 20, sent = 0;
	char *data = malloc(len);
	int64_t end = clock_mono_ms() + LIMIT_MS;
	struct client c;

	(void)state;
	NEED_SSHD();
	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 31 >> 3);
	init(&c);
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	begin(&c, "cat");
	while (c.ends == 0) {
		ssize_t n = sshclient_write(c.s, data + sent, len - sent);

		assert_true(n >= 0);
		sent += (size_t)n;
		if (sent == len)
			(void)sshclient_write_end(c.s);
		step(&c);
		assert_int_equal(c.r, SSHCLIENT_READY);
		assert_true(clock_mono_ms() < end);
	}
	assert_int_equal(c.out[0].len, len);
	assert_memory_equal(c.out[0].data, data, len);
	done(&c);
	free(data);
}

/* 50 MB on both streams, and a reader that has to pause. */
static void test_much(void **state)
{
	static const char command[] =
	        "(head -c 26214400 /dev/zero | tr '\\0' o) & "
	        "(head -c 26214400 /dev/zero | tr '\\0' e) >&2; wait";
	int64_t end = clock_mono_ms() + 2 * LIMIT_MS;
	struct client c;

	(void)state;
	NEED_SSHD();
	init(&c);
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	c.count_only = true;
	c.pause_every = 50;
	begin(&c, command);
	while (c.ends == 0) {
		int calls = c.calls;

		assert_true(clock_mono_ms() < end);
		if (!c.paused) {
			step(&c);
			continue;
		}
		/* Nothing more comes meanwhile, whatever the line does. */
		for (int i = 0; i < 3; i++) {
			pump(&c);
			assert_int_equal(c.r, SSHCLIENT_READY);
		}
		assert_int_equal(c.calls, calls);
		assert_int_equal(c.ends, 0);
		c.paused = false;
		sshclient_resume(c.s);
		pump(&c);
	}
	assert_int_equal(c.end.status, 0);
	assert_int_equal(c.counts[0], 26214400);
	assert_int_equal(c.counts[1], 26214400);
	assert_false(c.wrong);
	done(&c);
}

/* --- the end ----------------------------------------------------------------
 */

/* Lets go of who reads the FIFO, once somebody does. */
static void let_go(struct client *c, const char *fifo)
{
	int64_t end = clock_mono_ms() + LIMIT_MS;
	int fd;

	while ((fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
		assert_true(clock_mono_ms() < end);
		step(c);
	}
	close(fd);
}

/* Without taking it: so much has come. */
static void await_bytes(int fd, int n)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int one = 1, arrived = 0;

	assert_int_equal(
	        setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof n), 0);
	assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
	assert_int_equal(ioctl(fd, FIONREAD, &arrived), 0);
	assert_true(arrived >= n);
	assert_int_equal(
	        setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one), 0);
}

static void test_closed_in_handlers(void **state)
{
	_cleanup_free_ char *command =
	        str_printf("cat %s; head -c 20000 /dev/zero >&2; "
	                   "head -c 20000 /dev/zero; exec cat",
	                sshd_file("go"));
	struct client c;

	(void)state;
	NEED_SSHD();
	assert_int_equal(mkfifo(sshd_file("go"), 0600), 0);
	init(&c);
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	c.act = ON_DATA;
	begin(&c, command);
	let_go(&c, sshd_file("go"));
	/* When it is called for one stream, something waits for the other. */
	await_bytes(sshclient_fd(c.s), 40000);
	while (c.s)
		step(&c);
	assert_int_equal(c.r, -ECANCELED);
	assert_int_equal(c.calls, 1);
	assert_int_equal(c.ends, 0);
	done(&c);
	init(&c);
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	c.act = ON_END;
	begin(&c, "true");
	while (c.s)
		step(&c);
	assert_int_equal(c.r, -ECANCELED);
	assert_int_equal(c.ends, 1);
	done(&c);
}

static void test_server_dies(void **state)
{
	struct client c;

	(void)state;
	NEED_SSHD();
	init(&c);
	assert_int_equal(log_in(&c), SSHCLIENT_READY);
	begin(&c, "printf begun; exec cat");
	while (c.out[0].len == 0)
		step(&c);
	sshd_kill_sessions();
	while (c.r == SSHCLIENT_READY)
		step(&c);
	assert_int_equal(c.r, -ENOTCONN);
	assert_int_equal(c.ends, 0);
	assert_string_equal(c.out[0].data, "begun");
	done(&c);
}

/* What a listener says that is no sshd, and what comes of it. */
static void expect_stranger(const char *says, bool closes, int r)
{
	struct client c;
	unsigned port;
	int listener = sshd_listen(&port, 1), peer;
	int64_t end = clock_mono_ms() + LIMIT_MS;

	init(&c);
	open_fd(&c, sshd_connect_to(port));
	peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(
	        write(peer, says, strlen(says)), (ssize_t)strlen(says));
	if (closes)
		close(peer);
	for (int i = 0; c.r == SSHCLIENT_CONNECTING && (r < 0 || i < 5); i++) {
		int64_t before = clock_mono_ms();

		assert_true(before < end);
		step(&c);
		/* 100 of them wait for the line. */
		assert_true(clock_mono_ms() - before < 2000);
	}
	if (c.r != r)
		fail_msg("\"%s\"%s: %d instead of %d: %s", says,
		        closes ? " and closes" : "", c.r, r, c.err.message);
	if (!closes)
		close(peer);
	close(listener);
	done(&c);
}

/* However far the login has come: a line that breaks is no refusal. */
static void test_cut_login(void **state)
{
	int cut = 0;

	(void)state;
	NEED_SSHD();
	for (int i = 1; i < 40; i++) {
		struct client c;

		init(&c);
		open_fd(&c, sshd_connect_to(sshd.port));
		for (int k = 0; k < i && c.r == SSHCLIENT_CONNECTING; k++)
			step(&c);
		if (c.r == SSHCLIENT_CONNECTING) {
			(void)shutdown(sshclient_fd(c.s), SHUT_RDWR);
			while (c.r == SSHCLIENT_CONNECTING)
				step(&c);
			assert_int_equal(c.r, -ENOTCONN);
			cut++;
		}
		done(&c);
	}
	assert_true(cut > 2);
}

static void test_strangers(void **state)
{
	(void)state;
	NEED_SSHD();
	expect_stranger("", true, -ENOTCONN);
	expect_stranger("SSH-2.0-x\r\n", true, -ENOTCONN);
	expect_stranger("Exceeded MaxStartups\r\n", true, -ENOTCONN);
	expect_stranger("", false, SSHCLIENT_CONNECTING);
	expect_stranger("SSH-2.0-x\r\n", false, SSHCLIENT_CONNECTING);
	expect_stranger("SSH-1.5-x\r\n", false, -EPROTO);
	expect_stranger("SSH-2.0-x\r\n\377\377\377\377garbage", false, -EPROTO);
}

/* --- what is left behind
 * ------------------------------------------------------
 */

static void open_and_close(int i)
{
	struct client c;

	init(&c);
	if (i % 5 == 0)
		scratch_write(sshd.dir, "known", "");
	if (i % 5 == 1)
		c.login.keys[0] = sshd_file("other");
	if (i % 5 == 2) {
		/* In the middle of the login. */
		open_fd(&c, sshd_connect_to(sshd.port));
		for (int k = 0; k < i % 8; k++)
			step(&c);
	} else if (log_in(&c) == SSHCLIENT_READY) {
		if (i % 2)
			run(&c, "echo x");
		else
			begin(&c, "exec cat");
	}
	done(&c);
}

static void test_descriptors(void **state)
{
	int before;

	(void)state;
	NEED_SSHD();
	open_and_close(4);
	before = sshd_count_fds();
	for (int i = 0; i < 60; i++)
		open_and_close(i);
	assert_int_equal(sshd_count_fds(), before);
}

/* libssh has said nothing on standard error, in all of the tests before. */
static void test_silent(void **state)
{
	_cleanup_free_ char *said = NULL;

	(void)state;
	NEED_SSHD();
	said = scratch_read(sshd.dir, "stderr");
	/* Ours: what log_warn() and log_notice() say. */
	for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n"))
		if (!strstr(line, "host key SHA256:") &&
		        !strstr(line, "its passphrase is wrong") &&
		        !strstr(line, "ssh-agent does not answer"))
			fail_msg("on standard error: %s", line);
}

static int setup(void **state)
{
	(void)state;
	if (!sshd_prepare("sshclient"))
		return 0;
	sshd_start("");
	said_fd = open(sshd_file("stderr"),
	        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return said_fd < 0;
}

static int teardown(void **state)
{
	if (said_fd >= 0)
		close(said_fd);
	return sshd_tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_key_unknown),
	        cmocka_unit_test(test_key_learnt),
	        cmocka_unit_test(test_key_revoked),
	        cmocka_unit_test(test_key_changed),
	        cmocka_unit_test(test_key_kind),
	        cmocka_unit_test(test_login_refused),
	        cmocka_unit_test(test_frozen_agent),
	        cmocka_unit_test(test_too_many_keys),
	        cmocka_unit_test(test_passphrase),
	        cmocka_unit_test(test_password),
	        cmocka_unit_test(test_programs),
	        cmocka_unit_test(test_one_at_a_time),
	        cmocka_unit_test(test_refused_program),
	        cmocka_unit_test(test_input),
	        cmocka_unit_test(test_much),
	        cmocka_unit_test(test_closed_in_handlers),
	        cmocka_unit_test(test_server_dies),
	        cmocka_unit_test(test_cut_login),
	        cmocka_unit_test(test_strangers),
	        cmocka_unit_test(test_descriptors),
	        cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests_name("sshclient", tests, setup, teardown);
}
