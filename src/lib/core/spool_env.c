/* SPDX-License-Identifier: MIT */
#include "core/spool_env.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomicfile.h"
#include "buf.h"
#include "clock.h"
#include "core/mime.h"
#include "core/spool_dir.h"
#include "i18n.h"
#include "num.h"
#include "sys/mail.h"
#include "text.h"

#define MAGIC "asbackup-envelope 1"
#define FILE_MAX (128 * 1024)

void spool_env_done(struct spool_env *env)
{
	strv_done(&env->to);
	*env = SPOOL_ENV_INIT;
}

static int take_error(struct spool_env *env, const char *value)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	mime_clean(&b, value, strlen(value), false);
	(void)str_copy(env->error, sizeof(env->error), b.data);
	return buf_failed(&b) ? -ENOMEM : 0;
}

static int take_value(struct spool_env *env, const char *key, const char *value)
{
	int64_t n;

	if (str_eq(key, "from")) {
		if (!mime_is_address(value) ||
		        str_copy(env->from, sizeof(env->from), value) < 0)
			return -EBADMSG;
	} else if (str_eq(key, "to")) {
		if (!mime_is_address(value) || env->to.len >= MAIL_TO_MAX)
			return -EBADMSG;
		return strv_add(&env->to, value);
	} else if (str_eq(key, "attempts")) {
		if (num_parse_i64(value, 0, 1000000, &n) < 0)
			return -EBADMSG;
		env->attempts = (int)n;
	} else if (str_eq(key, "next")) {
		if (clock_parse_utc(value, &env->next_s) < 0)
			return -EBADMSG;
	} else if (str_eq(key, "error")) {
		return take_error(env, value);
	}
	return 0;
}

int spool_env_parse(char *text, struct spool_env *ret)
{
	_cleanup_spool_env_ struct spool_env env = SPOOL_ENV_INIT;
	char *rest = text;
	char *line = strsep(&rest, "\n");

	if (!str_eq(line, MAGIC))
		return -EBADMSG;
	while ((line = strsep(&rest, "\n")) != NULL && line[0] != '\0') {
		char *value = strstr(line, ": ");
		int r;

		if (value == NULL)
			return -EBADMSG;
		*value = '\0';
		r = take_value(&env, line, value + 2);
		if (r < 0)
			return r;
	}
	/* The last line is complete, and something must be there to do. */
	if (line == NULL || rest != NULL || env.from[0] == '\0' ||
	        env.to.len == 0)
		return -EBADMSG;
	*ret = env;
	env = SPOOL_ENV_INIT;
	return 0;
}

void spool_env_format(const struct spool_env *env, struct buf *b)
{
	char time[32];

	buf_printf(b, MAGIC "\nfrom: %s\n", env->from);
	for (size_t i = 0; i < env->to.len; i++)
		buf_printf(b, "to: %s\n", env->to.items[i]);
	buf_printf(b, "attempts: %d\n", env->attempts);
	if (env->next_s > 0)
		buf_printf(b, "next: %s\n", clock_utc(time, env->next_s));
	if (env->error[0] != '\0') {
		buf_adds(b, "error: ");
		mime_clean(b, env->error, strlen(env->error), false);
		buf_addc(b, '\n');
	}
}

static int read_text(int dir_fd, const char *name, char **ret)
{
	_cleanup_close_ int fd = openat(
	        dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_buf_ struct buf b = BUF_INIT;
	char chunk[4096];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EBADMSG;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (memchr(chunk, '\0', (size_t)n) != NULL)
			return -EBADMSG;
		buf_add(&b, chunk, (size_t)n);
		if (b.len > FILE_MAX)
			return -EBADMSG;
	}
	*ret = buf_take(&b);
	return *ret != NULL ? 0 : -ENOMEM;
}

int spool_env_read(
        int dir_fd, const char *name, struct spool_env *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	int r = read_text(dir_fd, name, &text);

	if (r == 0)
		r = spool_env_parse(text, ret);
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r == -EBADMSG)
		return err_set(err, r,
		        _("%s is not an envelope of a waiting e-mail"), name);
	if (r < 0)
		return err_sys(err, r, _("cannot read %s"), name);
	return 0;
}

int spool_env_write(int dir_fd, const char *name, const struct spool_env *env,
        struct err *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct atomicfile f;
	int r;

	spool_env_format(env, &b);
	if (buf_failed(&b))
		return err_nomem(err);
	r = atomicfile_open(&f, dir_fd, name, 0600, err);
	if (r < 0)
		return r;
	spool_dir_give(dir_fd, f.fd);
	r = atomicfile_write_all(f.fd, b.data, b.len);
	if (r < 0)
		(void)err_sys(err, r, _("cannot write %s"), name);
	else
		r = atomicfile_commit(&f, err);
	atomicfile_abort(&f);
	return r;
}
