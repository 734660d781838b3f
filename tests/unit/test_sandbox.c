/* SPDX-License-Identifier: MIT */
/*
 * sandbox: what real programs can and cannot do inside.
 *
 *	base/in/      the target; rule WRITE
 *	base/source/  rule READ
 *	base/out/     no rule
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "buf.h"
#include "proc.h"
#include "sys/sandbox.h"

#define LONG_MS 60000
#define RSYNC "/usr/bin/rsync"

static char base[64];
static char in[80];
static char out[80];
static char source[80];
static struct buf output = BUF_INIT;

/* String literals are const, arguments of main() are not: no more than that. */
#define VECTOR(...) \
	((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

/* --- the place ------------------------------------------------------------ */

static const char *at(const char *dir, const char *name)
{
	static char path[4][256];
	static unsigned next;
	char *p = path[next++ % 4];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int remove_one(
        const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	buf_reset(&output);
	return nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(base, sizeof(base), "%.30s/test_sandbox.XXXXXX",
	        tmp ? tmp : "/tmp");
	if (!mkdtemp(base))
		return -1;
	(void)snprintf(in, sizeof(in), "%s/in", base);
	(void)snprintf(out, sizeof(out), "%s/out", base);
	(void)snprintf(source, sizeof(source), "%s/source", base);
	if (mkdir(in, 0755) < 0 || mkdir(out, 0755) < 0 ||
	        mkdir(source, 0755) < 0)
		return -1;
	write_file(at(in, "file"), "inside\n");
	write_file(at(out, "file"), "outside\n");
	write_file(at(source, "file"), "source\n");
	return 0;
}

/* --- running in it -------------------------------------------------------- */

static struct sandbox prepare(uint64_t caps, int abi_max)
{
	struct sandbox sb;
	struct err err = ERR_INIT;
	int fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sandbox_rule rules[] = {
	        {.path = in, .access = SANDBOX_WRITE},
	        {.fd = fd, .access = SANDBOX_READ},
	        {.path = "/proc", .access = SANDBOX_READ},
	        {.path = "/nonexistent",
	                .access = SANDBOX_WRITE,
	                .optional = true},
	};
	struct sandbox_spec spec = {.rules = rules,
	        .rules_len = ARRAY_SIZE(rules),
	        .programs = true,
	        .keep_caps = caps,
	        .abi_max = abi_max};

	assert_true(fd >= 0);
	assert_int_equal(sandbox_prepare(&sb, &spec, &err), 0);
	(void)close(fd);
	return sb;
}

static int on_output(
        enum proc_stream stream, const char *data, size_t len, void *arg)
{
	(void)stream;
	(void)arg;
	buf_add(&output, data, len);
	return 0;
}

/* Runs it in "in". Returns the exit code; all it says is in output. */
static int run(char *const *argv)
{
	struct sandbox sb = prepare(SANDBOX_CAPS_COPY, 0);
	struct proc_result res;
	struct err err = ERR_INIT;
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = argv,
	        .on_output = on_output, .pre_exec = sandbox_hook,
	        .pre_exec_arg = &sb, .timeout_ms = LONG_MS,
	        .pid_namespace = true};

	buf_reset(&output);
	spec.cwd_fd = open(in, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(spec.cwd_fd >= 0);
	assert_int_equal(proc_run(&spec, &res, &err), 0);
	(void)close(spec.cwd_fd);
	sandbox_done(&sb);
	return res.exit_code;
}

static bool said(const char *text)
{
	return strstr(output.data, text) != NULL;
}

/* Without exec: @fn in a process of its own, inside. */
static int call(int (*fn)(void), uint64_t caps, int abi_max)
{
	struct sandbox sb = prepare(caps, abi_max);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (sandbox_apply(&sb) < 0)
			_exit(100);
		_exit(fn());
	}
	sandbox_done(&sb);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void need_landlock(int abi)
{
	if (sandbox_landlock_abi() < abi)
		skip();
}

/* --- tests ---------------------------------------------------------------- */

static void test_probe(void **state)
{
	unsigned has = sandbox_probe();
	int abi = sandbox_landlock_abi();

	(void)state;
	assert_true(has & SANDBOX_HAS_NO_NEW_PRIVS);
	assert_int_equal(!!(has & SANDBOX_HAS_FILES), abi >= 1);
	assert_int_equal(!!(has & SANDBOX_HAS_RENAME), abi >= 2);
	assert_int_equal(!!(has & SANDBOX_HAS_TRUNCATE), abi >= 3);
	assert_int_equal(!!(has & SANDBOX_HAS_TCP), abi >= 4);
	/* Asking changes nothing. */
	assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

static void test_rights(void **state)
{
	enum {
		EXECUTE = 0x1,
		WRITE = 0x2,
		READ = 0x4,
		LIST = 0x8,
		DEVICES = 0x840,
		REFER = 0x2000,
		TRUNCATE = 0x4000,
		IOCTL = 0x8000
	};

	(void)state;
	assert_int_equal(sandbox_rights(SANDBOX_READ, 7, true), READ | LIST);
	assert_int_equal(sandbox_rights(SANDBOX_READ, 7, false), READ);
	assert_int_equal(sandbox_rights(SANDBOX_READ_EXEC, 1, true),
	        READ | LIST | EXECUTE);
	assert_int_equal(sandbox_rights(SANDBOX_WRITE, 7, false),
	        READ | WRITE | TRUNCATE);
	assert_int_equal(sandbox_rights(SANDBOX_WRITE, 2, false), READ | WRITE);
	assert_int_equal(sandbox_rights(SANDBOX_WRITE, 0, true), 0);

	for (int abi = 1; abi <= 7; abi++) {
		uint64_t rights = sandbox_rights(SANDBOX_WRITE, abi, true);

		assert_false(rights & (EXECUTE | DEVICES | IOCTL));
		assert_true(rights & WRITE);
		assert_int_equal(!!(rights & REFER), abi >= 2);
		assert_int_equal(!!(rights & TRUNCATE), abi >= 3);
		assert_int_equal(rights >> (abi < 2          ? 13
		                                   : abi < 3 ? 14
		                                             : 15),
		        0);
	}
}

static void test_prepare_fails(void **state)
{
	struct sandbox sb;
	struct err err = ERR_INIT;
	struct sandbox_rule rule = {.path = "/nonexistent"};
	struct sandbox_spec spec = {.rules = &rule, .rules_len = 1};

	(void)state;
	need_landlock(1);
	assert_int_equal(sandbox_prepare(&sb, &spec, &err), -ENOENT);
	assert_non_null(strstr(err.message, "/nonexistent"));
	assert_int_equal(sb.ruleset_fd, -1);

	rule = (struct sandbox_rule){.fd = 4000};
	assert_int_equal(sandbox_prepare(&sb, &spec, &err), -EBADF);
	assert_non_null(strstr(err.message, "4000"));
	assert_int_equal(sb.ruleset_fd, -1);

	/* Only "not there" is optional. */
	rule = (struct sandbox_rule){.path = "/dev/null/x", .optional = true};
	assert_int_equal(sandbox_prepare(&sb, &spec, &err), -ENOTDIR);
	sandbox_done(&sb);
	sandbox_done(&sb);
}

static void test_apply_fails(void **state)
{
	struct sandbox sb = {.ruleset_fd = open("/dev/null", O_RDONLY)};
	struct proc_result res;
	struct err err = ERR_INIT;
	struct proc_spec spec = {PROC_SPEC_INIT,
	        .argv = VECTOR("/usr/bin/touch", at(in, "new")),
	        .pre_exec = sandbox_hook, .pre_exec_arg = &sb};

	(void)state;
	need_landlock(1);
	/* Not a rule set: the program is not started without its sandbox. */
	assert_int_equal(proc_run(&spec, &res, &err), -EBADFD);
	assert_false(exists(at(in, "new")));
	sandbox_done(&sb);
}

static void test_write(void **state)
{
	(void)state;
	need_landlock(1);
	assert_int_equal(run(VECTOR("/usr/bin/touch", at(in, "new"))), 0);
	assert_true(exists(at(in, "new")));
	assert_int_equal(run(VECTOR("/usr/bin/touch", "./relative")), 0);

	assert_int_not_equal(run(VECTOR("/usr/bin/touch", at(out, "new"))), 0);
	assert_true(said("Permission denied"));
	assert_false(exists(at(out, "new")));

	assert_int_not_equal(run(VECTOR("/usr/bin/touch", "../out/new")), 0);
	assert_false(exists(at(out, "new")));
	assert_int_not_equal(run(VECTOR("/usr/bin/rm", at(source, "file"))), 0);
	assert_true(exists(at(source, "file")));

	/* A link on the disk that leads away. */
	assert_int_equal(symlink(out, at(in, "away")), 0);
	assert_int_not_equal(run(VECTOR("/usr/bin/touch", "away/new")), 0);
	assert_false(exists(at(out, "new")));
}

static void test_read(void **state)
{
	(void)state;
	need_landlock(1);
	assert_int_equal(
	        run(VECTOR("/usr/bin/cat", at(source, "file"), at(in, "file"))),
	        0);
	assert_string_equal(output.data, "source\ninside\n");

	assert_int_not_equal(run(VECTOR("/usr/bin/cat", at(out, "file"))), 0);
	assert_true(said("Permission denied"));
	assert_false(said("outside"));
	assert_int_not_equal(run(VECTOR("/usr/bin/cat", "/etc/shadow")), 0);
	assert_int_not_equal(run(VECTOR("/usr/bin/ls", out)), 0);
}

/* The disk holds data; nothing of it is executed. */
static void test_execute(void **state)
{
	struct sandbox sb;
	struct proc_result res;
	struct err err = ERR_INIT;
	char program[160];
	struct proc_spec spec = {PROC_SPEC_INIT,
	        .argv = (char *[]){program, NULL}, .pre_exec = sandbox_hook,
	        .pre_exec_arg = &sb};

	(void)state;
	need_landlock(1);
	(void)snprintf(program, sizeof(program), "%s/true", in);
	assert_int_equal(
	        run(VECTOR("/usr/bin/cp", "/usr/bin/true", program)), 0);
	assert_int_equal(chmod(program, 0755), 0);

	sb = prepare(SANDBOX_CAPS_COPY, 0);
	assert_int_equal(proc_run(&spec, &res, &err), -EACCES);
	sandbox_done(&sb);
}

/* --- older kernels -------------------------------------------------------- */

static int try_files(void)
{
	char dir[160];

	(void)snprintf(dir, sizeof(dir), "%s/sub", in);
	if (creat(at(out, "new"), 0644) >= 0 || errno != EACCES)
		return 1;
	if (creat(at(in, "new"), 0644) < 0 || mkdir(dir, 0755) < 0)
		return 2;
	if (rename(at(in, "new"), at(in, "new2")) < 0)
		return 3;
	if (unlink(at(out, "file")) == 0 || errno != EACCES)
		return 4;

	int reparent = rename(at(in, "new2"), at(dir, "new")) < 0 ? errno : 0;
	int cut = truncate(at(out, "file"), 3) < 0 ? errno : 0;

	(void)unlink(at(in, "new2"));
	(void)unlink(at(dir, "new"));
	(void)rmdir(dir);
	return 10 +
	       (reparent == EXDEV      ? 1
	               : reparent == 0 ? 0
	                               : 4) +
	       (cut == EACCES     ? 2
	               : cut == 0 ? 0
	                          : 8);
}

static void test_every_abi(void **state)
{
	int newest = sandbox_landlock_abi();

	(void)state;
	need_landlock(1);
	for (int abi = 1; abi <= newest; abi++)
		assert_int_equal(call(try_files, SANDBOX_CAPS_COPY, abi),
		        10 + (abi < 2 ? 1 : 0) + (abi < 3 ? 0 : 2));
}

static int try_tcp(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	        .sin_port = htons(9),
	        .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 1;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	return errno == EACCES ? 2 : 0;
}

static void test_tcp(void **state)
{
	(void)state;
	need_landlock(4);
	assert_int_equal(call(try_tcp, SANDBOX_CAPS_COPY, 0), 2);
	assert_int_equal(call(try_tcp, SANDBOX_CAPS_COPY, 3), 0);
}

/* --- capabilities --------------------------------------------------------- */

static int try_twice(void)
{
	struct sandbox none = {.ruleset_fd = -1};

	return sandbox_apply(&none) == 0 && sandbox_apply(&none) == 0 ? 0 : 1;
}

static void test_twice(void **state)
{
	(void)state;
	assert_int_equal(call(try_twice, SANDBOX_CAPS_COPY, 0), 0);
	assert_int_equal(call(try_twice, 0, 0), 0);
}

static void test_capabilities(void **state)
{
	bool root = geteuid() == 0;

	(void)state;
	assert_int_equal(run(VECTOR("/usr/bin/cat", "/proc/self/status")), 0);
	assert_true(said("CapInh:\t0000000000000000"));
	assert_true(said("CapAmb:\t0000000000000000"));
	assert_true(said("NoNewPrivs:\t1"));
	if (!root) {
		assert_true(said("CapEff:\t0000000000000000"));
		return;
	}
	assert_true(said("CapPrm:\t000000000000001f"));
	assert_true(said("CapEff:\t000000000000001f"));
	assert_true(said("CapBnd:\t000000000000001f"));
}

/* What only SETPCAP may do is left out; no_new_privs has to be enough. */
static int without_setpcap(void)
{
	struct sandbox again = {.ruleset_fd = -1, .keep_caps = 0x1};

	if (sandbox_apply(&again) < 0)
		return 1;
	(void)execl("/usr/bin/grep", "grep", "-q", "^CapEff:.0000000000000001$",
	        "/proc/self/status", NULL);
	return 3;
}

static void test_without_setpcap(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(call(without_setpcap, SANDBOX_CAPS_COPY, 0), 0);
}

static int try_privileges(void)
{
	if (mknod(at(in, "device"), S_IFBLK | 0600, makedev(8, 0)) == 0)
		return 1;
	if (setuid(1) == 0 || setgid(1) == 0)
		return 2;
	if (chroot(in) == 0)
		return 3;
	if (chown(at(in, "file"), 1234, 1234) < 0)
		return 4;
	return 0;
}

static void test_privileges(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(call(try_privileges, SANDBOX_CAPS_COPY, 0), 0);
}

/* --- rsync ---------------------------------------------------------------- */

static void make_tree(void)
{
	struct timeval times[2] = {{1000000000, 0}, {1000000000, 0}};

	assert_int_equal(mkdir(at(source, "dir"), 0750), 0);
	write_file(at(source, "dir/secret"), "of another\n");
	assert_int_equal(link(at(source, "file"), at(source, "dir/hard")), 0);
	assert_int_equal(symlink("file", at(source, "soft")), 0);
	assert_int_equal(mkfifo(at(source, "fifo"), 0600), 0);
	assert_int_equal(chown(at(source, "dir/secret"), 1234, 2345), 0);
	assert_int_equal(chmod(at(source, "dir/secret"), 06400), 0);
	assert_int_equal(chown(at(source, "dir"), 3456, 4567), 0);
	assert_int_equal(lchown(at(source, "soft"), 1234, 1234), 0);
	assert_int_equal(utimes(at(source, "file"), times), 0);
}

static void expect_same(const char *name)
{
	struct stat a, b;

	assert_int_equal(lstat(at(source, name), &a), 0);
	assert_int_equal(lstat(at(in, name), &b), 0);
	assert_int_equal(a.st_mode, b.st_mode);
	assert_int_equal(a.st_uid, b.st_uid);
	assert_int_equal(a.st_gid, b.st_gid);
	assert_int_equal(a.st_nlink, b.st_nlink);
	assert_int_equal(a.st_mtime, b.st_mtime);
	assert_int_equal(S_ISDIR(a.st_mode) ? 0 : a.st_size,
	        S_ISDIR(b.st_mode) ? 0 : b.st_size);
}

static void need_rsync(void)
{
	if (geteuid() != 0 || access(RSYNC, X_OK) < 0)
		skip();
}

static void test_rsync(void **state)
{
	char from[96];
	char *const *argv = VECTOR(RSYNC, "-aH", "--numeric-ids",
	        "--no-devices", "--delete", "--partial-dir=.partial",
	        "--no-whole-file", "--", from, "./");

	(void)state;
	need_rsync();
	(void)snprintf(from, sizeof(from), "%s/", source);
	make_tree();
	write_file(at(in, "old"), "to be deleted\n");
	if (run(argv) != 0)
		fail_msg("%s", output.data);

	assert_false(exists(at(in, "old")));
	expect_same("file");
	expect_same("dir");
	expect_same("dir/secret");
	expect_same("dir/hard");
	expect_same("soft");
	expect_same("fifo");

	/* Once more with a change, as every week. */
	write_file(at(source, "dir/secret"), "longer than it was before\n");
	assert_int_equal(run(argv), 0);
	expect_same("dir/secret");
}

/* The same with a target that leads out of the disk. */
static void test_rsync_outside(void **state)
{
	char from[96];

	(void)state;
	need_rsync();
	need_landlock(1);
	(void)snprintf(from, sizeof(from), "%s/", source);
	assert_int_equal(symlink(out, at(in, "backup")), 0);
	assert_int_not_equal(
	        run(VECTOR(RSYNC, "-a", "--delete", "--", from, "backup/")), 0);
	assert_true(exists(at(out, "file")));
	assert_int_not_equal(
	        run(VECTOR(RSYNC, "-a", "--delete", "--", from, out)), 0);
	assert_true(exists(at(out, "file")));
}

/* --- with proc ------------------------------------------------------------ */

/* Giving up capabilities must not lose the parent-death signal. */
static void test_dies_with_parent(void **state)
{
	struct sandbox sb = prepare(SANDBOX_CAPS_COPY, 0);
	struct pollfd f;
	int status;
	char c;
	int p[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct proc_result res;
		struct err err = ERR_INIT;
		/* Says what is in the file and stays. */
		struct proc_spec spec = {PROC_SPEC_INIT,
		        .argv = VECTOR(
		                "/usr/bin/tail", "-f", at(source, "file")),
		        .pre_exec = sandbox_hook, .pre_exec_arg = &sb};

		spec.stdout_fd = p[1];
		(void)close(p[0]);
		_exit(proc_run(&spec, &res, &err) < 0);
	}
	(void)close(p[1]);
	sandbox_done(&sb);
	for (const char *s = "source\n"; *s; s++) {
		assert_int_equal(read(p[0], &c, 1), 1);
		assert_int_equal(c, *s);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);

	f = (struct pollfd){.fd = p[0], .events = POLLIN};
	assert_int_equal(poll(&f, 1, LONG_MS), 1);
	assert_int_equal(read(p[0], &c, 1), 0);
	(void)close(p[0]);
}

/* --- a driver ------------------------------------------------------------- */

static int forbidden(void)
{
	gid_t group = 0;

	/* Without the right to it: nothing is done, and that is well. */
	if (setgroups(1, &group) != 0)
		return 2;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 3;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 4;
	if (unshare(CLONE_NEWNS) == 0 || errno != EPERM)
		return 5;
	return close(open("/dev/null", O_RDONLY | O_CLOEXEC)) == 0 ? 0 : 6;
}

static void test_forbid(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		        sandbox_forbid() < 0)
			_exit(1);
		_exit(forbidden());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_probe),
	        cmocka_unit_test(test_rights),
	        TEST(test_prepare_fails),
	        TEST(test_apply_fails),
	        TEST(test_write),
	        TEST(test_read),
	        TEST(test_execute),
	        TEST(test_every_abi),
	        TEST(test_tcp),
	        TEST(test_twice),
	        TEST(test_capabilities),
	        TEST(test_without_setpcap),
	        TEST(test_privileges),
	        TEST(test_rsync),
	        TEST(test_rsync_outside),
	        TEST(test_dies_with_parent),
	        TEST(test_forbid),
	};
	int failed = cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);

	buf_done(&output);
	return failed;
}
