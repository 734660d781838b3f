/* SPDX-License-Identifier: MIT */
#include "core/doubt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "path.h"
#include "text.h"
#include "util.h"
#include "core/manifest.h"
#include "core/readback.h"
#include "core/settings.h"
#include "core/srclist.h"
#include "core/status.h"
#include "core/target.h"

struct count {
	uint64_t proven, damaged, unknown;
};

/* Not with unlinkat() on the whole path: a directory on the disk may be a link
 * that leads elsewhere. */
static int remove_beneath(int dir_fd, const char *path)
{
	_cleanup_free_ char *parent = path_dirname(path);
	_cleanup_close_ int fd = -1;
	const char *slash = strrchr(path, '/');

	if (!parent)
		return -ENOMEM;
	fd = path_open_beneath(dir_fd, parent, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	return unlinkat(fd, slash ? slash + 1 : path, 0) < 0 ? -errno : 0;
}

/* A day from 1970 on, but another one than the file has. */
static int set_back(int dir_fd, const char *path)
{
	struct timespec times[2] = {
	        {.tv_nsec = UTIME_OMIT},
	        {.tv_sec = 0},
	};
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = path_open_beneath(dir_fd, path, O_WRONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_mtim.tv_sec < 86400)
		times[1].tv_sec = st.st_mtim.tv_sec + 2 * 86400;
	return futimens(fd, times) < 0 ? -errno : 0;
}

/*
 * Makes rsync's quick check see a difference.  A time of 1970 is enough for
 * it; the classic mode looks at the size only, and a file that is not known to
 * be good is worth nothing there: it goes.
 */
static int make_stale(
        const struct target *t, const struct settings *s, const char *path)
{
	int r;

	if (s->rsync_options == SETTINGS_RSYNC_CLASSIC)
		r = remove_beneath(t->dest_fd, path);
	else
		r = set_back(t->dest_fd, path);
	return r == -ENOENT ? 0 : r;
}

static int settle_item(struct manifest *m, const struct target *t,
        const struct settings *s, const struct readback_item *item,
        struct count *count, struct err *err)
{
	int r = 0;

	switch (item->verdict) {
	case READBACK_SAME:
		count->proven++;
		return manifest_set_verified(
		        m, item->path, clock_real_s(), true, err);
	case READBACK_OTHER:
	case READBACK_ERROR:
		log_warn(_("damaged on the disk, copied anew: %s"), item->path);
		count->damaged++;
		r = make_stale(t, s, item->path);
		break;
	case READBACK_NO_HASH:
		count->unknown++;
		r = make_stale(t, s, item->path);
		break;
	case READBACK_CHANGED:
	case READBACK_MISSING:
		break;
	case READBACK_NOT_READ:
		return 0;
	}
	if (r < 0)
		return err_sys(
		        err, r, _("cannot change %s on the disk"), item->path);
	return manifest_deleted(m, item->path, err);
}

static void tell(struct status *st, const struct count *count)
{
	char p[32], d[32], u[32];

	if (count->proven + count->damaged + count->unknown == 0)
		return;
	status_warn(st,
	        _("read back the files that an unfinished run had written: "
	          "%s good, %s damaged, %s unknown; what is not good is copied "
	          "anew"),
	        text_count(p, count->proven), text_count(d, count->damaged),
	        text_count(u, count->unknown));
}

int doubt_settle(struct manifest *m, const struct target *t,
        const struct settings *s, struct status *st, int (*on_tick)(void *arg),
        void *arg, struct err *err)
{
	struct count count = {0, 0, 0};
	bool more = true;
	int r = 0;

	while (more && r == 0) {
		struct readback b = READBACK_INIT;

		r = manifest_doubtful(m, readback_collect, &b, err);
		if (r >= 0)
			r = readback_read(&b, t, s->disk_idle_timeout_seconds,
			        on_tick, arg, err);
		for (size_t i = 0; i < b.len && r == 0; i++)
			r = settle_item(m, t, s, &b.items[i], &count, err);
		if (r == 0)
			r = manifest_commit(m, err);
		more = b.more;
		readback_done(&b);
	}
	tell(st, &count);
	return r;
}

/* File times come from the last tick of the kernel's clock. */
#define TICK_NS (20 * INT64_C(1000000))

struct changed {
	const struct target *target;
	const struct settings *settings;
	const char *below; /* the source's own name, when it is copied too */
};

static int distrust(const char *path, void *arg, struct err *err)
{
	const struct changed *c = arg;
	_cleanup_free_ char *joined = NULL;
	int r;

	if (c->below[0]) {
		joined = path_join(c->below, path);
		if (!joined)
			return err_nomem(err);
		path = joined;
	}
	r = make_stale(c->target, c->settings, path);
	if (r < 0)
		return err_sys(err, r, _("cannot change %s on the disk"), path);
	return 0;
}

/* Says -EEXIST when the file was copied, now or earlier. */
static int is_copied(const char *path, void *arg, struct err *err)
{
	const struct changed *c = arg;
	_cleanup_free_ char *joined = path_join(c->below, path);
	_cleanup_close_ int fd = -1;

	if (!joined)
		return err_nomem(err);
	fd = path_open_beneath(c->target->dest_fd, c->below[0] ? joined : path,
	        O_PATH | O_NOFOLLOW, 0);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	return err_set(err, -EEXIST, "%s", path);
}

int doubt_concerns_copy(const struct target *t, const struct settings *s,
        int64_t since_ns, int (*on_tick)(void *arg), void *arg, struct err *err)
{
	struct changed c = {
	        .target = t,
	        .settings = s,
	        .below = srclist_own_name(s->source),
	};
	struct err found = ERR_INIT;
	int r = srclist_each_recent(s->source, since_ns - TICK_NS, is_copied,
	        &c, on_tick, arg, &found);

	if (r == -EEXIST)
		return 1;
	if (r < 0 && err)
		*err = found;
	return r;
}

int doubt_changed(const struct target *t, const struct settings *s,
        int64_t since_ns, int (*on_tick)(void *arg), void *arg, struct err *err)
{
	struct changed c = {
	        .target = t,
	        .settings = s,
	        .below = srclist_own_name(s->source),
	};

	return srclist_each_recent(
	        s->source, since_ns - TICK_NS, distrust, &c, on_tick, arg, err);
}
