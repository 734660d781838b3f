/* SPDX-License-Identifier: MIT */
/* timeout: 240 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "buf.h"
#include "sig.h"
#include "core/jobframe.h"
#include "core/jobquery.h"
#include "core/jobtext.h"
#include "jobhost.h"

/* A question, and what was answered. */
struct asking {
	struct jobhost_line line;
	struct jobquery q;
	struct buf lines; /* "J a|b;" */
	int count;
	int refuse;    /* what on_line returns */
	int signal_at; /* line at which a signal comes; 0 = none */
	int cut_at;    /* line at which the connection breaks */
	int again;     /* how often it was asked anew */
	bool up;       /* there was a login */
	struct err err;
};

static void compose(struct buf *b, const char *nonce, void *arg)
{
	(void)arg;
	jobtext_list(b, nonce);
}

static int on_line(const struct jobframe_line *line, void *arg, struct err *err)
{
	struct asking *a = arg;

	buf_addc(&a->lines, line->letter);
	for (size_t i = 0; i < line->len; i++)
		buf_printf(&a->lines, "%c%s", i ? '|' : ' ', line->words[i]);
	buf_addc(&a->lines, ';');
	if (++a->count == a->signal_at)
		(void)raise(SIGTERM);
	if (a->count == a->cut_at)
		sshd_kill_sessions();
	return a->refuse < 0 ? err_set(err, a->refuse, "no") : 0;
}

static void on_again(const struct err *why, void *arg)
{
	struct asking *a = arg;

	assert_true(why->message[0] != '\0');
	buf_reset(&a->lines);
	a->again++;
}

static void init(struct asking *a, const char *act)
{
	*a = (struct asking){.lines = BUF_INIT, .err = ERR_INIT};
	jobhost_line_init(&a->line);
	a->q = (struct jobquery){.remote = &a->line.remote,
	        .silence_ms = 20000,
	        .compose = compose,
	        .on_line = on_line,
	        .ret_up = &a->up,
	        .arg = a};
	jobhost_acts(act);
}

static void done(struct asking *a)
{
	buf_done(&a->lines);
}

/* @lines NULL: whatever they are. */
static void expect(struct asking *a, int r, const char *lines)
{
	int before = sshd_count_fds();
	int got = jobquery_ask(&a->q, &a->err);

	if (got != r)
		fail_msg("%d instead of %d: %s", got, r, a->err.message);
	assert_int_equal(a->err.code, r);
	assert_int_equal(a->err.message[0] != '\0', r < 0);
	if (lines)
		assert_string_equal(a->lines.data, lines);
	/* The resolver's thread may close its own a little later. */
	for (int i = 0; i < 500 && sshd_count_fds() != before; i++)
		usleep(10000);
	assert_int_equal(sshd_count_fds(), before);
	if (a->count > 0)
		assert_true(a->up);
	done(a);
}

static void test_answers(void **state)
{
	struct asking a;

	(void)state;
	NEED_SSHD();
	init(&a, "hello; echo J a 1; echo J b; echo Z 2; echo noise >&2");
	expect(&a, 0, "J a|1;J b;Z 2;");
	/* A refusal is an answer. */
	init(&a, "hello; echo F gone /x");
	expect(&a, 0, "F gone|/x;");
	/* What comes with it is all the same what was asked for. */
	init(&a, "echo Welcome; hello; printf 'O 0 2\\nJ '; echo Z; exit 3");
	expect(&a, 0, "Z;");
}

static void test_no_answer(void **state)
{
	static const struct {
		const char *act;
		int code;
		const char *words;
	} cases[] = {
	        {"hello; echo J a", -EIO, "has ended with 0"},
	        {"echo; echo '\033[31mno' >&2; exit 7", -ENOEXEC,
	                "exit 7): \\x1B[31mno"},
	        {"echo; echo no; echo entry; exit 7", -ENOEXEC,
	                "exit 7): no entry"},
	        {"hello; echo bye >&2; kill -9 $$", -EIO, "with -1 KILL: bye"},
	        {"exit 75", -EAGAIN, "only a part"},
	        {"hello; echo what", -EPROTO, "what"},
	        {"hello; echo Z; echo what", -EPROTO, "what"},
	        {"exec yes", -EPROTO, ""},
	        {"hello; exec yes J", -EPROTO, "without an end"},
	};

	(void)state;
	NEED_SSHD();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct asking a;

		init(&a, cases[i].act);
		expect(&a, cases[i].code, NULL);
		if (!strstr(a.err.message, cases[i].words))
			fail_msg("%s: %s", cases[i].act, a.err.message);
	}
}

static void test_refused_line(void **state)
{
	struct asking a;

	(void)state;
	NEED_SSHD();
	init(&a, "hello; echo J a; echo J b; echo Z");
	a.refuse = -EXDEV;
	expect(&a, -EXDEV, "J a;");
}

static void test_lost(void **state)
{
	struct asking a;

	(void)state;
	NEED_SSHD();
	init(&a, "hello; echo J a; hang");
	a.cut_at = 1;
	expect(&a, -ENOTCONN, "J a;");
}

/* As a run does: the line of a question is worth no less. */
static void test_asked_anew(void **state)
{
	static const char *const acts[] = {
	        "hello; echo J a; [ $n != 1 ] || hang; echo Z $n",
	        "hello; echo J a; [ $n != 1 ] || exit 3; echo Z $n",
	        "[ $n != 1 ] || exit 75; hello; echo J a; echo Z $n"};
	struct asking a;

	(void)state;
	NEED_SSHD();
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		init(&a, acts[i]);
		a.q.on_again = on_again;
		a.line.remote.retries = 1;
		a.cut_at = i == 0;
		expect(&a, 0, "J a;Z 2;");
		assert_int_equal(a.again, 1);
	}
	/* Nobody has said a word. */
	init(&a, "[ $n != 1 ] || hang; hello; echo Z $n");
	a.q.on_again = on_again;
	a.line.remote.retries = 1;
	a.q.silence_ms = 500;
	expect(&a, 0, "Z 2;");
	/* What is said is said. */
	init(&a, "hello; echo Z; hang");
	a.q.on_again = on_again;
	a.line.remote.retries = 1;
	a.cut_at = 1;
	expect(&a, 0, "Z;");
	assert_int_equal(a.again, 0);
	/* There is an end to it; a shell that is none is one at once. */
	init(&a, "hello; echo J a; exit 3");
	a.q.on_again = on_again;
	a.line.remote.retries = 2;
	expect(&a, -EIO, "J a;");
	assert_int_equal(a.again, 2);
	init(&a, "echo no; exit 7");
	a.q.on_again = on_again;
	a.line.remote.retries = 2;
	expect(&a, -ENOEXEC, "");
	assert_int_equal(a.again, 0);
}

static void test_unreachable(void **state)
{
	struct asking a;

	(void)state;
	NEED_SSHD();
	init(&a, "");
	a.line.remote.port = sshd_free_port();
	a.line.remote.retries = 1;
	expect(&a, -ECONNREFUSED, "");
	assert_false(a.up);
	init(&a, "");
	scratch_write(sshd.dir, "known", "");
	expect(&a, -EKEYREJECTED, "");
	init(&a, "");
	a.line.login.keys[0] = sshd_file("other");
	expect(&a, -EACCES, "");
	assert_false(a.up);
}

/* The limit is that of the whole answer: a host that keeps talking is silent
 * all the same. */
static void test_takes_too_long(void **state)
{
	static const char *const acts[] = {"hang", "hello; echo J a; hang",
	        "hello; while :; do echo J a || exit; sleep .1; done"};

	(void)state;
	NEED_SSHD();
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		int64_t before = clock_mono_ms();
		struct asking a;

		init(&a, acts[i]);
		a.q.silence_ms = 200;
		expect(&a, -ETIMEDOUT, NULL);
		assert_true(clock_mono_ms() - before >= 1200);
		assert_true(clock_mono_ms() - before < 20000);
	}
}

/* Whether it comes while poll(2) waits or not. */
static void test_signal(void **state)
{
	struct asking a;

	(void)state;
	NEED_SSHD();
	assert_int_equal(sig_init(NULL), 0);
	init(&a, "hello; echo J a; hang");
	a.signal_at = 1;
	expect(&a, -EINTR, "J a;");
	sig_reset();
	init(&a, "hello; echo J a; hang");
	assert_int_equal(raise(SIGTERM), 0);
	expect(&a, -EINTR, "");
	sig_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_answers),
	        cmocka_unit_test(test_no_answer),
	        cmocka_unit_test(test_refused_line),
	        cmocka_unit_test(test_lost),
	        cmocka_unit_test(test_asked_anew),
	        cmocka_unit_test(test_unreachable),
	        cmocka_unit_test(test_takes_too_long),
	        cmocka_unit_test(test_signal),
	};

	return cmocka_run_group_tests_name(
	        "jobquery", tests, jobhost_set_up, jobhost_tear_down);
}
