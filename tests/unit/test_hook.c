/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/exitcode.h"
#include "core/hook.h"
#include "core/status.h"
#include "log.h"
#include "scratch.h"
#include "sig.h"
#include "str.h"

static char dir[SCRATCH_PATH];
static struct status st;
static struct err err;

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	/* Beside this program and not below /tmp: everybody may write there,
	 * so no program in it is one that root may run. */
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 32);
	assert_true(n > 0);
	dir[n] = '\0';
	(void)snprintf(strrchr(dir, '/'), 32, "/hook.XXXXXX");
	if (!mkdtemp(dir))
		scratch_make(dir, "hook");
	status_init(&st);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	status_done(&st);
	scratch_remove(dir);
	return 0;
}

/* A script; the command line to run it, with @args. */
static const char *script(const char *text, const char *args)
{
	static char command[2 * SCRATCH_PATH];
	char whole[2048];

	(void)snprintf(whole, sizeof(whole), "#!/bin/sh\n%s\n", text);
	(void)unlink(scratch_path(dir, "hook"));
	scratch_write(dir, "hook", whole);
	assert_int_equal(chmod(scratch_path(dir, "hook"), 0755), 0);
	(void)snprintf(command, sizeof(command), "%s/hook%s", dir, args);
	return command;
}

static int run(const char *command)
{
	err = ERR_INIT;
	return hook_run(command, "pre-run", &st, &err);
}

/* The checks need a place that root alone can change, from / on. */
static bool is_safe_here(void)
{
	return hook_check(script("true", ""), "pre-run", NULL) == 0;
}

static void nothing_configured(void **state)
{
	(void)state;
	assert_int_equal(hook_check("", "pre-run", &err), 0);
	assert_int_equal(hook_check(NULL, "pre-run", &err), 0);
	assert_int_equal(run(""), 0);
}

static void no_program(void **state)
{
	static const char *const commands[] = {"true", "./true", "   ",
	        "no/such", "/no/such/program", "/", "/usr"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		err = ERR_INIT;
		assert_true(hook_check(commands[i], "pre-run", &err) < 0);
		assert_memory_equal(err.message, "pre-run", 7);
		assert_int_equal(run(commands[i]), EXITCODE_FAILED);
		assert_true(err.message[0]);
	}
}

static void runs_programs_of_the_system(void **state)
{
	(void)state;
	assert_int_equal(hook_check("/bin/true", "pre-run", &err), 0);
	assert_int_equal(run("/bin/true"), 0);
	assert_int_equal(run("/bin/false  "), 1);
	assert_non_null(strstr(err.message, "pre-run"));
	assert_true(err.action[0]);
}

/* Split at blanks, and nothing else means anything. */
static void no_shell(void **state)
{
	(void)state;
	if (!is_safe_here())
		skip();
	assert_int_equal(run(script("[ $# = 4 ] && [ \"$1\" = '$HOME;' ] &&"
	                            "[ \"$2\" = '\"a' ] && [ \"$4\" = '*' ]",
	                         "  $HOME; \"a\tb\" * ")),
	        0);
}

static void environment(void **state)
{
	(void)state;
	if (!is_safe_here())
		skip();
	(void)str_copy(st.disk.uuid, sizeof(st.disk.uuid), "01-23");
	(void)str_copy(st.disk.title, sizeof(st.disk.title), "a b\n$(id)\"'");
	(void)str_copy(st.disk.device, sizeof(st.disk.device), "/dev/sdb1");
	st.step = STEP_MATCH;
	st.state = STATUS_RUNNING;
	assert_int_equal(setenv("CANARY", "1", 1), 0);
	const char *command =
	        script("cd \"${0%/*}\" && env -0 | sort -z > env", "");
	assert_int_equal(run(command), 0);
	(void)unsetenv("CANARY");

	_cleanup_free_ char *raw = scratch_read(dir, "env");
	char *text = raw;
	struct strv all = STRV_INIT;

	for (; *text; text += strlen(text) + 1)
		assert_int_equal(strv_add(&all, text), 0);
	assert_true(strv_has(&all, "ASBACKUP_UUID=01-23"));
	assert_true(strv_has(&all, "ASBACKUP_TITLE=a b\n$(id)\"'"));
	assert_true(strv_has(&all, "ASBACKUP_DEVICE=/dev/sdb1"));
	assert_true(strv_has(&all, "ASBACKUP_STEP=match"));
	assert_true(strv_has(&all, "ASBACKUP_STATE=running"));
	assert_true(strv_has(&all, "LC_ALL=C"));
	assert_false(strv_has(&all, "CANARY=1"));
	for (size_t i = 0; i < all.len; i++)
		assert_false(str_starts(all.items[i], "ASBACKUP_EXIT_CODE"));
	strv_done(&all);

	st.exit_code = 15;
	assert_int_equal(
	        run(script("[ \"$ASBACKUP_EXIT_CODE\" = 15 ]", "")), 0);
}

static void exit_codes(void **state)
{
	(void)state;
	if (!is_safe_here())
		skip();
	assert_int_equal(run(script("exit 75", "")), EXITCODE_BUSY);
	assert_int_equal(run(script("exit 255", "")), 255);
	assert_non_null(strstr(err.message, "255"));
	assert_int_equal(run(script("kill -9 $$", "")), EXITCODE_FAILED);
	assert_true(err.message[0]);
}

static void output_goes_to_the_log(void **state)
{
	_cleanup_free_ char *log = NULL;

	(void)state;
	if (!is_safe_here())
		skip();
	assert_int_equal(log_open_file(scratch_path(dir, "log"), &err), 0);
	assert_int_equal(run(script("echo one; echo; echo two >&2;"
	                            "printf '\\033[31mred\\n';"
	                            "printf %02000d 7; printf last",
	                         "")),
	        0);
	log_close();
	log = scratch_read(dir, "log");
	assert_non_null(strstr(log, "pre-run: one\n"));
	assert_non_null(strstr(log, "pre-run: two\n"));
	assert_non_null(strstr(log, "pre-run: \\x1B[31mred\n"));
	assert_non_null(strstr(log, "pre-run: last\n"));
	assert_null(strstr(log, "pre-run: \n"));
}

static void writable_by_others(void **state)
{
	const char *command;

	(void)state;
	if (!is_safe_here())
		skip();
	command = script("true", "");
	assert_int_equal(chmod(command, 0775), 0);
	assert_true(hook_check(command, "pre-run", &err) < 0);
	assert_int_equal(run(command), EXITCODE_FAILED);
	assert_int_equal(chmod(command, 0757), 0);
	assert_int_equal(run(command), EXITCODE_FAILED);
	assert_int_equal(chmod(command, 0644), 0);
	assert_int_equal(run(command), EXITCODE_FAILED);
	assert_int_equal(chmod(command, 0755), 0);
	assert_int_equal(run(command), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(run(command), EXITCODE_FAILED);
	assert_non_null(strstr(err.message, dir));
	assert_int_equal(chmod(dir, 0700), 0);
}

static void ended_by_a_signal(void **state)
{
	(void)state;
	if (!is_safe_here())
		skip();
	/* It asks for the end of its own parent, then sleeps. */
	assert_int_equal(run(script("kill -TERM $PPID; exec sleep 60", "")),
	        EXITCODE_FAILED);
	assert_int_equal(sig_caught(), SIGTERM);
	sig_reset();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(nothing_configured),
	        T(no_program),
	        T(runs_programs_of_the_system),
	        T(no_shell),
	        T(environment),
	        T(exit_codes),
	        T(output_goes_to_the_log),
	        T(writable_by_others),
	        T(ended_by_a_signal),
	};

	log_init(LOG_LEVEL_ERR);
	if (sig_init(NULL) < 0)
		return 1;
	return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
