/* SPDX-License-Identifier: MIT */
/* timeout: 240 */
/*
 * Each allocation fails once: nothing crashes, and who asked is told.  The
 * linker turns our calls (not the libraries' own) to those here, mk/check.mk.
 */
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
#include "core/jobframe.h"
#include "core/jobquery.h"
#include "jobhost.h"

#define NONCE "0123456789abcdef0123456789abcdef"

static int left; /* allocations until one fails; 0 = none will */
static bool fired;

static bool fails(void)
{
	if (left == 0 || --left > 0)
		return false;
	fired = true;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
int __real_vasprintf(char **dst, const char *fmt, va_list ap);
int __real___vasprintf_chk(char **dst, int flag, const char *fmt, va_list ap);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_vasprintf(char **dst, const char *fmt, va_list ap) _printf_(2, 0);
int __wrap___vasprintf_chk(char **dst, int flag, const char *fmt, va_list ap)
        _printf_(3, 0);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

int __wrap_vasprintf(char **dst, const char *fmt, va_list ap)
{
	return fails() ? -1 : __real_vasprintf(dst, fmt, ap);
}

int __wrap___vasprintf_chk(char **dst, int flag, const char *fmt, va_list ap)
{
	return fails() ? -1 : __real___vasprintf_chk(dst, flag, fmt, ap);
}

/* --- what is sent -----------------------------------------------------------
 */

static void compose(struct buf *b, int which)
{
	static const char *const words[] = {"A=b", "C=d", NULL};
	struct jobtext_start s = {.id = "j", .args = words, .env = words};

	switch (which) {
	case 0:
		jobtext_start(b, NONCE, &s);
		break;
	case 1:
		jobtext_follow(b, NONCE, "j", 1, 2);
		break;
	case 2:
		jobtext_cancel(b, NONCE, "j");
		break;
	case 3:
		jobtext_list(b, NONCE);
		break;
	case 4:
		jobtext_clean(b, NONCE, 3);
		break;
	default:
		jobtext_command(b, NONCE, 100, true);
		break;
	}
}

static void test_jobtext(void **state)
{
	(void)state;
	for (int which = 0; which < 6; which++) {
		int n = 0;

		do {
			_cleanup_buf_ struct buf b = BUF_INIT;

			fired = false;
			left = ++n;
			compose(&b, which);
			left = 0;
			assert_int_equal(buf_failed(&b), fired);
		} while (fired);
		assert_true(n > 1);
	}
}

/* --- a job ------------------------------------------------------------------
 */

struct run {
	struct job *job;
	struct job_result result;
	int ends;
};

static bool on_data(bool is_stderr, const char *data, size_t len, void *arg)
{
	(void)is_stderr;
	(void)data;
	(void)len;
	(void)arg;
	return true;
}

static void on_end(const struct job_result *result, void *arg)
{
	struct run *r = arg;

	r->result = *result;
	r->ends++;
	job_free(r->job);
	r->job = NULL;
}

/* The @n-th allocation fails; false: there were not so many. */
static bool run(struct run *r, const struct remote_options *remote, int n)
{
	struct jobtext_start start = {.id = "j"};
	struct job_spec spec = {.remote = remote,
	        .start = &start,
	        .script = "",
	        .silence_ms = 20000};
	struct job_handlers h = {
	        .on_data = on_data, .on_end = on_end, .arg = r};
	int64_t end = clock_mono_ms() + JOBHOST_LIMIT_MS;
	struct loop loop = LOOP_INIT;
	struct err err = ERR_INIT;
	int e, step = 0;

	*r = (struct run){.job = NULL};
	fired = false;
	left = n;
	e = job_start(&r->job, &loop, &spec, &h, &err);
	assert_true(e == 0 || (e == -ENOMEM && fired && !r->job));
	assert_int_equal(err.code, e);
	while (e == 0 && step == 0 && r->ends == 0) {
		assert_true(clock_mono_ms() < end);
		step = loop_step(&loop, 1000);
	}
	left = 0;
	/* The loop's own memory: its user is told, and may end. */
	assert_true(step == 0 || (step == -ENOMEM && fired));
	job_free(r->job);
	loop_done(&loop);
	if (r->ends > 0 && r->result.kind != JOB_EXITED)
		assert_true(r->result.why.message[0] != '\0');
	return fired;
}

static void init_line(struct jobhost_line *line)
{
	jobhost_line_init(line);
	line->remote.delay_ms = 10;
	line->remote.retries = 1;
}

static void test_refused(void **state)
{
	struct jobhost_line line;
	int n = 0;
	struct run r;

	(void)state;
	NEED_SSHD();
	init_line(&line);
	line.remote.port = sshd_free_port();
	while (run(&r, &line.remote, ++n))
		assert_true(r.ends == 0 || r.result.kind == JOB_UNREACHABLE);
	assert_int_equal(r.ends, 1);
	assert_true(n > 5);
}

static void reach_it(const struct remote_options *remote)
{
	struct run r;
	int n = 0;

	jobhost_acts("hello; said started\n"
	             "printf 'O 0 3\\nabcX 0 3 0 9 exit\\n'\n"
	             "cat > /dev/null\n");
	while (run(&r, remote, ++n))
		continue;
	assert_int_equal(r.ends, 1);
	if (r.result.kind != JOB_EXITED)
		fail_msg("%d, %d: %s", n, r.result.kind, r.result.why.message);
	assert_int_equal(r.result.out, 3);
	assert_true(n > 20);
}

static void test_reached(void **state)
{
	_cleanup_free_ char *proxy = NULL;
	struct jobhost_line line;

	(void)state;
	NEED_SSHD();
	init_line(&line);
	reach_it(&line.remote);
	proxy = str_printf(
	        "exec /usr/sbin/sshd -i -f %s", sshd_file("sshd_config"));
	line.remote.proxy = proxy;
	reach_it(&line.remote);
}

/* --- a question -------------------------------------------------------------
 */

static void compose_list(struct buf *b, const char *nonce, void *arg)
{
	(void)arg;
	jobtext_list(b, nonce);
}

static int on_answer(
        const struct jobframe_line *line, void *arg, struct err *err)
{
	int *lines = arg;

	(void)line;
	(void)err;
	(*lines)++;
	return 0;
}

static void test_query(void **state)
{
	struct jobhost_line line;
	int lines = 0, n = 0;
	struct jobquery q = {.remote = &line.remote,
	        .silence_ms = 20000,
	        .compose = compose_list,
	        .on_line = on_answer,
	        .arg = &lines};

	(void)state;
	NEED_SSHD();
	init_line(&line);
	jobhost_acts("hello; echo J a; echo Z\n");
	do {
		struct err err = ERR_INIT;
		int r;

		lines = 0;
		fired = false;
		left = ++n;
		r = jobquery_ask(&q, &err);
		left = 0;
		assert_int_equal(err.code, r);
		assert_int_equal(err.message[0] != '\0', r < 0);
		assert_true(r == 0 ? lines == 2 : fired);
	} while (fired);
	assert_true(n > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_jobtext),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_reached),
	        cmocka_unit_test(test_query),
	};

	return cmocka_run_group_tests_name(
	        "nomem", tests, jobhost_set_up, jobhost_tear_down);
}
