/* SPDX-License-Identifier: MIT */
#include "core/precheck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "lockfile.h"
#include "log.h"
#include "notify.h"
#include "path.h"
#include "sig.h"
#include "str.h"
#include "util.h"
#include "core/hook.h"
#include "core/settings.h"

/* Between two looks at a lock whose holder may be gone without a trace. */
#define LOOK_AGAIN_MS 5000

/* From linux/magic.h and the file systems' sources: where flock(2) is
 * emulated, mandatory, or at the mercy of a server. */
static const struct {
	uint32_t magic;
	const char *name;
} remote[] = {
        {0x6969, "NFS"},
        {0xff534d42, "CIFS"},
        {0xfe534d42, "SMB"},
        {0x517b, "SMB"},
        {0x65735546, "FUSE"},
        {0x01021997, "9p"},
};

static int check_local(const char *path, struct err *err)
{
	struct statfs st;

	if (statfs(path, &st) < 0)
		return err_sys(err, -errno, _("cannot examine %s"), path);
	for (size_t i = 0; i < ARRAY_SIZE(remote); i++) {
		if ((uint32_t)st.f_type != remote[i].magic)
			continue;
		err_set(err, -ENOLCK,
		        _("the directory %s lies on %s, where locks do not "
		          "hold"),
		        path, remote[i].name);
		err_meaning(err, "%s",
		        _("Two copies, or a copy and a Veeam job, could run "
		          "at once; so nothing was done."));
		err_action(err, "%s",
		        _("Set state-directory in [Paths] to a directory on a "
		          "local disk."));
		return -ENOLCK;
	}
	return 0;
}

static int make_writable(
        const char *path, mode_t mode, const char *key, struct err *err)
{
	int r = path_mkdirs(path, mode, err);

	if (r == 0 && access(path, W_OK | X_OK) < 0)
		r = err_sys(err, -errno, _("cannot write to the directory %s"),
		        path);
	if (r < 0)
		err_action_default(err,
		        _("Run it as root, or correct %s in the "
		          "configuration."),
		        key);
	return r;
}

static int make_lock_directory(const struct settings *s, struct err *err)
{
	_cleanup_free_ char *lock = path_join(s->state_directory, "lock");

	if (!lock)
		return err_nomem(err);
	return make_writable(lock, 0700, "state-directory", err);
}

int precheck_directories(const struct settings *s, struct err *err)
{
	int r;

	r = make_writable(s->state_directory, 0700, "state-directory", err);
	if (r < 0)
		return r;
	r = check_local(s->state_directory, err);
	if (r < 0)
		return r;
	r = make_lock_directory(s, err);
	if (r < 0)
		return r;
	r = make_writable(s->runtime_directory, 0755, "runtime-directory", err);
	if (r < 0)
		return r;
	return make_writable(s->spool_directory, 0700, "spool-directory", err);
}

int precheck_run_lock(const struct settings *s, struct err *err)
{
	_cleanup_free_ char *path = path_join(s->state_directory, "lock/run");
	_cleanup_free_ char *since = NULL;
	char note[64], when[32];
	size_t len;
	int fd;

	if (!path)
		return err_nomem(err);
	fd = lockfile_take(AT_FDCWD, path, NULL, err);
	if (fd == -EWOULDBLOCK) {
		if (path_read_file(path, 128, &since, &len) < 0)
			since = NULL;
		err_set(err, -EWOULDBLOCK,
		        _("asbackup is already at work (since %s)"),
		        str_is_empty(since) ? "?" : since);
		err_action(err, "%s",
		        _("Wait until it has ended; \"asbackup status\" shows "
		          "how far it is."));
		return -EWOULDBLOCK;
	}
	if (fd < 0)
		return fd;
	(void)snprintf(note, sizeof note, "%s, pid %d",
	        clock_local(when, clock_real_s()), (int)getpid());
	if (lockfile_note(fd, note) < 0)
		log_debug("lock/run cannot be written");
	return fd;
}

int precheck_run_lock_queued(const struct settings *s, struct err *err)
{
	_cleanup_free_ char *path = path_join(s->state_directory, "lock/run");
	bool told = false;
	int fd;

	if (!path)
		return err_nomem(err);
	while ((fd = precheck_run_lock(s, err)) == -EWOULDBLOCK) {
		if (!told) {
			log_notice("%s",
			        _("another copy is active; this one begins "
			          "when it has ended"));
			notify_status(_("waiting for another copy to end"));
		}
		told = true;
		do {
			notify_watchdog();
			lockfile_wait(path, LOOK_AGAIN_MS);
			if (sig_caught())
				return -EINTR;
		} while (lockfile_is_held(AT_FDCWD, path));
		*err = ERR_INIT;
	}
	return fd;
}

static char *log_path(
        const struct settings *s, const char *configured, const char *name)
{
	if (!str_is_empty(configured))
		return strdup(configured);
	return path_join(s->log_directory, name);
}

char *precheck_log_path(const struct settings *s)
{
	return log_path(s, s->log_file, "asbackup.log");
}

char *precheck_rsync_log_path(const struct settings *s)
{
	return log_path(s, s->rsync_log_file, "rsync.log");
}

static int make_parent(const char *path, struct err *err)
{
	_cleanup_free_ char *dir = path_dirname(path);

	if (!dir)
		return err_nomem(err);
	return make_writable(dir, 0750, "log-file-path", err);
}

static int open_rsync_log(const char *path, FILE **ret, struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	FILE *f;

	/* O_NONBLOCK only for a FIFO that nobody reads. */
	fd = open(path,
	        O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY |
	                O_NONBLOCK | O_CLOEXEC,
	        0640);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, -errno, _("cannot write the log %s"), path);
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(err, -EINVAL,
		        _("the log %s is not a regular file"), path);
	f = fdopen(fd, "a");
	if (!f)
		return err_nomem(err);
	(void)TAKE_FD(fd);
	*ret = f;
	return 0;
}

int precheck_logs(
        const struct settings *s, FILE **ret_rsync_log, struct err *err)
{
	_cleanup_free_ char *path = precheck_log_path(s);
	_cleanup_free_ char *rsync_path = precheck_rsync_log_path(s);
	int r;

	if (!path || !rsync_path)
		return err_nomem(err);
	r = make_parent(path, err);
	if (r == 0)
		r = make_parent(rsync_path, err);
	if (r == 0)
		r = log_open_file(path, err);
	if (r == 0)
		r = open_rsync_log(rsync_path, ret_rsync_log, err);
	if (r < 0)
		err_action_default(err, "%s",
		        _("Correct log-file-path and rsync-log-file-path in "
		          "the configuration; each is the path of a file."));
	return r;
}

static int check_readable(const char *path, const char *key, struct err *err)
{
	if (str_is_empty(path) || access(path, R_OK) == 0)
		return 0;
	err_sys(err, -errno, _("cannot read the file %s of %s"), path, key);
	err_action(err, _("Correct %s in the configuration."), key);
	return err->code;
}

int precheck_files(const struct settings *s, struct err *err)
{
	int r;

	r = check_readable(s->rsync_excludes, "rsync-excludes", err);
	if (r == 0)
		r = check_readable(s->mail_ca_file, "ca-file", err);
	if (r == 0)
		r = hook_check(s->pre_run, "pre-run", err);
	if (r == 0)
		r = hook_check(s->post_run, "post-run", err);
	return r;
}
