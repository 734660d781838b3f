/* SPDX-License-Identifier: MIT */
/* lease_file: the files of lease/, written and read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomicfile.h"
#include "buf.h"
#include "i18n.h"
#include "path.h"
#include "str.h"
#include "util.h"
#include "core/lease_internal.h"

/* Given back to the disk when a lease has no other room. */
#define RESERVE "reserve"
#define RESERVE_SIZE 4096

int lease_file_read(int dir_fd, const char *name, struct lease_record *ret)
{
	_cleanup_close_ int fd = openat(
	        dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[LEASE_RECORD_MAX + 1];
	struct stat st;
	ssize_t len;

	*ret = (struct lease_record){.ttl_s = 0};
	if (fd < 0) /* a link, a socket */
		return errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	len = path_read_all(fd, text, sizeof text);
	return len < 0 ? (int)len : lease_record_parse(text, (size_t)len, ret);
}

/* Under another job's name it is not what it seems. */
static bool is_own_name(const struct lease_record *rec, const char *name)
{
	char own[LEASE_NAME_MAX];

	return str_eq(lease_record_name(own, rec->job), name);
}

/* 0; -ENOENT: it has gone meanwhile. */
static int look(const struct lease *l, const char *name,
        const struct lease_now *now, struct lease_entry *ret)
{
	struct stat st;
	int r;

	*ret = (struct lease_entry){.kind = LEASE_ENTRY_LEASE};
	r = lease_file_read(l->dir.lease_fd, name, &ret->record);
	if (r == -ENOENT)
		return r;
	if (r == 0 && is_own_name(&ret->record, name)) {
		ret->is_readable = true;
		ret->verdict = lease_judge(&ret->record, now);
		return 0;
	}
	ret->record = (struct lease_record){.ttl_s = l->ttl_s};
	if (!lease_record_job(ret->record.job, name))
		(void)str_copy(ret->record.job, sizeof ret->record.job, name);
	if (fstatat(l->dir.lease_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -ENOENT : 0;
	ret->record.taken = st.st_mtim.tv_sec;
	/* It may well be a lease that counts for long: it was not seen, for
	 * want of descriptors or because of a bad disk. */
	if (r < 0 && r != -EBADMSG)
		return 0;
	ret->verdict = lease_judge_unreadable(st.st_mtim.tv_sec, l->ttl_s, now);
	return 0;
}

int lease_file_each(const struct lease *l,
        int (*fn)(const struct lease_entry *e, const char *name, void *arg),
        void *arg, struct err *err)
{
	_cleanup_closedir_ DIR *dir = path_open_dir(l->dir.lease_fd);
	struct lease_now now;
	struct dirent *de;
	int r = 0;

	if (!dir)
		return err_sys(err, -errno, _("cannot read %s/%s"), l->dir.path,
		        "lease");
	lease_now(&now);
	while (r == 0 && (errno = 0, (de = readdir(dir)))) {
		struct lease_entry e;

		if (de->d_name[0] == '.' ||
		        look(l, de->d_name, &now, &e) == -ENOENT)
			continue;
		r = fn(&e, de->d_name, arg);
		errno = 0;
	}
	if (r == 0 && errno != 0)
		return err_sys(err, -errno, _("cannot read %s/%s"), l->dir.path,
		        "lease");
	return r;
}

static void make_reserve(const struct lease *l)
{
	_cleanup_close_ int fd = openat(l->dir.fd, RESERVE,
	        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_SIZE) != 0)
		(void)unlinkat(l->dir.fd, RESERVE, 0);
}

int lease_file_write(
        const struct lease *l, const struct lease_record *rec, struct err *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char name[LEASE_NAME_MAX];
	int r;

	lease_record_format(&b, rec);
	if (buf_failed(&b))
		return err_nomem(err);
	(void)lease_record_name(name, rec->job);
	r = atomicfile_write(
	        l->dir.lease_fd, name, b.data, b.len, 0600, true, err);
	if (r == -ENOSPC && unlinkat(l->dir.fd, RESERVE, 0) == 0)
		return atomicfile_write(
		        l->dir.lease_fd, name, b.data, b.len, 0600, true, err);
	if (r == 0)
		make_reserve(l);
	return r;
}

int lease_file_mark(const struct lease *l, const char *job)
{
	char name[LEASE_NAME_MAX];
	_cleanup_close_ int fd =
	        openat(l->dir.lease_fd, lease_record_name(name, job),
	                O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK |
	                        O_CLOEXEC,
	                0600);

	if (fd < 0 || fsync(fd) < 0 || fsync(l->dir.lease_fd) < 0)
		return -errno;
	return 0;
}
