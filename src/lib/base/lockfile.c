/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "atomicfile.h"
#include "clock.h"
#include "i18n.h"
#include "lockfile.h"
#include "sig.h"
#include "util.h"

/* O_NONBLOCK: somebody may have put a FIFO there. */
#define OPEN_FLAGS (O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* How often the file may be replaced under our hands. */
#define OPEN_TRIES 100

/* lockfile_is_held() holds a shared lock for some microseconds; that must not
 * pass for a holder. */
#define PROBE_TRIES 3
#define PROBE_PAUSE_NS 1000000

#define ALARM_US 100000
#define ASK_NS 5000000

/* Opens or creates; *@ret_existed tells which. A descriptor or -errno. */
static int open_or_create(int dir_fd, const char *path, bool *ret_existed)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		int fd = openat(dir_fd, path, OPEN_FLAGS);

		if (fd >= 0 || errno != ENOENT) {
			*ret_existed = true;
			return fd >= 0 ? fd : -errno;
		}
		fd = openat(dir_fd, path, OPEN_FLAGS | O_CREAT | O_EXCL, 0600);
		if (fd >= 0 || errno != EEXIST) {
			*ret_existed = false;
			return fd >= 0 ? fd : -errno;
		}
	}
	return -ESTALE;
}

/* Does @path still name what @fd has open? 1, 0 or -errno; -EINVAL when it
 * is not a regular file. */
static int is_same(int fd, int dir_fd, const char *path)
{
	struct stat open_st, path_st;

	if (fstat(fd, &open_st) < 0)
		return -errno;
	if (!S_ISREG(open_st.st_mode))
		return -EINVAL;
	if (fstatat(dir_fd, path, &path_st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return open_st.st_nlink > 0 && open_st.st_dev == path_st.st_dev &&
	       open_st.st_ino == path_st.st_ino;
}

static int try_lock(int fd)
{
	const struct timespec pause = {.tv_nsec = PROBE_PAUSE_NS};

	for (int i = 0;; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK || i >= PROBE_TRIES)
			return -errno;
		(void)nanosleep(&pause, NULL);
	}
}

static void on_alarm(int signo)
{
	(void)signo; /* flock() returns, that is all */
}

/* Without a timer, which a seccomp filter may forbid: it is asked again and
 * again, and others may be faster. */
static int ask_until(int fd, int64_t deadline)
{
	const struct timespec pause = {.tv_nsec = ASK_NS};

	for (;;) {
		if (sig_caught())
			return -EINTR;
		if (clock_mono_ms() >= deadline)
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
	}
}

/* The timer interrupts it. */
static int wait_until(int fd, int64_t deadline)
{
	int r;

	do
		r = flock(fd, LOCK_EX) < 0 ? -errno : 0;
	while (r == -EINTR && !sig_caught() && clock_mono_ms() < deadline);
	return r == -EINTR && !sig_caught() ? -ETIMEDOUT : r;
}

/* flock(2) knows no time limit: a timer interrupts it, again and again, for
 * the first alarm may come before the call. */
static int lock_until(int fd, int64_t deadline)
{
	const struct sigaction sa = {.sa_handler = on_alarm};
	const struct itimerval every = {
	        .it_interval.tv_usec = ALARM_US, .it_value.tv_usec = ALARM_US};
	struct sigaction old_sa;
	struct itimerval old_timer = {.it_value.tv_sec = 0};
	sigset_t alarm, old_mask;
	int r = try_lock(fd);

	if (r != -EWOULDBLOCK)
		return r;
	if (sigaction(SIGALRM, &sa, &old_sa) < 0)
		return -errno;
	/* Whoever started us may have blocked it, which exec hands on. */
	(void)sigemptyset(&alarm);
	(void)sigaddset(&alarm, SIGALRM);
	(void)sigprocmask(SIG_UNBLOCK, &alarm, &old_mask);
	if (setitimer(ITIMER_REAL, &every, &old_timer) < 0)
		r = ask_until(fd, deadline);
	else
		r = wait_until(fd, deadline);
	(void)setitimer(ITIMER_REAL, &old_timer, NULL);
	(void)sigprocmask(SIG_SETMASK, &old_mask, NULL);
	(void)sigaction(SIGALRM, &old_sa, NULL);
	return r;
}

/* @deadline 0: without waiting. */
static int take(
        int dir_fd, const char *path, int64_t deadline, bool *ret_existed)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		_cleanup_close_ int fd = -1;
		int locked, same;

		fd = open_or_create(dir_fd, path, ret_existed);
		if (fd < 0)
			return TAKE_FD(fd);
		/* The order matters: a file that was replaced before we had
		 * the lock protects nothing, and one that was replaced says
		 * nothing about who holds the new one either. */
		locked = deadline ? lock_until(fd, deadline) : try_lock(fd);
		same = is_same(fd, dir_fd, path);
		if (same < 0)
			return same;
		if (same == 0)
			continue;
		return locked < 0 ? locked : TAKE_FD(fd);
	}
	return -ESTALE;
}

static int explain(int r, const char *path, struct err *err)
{
	if (r == -EINVAL)
		return err_set(err, r,
		        _("the lock file %s is not a regular file"), path);
	if (r == -ELOOP)
		return err_set(
		        err, r, _("the lock file %s is a symbolic link"), path);
	return err_sys(err, r, _("cannot lock %s"), path);
}

int lockfile_take(
        int dir_fd, const char *path, bool *ret_existed, struct err *err)
{
	bool existed = false;
	int r = take(dir_fd, path, 0, &existed);

	if (r >= 0 && ret_existed)
		*ret_existed = existed;
	return r >= 0 || r == -EWOULDBLOCK ? r : explain(r, path, err);
}

int lockfile_take_wait(
        int dir_fd, const char *path, int timeout_ms, struct err *err)
{
	bool existed;
	int r = take(dir_fd, path, clock_mono_ms() + timeout_ms, &existed);

	return r >= 0 ? r : explain(r, path, err);
}

bool lockfile_is_held(int dir_fd, const char *path)
{
	_cleanup_close_ int fd = -1;

	fd = openat(dir_fd, path,
	        O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return flock(fd, LOCK_SH | LOCK_NB) < 0;
}

/* Only looked at by read-only descriptors here: closing one for writing would
 * wake all others that wait, and they us. */
void lockfile_wait(const char *path, int timeout_ms)
{
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd fds[2] = {
	        {.fd = fd, .events = POLLIN},
	        {.fd = sig_fd(), .events = POLLIN},
	};

	/* poll(2) leaves out a descriptor that is negative. */
	if (fd >= 0 &&
	        inotify_add_watch(fd, path,
	                IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF) < 0 &&
	        errno == ENOENT)
		return;
	/* Not before the watch: it may have ended in between. */
	if (lockfile_is_held(AT_FDCWD, path))
		(void)poll(fds, 2, timeout_ms);
}

int lockfile_note(int fd, const char *text)
{
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return atomicfile_write_all(fd, text, strlen(text));
}
