/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomicfile.h"
#include "clock.h"
#include "i18n.h"
#include "str.h"

#define TRIES 100

/* The final name may be as long as a name can be; the temporary one needs
 * room for two dots and the random part. */
#define TEMP_STEM_MAX 240

/* Six characters that nobody can foresee; names only need to differ, so
 * the clock will do before the kernel has collected randomness. */
static void random_part(char dst[7])
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char bytes[6];

	if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) !=
	        (ssize_t)sizeof(bytes)) {
		uint64_t n = (uint64_t)clock_real_ns() ^ (uint64_t)getpid();

		memcpy(bytes, &n, sizeof(bytes));
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		dst[i] = set[bytes[i] % (sizeof(set) - 1)];
	dst[6] = '\0';
}

/* Splits @name; opens its directory, which fsync() needs as a descriptor of
 * its own (the caller's may be O_PATH or AT_FDCWD). */
static int open_dir(struct atomicfile *f, int dir_fd, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	char dir[4096] = ".";

	if (!*base || str_eq(base, ".") || str_eq(base, ".."))
		return -EINVAL;
	if (str_copy(f->name, sizeof(f->name), base) < 0)
		return -ENAMETOOLONG;
	if (slash) {
		size_t len = slash > name ? (size_t)(slash - name) : 1;

		if (len >= sizeof(dir))
			return -ENAMETOOLONG;
		memcpy(dir, name, len);
		dir[len] = '\0';
	}

	f->own_dir_fd = openat(dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return f->own_dir_fd < 0 ? -errno : 0;
}

static int open_temp(struct atomicfile *f)
{
	char stem[TEMP_STEM_MAX + 1], part[7];

	(void)str_copy(stem, sizeof(stem), f->name);
	for (int i = 0; i < TRIES; i++) {
		random_part(part);
		(void)snprintf(f->temp, sizeof(f->temp), ".%s.%s", stem, part);
		f->fd = openat(f->own_dir_fd, f->temp,
		        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		        0600);
		if (f->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	f->temp[0] = '\0';
	return -errno;
}

/* Exactly @mode, whatever the umask says. */
static int set_mode(int fd, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & 07777) == mode || fchmod(fd, mode) == 0)
		return 0;
	/* We made it, so EPERM means a file system without modes (vfat). */
	if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS)
		return 0;
	return -errno;
}

int atomicfile_open(struct atomicfile *f, int dir_fd, const char *name,
        mode_t mode, struct err *err)
{
	int r;

	*f = (struct atomicfile){.fd = -1, .dir_fd = dir_fd, .own_dir_fd = -1};
	r = open_dir(f, dir_fd, name);
	if (r == 0)
		r = open_temp(f);
	if (r == 0)
		r = set_mode(f->fd, mode);
	if (r < 0) {
		atomicfile_abort(f);
		return err_sys(err, r, _("cannot create %s"), name);
	}
	return 0;
}

/* Some file systems (FUSE, CIFS) cannot flush a directory and say so. */
static int sync_dir(int dir_fd)
{
	if (fsync(dir_fd) == 0 || errno == EINVAL || errno == EOPNOTSUPP)
		return 0;
	return -errno;
}

static int commit(struct atomicfile *f, bool durable)
{
	int r = 0;

	if (durable && fsync(f->fd) < 0)
		return -errno;
	/* Network file systems report a full disk only here. */
	if (close(TAKE_FD(f->fd)) < 0 && errno != EINTR)
		return -errno;
	if (renameat(f->own_dir_fd, f->temp, f->own_dir_fd, f->name) < 0)
		return -errno;
	f->temp[0] = '\0';
	if (durable)
		r = sync_dir(f->own_dir_fd);
	return r;
}

static int finish(struct atomicfile *f, bool durable, struct err *err)
{
	int r = f->fd < 0 ? -EBADF : commit(f, durable);

	atomicfile_abort(f);
	if (r < 0)
		return err_sys(err, r, _("cannot write %s"), f->name);
	return 0;
}

int atomicfile_commit(struct atomicfile *f, struct err *err)
{
	return finish(f, true, err);
}

int atomicfile_commit_volatile(struct atomicfile *f, struct err *err)
{
	return finish(f, false, err);
}

void atomicfile_abort(struct atomicfile *f)
{
	util_closep(&f->fd);
	if (f->temp[0])
		(void)unlinkat(f->own_dir_fd, f->temp, 0);
	f->temp[0] = '\0';
	util_closep(&f->own_dir_fd);
}

int atomicfile_write(int dir_fd, const char *name, const void *data, size_t len,
        mode_t mode, bool durable, struct err *err)
{
	struct atomicfile f;
	int r = atomicfile_open(&f, dir_fd, name, mode, err);

	if (r < 0)
		return r;
	r = atomicfile_write_all(f.fd, data, len);
	if (r < 0) {
		atomicfile_abort(&f);
		return err_sys(err, r, _("cannot write %s"), name);
	}
	return finish(&f, durable, err);
}

int atomicfile_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
