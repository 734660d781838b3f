/* SPDX-License-Identifier: MIT */
/* clang-format off */
/*
 * faultfs: shows a directory as a file system that fails on demand (FUSE).
 *
 *	faultfs [-o OPTIONS] SOURCE MOUNTPOINT CONTROLFILE
 *
 * stays in the foreground, says "ready" on stdout once it is mounted, and
 * unmounts at SIGTERM, SIGINT and SIGHUP; whoever hangs gets EIO then, and
 * ENOTCONN when faultfs is killed.
 *
 * CONTROLFILE is read again at every operation; no file, or an empty one: no
 * faults.  Replace it by rename, so that it is never half written.  One rule a
 * line, # begins a comment; the first rule that fits decides:
 *
 *	OPERATION[,OPERATION...] FAULT PATTERN [KEY=NUMBER...]
 *
 *	operation  open, stat, list, read, write (also truncate, allocate), fsync
 *	fault      eio, enospc
 *	           short  a write takes only bytes=N of what it gets (1)
 *	           hang   until no rule says so any more
 *	           none   no fault: an exception from the rules below it
 *	pattern    fnmatch(3) of the path below SOURCE, "." for SOURCE itself;
 *	           * matches slashes; ? stands for a blank
 *	from=N     only what touches the file at or behind offset N
 *	after=N    only once N bytes have passed since the control file changed
 *	times=N    only N times since the control file changed
 *
 *	read    eio    *.vbk  from=100000
 *	write   enospc *      after=4000000
 *	fsync   hang   d.img
 *
 * When a rule hits for the first time, "hit LINE OPERATION PATH" is said on
 * stdout: a test can wait for it.  A control file that is wrong is told on
 * stderr and ends faultfs, as a test with a typing error proves nothing.
 *
 * For loop devices: the kernel caches pages as it does with any file system;
 * what is cached is not read again.  Writes come through at once.
 */
/* clang-format on */
#define FUSE_USE_VERSION 312
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "num.h"
#include "str.h"
#include "util.h"

#define RULES_MAX 32
#define CONTROL_MAX 8192
/* How soon the end of a hang is noticed. */
#define HANG_POLL_US 10000

enum op { OP_OPEN, OP_STAT, OP_LIST, OP_READ, OP_WRITE, OP_FSYNC, OP_COUNT };
static const char *const op_names[OP_COUNT] = {
        "open", "stat", "list", "read", "write", "fsync"};

enum fault { FAULT_NONE, FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT, FAULT_HANG };
static const char *const fault_names[] = {
        "none", "eio", "enospc", "short", "hang"};

struct rule {
	int line;
	unsigned ops; /* bits */
	enum fault fault;
	char pattern[256];
	uint64_t from, after, times, bytes;
	uint64_t passed, hits; /* since the control file changed */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char control_text[CONTROL_MAX];
static struct rule rules[RULES_MAX];
static size_t rules_len;
static const char *control_path;
static int source_fd = -1;

/* --- the control file ----------------------------------------------------- */

static void wrong(int line, const char *what)
{
	(void)fprintf(stderr, "faultfs: %s:%d: %s\n", control_path, line, what);
	_exit(2);
}

static void parse_ops(struct rule *r, char *text)
{
	char *save = NULL;

	for (char *w = strtok_r(text, ",", &save); w;
	        w = strtok_r(NULL, ",", &save)) {
		int op = 0;

		while (op < OP_COUNT && !str_eq(w, op_names[op]))
			op++;
		if (op == OP_COUNT)
			wrong(r->line, "no such operation");
		r->ops |= 1U << op;
	}
}

static void parse_fault(struct rule *r, const char *text)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(fault_names) && !str_eq(text, fault_names[i]))
		i++;
	if (i == ARRAY_SIZE(fault_names))
		wrong(r->line, "no such fault");
	r->fault = (enum fault)i;
}

static void parse_key(struct rule *r, char *text)
{
	char *value = strchr(text, '=');
	uint64_t *ret = NULL;

	if (value)
		*value++ = '\0';
	if (str_eq(text, "from"))
		ret = &r->from;
	else if (str_eq(text, "after"))
		ret = &r->after;
	else if (str_eq(text, "times"))
		ret = &r->times;
	else if (str_eq(text, "bytes"))
		ret = &r->bytes;
	if (!ret || !value || num_parse_u64(value, UINT64_MAX, ret) < 0)
		wrong(r->line, "KEY=NUMBER is wrong");
}

static void parse_line(char *text, int line)
{
	struct rule r = {.line = line, .times = UINT64_MAX, .bytes = 1};
	char *save = NULL;
	char *word[3];

	text[strcspn(text, "#")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strtok_r(i ? NULL : text, " \t", &save);
		if (!word[i] && i == 0)
			return;
		if (!word[i])
			wrong(line, "OPERATION FAULT PATTERN wanted");
	}
	parse_ops(&r, word[0]);
	parse_fault(&r, word[1]);
	if (str_copy(r.pattern, sizeof(r.pattern), word[2]) < 0)
		wrong(line, "the pattern is too long");
	for (char *w; (w = strtok_r(NULL, " \t", &save));)
		parse_key(&r, w);
	if (rules_len == RULES_MAX)
		wrong(line, "too many rules");
	rules[rules_len++] = r;
}

static void parse(void)
{
	char copy[CONTROL_MAX];
	char *rest = copy;
	int line = 1;

	memcpy(copy, control_text, sizeof(copy));
	rules_len = 0;
	for (char *text; (text = strsep(&rest, "\n")); line++)
		parse_line(text, line);
}

/* By its content: times and inode numbers may be the same again. */
static void reload(void)
{
	_cleanup_close_ int fd = open(control_path, O_RDONLY | O_CLOEXEC);
	char text[CONTROL_MAX] = "";
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (n < 0 || n == sizeof(text) - 1)
		wrong(0, "cannot be read, or is too long");
	if (str_eq(text, control_text))
		return;
	memcpy(control_text, text, sizeof(text));
	parse();
}

/* --- faults ----------------------------------------------------------------
 */

static bool fits(struct rule *r, enum op op, const char *path, uint64_t size,
        uint64_t end)
{
	if (!(r->ops & 1U << op) || fnmatch(r->pattern, path, 0) != 0)
		return false;
	if (r->hits >= r->times || (r->from > 0 && end <= r->from))
		return false;
	if (r->after > 0 && r->passed + size > r->after)
		return true;
	r->passed += size;
	return r->after == 0;
}

/* The fault for this operation; *ret_bytes for a short one. */
static enum fault look(enum op op, const char *path, uint64_t size,
        uint64_t end, uint64_t *ret_bytes)
{
	enum fault fault = FAULT_NONE;

	(void)pthread_mutex_lock(&mutex);
	reload();
	for (size_t i = 0; i < rules_len; i++) {
		if (!fits(&rules[i], op, path, size, end))
			continue;
		fault = rules[i].fault;
		*ret_bytes = rules[i].bytes;
		if (rules[i].hits++ == 0)
			(void)printf("hit %d %s %s\n", rules[i].line,
			        op_names[op], path);
		break;
	}
	(void)pthread_mutex_unlock(&mutex);
	return fault;
}

static const char *below(const char *path)
{
	return path[1] ? path + 1 : ".";
}

/* 0, or the negative errno that the operation fails with; @size may become
 * smaller.  A hang ends here. */
static int fault(enum op op, const char *path, size_t *size, off_t offset)
{
	struct fuse_session *session =
	        fuse_get_session(fuse_get_context()->fuse);
	uint64_t end = (uint64_t)offset + (size ? *size : 0);
	uint64_t bytes = 0;
	enum fault f;

	while ((f = look(op, below(path), size ? *size : 0, end, &bytes)) ==
	        FAULT_HANG) {
		if (fuse_session_exited(session))
			return -EIO;
		(void)usleep(HANG_POLL_US);
	}
	if (f == FAULT_SHORT && size && *size > bytes)
		*size = (size_t)bytes;
	if (f == FAULT_ENOSPC)
		return -ENOSPC;
	return f == FAULT_EIO ? -EIO : 0;
}

/* --- files: what is open goes by its descriptor ----------------------------
 */

static int result(int r)
{
	return r < 0 ? -errno : r;
}

static int fd_of(const struct fuse_file_info *fi)
{
	return (int)fi->fh;
}

/* Made by us, but it belongs to who asked for it. */
static int give_away(const char *path)
{
	const struct fuse_context *c = fuse_get_context();

	return result(fchownat(
	        source_fd, below(path), c->uid, c->gid, AT_SYMLINK_NOFOLLOW));
}

static int do_open(const char *path, struct fuse_file_info *fi)
{
	int r = fault(OP_OPEN, path, NULL, 0);

	if (r < 0)
		return r;
	/* Appending is the kernel's business: it sends us offsets. */
	r = openat(source_fd, below(path),
	        (fi->flags & ~O_APPEND) | O_CLOEXEC | O_NOFOLLOW);
	if (r < 0)
		return -errno;
	fi->fh = (uint64_t)r;
	return 0;
}

static int do_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	int r = fault(OP_OPEN, path, NULL, 0);

	if (r < 0)
		return r;
	r = openat(source_fd, below(path),
	        (fi->flags & ~O_APPEND) | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	        mode);
	if (r < 0)
		return -errno;
	fi->fh = (uint64_t)r;
	return give_away(path);
}

static int do_release(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	return result(close(fd_of(fi)));
}

static int do_read(const char *path, char *dst, size_t size, off_t offset,
        struct fuse_file_info *fi)
{
	int r = fault(OP_READ, path, &size, offset);

	return r < 0 ? r : result((int)pread(fd_of(fi), dst, size, offset));
}

static int do_write(const char *path, const char *src, size_t size,
        off_t offset, struct fuse_file_info *fi)
{
	int r = fault(OP_WRITE, path, &size, offset);

	return r < 0 ? r : result((int)pwrite(fd_of(fi), src, size, offset));
}

static int do_fsync(const char *path, int only_data, struct fuse_file_info *fi)
{
	int r = fault(OP_FSYNC, path, NULL, 0);

	if (r < 0)
		return r;
	return result(only_data ? fdatasync(fd_of(fi)) : fsync(fd_of(fi)));
}

static int do_fallocate(const char *path, int mode, off_t offset, off_t len,
        struct fuse_file_info *fi)
{
	size_t size = (size_t)len;
	int r = fault(OP_WRITE, path, &size, offset);

	return r < 0 ? r : result(fallocate(fd_of(fi), mode, offset, len));
}

static int do_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	_cleanup_close_ int fd = -1;
	int r = fault(OP_WRITE, path, NULL, size);

	if (r < 0)
		return r;
	if (fi)
		return result(ftruncate(fd_of(fi), size));
	fd = openat(source_fd, below(path), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : result(ftruncate(fd, size));
}

static off_t do_lseek(
        const char *path, off_t offset, int whence, struct fuse_file_info *fi)
{
	off_t r = lseek(fd_of(fi), offset, whence);

	(void)path;
	return r < 0 ? -errno : r;
}

/* --- names ------------------------------------------------------------------
 */

static int do_getattr(
        const char *path, struct stat *st, struct fuse_file_info *fi)
{
	int r = fault(OP_STAT, path, NULL, 0);

	if (r < 0)
		return r;
	if (fi)
		return result(fstat(fd_of(fi), st));
	return result(fstatat(source_fd, below(path), st, AT_SYMLINK_NOFOLLOW));
}

static int do_readlink(const char *path, char *dst, size_t size)
{
	ssize_t n = readlinkat(source_fd, below(path), dst, size - 1);

	if (n < 0)
		return -errno;
	dst[n] = '\0';
	return 0;
}

static int do_readdir(const char *path, void *ret, fuse_fill_dir_t fill,
        off_t offset, struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *de;
	int fd, r = fault(OP_LIST, path, NULL, 0);

	(void)offset, (void)fi, (void)flags;
	if (r < 0)
		return r;
	fd = openat(source_fd, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((de = readdir(dir)))
		if (fill(ret, de->d_name, NULL, 0, 0) != 0)
			break;
	return 0;
}

static int do_mknod(const char *path, mode_t mode, dev_t dev)
{
	int r = result(mknodat(source_fd, below(path), mode, dev));

	return r < 0 ? r : give_away(path);
}

static int do_mkdir(const char *path, mode_t mode)
{
	int r = result(mkdirat(source_fd, below(path), mode));

	return r < 0 ? r : give_away(path);
}

static int do_symlink(const char *target, const char *path)
{
	int r = result(symlinkat(target, source_fd, below(path)));

	return r < 0 ? r : give_away(path);
}

static int do_unlink(const char *path)
{
	return result(unlinkat(source_fd, below(path), 0));
}

static int do_rmdir(const char *path)
{
	return result(unlinkat(source_fd, below(path), AT_REMOVEDIR));
}

static int do_rename(const char *from, const char *to, unsigned flags)
{
	return result(
	        renameat2(source_fd, below(from), source_fd, below(to), flags));
}

static int do_link(const char *from, const char *to)
{
	return result(linkat(source_fd, below(from), source_fd, below(to), 0));
}

static int do_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	return result(fi ? fchmod(fd_of(fi), mode)
	                 : fchmodat(source_fd, below(path), mode, 0));
}

static int do_chown(
        const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
	(void)fi;
	return result(fchownat(
	        source_fd, below(path), uid, gid, AT_SYMLINK_NOFOLLOW));
}

static int do_utimens(const char *path, const struct timespec times[2],
        struct fuse_file_info *fi)
{
	(void)fi;
	return result(
	        utimensat(source_fd, below(path), times, AT_SYMLINK_NOFOLLOW));
}

static int do_statfs(const char *path, struct statvfs *ret)
{
	(void)path;
	return result(fstatvfs(source_fd, ret));
}

/* --- the program -------------------------------------------------------------
 */

static void *do_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	cfg->use_ino = 1;
	/* What happens in SOURCE is seen at once. */
	cfg->attr_timeout = cfg->entry_timeout = cfg->negative_timeout = 0;
	/* Requests that hang must not use up the places of others. */
	conn->max_background = 1000;
	conn->congestion_threshold = 1000;
	return NULL;
}

static const struct fuse_operations operations = {
        .init = do_init,
        .getattr = do_getattr,
        .readlink = do_readlink,
        .mknod = do_mknod,
        .mkdir = do_mkdir,
        .unlink = do_unlink,
        .rmdir = do_rmdir,
        .symlink = do_symlink,
        .rename = do_rename,
        .link = do_link,
        .chmod = do_chmod,
        .chown = do_chown,
        .truncate = do_truncate,
        .open = do_open,
        .read = do_read,
        .write = do_write,
        .statfs = do_statfs,
        .release = do_release,
        .fsync = do_fsync,
        .readdir = do_readdir,
        .create = do_create,
        .utimens = do_utimens,
        .fallocate = do_fallocate,
        .lseek = do_lseek,
};

struct names {
	const char *name[3]; /* source, mount point, control file */
	size_t len;
};

static int take_name(
        void *data, const char *arg, int key, struct fuse_args *args)
{
	struct names *n = data;

	(void)args;
	if (key != FUSE_OPT_KEY_NONOPT)
		return 1;
	if (n->len == ARRAY_SIZE(n->name))
		return -1;
	n->name[n->len++] = arg;
	return 0;
}

static int serve(struct fuse *fuse, const char *mount_point)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int r = 1;

	if (!config || fuse_mount(fuse, mount_point) != 0)
		goto out;
	fuse_loop_cfg_set_max_threads(config, 200);
	if (fuse_set_signal_handlers(fuse_get_session(fuse)) != 0)
		goto unmount;
	(void)puts("ready");
	r = fuse_loop_mt(fuse, config) < 0;
	fuse_remove_signal_handlers(fuse_get_session(fuse));
unmount:
	fuse_unmount(fuse);
out:
	if (config)
		fuse_loop_cfg_destroy(config);
	return r;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct names names = {.len = 0};
	struct fuse *fuse;
	int r;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (fuse_opt_parse(&args, &names, NULL, take_name) < 0 ||
	        names.len != ARRAY_SIZE(names.name)) {
		(void)fputs("usage: faultfs [-o OPTIONS] SOURCE MOUNTPOINT "
		            "CONTROLFILE\n",
		        stderr);
		return 2;
	}
	control_path = names.name[2];
	source_fd = open(names.name[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source_fd < 0) {
		perror(names.name[0]);
		return 1;
	}
	umask(0);
	(void)fuse_opt_add_arg(&args, "-oallow_other,default_permissions");
	fuse = fuse_new(&args, &operations, sizeof(operations), NULL);
	if (!fuse)
		return 1;
	r = serve(fuse, names.name[1]);
	fuse_destroy(fuse);
	fuse_opt_free_args(&args);
	return r;
}
