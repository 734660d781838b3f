/* SPDX-License-Identifier: MIT */
#include "core/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomicfile.h"
#include "buf.h"
#include "i18n.h"
#include "log.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "text.h"

/* No more of a log than this is read, however well it compresses. */
#define TEXT_MAX (16 * 1024 * 1024)
/* Read beyond a cut, so that a secret that the cut splits is still found. */
#define OVERLAP 1024
/* Less than this is not worth an attachment. */
#define SHARE_MIN 1024
#define GZIP_TIMEOUT_MS 60000

/* --- the text ---------------------------------------------------------------
 */

static int read_range(
        int fd, off_t from, size_t len, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *data = malloc(len + 1);
	ssize_t got;

	if (data == NULL)
		return -ENOMEM;
	if (lseek(fd, from, SEEK_SET) < 0)
		return -errno;
	got = path_read_all(fd, data, len);
	if (got < 0)
		return (int)got;
	/* log_mask() works on strings. */
	for (ssize_t i = 0; i < got; i++)
		if (data[i] == '\0')
			data[i] = '?';
	data[got] = '\0';
	log_mask(data);
	*ret = TAKE_PTR(data);
	*ret_len = (size_t)got;
	return 0;
}

/* The first lines, together at most @max bytes. */
static int add_head(struct buf *b, int fd, size_t max)
{
	_cleanup_free_ char *data = NULL;
	const char *nl;
	size_t len;
	int r = read_range(fd, 0, max + OVERLAP, &data, &len);

	if (r < 0)
		return r;
	if (len > max)
		len = max;
	nl = memrchr(data, '\n', len);
	if (nl != NULL)
		len = (size_t)(nl - data) + 1;
	mime_clean(b, data, len, true);
	if (nl == NULL)
		buf_addc(b, '\n');
	return 0;
}

/* The last lines of @size bytes, together at most @max bytes. */
static int add_tail(struct buf *b, int fd, off_t size, size_t max)
{
	_cleanup_free_ char *data = NULL;
	const char *nl;
	off_t from = size - (off_t)max - OVERLAP;
	size_t len, start;
	int r;

	if (from < 0)
		from = 0;
	r = read_range(fd, from, (size_t)(size - from), &data, &len);
	if (r < 0)
		return r;
	start = len > max ? len - max : 0;
	nl = memchr(data + start, '\n', len - start);
	if (nl != NULL && (size_t)(nl - data) + 1 < len)
		start = (size_t)(nl - data) + 1;
	mime_clean(b, data + start, len - start, true);
	return 0;
}

/* The whole log, or its two ends, about @max bytes. */
static int log_text(struct buf *b, int fd, off_t size, size_t max)
{
	size_t half = max / 2;
	char left_out[32];
	int r;

	if (size <= (off_t)max) {
		_cleanup_free_ char *data = NULL;
		size_t len;

		r = read_range(fd, 0, (size_t)size, &data, &len);
		if (r < 0)
			return r;
		mime_clean(b, data, len, true);
	} else {
		r = add_head(b, fd, half);
		if (r < 0)
			return r;
		buf_printf(b, _("\n[... %s were left out here ...]\n\n"),
		        text_bytes(left_out,
		                (uint64_t)(size - (off_t)(2 * half))));
		r = add_tail(b, fd, size, half);
		if (r < 0)
			return r;
	}
	return buf_failed(b) ? -ENOMEM : 0;
}

/* --- compression ------------------------------------------------------------
 */

static int memory_file(const struct buf *b)
{
	_cleanup_close_ int fd = memfd_create("attachment", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = b != NULL ? atomicfile_write_all(fd, b->data, b->len) : 0;
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int64_t file_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : INT64_MAX;
}

/* Returns a descriptor with the compressed content of @text, or a negative
 * errno (no gzip here, no memory): then it stays as it is. */
static int compress_file(int text)
{
	_cleanup_free_ char *gzip = path_find_program("gzip");
	char *argv[] = {gzip, (char[]){"-cn"}, NULL};
	_cleanup_close_ int out = memory_file(NULL);
	struct proc_spec spec = {
	        PROC_SPEC_INIT,
	        .name = "gzip",
	        .argv = argv,
	        .timeout_ms = GZIP_TIMEOUT_MS,
	        .ignore_signals = true,
	};
	struct proc_result res;
	int r;

	if (gzip == NULL)
		return -ENOENT;
	if (out < 0)
		return TAKE_FD(out);
	spec.stdin_fd = text;
	spec.stdout_fd = out;
	r = proc_run(&spec, &res, NULL);
	if (r < 0)
		return r;
	if (res.exit_code != 0)
		return -EIO;
	return TAKE_FD(out);
}

/* --- one log ----------------------------------------------------------------
 */

static int add_item(struct attach *a, int fd, const char *name, bool gz)
{
	char *copy = str_printf("%s%s", name, gz ? ".gz" : "");

	if (copy == NULL)
		return -ENOMEM;
	a->names[a->len] = copy;
	a->fds[a->len] = fd;
	a->items[a->len] = (struct mime_attachment){
	        .name = copy,
	        .type = gz ? "application/gzip" : "text/plain",
	        .fd = fd,
	};
	a->len++;
	return 0;
}

/* Makes the text from about @max bytes of the log, compressed unless small.
 * Returns a descriptor or a negative errno. */
static int try_text(int log, off_t size, size_t max, size_t share, bool *ret_gz)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_close_ int text = -1;
	int r = log_text(&b, log, size, max);

	if (r < 0)
		return r;
	text = memory_file(&b);
	*ret_gz = false;
	if (text < 0 || (b.len <= ATTACH_PLAIN_MAX && b.len <= share))
		return TAKE_FD(text);
	r = compress_file(text);
	if (r < 0)
		return TAKE_FD(text);
	*ret_gz = true;
	return r;
}

/* Less and less of the log until it fits into @share bytes. */
static int attach_one(struct attach *a, int log, const char *name, size_t share)
{
	off_t size = file_size(log);
	size_t max = size < TEXT_MAX ? (size_t)size : TEXT_MAX;
	bool gz;

	for (;;) {
		_cleanup_close_ int fd = try_text(log, size, max, share, &gz);
		int64_t made;

		if (fd < 0)
			return TAKE_FD(fd);
		made = file_size(fd);
		if (made <= (int64_t)share) {
			int r = add_item(a, fd, name, gz);

			if (r == 0)
				(void)TAKE_FD(fd);
			return r;
		}
		if (max < 512)
			return -EFBIG;
		/* By how much it is too large, and a bit more: the share of
		 * the line in the middle, and text that compresses worse. */
		size_t next = (size_t)((double)max * (double)share /
		                       (double)made * 0.9);
		max = next < max / 2 ? next : max * 4 / 5;
	}
}

static int open_log(
        const struct attach_log *log, int64_t *ret_size, struct err *err)
{
	_cleanup_close_ int fd =
	        open(log->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return err_sys(
		        err, -errno, _("cannot open the log %s"), log->path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(
		        err, -EINVAL, _("%s is not a regular file"), log->path);
	*ret_size = st.st_size;
	return TAKE_FD(fd);
}

static const char *log_name(const struct attach_log *log)
{
	const char *slash = strrchr(log->path, '/');

	if (log->name != NULL)
		return log->name;
	return slash != NULL ? slash + 1 : log->path;
}

/* --- all of them ------------------------------------------------------------
 */

/* Bytes that are @encoded bytes as base64 with line ends, headers aside. */
static int64_t decoded(int64_t encoded)
{
	return encoded / 78 * 57;
}

int attach_logs(struct attach *a, const struct attach_log *logs, size_t n,
        int64_t max_kb, struct err *err)
{
	int64_t left = max_kb > 0 ? decoded(max_kb * 1024) : 0;
	int fds[ATTACH_MAX];
	int64_t sizes[ATTACH_MAX];
	size_t todo = 0;
	int result = 0;

	if (n > ATTACH_MAX - a->len)
		n = ATTACH_MAX - a->len;
	for (size_t i = 0; i < n; i++) {
		fds[i] = -1;
		if (str_is_empty(logs[i].path))
			continue;
		/* The first error is the one that is told. */
		fds[i] =
		        open_log(&logs[i], &sizes[i], result == 0 ? err : NULL);
		if (fds[i] < 0 && result == 0)
			result = fds[i];
		if (fds[i] >= 0 && sizes[i] == 0)
			util_closep(&fds[i]);
		if (fds[i] >= 0)
			todo++;
	}
	/* The smallest first: what it does not need is for the others. */
	for (; todo > 0; todo--) {
		size_t best = n;
		int64_t share = left / (int64_t)todo;
		int r = 0;

		for (size_t i = 0; i < n; i++)
			if (fds[i] >= 0 &&
			        (best == n || sizes[i] < sizes[best]))
				best = i;
		if (share >= SHARE_MIN)
			r = attach_one(a, fds[best], log_name(&logs[best]),
			        (size_t)share);
		if (r == 0 && share >= SHARE_MIN)
			left -= file_size(a->fds[a->len - 1]);
		if (r < 0 && result == 0)
			result = err_sys(err, r, _("cannot attach the log %s"),
			        logs[best].path);
		util_closep(&fds[best]);
	}
	return result;
}

void attach_done(struct attach *a)
{
	for (size_t i = 0; i < a->len; i++) {
		free(a->names[i]);
		util_closep(&a->fds[i]);
	}
	*a = ATTACH_INIT;
}
