/* SPDX-License-Identifier: MIT */
/* timeout: 240 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "loop.h"
#include "core/job.h"
#include "jobhost.h"

/* A job, and what was heard of it. */
struct run {
	struct loop loop;
	struct job *job;
	struct job_spec spec;
	struct jobtext_start start;
	struct jobhost_line line;
	struct job_result result;
	struct buf out[2];
	int events[JOB_CANCELLING + 1];
	int ends;
	int cancel_at; /* event; -1 = none */
	int cut_at;    /* likewise: the connection breaks */
	int pause_ms;  /* after the first data */
	int64_t resume_at_ms;
	unsigned stop_ms; /* does not run for so long, once it has started */
};

static bool on_data(bool is_stderr, const char *data, size_t len, void *arg)
{
	struct run *r = arg;

	assert_true(r->resume_at_ms == 0 || r->pause_ms == 0);
	buf_add(&r->out[is_stderr], data, len);
	if (r->pause_ms == 0)
		return true;
	r->resume_at_ms = clock_mono_ms() + r->pause_ms;
	jobhost_go();
	return false;
}

static void on_event(enum job_event what, const char *text, void *arg)
{
	struct run *r = arg;

	assert_non_null(text);
	r->events[what]++;
	/* Known is what was said to be there. */
	assert_int_equal(job_is_known(r->job),
	        r->events[JOB_STARTED] + r->events[JOB_ADOPTED] > 0);
	if ((int)what == r->cancel_at) {
		r->cancel_at = -1;
		job_cancel(r->job);
		/* Once more is nothing. */
		job_cancel(r->job);
	}
	if ((int)what == r->cut_at) {
		r->cut_at = -1;
		sshd_kill_sessions();
	}
}

static void on_end(const struct job_result *result, void *arg)
{
	struct run *r = arg;

	r->result = *result;
	r->ends++;
	job_free(r->job);
	r->job = NULL;
}

static void init(struct run *r, const char *act)
{
	*r = (struct run){.loop = LOOP_INIT,
	        .out = {BUF_INIT, BUF_INIT},
	        .cancel_at = -1,
	        .cut_at = -1};
	jobhost_line_init(&r->line);
	r->start = (struct jobtext_start){.id = "j"};
	r->spec = (struct job_spec){.remote = &r->line.remote,
	        .start = &r->start,
	        .script = "",
	        .silence_ms = 20000,
	        .retries = 3};
	jobhost_acts(act);
}

static void go(struct run *r)
{
	struct job_handlers h = {.on_data = on_data,
	        .on_event = on_event,
	        .on_end = on_end,
	        .arg = r};
	int64_t end = clock_mono_ms() + JOBHOST_LIMIT_MS;
	struct err err = ERR_INIT;

	assert_int_equal(job_start(&r->job, &r->loop, &r->spec, &h, &err), 0);
	while (r->ends == 0) {
		assert_true(clock_mono_ms() < end);
		assert_int_equal(loop_step(&r->loop, 20), 0);
		if (r->stop_ms > 0 && r->events[JOB_STARTED] > 0) {
			usleep(r->stop_ms * 1000);
			r->stop_ms = 0;
		}
		if (r->pause_ms > 0 && r->resume_at_ms > 0 &&
		        clock_mono_ms() >= r->resume_at_ms) {
			r->pause_ms = 0;
			job_resume(r->job);
		}
	}
	assert_int_equal(r->ends, 1);
}

static void expect_kind(struct run *r, enum job_kind kind, int status)
{
	if (r->result.kind != kind || r->result.status != status)
		fail_msg("kind %d with %d: %s", r->result.kind,
		        r->result.status, r->result.why.message);
	assert_int_equal(r->result.why.message[0] == '\0', kind == JOB_EXITED);
	assert_int_equal(r->result.out, r->out[0].len);
	assert_int_equal(r->result.err, r->out[1].len);
}

/* The requests that the host has got, in order. */
static void done(struct run *r, const char *requests)
{
	_cleanup_free_ char *got = scratch_read(sshd.dir, "requests");

	if (requests)
		assert_string_equal(got, requests);
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_step(&r->loop, 1), 0);
	loop_done(&r->loop);
	buf_done(&r->out[0]);
	buf_done(&r->out[1]);
}

static void test_simple(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "echo noise; hello; said started\n"
	         "printf 'O 0 3\\nabcE 0 2\\nde'; echo X 3 3 2 9 exit\n");
	go(&r);
	expect_kind(&r, JOB_EXITED, 3);
	assert_string_equal(r.out[0].data, "abc");
	assert_string_equal(r.out[1].data, "de");
	assert_int_equal(r.events[JOB_CONNECTED], 1);
	assert_int_equal(r.events[JOB_STARTED], 1);
	assert_int_equal(r.events[JOB_LOST], 0);
	done(&r, "start 0\n");
	/* One that was there. */
	assert_false(r.result.incomplete);
	init(&r, "hello; said adopted; echo X 255 0 0 9 exit lost\n");
	r.spec.attach = true;
	go(&r);
	expect_kind(&r, JOB_EXITED, 255);
	assert_true(r.result.incomplete);
	assert_int_equal(r.events[JOB_ADOPTED], 1);
	done(&r, "follow 0\n");
}

static void test_torn(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	/* In the middle of a frame, of a line, and before anything. */
	init(&r, "case $n in\n"
	         "1) hello; said started; printf 'O 0 6\\nabc' ;;\n"
	         "2) hello; said adopted; printf 'O 3 3\\ndefX 0 6' ;;\n"
	         "3) hello ;;\n"
	         "4) hello; said adopted; echo X 0 6 0 9 exit ;;\n"
	         "esac\n");
	go(&r);
	expect_kind(&r, JOB_EXITED, 0);
	assert_string_equal(r.out[0].data, "abcdef");
	assert_int_equal(r.events[JOB_LOST], 3);
	assert_int_equal(r.events[JOB_RESUMED], 2);
	done(&r, "start 0\nfollow 3\nfollow 6\nfollow 6\n");
}

/* And without a word of the host. */
static void test_cut(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "hello; said started; [ $n != 1 ] || hang\n"
	         "echo X 0 0 0 9 exit\n");
	r.cut_at = JOB_STARTED;
	go(&r);
	expect_kind(&r, JOB_EXITED, 0);
	assert_int_equal(r.events[JOB_LOST], 1);
	assert_int_equal(r.events[JOB_RESUMED], 1);
	done(&r, "start 0\nfollow 0\n");
}

/* Not known to be there: it is started again, and the host knows. */
static void test_torn_start(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "hello; [ $n != 1 ] || exit 1\n"
	         "said started; echo X 0 0 0 9 exit\n");
	go(&r);
	expect_kind(&r, JOB_EXITED, 0);
	assert_int_equal(r.events[JOB_STARTED], 1);
	done(&r, "start 0\nstart 0\n");
}

static void test_gives_up(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "hello; said started\n");
	r.spec.retries = 2;
	go(&r);
	expect_kind(&r, JOB_UNKNOWN, -1);
	assert_int_equal(r.events[JOB_LOST], 2);
	done(&r, "start 0\nfollow 0\nfollow 0\n");
	/* A shell that ends at once and says nothing is none. */
	init(&r, "exit 0\n");
	r.spec.retries = 1;
	go(&r);
	expect_kind(&r, JOB_REFUSED, -1);
	assert_int_equal(r.result.why.code, -ENOEXEC);
	done(&r, "start 0\n");
	/* One that got only a part may get all of it the next time. */
	init(&r, "exit 75\n");
	r.spec.retries = 1;
	go(&r);
	expect_kind(&r, JOB_REFUSED, -1);
	assert_int_equal(r.result.why.code, -EAGAIN);
	assert_int_equal(r.events[JOB_LOST], 0);
	assert_int_equal(r.events[JOB_RETRY], 1);
	done(&r, "start 0\nstart 0\n");
	/* A sign of life each time: it may go on for ever. */
	init(&r, "hello; said started; echo H 0 0\n"
	         "[ $n -lt 8 ] || echo X 0 0 0 9 exit\n");
	r.spec.retries = 2;
	go(&r);
	expect_kind(&r, JOB_EXITED, 0);
	done(&r, NULL);
}

static void test_silence(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "hello; said started\n"
	         "[ $n != 1 ] || hang\n"
	         "echo X 0 0 0 9 exit\n");
	r.spec.silence_ms = 1000;
	go(&r);
	expect_kind(&r, JOB_EXITED, 0);
	assert_int_equal(r.events[JOB_LOST], 1);
	done(&r, "start 0\nfollow 0\n");
}

static void test_idle(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "hello\n"
	         "case $kind in\n"
	         "start) said started; while :; do echo H 0 0 || exit\n"
	         "	sleep .05; done ;;\n"
	         "cancel) echo Z running ;;\n"
	         "follow) said adopted; echo X 143 0 0 9 cancelled ;;\n"
	         "esac\n");
	r.spec.idle_ms = 300;
	go(&r);
	expect_kind(&r, JOB_TIMED_OUT, 143);
	assert_int_equal(r.events[JOB_CANCELLING], 1);
	assert_int_equal(r.events[JOB_LOST], 0);
	done(&r, "start 0\ncancel \nfollow 0\n");
}

static void test_idle_too_late(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "hello\n"
	         "case $kind in\n"
	         "start) said started; while :; do echo H 0 0 || exit\n"
	         "	sleep .05; done ;;\n"
	         "cancel) echo Z ended ;;\n"
	         "follow) said adopted; echo X 7 0 0 9 exit ;;\n"
	         "esac\n");
	r.spec.idle_ms = 300;
	go(&r);
	expect_kind(&r, JOB_EXITED, 7);
	done(&r, "start 0\ncancel \nfollow 0\n");
}

/* It printed all the time, but the line was down, or we did not read. */
static void test_not_idle(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "[ $n != 2 ] || sleep 2\n"
	         "hello; said started; [ $n != 1 ] || exit 1\n"
	         "printf 'O 0 1\\nx'; echo X 0 1 0 9 exit\n");
	r.spec.idle_ms = 1000;
	r.spec.silence_ms = 2000;
	go(&r);
	/* The greeting has a limit of its own, thrice that of silence. */
	expect_kind(&r, JOB_EXITED, 0);
	assert_int_equal(r.events[JOB_CANCELLING], 0);
	done(&r, "start 0\nfollow 0\n");
	init(&r, "hello; said started; printf 'O 0 1\\nx'; wait_for_go\n"
	         "printf 'O 1 1\\ny'; echo X 0 2 0 9 exit\n");
	r.spec.idle_ms = 1500;
	r.spec.silence_ms = 1500;
	r.pause_ms = 2500;
	go(&r);
	expect_kind(&r, JOB_EXITED, 0);
	assert_string_equal(r.out[0].data, "xy");
	assert_int_equal(r.events[JOB_CANCELLING] + r.events[JOB_LOST], 0);
	done(&r, "start 0\n");
}

/* Nor were they silent while we were stopped: what they said is waiting. */
static void test_stopped(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "hello; said started; sleep .2; printf 'O 0 1\\nx'\n"
	         "sleep 1.8; echo X 0 1 0 9 exit\n");
	r.spec.idle_ms = r.spec.silence_ms = 1000;
	r.stop_ms = 1500;
	go(&r);
	expect_kind(&r, JOB_EXITED, 0);
	assert_int_equal(r.events[JOB_CANCELLING] + r.events[JOB_LOST], 0);
	done(&r, "start 0\n");
}

/* Nothing has arrived yet, but the host tells that there is more and more. */
static void test_growing(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "hello; said started; i=0\n"
	         "while [ $i -lt 8 ]; do i=$((i + 1)); echo H $i 0\n"
	         "	sleep .2; done\n"
	         "printf 'O 0 8\\nabcdefgh'; echo X 0 8 0 9 exit\n");
	r.spec.idle_ms = 1000;
	go(&r);
	expect_kind(&r, JOB_EXITED, 0);
	done(&r, "start 0\n");
}

/* Before the host has said that it is there, too. */
static void test_cancel(void **state)
{
	static const char act[] =
	        "hello\n"
	        "case $kind in\n"
	        "start) said started; hang ;;\n"
	        "cancel) echo Z running ;;\n"
	        "follow) said adopted; echo X 143 0 0 9 cancelled ;;\n"
	        "esac\n";
	static const int when[] = {JOB_CONNECTED, JOB_STARTED};

	(void)state;
	NEED_SSHD();
	for (size_t i = 0; i < ARRAY_SIZE(when); i++) {
		struct run r;

		init(&r, act);
		r.cancel_at = when[i];
		go(&r);
		expect_kind(&r, JOB_CANCELLED, 143);
		assert_int_equal(r.events[JOB_CANCELLING], 1);
		assert_int_equal(r.events[JOB_LOST], 0);
		done(&r, "start 0\ncancel \nfollow 0\n");
	}
}

/* A script that takes long to send is no silence. */
static void test_long_script(void **state)
{
	size_t size = 8 << 20;
	char *script = malloc(size);
	struct run r;

	(void)state;
	NEED_SSHD();
	assert_non_null(script);
	memset(script, 's', size);
	init(&r, "hello\n"
	         "i=0; while [ $i -lt 16 ]; do sleep .15\n"
	         "dd bs=65536 count=8 iflag=fullblock of=/dev/null 2>&1 |\n"
	         "	grep -c . > /dev/null; i=$((i + 1)); done\n"
	         "said started; echo X 0 0 0 9 exit\n");
	r.start.script_size = size;
	r.spec.script = script;
	r.spec.silence_ms = 1500;
	go(&r);
	expect_kind(&r, JOB_EXITED, 0);
	assert_int_equal(r.events[JOB_LOST], 0);
	done(&r, "start 0\n");
	free(script);
}

static void test_words(void **state)
{
	static const struct {
		const char *act;
		enum job_kind kind;
		int code;
	} cases[] = {
	        {"hello; echo F nospace /x", JOB_REFUSED, -ENOSPC},
	        {"hello; echo F nobase /x /y", JOB_REFUSED, -EROFS},
	        {"hello; echo F method tmux", JOB_REFUSED, -EOPNOTSUPP},
	        {"hello; echo F gone", JOB_REFUSED, -ENOENT},
	        {"hello; echo F", JOB_REFUSED, -EIO},
	        {"hello; said started; echo F gone", JOB_VANISHED, -ESRCH},
	        {"hello; said started; echo F shorter 5 3", JOB_VANISHED, -EIO},
	        {"hello; said started; echo F nospace", JOB_UNKNOWN, -ENOSPC},
	        {"hello; said started; echo G vanished 0 0", JOB_VANISHED,
	                -ESRCH},
	        {"hello; said started; echo G rebooted 0 0", JOB_REBOOTED,
	                -ESTALE},
	        {"hello; said started; echo X 0 0 0 9 timeout", JOB_TIMED_OUT,
	                -ETIMEDOUT},
	        {"hello; said started; echo what", JOB_UNKNOWN, -EPROTO},
	        {"hello; said started; said started", JOB_UNKNOWN, -EPROTO},
	        {"hello; said started; echo Z running", JOB_UNKNOWN, -EPROTO},
	        {"hello; said started; echo H 1 x", JOB_UNKNOWN, -EPROTO},
	        {"hello; said started; echo X 0 1 0 9 exit", JOB_UNKNOWN,
	                -EPROTO},
	        {"hello; said started; echo X 256 0 0 9 exit", JOB_UNKNOWN,
	                -EPROTO},
	        {"hello; echo S started", JOB_REFUSED, -EPROTO},
	        {"hello; echo J x", JOB_REFUSED, -EPROTO},
	        {"echo no shell for you >&2; exit 1", JOB_REFUSED, -ENOEXEC},
	        {"exec yes", JOB_REFUSED, -EPROTO},
	};

	(void)state;
	NEED_SSHD();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run r;

		init(&r, cases[i].act);
		go(&r);
		expect_kind(&r, cases[i].kind,
		        cases[i].kind == JOB_TIMED_OUT ? 0 : -1);
		if (r.result.why.code != cases[i].code)
			fail_msg("%s: %d %s", cases[i].act, r.result.why.code,
			        r.result.why.message);
		done(&r, NULL);
	}
}

static void test_unreachable(void **state)
{
	struct run r;

	(void)state;
	NEED_SSHD();
	init(&r, "");
	r.line.remote.port = sshd_free_port();
	r.line.remote.retries = 2;
	go(&r);
	expect_kind(&r, JOB_UNREACHABLE, -1);
	assert_int_equal(r.events[JOB_RETRY], 2);
	assert_int_equal(r.result.why.code, -ECONNREFUSED);
	done(&r, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_simple),
	        cmocka_unit_test(test_torn),
	        cmocka_unit_test(test_cut),
	        cmocka_unit_test(test_torn_start),
	        cmocka_unit_test(test_gives_up),
	        cmocka_unit_test(test_silence),
	        cmocka_unit_test(test_idle),
	        cmocka_unit_test(test_idle_too_late),
	        cmocka_unit_test(test_not_idle),
	        cmocka_unit_test(test_stopped),
	        cmocka_unit_test(test_growing),
	        cmocka_unit_test(test_cancel),
	        cmocka_unit_test(test_long_script),
	        cmocka_unit_test(test_words),
	        cmocka_unit_test(test_unreachable),
	};

	return cmocka_run_group_tests_name(
	        "job", tests, jobhost_set_up, jobhost_tear_down);
}
