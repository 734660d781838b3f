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
#include <cmocka.h>

#include "loop.h"
#include "core/remote.h"
#include "sys/sshclient.h"
#include "sshd.h"

#define LIMIT_MS 30000

enum handler {
	NONE,
	ON_UP,
	ON_ROOM,
	ON_DATA,
	ON_END,
	ON_LOST,
	ON_RETRY,
	ON_FAILED,
	HANDLERS
};

enum act { NOTHING, FREE, DROP, CONNECT };

/* A host, and what was heard of it. */
struct host {
	struct loop loop;
	struct remote *remote;
	struct remote_options options;
	struct sshd_login login;
	const char *command; /* run when it is up */
	struct err err;      /* of the last on_failed, on_lost, on_retry */
	struct buf out;
	int counts[HANDLERS];
	int after; /* calls after it was freed or dropped */
	bool gone; /* and not connected again */
	enum handler where;
	enum act act;
	bool in_connect; /* remote_connect() is on the stack */
};

/* Every handler begins here. */
static void called(struct host *h, enum handler which)
{
	assert_false(h->in_connect);
	h->counts[which]++;
	h->after += h->gone;
	if (which != h->where)
		return;
	h->where = NONE;
	switch (h->act) {
	case FREE:
		remote_free(h->remote);
		h->remote = NULL;
		h->gone = true;
		break;
	case DROP:
		remote_drop(h->remote);
		h->gone = true;
		break;
	case CONNECT:
		h->in_connect = true;
		remote_connect(h->remote);
		h->in_connect = false;
		break;
	case NOTHING:
	default:
		break;
	}
}

static bool on_data(bool is_stderr, const char *data, size_t len, void *arg)
{
	struct host *h = arg;

	(void)is_stderr;
	buf_add(&h->out, data, len);
	called(h, ON_DATA);
	return true;
}

static void on_end(const struct sshclient_end *end, void *arg)
{
	(void)end;
	called(arg, ON_END);
}

static void on_up(void *arg)
{
	struct host *h = arg;
	struct sshclient_handlers handlers = {
	        .on_data = on_data, .on_end = on_end, .arg = h};
	struct err err = ERR_INIT;

	if (h->command)
		assert_int_equal(
		        remote_exec(h->remote, h->command, &handlers, &err), 0);
	called(h, ON_UP);
}

static void on_room(void *arg)
{
	called(arg, ON_ROOM);
}

static void on_failed(const struct err *err, void *arg)
{
	struct host *h = arg;

	h->err = *err;
	called(h, ON_FAILED);
}

static void on_lost(const struct err *err, void *arg)
{
	struct host *h = arg;

	h->err = *err;
	called(h, ON_LOST);
}

static void on_retry(const struct err *err, int delay_ms, void *arg)
{
	struct host *h = arg;

	assert_int_equal(delay_ms, h->options.delay_ms);
	h->err = *err;
	called(h, ON_RETRY);
}

static void init(struct host *h, unsigned port)
{
	*h = (struct host){.loop = LOOP_INIT, .err = ERR_INIT, .out = BUF_INIT};
	sshd_login_init(&h->login);
	h->options = (struct remote_options){.address = "127.0.0.1",
	        .port = port,
	        .ssh = &h->login.options,
	        .connect_timeout_ms = 20000,
	        .delay_ms = 50};
}

static void begin(struct host *h)
{
	struct remote_handlers handlers = {.on_up = on_up,
	        .on_failed = on_failed,
	        .on_lost = on_lost,
	        .on_retry = on_retry,
	        .on_room = on_room,
	        .arg = h};
	struct err err = ERR_INIT;

	assert_int_equal(
	        remote_new(&h->remote, &h->loop, &h->options, &handlers, &err),
	        0);
	h->in_connect = true;
	remote_connect(h->remote);
	h->in_connect = false;
}

/* Until the handler was called so often. */
static void await(struct host *h, enum handler which, int times)
{
	int64_t end = clock_mono_ms() + LIMIT_MS;

	while (h->counts[which] < times) {
		if (clock_mono_ms() > end)
			fail_msg("no handler %d; the last error: %s", which,
			        h->err.message);
		assert_int_equal(loop_step(&h->loop, 1000), 0);
	}
}

static void done(struct host *h)
{
	remote_free(h->remote);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_step(&h->loop, 1), 0);
	assert_int_equal(h->after, 0);
	loop_done(&h->loop);
	buf_done(&h->out);
}

static void test_up_and_lost(void **state)
{
	struct sshclient_handlers nobody = {.arg = NULL};
	struct err err = ERR_INIT;
	struct host h;

	(void)state;
	NEED_SSHD();
	init(&h, sshd.port);
	h.command = "echo here; exec cat";
	begin(&h);
	for (int i = 1; i <= 3; i++) {
		await(&h, ON_DATA, i);
		assert_int_equal(h.counts[ON_UP], i);
		assert_true(h.counts[ON_ROOM] > 0);
		sshd_kill_sessions();
		await(&h, ON_LOST, i);
		assert_int_equal(h.err.code, -ENOTCONN);
		/* It is not up now. */
		assert_int_equal(remote_exec(h.remote, "true", &nobody, &err),
		        -ENOTCONN);
		assert_int_equal(remote_write(h.remote, "x", 1), -ENOTCONN);
		assert_int_equal(remote_write_end(h.remote), -ENOTCONN);
		remote_resume(h.remote);
		remote_connect(h.remote);
	}
	assert_int_equal(h.counts[ON_END], 0);
	assert_int_equal(h.counts[ON_FAILED] + h.counts[ON_RETRY], 0);
	assert_string_equal(h.out.data, "here\nhere\nhere\n");
	done(&h);
}

static void test_retries(void **state)
{
	struct host h;

	(void)state;
	NEED_SSHD();
	init(&h, sshd_free_port());
	h.options.retries = 3;
	begin(&h);
	await(&h, ON_FAILED, 1);
	assert_int_equal(h.counts[ON_RETRY], 3);
	assert_int_equal(h.err.code, -ECONNREFUSED);
	/* And all of them again. */
	remote_connect(h.remote);
	await(&h, ON_FAILED, 2);
	assert_int_equal(h.counts[ON_RETRY], 6);
	done(&h);
}

/* The host is back before the attempts are over. */
static void test_comes_back(void **state)
{
	struct host h;

	(void)state;
	NEED_SSHD();
	sshd_stop();
	init(&h, sshd.port);
	h.options.retries = 200;
	begin(&h);
	await(&h, ON_RETRY, 2);
	sshd_start("");
	await(&h, ON_UP, 1);
	assert_int_equal(h.counts[ON_FAILED], 0);
	done(&h);
}

/* What another attempt would not mend. */
static void test_final(void **state)
{
	struct host h;

	(void)state;
	NEED_SSHD();
	init(&h, sshd.port);
	h.options.retries = 3;
	h.login.known[0] = sshd_file("nowhere");
	begin(&h);
	await(&h, ON_FAILED, 1);
	assert_int_equal(h.err.code, -EKEYREJECTED);
	assert_int_equal(h.counts[ON_RETRY], 0);
	done(&h);
	init(&h, sshd.port);
	h.options.retries = 3;
	h.login.keys[0] = sshd_file("other");
	begin(&h);
	await(&h, ON_FAILED, 1);
	assert_int_equal(h.err.code, -EACCES);
	assert_int_equal(h.counts[ON_RETRY], 0);
	done(&h);
}

/* Takes the connection and says nothing, or something and then nothing. */
static void test_login_limit(void **state)
{
	static const char *const says[] = {"", "SSH-2.0-x\r\n"};

	(void)state;
	NEED_SSHD();
	for (size_t i = 0; i < ARRAY_SIZE(says); i++) {
		struct host h;
		unsigned port;
		int listener = sshd_listen(&port, 5), peer;
		int64_t before = clock_mono_ms();

		init(&h, port);
		h.options.connect_timeout_ms = 300;
		begin(&h);
		assert_int_equal(loop_step(&h.loop, 1000), 0);
		assert_int_equal(loop_step(&h.loop, 1000), 0);
		peer = accept(listener, NULL, NULL);
		assert_true(peer >= 0);
		assert_int_equal(write(peer, says[i], strlen(says[i])),
		        (ssize_t)strlen(says[i]));
		await(&h, ON_FAILED, 1);
		assert_int_equal(h.err.code, -ETIMEDOUT);
		assert_true(clock_mono_ms() - before >= 300);
		assert_true(clock_mono_ms() - before < 10000);
		close(peer);
		close(listener);
		done(&h);
	}
}

/* --- in the handlers --------------------------------------------------------
 */

/* The host whose life comes to the handler. */
static void provoke(struct host *h, enum handler which)
{
	begin(h);
	if (which == ON_LOST) {
		await(h, ON_DATA, 1);
		sshd_kill_sessions();
	}
	await(h, which, 1);
}

static void try_in_handler(enum handler which, enum act act, const char *proxy)
{
	struct host h;
	bool refused = which == ON_RETRY || which == ON_FAILED;

	init(&h, refused ? sshd_free_port() : sshd.port);
	h.options.proxy = refused && proxy ? "exec false" : proxy;
	h.options.retries = which == ON_RETRY ? 1 : 0;
	h.command = which == ON_LOST ? "echo x; exec cat"
	                             : "head -c 1000000 /dev/zero; echo x >&2";
	h.where = which;
	h.act = act;
	provoke(&h, which);
	/* It begins anew, and comes as far again. */
	if (act == CONNECT && which == ON_LOST)
		await(&h, ON_DATA, 2);
	else if (act == CONNECT)
		await(&h, refused ? ON_FAILED : ON_END,
		        which == ON_FAILED || which == ON_END ? 2 : 1);
	else
		for (int i = 0; i < 5; i++)
			assert_int_equal(loop_step(&h.loop, 10), 0);
	if (act == FREE)
		assert_null(h.remote);
	done(&h);
}

static void try_in_handlers(const char *proxy)
{
	for (int which = ON_UP; which < HANDLERS; which++)
		for (int act = FREE; act <= CONNECT; act++)
			/* Only a listener has sessions to kill. */
			if (!proxy || which != ON_LOST)
				try_in_handler((enum handler)which,
				        (enum act)act, proxy);
}

static void test_in_handlers(void **state)
{
	(void)state;
	NEED_SSHD();
	try_in_handlers(NULL);
}

static void test_proxy(void **state)
{
	_cleanup_free_ char *proxy = str_printf(
	        "exec /usr/sbin/sshd -i -f %s", sshd_file("sshd_config"));
	struct host h;

	(void)state;
	NEED_SSHD();
	init(&h, sshd.port);
	h.options.proxy = proxy;
	h.command = "echo through";
	begin(&h);
	await(&h, ON_END, 1);
	assert_string_equal(h.out.data, "through\n");
	done(&h);
	try_in_handlers(proxy);
	/* One that is not there. */
	init(&h, sshd.port);
	h.options.proxy = "exec /nonexistent/proxy 2>/dev/null";
	begin(&h);
	await(&h, ON_FAILED, 1);
	done(&h);
}

static void test_proxy_words(void **state)
{
	_cleanup_free_ char *proxy = str_printf(
	        "echo '%%h %%p %%r %%%% %%x' > %s", sshd_file("words"));
	_cleanup_free_ char *expected = NULL;
	struct host h;

	(void)state;
	NEED_SSHD();
	init(&h, 4711);
	h.options.proxy = proxy;
	begin(&h);
	await(&h, ON_FAILED, 1);
	done(&h);
	_cleanup_free_ char *got = scratch_read(sshd.dir, "words");

	expected = str_printf("127.0.0.1 4711 %s %% %%x\n", sshd_user());
	assert_string_equal(got, expected);
}

/* Data that lies in our memory comes without an event of the line. */
static bool pausing(bool is_stderr, const char *data, size_t len, void *arg)
{
	struct host *h = arg;

	(void)on_data(is_stderr, data, len, h);
	return false;
}

static void test_resume(void **state)
{
	struct sshclient_handlers handlers = {
	        .on_data = pausing, .on_end = on_end};
	struct err err = ERR_INIT;
	int64_t end = clock_mono_ms() + LIMIT_MS;
	struct host h;

	(void)state;
	NEED_SSHD();
	init(&h, sshd.port);
	handlers.arg = &h;
	begin(&h);
	await(&h, ON_UP, 1);
	assert_int_equal(
	        remote_exec(h.remote, "head -c 2000000 /dev/zero; echo x >&2",
	                &handlers, &err),
	        0);
	while (h.counts[ON_END] == 0) {
		int before = h.counts[ON_DATA];

		assert_true(clock_mono_ms() < end);
		assert_int_equal(loop_step(&h.loop, 100), 0);
		assert_true(h.counts[ON_DATA] <= before + 1);
		remote_resume(h.remote);
	}
	assert_int_equal(h.out.len, 2000002);
	done(&h);
}

/* However many there are: it comes up, or fails and can be tried again. */
static void run_out(const char *proxy, int n)
{
	struct host h;
	int64_t end = clock_mono_ms() + LIMIT_MS;

	init(&h, sshd.port);
	h.options.proxy = proxy;
	begin(&h);
	scratch_limit_fds(n);
	while (h.counts[ON_UP] + h.counts[ON_FAILED] == 0) {
		assert_true(clock_mono_ms() < end);
		assert_int_equal(loop_step(&h.loop, 1000), 0);
	}
	scratch_limit_fds(-1);
	if (n == 0)
		assert_int_equal(h.err.code, -EMFILE);
	assert_int_equal(h.err.code<0, h.counts[ON_FAILED]> 0);
	if (h.counts[ON_UP] == 0) {
		remote_connect(h.remote);
		await(&h, ON_UP, 1);
	}
	done(&h);
}

static void test_no_descriptors(void **state)
{
	_cleanup_free_ char *proxy = str_printf(
	        "exec /usr/sbin/sshd -i -f %s", sshd_file("sshd_config"));
	int before;

	(void)state;
	NEED_SSHD();
	before = sshd_count_fds();
	for (int n = 0; n < 8; n++) {
		run_out(NULL, n);
		run_out(proxy, n);
	}
	assert_int_equal(sshd_count_fds(), before);
}

static void test_descriptors(void **state)
{
	struct host h;
	int before = 0;

	(void)state;
	NEED_SSHD();
	for (int i = -3; i < 60; i++) {
		if (i == 0)
			before = sshd_count_fds();
		init(&h, sshd.port);
		h.command = "true";
		begin(&h);
		for (int k = 0; k < i % 12; k++)
			assert_int_equal(loop_step(&h.loop, 100), 0);
		if (i % 3 == 0)
			await(&h, ON_END, 1);
		done(&h);
	}
	assert_int_equal(sshd_count_fds(), before);
}

static int setup(void **state)
{
	(void)state;
	if (sshd_prepare("remote"))
		sshd_start("");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_up_and_lost),
	        cmocka_unit_test(test_retries),
	        cmocka_unit_test(test_comes_back),
	        cmocka_unit_test(test_final),
	        cmocka_unit_test(test_login_limit),
	        cmocka_unit_test(test_in_handlers),
	        cmocka_unit_test(test_proxy),
	        cmocka_unit_test(test_proxy_words),
	        cmocka_unit_test(test_resume),
	        cmocka_unit_test(test_no_descriptors),
	        cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests_name(
	        "remote", tests, setup, sshd_tear_down);
}
