/* SPDX-License-Identifier: MIT */
#include "sys/mount_fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "sys/mount_internal.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

/* A pipe holds as much; what is said beyond is lost, and that is told. */
#define SAID_MAX 65536
/* How long it may take to end when it was told to. */
#define GRACE_MS 5000
#define LOOK_MS 500

struct mount_fuse {
	struct proc_program *program;
	pid_t owner; /* the process whose child it is */
	int said_fd;
	size_t len;
	char said[SAID_MAX];
};

int mount_fuse_find(const char *fstype, char **ret_path, struct err *err)
{
	char *path = str_eq(fstype, "ntfs") ? path_find_program(MOUNT_FUSE_NTFS)
	                                    : NULL;
	int r;

	if (!path)
		return -ENOENT;
	r = path_check_program(path, err);
	if (r < 0) {
		free(path);
		return r == -ENOENT ? -EACCES : r;
	}
	*ret_path = path;
	return 0;
}

/* --- what it says --------------------------------------------------------- */

static bool is_heard(const struct mount_fuse *m)
{
	return m->said_fd >= 0 && m->len < sizeof m->said;
}

/* Never blocks: the pipe does not. */
static void listen_to(struct mount_fuse *m)
{
	while (is_heard(m)) {
		ssize_t n = read(
		        m->said_fd, m->said + m->len, sizeof m->said - m->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			util_closep(&m->said_fd);
		if (n <= 0)
			return;
		m->len += (size_t)n;
	}
}

/* Until it says something more or ends, or @other has an event. */
static void await_news(struct mount_fuse *m, struct pollfd other)
{
	struct pollfd p[] = {
	        other,
	        {.fd = is_heard(m) ? m->said_fd : -1, .events = POLLIN},
	        {.fd = proc_fd(m->program), .events = POLLIN},
	};

	(void)poll(p, ARRAY_SIZE(p), p[2].fd < 0 ? LOOK_MS / 10 : LOOK_MS);
	listen_to(m);
}

static bool is_usual(const char *line, size_t len)
{
	static const char *const usual[] = {"Version ", "Mounted ",
	        "Cmdline options: ", "Mount options: ", "Unmounting ",
	        "Global ownership and permissions enforced",
	        "Ownership and permissions disabled", "Permissions cache : "};
	/* A name that is no UTF-8: the caller was told, and nothing is written
	 * before.  (Not a full disk: what was begun then may be half done.) */
	static const char told[] =
	        ": Invalid or incomplete multibyte or wide character";
	size_t n = strlen(told);

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (len >= strlen(usual[i]) &&
		        memcmp(line, usual[i], strlen(usual[i])) == 0)
			return true;
	if (len >= n && memcmp(line + len - n, told, n) == 0)
		return true;
	return len == 0;
}

static void copy_line(const char *line, size_t len, char *dst, size_t size)
{
	char text[300];

	if (len >= sizeof text)
		len = sizeof text - 1;
	/* An empty text would be none. */
	for (size_t i = 0; i < len; i++)
		text[i] = line[i] ? line[i] : '?';
	text[len] = '\0';
	(void)text_visible_str(dst, size, text);
}

void mount_fuse_complaint(const char *said, size_t len, char *dst, size_t size)
{
	dst[0] = '\0';
	while (len > 0) {
		const char *end = memchr(said, '\n', len);
		size_t n = end ? (size_t)(end - said) : len;

		if (!is_usual(said, n)) {
			copy_line(said, n, dst, size);
			return;
		}
		n += end != NULL;
		said += n;
		len -= n;
	}
}

/* --- starting ------------------------------------------------------------- */

/*
 * No windows_names: a name that Windows cannot read is better kept than left
 * out.  norecover: a journal that Windows left is not thrown away.  umask: the
 * disk is root's.  usermapping: the disk shall not say who is who.
 */
static void options_of(const struct mount_request *req, char *dst, size_t size)
{
	(void)snprintf(dst, size,
	        "no_detach,%s,norecover,nosuid,nodev,noexec,%s,big_writes,"
	        "nocompression,umask=077,usermapping=/dev/null",
	        req->read_only ? "ro" : "rw",
	        req->noatime ? "noatime" : "relatime");
}

/* Nonblocking on both sides: a driver that complains without end must not
 * stand still because nobody reads. */
static int start(struct mount_fuse *m, const char *path,
        const struct mount_request *req, const struct mount_fuse_options *opt,
        struct err *err)
{
	char options[256];
	char *argv[] = {(char *)(uintptr_t)path, (char *)(uintptr_t) "-o",
	        options, (char *)(uintptr_t)req->device,
	        (char *)(uintptr_t)req->target, NULL};
	struct proc_spec spec = {
	        PROC_SPEC_INIT,
	        .name = MOUNT_FUSE_NTFS,
	        .argv = argv,
	        .pid_namespace = true,
	        .pre_exec = opt->confine,
	        .pre_exec_arg = opt->confine_arg,
	        .grace_ms = GRACE_MS,
	        .ignore_signals = true,
	};
	int fd[2], r;

	options_of(req, options, sizeof options);
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, -errno, "%s", _("cannot make a pipe"));
	m->said_fd = fd[0];
	spec.stdout_fd = spec.stderr_fd = fd[1];
	r = proc_start(&spec, &m->program, err);
	(void)close(fd[1]);
	return r;
}

/* ntfs-3g(8), exit codes. */
static int explain(const struct mount_fuse *m, const struct mount_request *req,
        const struct proc_result *res, struct err *err)
{
	char said[300], how[200];

	mount_fuse_complaint(m->said, m->len, said, sizeof said);
	(void)proc_describe(how, sizeof how, res);
	switch (res->exit_code) {
	case 12:
	case 13:
	case 18:
		return mount_damaged(req, said[0] ? said : how, err);
	case 14:
	case 15:
		return mount_unclean(req->device, err);
	case 16:
		return mount_busy(req, err);
	default:
		break;
	}
	err_set(err, -EIO, _("%s cannot be mounted: the driver %s %s%s%s"),
	        req->device, MOUNT_FUSE_NTFS, how, said[0] ? ": " : "", said);
	err_action(err, "%s",
	        _("Look whether the kernel has FUSE (\"modprobe fuse\"), or "
	          "use a disk with ext4 or XFS."));
	return -EIO;
}

/* Until it is mounted; the kernel tells when the mounts change.  A signal does
 * not end it: the mount would be cut off where a run unmounts in order. */
static int await_mount(struct mount_fuse *m, const struct mount_request *req,
        const struct mount_fuse_options *opt, struct err *err)
{
	int64_t now = clock_mono_ms(), until_ms = now + opt->timeout_ms;
	int64_t tick_ms = now + LOOK_MS;
	_cleanup_close_ int mounts =
	        open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	while (!mount_is_done(req)) {
		if (proc_has_ended(m->program))
			return 1;
		await_news(m, (struct pollfd){.fd = mounts, .events = POLLPRI});
		now = clock_mono_ms();
		if (now > until_ms)
			return err_set(err, -ETIMEDOUT,
			        _("%s did not end within %lld s"), "mount",
			        (long long)(opt->timeout_ms / 1000));
		if (now < tick_ms)
			continue;
		tick_ms = now + LOOK_MS;
		if (opt->on_tick && opt->on_tick(opt->tick_arg) != 0)
			return err_set(
			        err, -ECANCELED, _("%s was stopped"), "mount");
	}
	return 0;
}

/* What the driver cannot: the kernel shall not follow the disk's links. */
static void harden(const struct mount_request *req)
{
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV |
	                      MS_NOEXEC | (req->noatime ? MS_NOATIME : 0) |
	                      (req->read_only ? MS_RDONLY : 0);

	/* Before Linux 5.10 there is no such flag; mount_verify() tells. */
	(void)mount(NULL, req->target, NULL, flags | MS_NOSYMFOLLOW, NULL);
}

/* ntfs-3g falls back to reading what Windows has not let go. */
static int refuse_read_only(const struct mount_fuse *m,
        const struct mount_request *req, struct err *err)
{
	static const char mark[] = "(Read-Only, ";

	if (req->read_only || !memmem(m->said, m->len, mark, strlen(mark)))
		return 0;
	return mount_unclean(req->device, err);
}

/* It says "Mounted" a moment after it is. */
static void await_word(struct mount_fuse *m)
{
	static const char word[] = "Mount options: ";
	int64_t until_ms = clock_mono_ms() + GRACE_MS;

	listen_to(m);
	while (!memmem(m->said, m->len, word, strlen(word)) && is_heard(m) &&
	        clock_mono_ms() < until_ms && !proc_has_ended(m->program))
		await_news(m, (struct pollfd){.fd = -1});
}

static void discard(struct mount_fuse *m)
{
	util_closep(&m->said_fd);
	free(m);
}

/* Nothing is left of it. @why: a negative errno; 1 = it has ended. */
static int give_up(struct mount_fuse *m, const struct mount_request *req,
        const struct mount_fuse_options *opt, int why, struct err *err)
{
	struct proc_result res;

	if (why < 0)
		proc_kill(m->program);
	proc_wait(m->program, GRACE_MS, &res);
	listen_to(m);
	/* Its end has broken the mount, which is still there. */
	if (mount_is_done(req))
		(void)umount2(req->target, 0);
	/* -EUCLEAN: it is mounted, but nothing can be written. */
	if (opt->ret_killed)
		*opt->ret_killed = res.exit_code < 0 && why != -EUCLEAN;
	if (why > 0)
		why = explain(m, req, &res, err);
	discard(m);
	return why;
}

int mount_fuse_start(const char *path, const struct mount_request *req,
        const struct mount_fuse_options *opt, struct mount_fuse **ret,
        const char **ret_missing, struct err *err)
{
	_cleanup_free_ char *real = realpath(req->target, NULL);
	struct mount_fuse *m = calloc(1, sizeof *m);
	struct mount_request at = *req;
	int r;

	if (ret_missing)
		*ret_missing = NULL;
	if (opt->ret_killed)
		*opt->ret_killed = false;
	if (!m)
		return err_nomem(err);
	if (real)
		at.target = real;
	m->said_fd = -1;
	m->owner = getpid();
	r = start(m, path, &at, opt, err);
	if (r < 0) {
		discard(m);
		return r;
	}
	r = await_mount(m, &at, opt, err);
	if (r == 0) {
		await_word(m);
		r = refuse_read_only(m, &at, err);
	}
	if (r == 0) {
		harden(&at);
		r = mount_verify(&at, ret_missing, err);
	}
	if (r != 0)
		return give_up(m, &at, opt, r, err);
	*ret = m;
	return 0;
}

/* --- two namespaces ------------------------------------------------------- */

enum { GO = 1, STAY };

struct removal {
	const char *target;
	int go_fd; /* an eventfd: GO, or STAY */
};

/* In a child that is left behind in the driver's namespace: joining it later
 * would take CAP_SYS_CHROOT. */
static int remove_task(void *arg, void *reply, struct err *err)
{
	const struct removal *r = arg;
	struct pollfd p = {.fd = r->go_fd, .events = POLLIN};
	eventfd_t what = STAY;

	(void)reply;
	(void)err;
	if (poll(&p, 1, -1) < 0 || eventfd_read(r->go_fd, &what) < 0)
		return -errno;
	if (what == GO && umount2(r->target, MNT_DETACH) < 0)
		return -errno;
	return 0;
}

static int separate(struct removal *removal, struct err *err)
{
	struct proc_task task = {
	        .name = "mount",
	        .fn = remove_task,
	        .arg = removal,
	        .timeout_ms = 2 * GRACE_MS,
	        .ignore_signals = true,
	};
	struct proc_running *running;
	int r = proc_task_start(&task, &running, err), e;

	if (r < 0)
		return r;
	r = mount_private(err);
	/* From a slave or private mount nothing comes back to ours. */
	(void)eventfd_write(removal->go_fd, r == 0 ? GO : STAY);
	e = proc_task_wait(running, NULL);
	if (r < 0)
		return r;
	return e < 0 ? err_sys(err, e, "%s",
	                       _("cannot set up the mount namespace"))
	             : 0;
}

int mount_fuse_separate(const char *target, struct err *err)
{
	struct removal removal = {
	        .target = target, .go_fd = eventfd(0, EFD_CLOEXEC)};
	int r;

	if (removal.go_fd < 0)
		return err_sys(err, -errno, "%s",
		        _("cannot set up the mount namespace"));
	r = separate(&removal, err);
	(void)close(removal.go_fd);
	return r;
}

/* --- ending --------------------------------------------------------------- */

void mount_fuse_kill(const struct mount_fuse *m)
{
	proc_kill(m->program);
}

bool mount_fuse_has_ended(const struct mount_fuse *m)
{
	return getpid() == m->owner && proc_has_ended(m->program);
}

bool mount_fuse_await_end(const struct mount_fuse *m, int64_t limit_ms)
{
	return getpid() == m->owner && proc_await_end(m->program, limit_ms);
}

int mount_fuse_leftover(const char *target)
{
	struct stat st;

	if (stat(target, &st) == 0 || errno != ENOTCONN)
		return 0;
	return umount2(target, UMOUNT_NOFOLLOW) < 0 ? -errno : 1;
}

int mount_fuse_drop(const struct mount_fuse *m, const char *target)
{
	if (!mount_fuse_has_ended(m))
		return -EBUSY;
	return umount2(target, MNT_DETACH) < 0 ? -errno : 0;
}

uint64_t mount_fuse_activity(const struct mount_fuse *m)
{
	char path[64], line[256];
	unsigned long long n, sum = 0;
	_cleanup_fclose_ FILE *f = NULL;

	(void)snprintf(path, sizeof path, "/proc/%d/status",
	        (int)proc_pid(m->program));
	f = fopen(path, "re");
	/* Each wait for the disk or for a request is a switch. */
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1 ||
		        sscanf(line, "nonvoluntary_ctxt_switches: %llu", &n) ==
		                1)
			sum += n;
	return sum;
}

static int judge(const struct mount_fuse *m, const struct proc_result *res,
        struct err *err)
{
	char said[300], how[200];

	if (res->exit_code != 0)
		return err_set(err, -EIO, _("the driver %s %s"),
		        MOUNT_FUSE_NTFS, proc_describe(how, sizeof how, res));
	if (m->len == sizeof m->said)
		return err_set(err, -EIO,
		        _("the driver %s complained without end"),
		        MOUNT_FUSE_NTFS);
	mount_fuse_complaint(m->said, m->len, said, sizeof said);
	if (said[0])
		return err_set(err, -EIO, _("the driver %s said: %s"),
		        MOUNT_FUSE_NTFS, said);
	return 0;
}

int mount_fuse_end(struct mount_fuse *m, int64_t limit_ms, struct err *err)
{
	struct proc_result res;
	int r;

	proc_wait(m->program, limit_ms, &res);
	listen_to(m);
	r = judge(m, &res, err);
	discard(m);
	return r;
}
