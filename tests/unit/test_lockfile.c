/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "lockfile.h"
#include "sig.h"
#include "util.h"

#define LONG_MS 60000 /* for what must not happen */

static char dir[256];
static int dir_fd = -1;

/*
 * Takes the place of the C library's, so that something can happen exactly
 * between open and lock (before) or between lock and check (after).
 */
static void (*before_flock)(void), (*after_flock)(void);
static int flocks;

int flock(int fd, int operation)
{
	int r, saved;

	flocks++;
	if (before_flock)
		before_flock();
	r = (int)syscall(SYS_flock, fd, operation);
	saved = errno;
	if (after_flock)
		after_flock();
	errno = saved;
	return r;
}

static int make_dir(void **s)
{
	const char *tmp = getenv("TMPDIR");

	(void)s;
	(void)snprintf(
	        dir, sizeof(dir), "%s/lockfile.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	before_flock = NULL;
	after_flock = NULL;
	flocks = 0;
	return dir_fd < 0 ? -1 : 0;
}

static int remove_dir(void **s)
{
	(void)s;
	before_flock = NULL;
	after_flock = NULL;
	(void)unlinkat(dir_fd, "lock", 0);
	(void)unlinkat(dir_fd, "lock", AT_REMOVEDIR);
	(void)unlinkat(dir_fd, "other", 0);
	(void)close(dir_fd);
	return rmdir(dir);
}

/* A process that holds @fd (or takes the lock itself when -1) until told. */
struct holder {
	pid_t pid;
	int stop; /* closed = end */
};

static struct holder hold(int fd)
{
	int go[2], ready[2];
	struct holder h;
	char c;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	h.pid = fork();
	assert_true(h.pid >= 0);
	if (h.pid == 0) {
		(void)close(go[1]);
		if (fd < 0)
			fd = lockfile_take(dir_fd, "lock", NULL, NULL);
		if (fd < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		(void)!read(go[0], &c, 1);
		_exit(0);
	}
	(void)close(go[0]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	h.stop = go[1];
	return h;
}

static void release(struct holder *h)
{
	int status;

	(void)close(h->stop);
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	assert_int_equal(status, 0);
}

static void taken_and_freed(void **s)
{
	bool existed = true;
	struct stat st;
	int fd;

	(void)s;
	assert_false(lockfile_is_held(dir_fd, "lock"));
	fd = lockfile_take(dir_fd, "lock", &existed, NULL);
	assert_true(fd >= 0);
	assert_false(existed);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(lockfile_is_held(dir_fd, "lock"));
	/* Also for ourselves: another description is another owner. */
	assert_int_equal(
	        lockfile_take(dir_fd, "lock", NULL, NULL), -EWOULDBLOCK);
	(void)close(fd);

	assert_false(lockfile_is_held(dir_fd, "lock"));
	fd = lockfile_take(dir_fd, "lock", &existed, NULL);
	assert_true(fd >= 0);
	assert_true(existed);
	(void)close(fd);
}

static void held_by_another_process(void **s)
{
	struct holder h = hold(-1);
	struct err e = ERR_INIT;
	bool existed = false;
	int fd;

	(void)s;
	assert_int_equal(
	        lockfile_take(dir_fd, "lock", &existed, &e), -EWOULDBLOCK);
	assert_int_equal(e.code, 0);
	assert_true(lockfile_is_held(dir_fd, "lock"));
	release(&h);
	assert_false(lockfile_is_held(dir_fd, "lock"));
	fd = lockfile_take(dir_fd, "lock", &existed, &e);
	assert_true(fd >= 0);
	assert_true(existed);
	(void)close(fd);
}

static void killed_holder_frees_it(void **s)
{
	struct holder h = hold(-1);

	(void)s;
	assert_int_equal(kill(h.pid, SIGKILL), 0);
	assert_int_equal(waitpid(h.pid, NULL, 0), h.pid);
	(void)close(h.stop);
	assert_false(lockfile_is_held(dir_fd, "lock"));
}

static void lock_path(char *dst, size_t size)
{
	(void)snprintf(dst, size, "%s/lock", dir);
}

/* Ends by itself when nobody holds it, and within its time when somebody does
 * not let go. */
static void waiting_has_an_end(void **s)
{
	struct holder h = hold(-1);
	char path[300];

	(void)s;
	lock_path(path, sizeof(path));
	lockfile_wait(path, 1);
	assert_true(lockfile_is_held(dir_fd, "lock"));
	release(&h);
	lockfile_wait(path, LONG_MS);
	assert_int_equal(unlinkat(dir_fd, "lock", 0), 0);
	lockfile_wait(path, LONG_MS);
}

/* The holder dies while we wait. Several that wait must not keep each other
 * awake: what one of them does is no event for another. */
static void a_waiter_is_woken(void **s)
{
	struct holder h = hold(-1);
	struct holder other;
	char path[300];

	(void)s;
	lock_path(path, sizeof(path));
	other.pid = fork();
	assert_true(other.pid >= 0);
	if (other.pid == 0) {
		lockfile_wait(path, LONG_MS);
		_exit(lockfile_is_held(dir_fd, "lock") ? 1 : 0);
	}
	assert_int_equal(kill(h.pid, SIGKILL), 0);
	while (lockfile_is_held(dir_fd, "lock"))
		lockfile_wait(path, LONG_MS);
	assert_int_equal(waitpid(h.pid, NULL, 0), h.pid);
	(void)close(h.stop);
	assert_int_equal(waitpid(other.pid, &other.stop, 0), other.pid);
	assert_int_equal(other.stop, 0);
}

static void a_child_keeps_it_after_us(void **s)
{
	int fd = lockfile_take(dir_fd, "lock", NULL, NULL);
	struct holder h;

	(void)s;
	assert_true(fd >= 0);
	h = hold(fd);
	(void)close(fd);
	assert_true(lockfile_is_held(dir_fd, "lock"));
	assert_int_equal(
	        lockfile_take(dir_fd, "lock", NULL, NULL), -EWOULDBLOCK);
	release(&h);
	assert_false(lockfile_is_held(dir_fd, "lock"));
}

/* Puts another file in the place of the lock, once. */
static void replace(void)
{
	int fd = openat(dir_fd, "other", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	before_flock = NULL;
	after_flock = NULL;
	(void)close(fd);
	(void)renameat(dir_fd, "other", dir_fd, "lock");
}

static void take_away(void)
{
	before_flock = NULL;
	after_flock = NULL;
	(void)unlinkat(dir_fd, "lock", 0);
}

static void check_is_locked_file(int fd)
{
	struct stat a, b;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(dir_fd, "lock", &b, 0), 0);
	assert_true(a.st_ino == b.st_ino);
	assert_true(lockfile_is_held(dir_fd, "lock"));
	(void)close(fd);
}

static void replaced_before_the_lock(void **s)
{
	bool existed = false;

	(void)s;
	before_flock = replace;
	check_is_locked_file(lockfile_take(dir_fd, "lock", &existed, NULL));
	assert_true(existed);
	before_flock = take_away;
	check_is_locked_file(lockfile_take(dir_fd, "lock", &existed, NULL));
	assert_false(existed);
}

static void replaced_after_the_lock(void **s)
{
	(void)s;
	after_flock = replace;
	check_is_locked_file(lockfile_take(dir_fd, "lock", NULL, NULL));
	after_flock = take_away;
	check_is_locked_file(lockfile_take(dir_fd, "lock", NULL, NULL));
}

/* Somebody holds the file that is gone from the path: that is nobody. */
static void the_holder_of_a_replaced_file_does_not_count(void **s)
{
	struct holder h = hold(-1);

	(void)s;
	after_flock = replace;
	check_is_locked_file(lockfile_take(dir_fd, "lock", NULL, NULL));
	release(&h);
}

static void replace_always(void)
{
	void (*again)(void) = before_flock;

	replace();
	before_flock = again;
}

static void endless_replacing_ends(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	before_flock = replace_always;
	assert_int_equal(lockfile_take(dir_fd, "lock", NULL, &e), -ESTALE);
	assert_int_equal(e.code, -ESTALE);
}

/* lockfile_is_held() of somebody else, as short as it is, is no holder. */
static int probe_fd = -1;

static void end_of_probe(void)
{
	if (flocks == 3)
		util_closep(&probe_fd);
}

static void a_probe_is_not_a_holder(void **s)
{
	int fd = lockfile_take(dir_fd, "lock", NULL, NULL);

	(void)s;
	(void)close(fd);
	probe_fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC);
	assert_int_equal(syscall(SYS_flock, probe_fd, LOCK_SH | LOCK_NB), 0);
	flocks = 0;
	before_flock = end_of_probe;
	fd = lockfile_take(dir_fd, "lock", NULL, NULL);
	assert_true(fd >= 0);
	(void)close(fd);
}

/* --- lockfile_take_wait() ------------------------------------------------- */

#define SHORT_MS 1

static void on_alarm(int signo)
{
	(void)signo;
}

/* Whatever waiting needs is as it was afterwards. */
static void check_nothing_stays(void)
{
	struct itimerval timer;
	struct sigaction sa;
	sigset_t mask;

	assert_int_equal(getitimer(ITIMER_REAL, &timer), 0);
	assert_int_equal(timer.it_value.tv_sec, 0);
	assert_int_equal(timer.it_value.tv_usec, 0);
	assert_int_equal(timer.it_interval.tv_usec, 0);
	assert_int_equal(sigaction(SIGALRM, NULL, &sa), 0);
	assert_true(sa.sa_handler == on_alarm);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
	assert_true(sigismember(&mask, SIGALRM));
}

/* Blocked, as whoever started us may have left it. */
static void block_alarm(bool block)
{
	const struct sigaction sa = {.sa_handler = block ? on_alarm : SIG_DFL};
	sigset_t mask;

	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGALRM);
	assert_int_equal(
	        sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &mask, NULL), 0);
}

/* As a seccomp filter does. */
static bool no_timer;
int setitimer(__itimer_which_t which, const struct itimerval *new,
        struct itimerval *old)
{
	if (!no_timer)
		return (int)syscall(SYS_setitimer, which, new, old);
	errno = EPERM;
	return -1;
}

static void waits_for_its_time(void **s)
{
	struct err e = ERR_INIT;
	struct holder h = hold(-1);
	int64_t begin = clock_mono_ms();

	(void)s;
	block_alarm(true);
	assert_int_equal(
	        lockfile_take_wait(dir_fd, "lock", 250, &e), -ETIMEDOUT);
	assert_true(clock_mono_ms() - begin >= 250);
	assert_int_equal(e.code, -ETIMEDOUT);
	check_nothing_stays();
	assert_int_equal(
	        lockfile_take_wait(dir_fd, "lock", SHORT_MS, NULL), -ETIMEDOUT);
	assert_int_equal(
	        lockfile_take_wait(dir_fd, "lock", 0, NULL), -ETIMEDOUT);
	check_nothing_stays();
	release(&h);
	check_is_locked_file(lockfile_take_wait(dir_fd, "lock", 0, NULL));
	check_nothing_stays();
	block_alarm(false);
}

/* The holder ends while we wait: he is told that we do by our flock(2). */
static struct holder ends_now;

static void let_go(void)
{
	/* three tries without waiting come first */
	if (flocks == 5) {
		before_flock = NULL;
		(void)close(ends_now.stop);
	}
}

static void waits_for_the_holder(void **s)
{
	int fd;

	(void)s;
	ends_now = hold(-1);
	flocks = 0;
	before_flock = let_go;
	fd = lockfile_take_wait(dir_fd, "lock", LONG_MS, NULL);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(flocks, 5);
	assert_int_equal(waitpid(ends_now.pid, NULL, 0), ends_now.pid);
	check_is_locked_file(fd);
}

static void waits_without_a_timer(void **s)
{
	no_timer = true;
	waits_for_its_time(s);
	ends_now = hold(-1);
	flocks = 0;
	before_flock = let_go;
	check_is_locked_file(lockfile_take_wait(dir_fd, "lock", LONG_MS, NULL));
	assert_int_equal(waitpid(ends_now.pid, NULL, 0), ends_now.pid);
	ends_now = hold(-1);
	assert_int_equal(sig_init(NULL), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(
	        lockfile_take_wait(dir_fd, "lock", LONG_MS, NULL), -EINTR);
	sig_reset();
	release(&ends_now);
	no_timer = false;
}

/* Free, or made by us: no alarm, no waiting. */
static void need_not_wait(void **s)
{
	(void)s;
	block_alarm(true);
	check_is_locked_file(lockfile_take_wait(dir_fd, "lock", LONG_MS, NULL));
	check_is_locked_file(lockfile_take_wait(dir_fd, "lock", LONG_MS, NULL));
	assert_int_equal(flocks, 4); /* with two of the check */
	check_nothing_stays();
	block_alarm(false);
}

/* Replaced while we waited for it: the new one counts, and it is free. */
static void replace_while_we_wait(void)
{
	if (flocks == 5)
		replace();
}

static void replaced_while_we_wait(void **s)
{
	struct holder h = hold(-1);

	(void)s;
	flocks = 0;
	before_flock = replace_while_we_wait;
	/* the old one is held to the end of our time */
	check_is_locked_file(lockfile_take_wait(dir_fd, "lock", 200, NULL));
	release(&h);
}

static void a_signal_asks_for_the_end(void **s)
{
	struct err e = ERR_INIT;
	struct holder h = hold(-1);

	(void)s;
	assert_int_equal(sig_init(&e), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(
	        lockfile_take_wait(dir_fd, "lock", LONG_MS, &e), -EINTR);
	assert_int_equal(e.code, -EINTR);
	release(&h);
	/* one that is free needs no waiting */
	check_is_locked_file(lockfile_take_wait(dir_fd, "lock", LONG_MS, &e));
	sig_reset();
}

static void waiting_for_what_is_no_lock_file(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	assert_int_equal(symlinkat("other", dir_fd, "lock"), 0);
	assert_int_equal(
	        lockfile_take_wait(dir_fd, "lock", LONG_MS, &e), -ELOOP);
	assert_string_equal(e.message, "the lock file lock is a symbolic link");
	(void)unlinkat(dir_fd, "lock", 0);
	assert_int_equal(mkfifoat(dir_fd, "lock", 0600), 0);
	assert_int_equal(
	        lockfile_take_wait(dir_fd, "lock", LONG_MS, &e), -EINVAL);
	(void)unlinkat(dir_fd, "lock", 0);
	assert_int_equal(
	        lockfile_take_wait(dir_fd, "no/lock", LONG_MS, &e), -ENOENT);
	before_flock = replace_always;
	assert_int_equal(
	        lockfile_take_wait(dir_fd, "lock", LONG_MS, &e), -ESTALE);
}

static void what_is_not_a_lock_file(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	assert_int_equal(symlinkat("other", dir_fd, "lock"), 0);
	assert_int_equal(lockfile_take(dir_fd, "lock", NULL, &e), -ELOOP);
	assert_string_equal(e.message, "the lock file lock is a symbolic link");
	assert_int_equal(faccessat(dir_fd, "other", F_OK, 0), -1);
	assert_true(lockfile_is_held(dir_fd, "lock"));
	(void)unlinkat(dir_fd, "lock", 0);

	/* Nobody writes to the FIFO, and we do not wait for one. */
	assert_int_equal(mkfifoat(dir_fd, "lock", 0600), 0);
	assert_int_equal(lockfile_take(dir_fd, "lock", NULL, &e), -EINVAL);
	(void)unlinkat(dir_fd, "lock", 0);

	assert_int_equal(mkdirat(dir_fd, "lock", 0700), 0);
	assert_int_equal(lockfile_take(dir_fd, "lock", NULL, &e), -EISDIR);
	(void)unlinkat(dir_fd, "lock", AT_REMOVEDIR);

	assert_int_equal(lockfile_take(dir_fd, "no/lock", NULL, &e), -ENOENT);
	assert_string_equal(
	        e.message, "cannot lock no/lock: No such file or directory");
	assert_false(lockfile_is_held(dir_fd, "no/lock"));
}

static void notes_for_people(void **s)
{
	int fd = lockfile_take(dir_fd, "lock", NULL, NULL);
	char text[32] = "";

	(void)s;
	assert_int_equal(lockfile_note(fd, "a long first note"), 0);
	assert_int_equal(lockfile_note(fd, "short"), 0);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 5);
	assert_string_equal(text, "short");
	assert_true(lockfile_is_held(dir_fd, "lock"));
	(void)close(fd);
	assert_int_equal(lockfile_note(-1, "x"), -EBADF);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
	        TEST(taken_and_freed),
	        TEST(held_by_another_process),
	        TEST(killed_holder_frees_it),
	        TEST(waiting_has_an_end),
	        TEST(a_waiter_is_woken),
	        TEST(a_child_keeps_it_after_us),
	        TEST(replaced_before_the_lock),
	        TEST(replaced_after_the_lock),
	        TEST(the_holder_of_a_replaced_file_does_not_count),
	        TEST(endless_replacing_ends),
	        TEST(a_probe_is_not_a_holder),
	        TEST(waits_for_its_time),
	        TEST(waits_for_the_holder),
	        TEST(waits_without_a_timer),
	        TEST(need_not_wait),
	        TEST(replaced_while_we_wait),
	        TEST(a_signal_asks_for_the_end),
	        TEST(waiting_for_what_is_no_lock_file),
	        TEST(what_is_not_a_lock_file),
	        TEST(notes_for_people),
	};

	return cmocka_run_group_tests_name("lockfile", tests, NULL, NULL);
}
