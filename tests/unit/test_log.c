/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "log.h"
#include "path.h"
#include "str.h"
#include "text.h"

static char dir[256];
static int real_stderr = -1, reader = -1;

/* Standard error becomes a pipe; what was written is read from its end. */
static void catch_stderr(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	(void)close(fds[1]);
	reader = fds[0];
}

/* Standard error becomes a terminal of @columns. */
static void catch_terminal(unsigned short columns)
{
	struct winsize ws = {.ws_row = 24, .ws_col = columns};
	struct termios raw;
	int slave;

	reader = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	assert_true(reader >= 0);
	assert_int_equal(grantpt(reader), 0);
	assert_int_equal(unlockpt(reader), 0);
	slave = open(ptsname(reader), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	/* What is written shall arrive as it is. */
	assert_int_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &ws), 0);
	assert_int_equal(dup2(slave, STDERR_FILENO), STDERR_FILENO);
	(void)close(slave);
}

/* What arrived since the last call; a static buffer.  A terminal hands over in
 * its own time, so a byte that nobody else writes marks the end. */
static const char *caught(void)
{
	static char text[8192];
	struct pollfd p = {.fd = reader, .events = POLLIN};
	size_t len = 0;

	assert_int_equal(write(STDERR_FILENO, "\001", 1), 1);
	while ((len == 0 || text[len - 1] != '\001') &&
	        poll(&p, 1, 10000) > 0) {
		ssize_t n = read(reader, text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len > 0 ? len - 1 : 0] = '\0';
	return text;
}

static int start(void **s)
{
	const char *tmp = getenv("TMPDIR");

	(void)s;
	(void)unsetenv("NO_COLOR");
	(void)unsetenv("JOURNAL_STREAM");
	(void)setenv("TERM", "xterm", 1);
	(void)snprintf(dir, sizeof(dir), "%s/log.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	catch_stderr();
	log_init(LOG_LEVEL_NOTICE);
	return 0;
}

static int stop(void **s)
{
	static const char *const names[] = {"/log", "/link", "/target", ""};

	(void)s;
	log_close();
	(void)dup2(real_stderr, STDERR_FILENO);
	(void)close(real_stderr);
	(void)close(reader);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[300];

		(void)snprintf(path, sizeof(path), "%s%s", dir, names[i]);
		(void)remove(path);
	}
	return access(dir, F_OK) == 0 ? -1 : 0;
}

static char *log_path(void)
{
	static char path[300];

	(void)snprintf(path, sizeof(path), "%s/log", dir);
	return path;
}

/* The lines of the log file without their times, which are checked. */
static void check_file(const char *expected)
{
	char *text = NULL, got[4096] = "";
	size_t used = 0;

	assert_int_equal(path_read_file(log_path(), 100000, &text, NULL), 0);
	for (char *p = text; *p;) {
		char *end = strchr(p, '\n');
		char time[21];
		int64_t t;

		assert_non_null(end);
		assert_true(end - p > 21);
		memcpy(time, p, 20);
		time[20] = '\0';
		assert_int_equal(clock_parse_utc(time, &t), 0);
		assert_true(clock_real_s() - t < 3600);
		assert_int_equal(p[20], ' ');
		memcpy(got + used, p + 21, (size_t)(end - p) - 20);
		used += (size_t)(end - p) - 20;
		p = end + 1;
	}
	assert_string_equal(got, expected);
	free(text);
}

static void levels_on_standard_error(void **s)
{
	(void)s;
	log_err("e %d", 1);
	log_warn("w");
	log_notice("n");
	log_info("i");
	log_debug("d");
	assert_string_equal(caught(), "error: e 1\nwarning: w\nn\n");
	log_set_level(LOG_LEVEL_DEBUG);
	log_info("i");
	log_debug("d");
	assert_string_equal(caught(), "i\ndebug: d\n");
	log_set_level(LOG_LEVEL_ERR);
	log_warn("w");
	log_err("e");
	assert_string_equal(caught(), "error: e\n");
}

static void hostile_names_stay_on_their_line(void **s)
{
	(void)s;
	log_notice("copied %s", "a\n<0>error: forged\x1b[2J\xff");
	assert_string_equal(
	        caught(), "copied a\\n<0>error: forged\\x1B[2J\\xFF\n");
}

static void errno_is_kept(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	(void)close(STDERR_FILENO);
	errno = 77;
	log_notice("nobody listens");
	assert_int_equal(errno, 77);
	(void)err_set(&e, -EIO, "x");
	log_show_err(LOG_LEVEL_ERR, &e);
	assert_int_equal(errno, 77);
}

static void set_journal(long long difference)
{
	char text[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(text, sizeof(text), "%lld:%lld", (long long)st.st_dev,
	        (long long)st.st_ino + difference);
	(void)setenv("JOURNAL_STREAM", text, 1);
}

static void the_journal_gets_priorities(void **s)
{
	(void)s;
	set_journal(0);
	log_init(LOG_LEVEL_DEBUG);
	log_err("e");
	log_warn("w");
	log_notice("n");
	log_info("i");
	log_debug("d");
	assert_string_equal(caught(),
	        "<3>error: e\n<4>warning: w\n<5>n\n<6>i\n<7>debug: d\n");
}

static void an_inherited_variable_is_no_journal(void **s)
{
	(void)s;
	set_journal(1);
	log_init(LOG_LEVEL_NOTICE);
	log_notice("n");
	assert_string_equal(caught(), "n\n");
	(void)setenv("JOURNAL_STREAM", "", 1);
	log_init(LOG_LEVEL_NOTICE);
	log_notice("n");
	assert_string_equal(caught(), "n\n");
}

static void a_terminal_gets_colours(void **s)
{
	(void)s;
	(void)close(reader);
	catch_terminal(80);
	/* A terminal is not the journal, whatever the variable says. */
	set_journal(0);
	log_init(LOG_LEVEL_NOTICE);
	log_err("e");
	log_warn("w");
	log_notice("n");
	assert_string_equal(caught(), "\033[1;31merror:\033[0m e\n"
	                              "\033[1;33mwarning:\033[0m w\nn\n");

	(void)setenv("NO_COLOR", "1", 1);
	log_init(LOG_LEVEL_NOTICE);
	log_err("e");
	assert_string_equal(caught(), "error: e\n");
	(void)unsetenv("NO_COLOR");
	(void)setenv("TERM", "dumb", 1);
	log_init(LOG_LEVEL_NOTICE);
	log_err("e");
	log_progress("50 %");
	assert_string_equal(caught(), "error: e\n");
}

static void progress_on_a_terminal(void **s)
{
	(void)s;
	log_progress("ignored, this is a pipe");
	assert_string_equal(caught(), "");
	(void)close(reader);
	catch_terminal(20);
	log_init(LOG_LEVEL_NOTICE);

	log_progress(NULL);
	assert_string_equal(caught(), "");
	log_progress("50 %\n");
	assert_string_equal(caught(), "\r\033[K50 %\\n");
	log_progress("0123456789012345678901234567890");
	assert_string_equal(caught(), "\r\033[K0123456789012345678");
	/* Characters, not bytes. */
	log_progress("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	             "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
	assert_int_equal(strlen(caught()), 4 + 26);
	log_info("not shown, so nothing is cleared");
	assert_string_equal(caught(), "");
	log_notice("line");
	assert_string_equal(caught(), "\r\033[Kline\n");
	log_notice("line");
	assert_string_equal(caught(), "line\n");
	log_progress("x");
	(void)caught();
	log_progress("");
	assert_string_equal(caught(), "\r\033[K");
}

static void a_lead_comes_once(void **s)
{
	(void)s;
	assert_false(log_has_lead());
	log_set_lead("\n");
	assert_string_equal(caught(), "");
	log_info("not shown");
	assert_true(log_has_lead());
	log_notice("line");
	assert_false(log_has_lead());
	log_notice("line");
	assert_string_equal(caught(), "\nline\nline\n");
	log_set_lead("\n");
	log_set_lead(NULL);
	log_notice("line");
	assert_string_equal(caught(), "line\n");
}

static void the_file_has_all_steps(void **s)
{
	struct err e = ERR_INIT;
	struct stat st;
	mode_t old = umask(022);

	(void)s;
	assert_int_equal(log_open_file(log_path(), &e), 0);
	(void)umask(old);
	log_err("e");
	log_warn("w");
	log_notice("n\nn");
	log_info("i");
	log_debug("d");
	check_file("err: e\nwarning: w\nnotice: n\\nn\ninfo: i\n");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("d");
	log_close();
	log_notice("not any more");
	/* It is appended to. */
	assert_int_equal(log_open_file(log_path(), &e), 0);
	log_info("again");
	check_file("err: e\nwarning: w\nnotice: n\\nn\ninfo: i\ndebug: d\n"
	           "info: again\n");
	assert_false(log_is_incomplete());
	assert_int_equal(stat(log_path(), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_link_is_no_log_file(void **s)
{
	char target[300];
	struct err e = ERR_INIT;

	(void)s;
	(void)snprintf(target, sizeof(target), "%s/target", dir);
	assert_int_equal(symlink(target, log_path()), 0);
	assert_int_equal(log_open_file(log_path(), &e), -ELOOP);
	assert_true(str_ends(e.message, "is a symbolic link"));
	assert_int_equal(access(target, F_OK), -1);
	assert_true(log_is_incomplete());
	log_init(LOG_LEVEL_NOTICE);
	assert_false(log_is_incomplete());
}

static void other_things_are_no_log_file(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	assert_int_equal(log_open_file(dir, &e), -EISDIR);
	assert_int_equal(log_open_file("/no/such/log", &e), -ENOENT);
	assert_string_equal(e.message, "cannot write the log file "
	                               "/no/such/log: No such file or "
	                               "directory");
	/* A FIFO with a reader would open; without one nobody waits. */
	assert_int_equal(mkfifo(log_path(), 0600), 0);
	assert_int_equal(log_open_file(log_path(), &e), -ENXIO);
	{
		int fd = open(log_path(), O_RDWR | O_CLOEXEC);

		assert_int_equal(log_open_file(log_path(), &e), -EINVAL);
		(void)close(fd);
	}
	assert_true(log_is_incomplete());
}

static void a_failed_open_keeps_the_old_file(void **s)
{
	(void)s;
	assert_int_equal(log_open_file(log_path(), NULL), 0);
	assert_int_equal(log_open_file("/no/such/log", NULL), -ENOENT);
	log_info("still there");
	check_file("info: still there\n");
}

static void a_full_disk_is_remembered(void **s)
{
	(void)s;
	assert_int_equal(log_open_file("/dev/full", NULL), 0);
	assert_false(log_is_incomplete());
	log_info("lost");
	log_notice("shown");
	assert_string_equal(caught(), "shown\n");
	assert_true(log_is_incomplete());
	log_close();
	assert_true(log_is_incomplete());
}

/* The disk takes a part of a line, and later there is room again. */
static void a_torn_line_keeps_to_itself(void **s)
{
	struct rlimit old, small;
	char *text = NULL;

	(void)s;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(log_open_file(log_path(), NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 30;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	log_info("this is longer than that");
	assert_true(log_is_incomplete());
	log_info("no room at all");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	log_info("room again");
	assert_int_equal(path_read_file(log_path(), 1000, &text, NULL), 0);
	assert_int_equal(text[30], '\n');
	assert_memory_equal(text + 20, " info: thi\n", 11);
	assert_true(str_ends(text, "Z info: room again\n"));
	assert_null(strstr(text, "no room"));
	free(text);
}

static void errors_have_three_lines(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	assert_int_equal(log_open_file(log_path(), NULL), 0);
	(void)err_set(&e, -EIO, "what\nhappened");
	log_show_err(LOG_LEVEL_ERR, &e);
	assert_string_equal(caught(), "error: what\\nhappened\n");
	err_meaning(&e, "what it means");
	err_action(&e, "what to do");
	log_show_err(LOG_LEVEL_WARNING, &e);
	assert_string_equal(caught(), "warning: what\\nhappened\n"
	                              "  what it means\n  what to do\n");
	e = ERR_INIT;
	e.code = -ENOENT;
	log_show_err(LOG_LEVEL_ERR, &e);
	assert_string_equal(caught(), "error: No such file or directory\n");
	log_show_err(LOG_LEVEL_DEBUG, &e);
	assert_string_equal(caught(), "");
	check_file("err: what\\nhappened\nwarning: what\\nhappened\n"
	           "warning:   what it means\nwarning:   what to do\n"
	           "err: No such file or directory\n");
}

static void the_last_lines(void **s)
{
	char lng[3000], *tail, *p;
	int lines = 0;

	(void)s;
	for (int i = 0; i < 30; i++) {
		log_info("info %d", i);
		log_debug("debug %d", i);
	}
	log_warn("last\n");
	tail = log_tail();
	for (p = tail; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 20);
	assert_true(str_starts(tail, "info 11\ninfo 12\n"));
	assert_true(str_ends(tail, "info 29\nwarning: last\\n\n"));
	assert_null(strstr(tail, "debug"));
	free(tail);

	for (size_t i = 0; i + 2 < sizeof(lng); i += 2)
		memcpy(lng + i, "\xc3\xa4\0", 3);
	for (int i = 0; i < 20; i++)
		log_info("%.*s%s", i % 2, "x", lng);
	tail = log_tail();
	assert_true(strlen(tail) <= 20 * 1024);
	assert_true(text_utf8_is_valid(tail, strlen(tail)));
	assert_non_null(strstr(tail, "\xc3\xa4...\n"));
	free(tail);
}

/* Secrets stay for the life of the program, so these are the last tests. */
static void secrets_are_masked(void **s)
{
	char text[64];
	char *tail;

	(void)s;
	log_add_secret(NULL);
	log_add_secret("");
	log_add_secret("ab");
	log_add_secret("hunter2");
	log_add_secret("hunter2-long");
	log_add_secret("ter2xyz");
	log_add_secret("new\nline");
	assert_int_equal(log_open_file(log_path(), NULL), 0);
	log_notice("ab pass=%s.", "hunter2");
	log_notice("%s,%s", "hunter2-long", "hunter2");
	log_notice("hunter2xyz!");
	log_notice("new\nline");
	log_notice("hunter");
	assert_string_equal(
	        caught(), "ab pass=****.\n****,****\n****!\n****\nhunter\n");
	check_file("notice: ab pass=****.\nnotice: ****,****\n"
	           "notice: ****!\nnotice: ****\nnotice: hunter\n");
	tail = log_tail();
	assert_null(strstr(tail, "hunter2"));
	free(tail);

	(void)str_copy(text, sizeof(text), "x hunter2xyz hunter2hunter2.");
	log_mask(text);
	assert_string_equal(text, "x ********** **************.");
	text[0] = '\0';
	log_mask(text);
	assert_string_equal(text, "");
}

static void secrets_in_progress_and_errors(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	(void)err_set(&e, -EIO, "m hunter2");
	err_meaning(&e, "n hunter2");
	err_action(&e, "a hunter2");
	log_show_err(LOG_LEVEL_ERR, &e);
	assert_string_equal(caught(), "error: m ****\n  n ****\n  a ****\n");
	(void)close(reader);
	catch_terminal(80);
	log_init(LOG_LEVEL_NOTICE);
	log_progress("p hunter2");
	assert_string_equal(caught(), "\r\033[Kp ****");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)
	const struct CMUnitTest tests[] = {
	        TEST(levels_on_standard_error),
	        TEST(hostile_names_stay_on_their_line),
	        TEST(errno_is_kept),
	        TEST(the_journal_gets_priorities),
	        TEST(an_inherited_variable_is_no_journal),
	        TEST(a_terminal_gets_colours),
	        TEST(progress_on_a_terminal),
	        TEST(a_lead_comes_once),
	        TEST(the_file_has_all_steps),
	        TEST(a_link_is_no_log_file),
	        TEST(other_things_are_no_log_file),
	        TEST(a_failed_open_keeps_the_old_file),
	        TEST(a_full_disk_is_remembered),
	        TEST(a_torn_line_keeps_to_itself),
	        TEST(errors_have_three_lines),
	        TEST(the_last_lines),
	        TEST(secrets_are_masked),
	        TEST(secrets_in_progress_and_errors),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
