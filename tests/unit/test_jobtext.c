/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "buf.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "core/jobtext.h"
#include "scratch.h"

#define NONCE "0123456789abcdef0123456789abcdef"
#define PLAIN "/usr/local/bin:/usr/bin:/bin"

static char dir[SCRATCH_PATH];
static const char *shells[4]; /* what is installed */
static size_t shells_len;

static int setup(void **state)
{
	static const char *const names[] = {"dash", "bash", "busybox"};

	(void)state;
	scratch_make(dir, "jobtext");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *found = path_find_program(names[i]);
		_cleanup_free_ char *sh = str_printf("%s/sh", names[i]);

		assert_non_null(sh);
		if (!found)
			continue;
		/* A directory in which "sh" is that one. */
		scratch_mkdir(dir, names[i]);
		assert_int_equal(symlink(found, scratch_path(dir, sh)), 0);
		shells[shells_len++] = names[i];
	}
	assert_true(shells_len > 0);
	/* One that cannot be told "fullblock". */
	scratch_mkdir(dir, "nodd");
	scratch_write(dir, "nodd/dd", "#!/bin/sh\nexit 1\n");
	assert_int_equal(chmod(scratch_path(dir, "nodd/dd"), 0700), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

/* --- running ---------------------------------------------------------------
 */

static int collect(
        enum proc_stream stream, const char *data, size_t len, void *arg)
{
	struct buf *b = arg;

	if (stream == PROC_STDOUT)
		buf_add(b, data, len);
	return 0;
}

/* Has @shell run @text, in the directory "work" and with DIR/in as standard
 * input; what it printed.  @nodd: without the dd that it needs. */
static void run(struct buf *out, const char *shell, bool nodd, const char *text)
{
	struct err err = ERR_INIT;
	struct proc_result res;
	_cleanup_close_ int in = open(scratch_path(dir, "in"), O_RDONLY);
	_cleanup_close_ int work =
	        open(scratch_path(dir, "work"), O_RDONLY | O_DIRECTORY);
	_cleanup_free_ char *sh = str_printf("%s/%s/sh", dir, shell);
	_cleanup_free_ char *copy = strdup(text);
	_cleanup_free_ char *path = str_printf("PATH=%s/%s:%s%s%s", dir, shell,
	        nodd ? dir : "", nodd ? "/nodd:" : "", PLAIN);
	char *argv[] = {sh, (char[]){"-c"}, copy, NULL};
	const char *env[] = {path, "LC_ALL=C.UTF-8", NULL};

	assert_true(in >= 0 && work >= 0 && sh && copy && path);
	struct proc_spec spec = {PROC_SPEC_INIT, .name = shell, .argv = argv,
	        .env = env, .on_output = collect, .cb_arg = out,
	        .timeout_ms = 30000};
	spec.stdin_fd = in;
	spec.cwd_fd = work;
	assert_int_equal(proc_run(&spec, &res, &err), 0);
	assert_false(res.timed_out);
}

static void fresh_work(void)
{
	scratch_remove(scratch_path(dir, "work"));
	scratch_mkdir(dir, "work");
}

/* --- names -----------------------------------------------------------------
 */

static void test_ids(void **state)
{
	char id[JOBTEXT_ID_MAX + 2];

	(void)state;
	memset(id, 'a', sizeof id);
	id[JOBTEXT_ID_MAX] = '\0';
	assert_true(jobtext_id_is_valid(id));
	id[JOBTEXT_ID_MAX] = 'a';
	id[JOBTEXT_ID_MAX + 1] = '\0';
	assert_false(jobtext_id_is_valid(id));
	assert_true(jobtext_id_is_valid("a"));
	assert_true(jobtext_id_is_valid("A_b-0.9"));
	assert_true(jobtext_id_is_valid("_"));
	assert_false(jobtext_id_is_valid(""));
	assert_false(jobtext_id_is_valid("."));
	assert_false(jobtext_id_is_valid(".."));
	assert_false(jobtext_id_is_valid("-a"));
	for (int c = 1; c < 256; c++) {
		const char text[] = {'a', (char)c, '\0'};

		assert_int_equal(jobtext_id_is_valid(text),
		        c < 128 && (isalnum(c) || strchr("._-", c)));
	}
}

static void test_env_names(void **state)
{
	(void)state;
	assert_true(jobtext_env_is_valid("A=b"));
	assert_true(jobtext_env_is_valid("_a9="));
	assert_true(jobtext_env_is_valid("a=b=c\n'\""));
	assert_false(jobtext_env_is_valid(""));
	assert_false(jobtext_env_is_valid("="));
	assert_false(jobtext_env_is_valid("=b"));
	assert_false(jobtext_env_is_valid("A"));
	assert_false(jobtext_env_is_valid("9A=b"));
	for (int c = 1; c < 256; c++) {
		const char text[] = {'a', (char)c, '=', '\0'};

		if (c != '=')
			assert_int_equal(jobtext_env_is_valid(text),
			        c < 128 && (isalnum(c) || c == '_'));
	}
}

static void test_nonce(void **state)
{
	char a[JOBTEXT_NONCE_SIZE], b[JOBTEXT_NONCE_SIZE];

	(void)state;
	assert_int_equal(jobtext_nonce(a), 0);
	assert_int_equal(jobtext_nonce(b), 0);
	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
}

/* --- quoting ----------------------------------------------------------------
 */

/* All bytes but NUL, and what looks like the end of something. */
static void odd_text(char dst[400])
{
	size_t n = 0;

	for (int c = 255; c > 0; c--)
		dst[n++] = (char)c;
	(void)str_copy(dst + n, 400 - n,
	        "'; touch evil; '$(touch evil)`touch evil`\\\n#" NONCE
	        "\n'\\''");
}

static void test_quoting(void **state)
{
	char odd[400], pair[402];
	const char *args[] = {odd, "", "-e", "a b", NULL};
	const char *env[] = {pair, "B=", NULL};
	struct jobtext_start s = {.id = "j",
	        .args = args,
	        .env = env,
	        .interpreter = odd,
	        .dir = odd};
	_cleanup_buf_ struct buf text = BUF_INIT, expected = BUF_INIT;

	(void)state;
	odd_text(odd);
	(void)snprintf(pair, sizeof pair, "A=%s", odd);
	jobtext_start(&text, NONCE, &s);
	assert_false(buf_failed(&text));
	/* The settings come first; then the programs that would start it. */
	char *end = strstr(text.data, "\nrunner='");

	assert_non_null(end);
	buf_cut(&text, (size_t)(end + 1 - text.data));
	buf_adds(&text, "eval \"$settings_before\n$settings_behind\"\n"
	                "printf '[%s]' \"$interpreter\" \"$id\" "
	                "\"$method\" \"$again\" \"$limit\"\n"
	                "cd() { printf '[%s]' \"$*\"; }\n"
	                "HOME=/h\n"
	                "run_script sh -c 'printf \"[%s]\" \"$A\" \"$B\" "
	                "\"$@\"' script\n");
	buf_printf(&expected,
	        "[%s][j][auto][no][0][/h][./%s][%s][][%s][][-e][a b]", odd, odd,
	        odd, odd);
	scratch_write(dir, "in", "");
	for (size_t i = 0; i < shells_len; i++) {
		_cleanup_buf_ struct buf out = BUF_INIT;

		fresh_work();
		run(&out, shells[i], false, text.data);
		assert_string_equal(out.data, expected.data);
		assert_false(scratch_has(dir, "work/evil"));
	}
}

static void test_numbers(void **state)
{
	struct jobtext_start s = {.id = "j",
	        .script_size = 1ULL << 33,
	        .limit_s = 1LL << 40,
	        .method = JOBTEXT_TMUX,
	        .again = true};
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	jobtext_start(&b, NONCE, &s);
	assert_non_null(strstr(b.data, "\nscript_size=8589934592\n"));
	assert_non_null(strstr(b.data, "\nlimit=1099511627776\n"));
	assert_non_null(strstr(b.data, "\nmethod='tmux'\n"));
	assert_non_null(strstr(b.data, "\nagain='yes'\n"));
	buf_reset(&b);
	jobtext_follow(&b, NONCE, "j", UINT64_MAX, 7);
	assert_non_null(strstr(b.data, "\nout_from=18446744073709551615\n"));
	assert_non_null(strstr(b.data, "\nerr_from=7\n"));
}

/* Every program ends with the line by which the shell knows it is whole, and
 * is one that every shell can read. */
static void test_programs(void **state)
{
	struct jobtext_start s = {.id = "j"};
	struct buf texts[5] = {
	        BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};

	(void)state;
	jobtext_start(&texts[0], NONCE, &s);
	jobtext_follow(&texts[1], NONCE, "j", 0, 0);
	jobtext_cancel(&texts[2], NONCE, "j");
	jobtext_list(&texts[3], NONCE);
	jobtext_clean(&texts[4], NONCE, 14);
	fresh_work();
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_false(buf_failed(&texts[i]));
		assert_true(str_ends(texts[i].data, "\n#" NONCE "\n"));
		scratch_write(dir, "in", texts[i].data);
		for (size_t k = 0; k < shells_len; k++) {
			_cleanup_buf_ struct buf out = BUF_INIT;

			run(&out, shells[k], false, "sh -n && echo fine");
			assert_string_equal(out.data, "fine\n");
		}
		buf_done(&texts[i]);
	}
}

/* --- the command ------------------------------------------------------------
 */

/* What login shells would take for something of theirs. */
static void test_command(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	jobtext_command(&b, NONCE, 1234, false);
	assert_null(strpbrk(b.data, "!\n"));
	assert_true(str_starts(b.data, "exec sh -c '"));
	assert_int_equal(strcspn(strchr(b.data, '\'') + 1, "'"),
	        strlen(strchr(b.data, '\'')) - 2);
	buf_reset(&b);
	jobtext_command(&b, NONCE, 1234, true);
	assert_true(str_starts(b.data, "exec sudo -n sh -c '"));
}

static const char program[] = ": " NONCE "\nmkdir done\nx='a\n  b\\\n\"c'\n"
                              "printf '%s\\n' \"$x\"\ncat > script\n"
                              "#" NONCE "\n";

/* The first @len bytes of the program, and the script. */
static void send(size_t len, const char *script, size_t script_len)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_add(&b, program, len);
	buf_add(&b, script, script_len);
	assert_false(buf_failed(&b));
	scratch_write_mem(dir, "in", b.data, b.len);
}

/* Cut off at every byte, with and without the dd: nothing is executed. */
static void test_cut(void **state)
{
	size_t len = strlen(program);
	_cleanup_buf_ struct buf command = BUF_INIT;

	(void)state;
	jobtext_command(&command, NONCE, len, false);
	fresh_work();
	for (size_t i = 0; i < shells_len; i++)
		for (size_t n = 0; n < len - 1; n++)
			for (int nodd = 0; nodd < 2; nodd++) {
				_cleanup_buf_ struct buf out = BUF_INIT;

				send(n, "", 0);
				run(&out, shells[i], nodd, command.data);
				assert_int_equal(out.len, 0);
				assert_int_equal(
				        rmdir(scratch_path(dir, "work")), 0);
				scratch_mkdir(dir, "work");
			}
}

/* So when something before it has read from its beginning. */
static void test_beheaded(void **state)
{
	static const size_t eaten[] = {1, 2, 34, 35, 36, 40};
	_cleanup_buf_ struct buf command = BUF_INIT;

	(void)state;
	jobtext_command(&command, NONCE, strlen(program), false);
	fresh_work();
	for (size_t i = 0; i < shells_len * ARRAY_SIZE(eaten) * 2; i++) {
		_cleanup_buf_ struct buf out = BUF_INIT;

		scratch_write(dir, "in", program + eaten[i / 2 % 6]);
		run(&out, shells[i / 12], i & 1, command.data);
		assert_int_equal(out.len, 0);
		assert_int_equal(rmdir(scratch_path(dir, "work")), 0);
		scratch_mkdir(dir, "work");
	}
}

/* What comes behind the program is left for it, byte by byte, also when it
 * arrives in small pieces. */
static void test_whole(void **state)
{
	_cleanup_buf_ struct buf command = BUF_INIT, slowly = BUF_INIT;
	char script[5000];

	(void)state;
	for (size_t i = 0; i < sizeof script; i++)
		script[i] = (char)(i * 7);
	jobtext_command(&command, NONCE, strlen(program), false);
	buf_printf(&slowly,
	        "{ /bin/dd bs=9 count=1; sleep .02; /bin/dd bs=20 count=2; "
	        "sleep .02; cat; } 2>/dev/null | { %s; }",
	        command.data);
	for (size_t i = 0; i < shells_len; i++)
		for (int how = 0; how < 4; how++) {
			_cleanup_buf_ struct buf out = BUF_INIT;

			fresh_work();
			send(strlen(program), script, sizeof script);
			run(&out, shells[i], how & 1,
			        how & 2 ? slowly.data : command.data);
			assert_string_equal(out.data, "a\n  b\\\n\"c\n");
			assert_true(scratch_has(dir, "work/done"));
			_cleanup_free_ char *got =
			        scratch_read(dir, "work/script");

			assert_memory_equal(got, script, sizeof script);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_ids),
	        cmocka_unit_test(test_env_names),
	        cmocka_unit_test(test_nonce),
	        cmocka_unit_test(test_quoting),
	        cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_programs),
	        cmocka_unit_test(test_command),
	        cmocka_unit_test(test_cut),
	        cmocka_unit_test(test_beheaded),
	        cmocka_unit_test(test_whole),
	};

	return cmocka_run_group_tests_name("jobtext", tests, setup, teardown);
}
