/* SPDX-License-Identifier: MIT */
/* A mail is put into the spool (spool.h).  Apart from the sending, so that a
 * program that only puts does not need an SMTP library. */
#include "core/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "atomicfile.h"
#include "clock.h"
#include "core/mime.h"
#include "core/spool_dir.h"
#include "core/spool_env.h"
#include "i18n.h"
#include "path.h"
#include "sys/mail.h"
#include "util.h"

static int add_recipients(struct strv *to, char *const *list, struct err *err)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		bool known = false;

		for (size_t k = 0; k < to->len; k++)
			known = known || str_eq_nocase(to->items[k], list[i]);
		if (!known && strv_add(to, list[i]) < 0)
			return err_nomem(err);
	}
	return 0;
}

static int make_envelope(
        struct spool_env *env, const struct mime_message *m, struct err *err)
{
	int r = add_recipients(&env->to, m->to, err);

	if (r == 0)
		r = add_recipients(&env->to, m->cc, err);
	if (r == 0 && env->to.len > MAIL_TO_MAX)
		r = err_set(err, -EINVAL,
		        _("the e-mail has %zu recipients; at most %d are "
		          "possible"),
		        env->to.len, MAIL_TO_MAX);
	/* mime_write() looks at the addresses. */
	(void)str_copy(
	        env->from, sizeof(env->from), m->from != NULL ? m->from : "");
	return r;
}

/* Time to the microsecond, so that the order of names is that of time. */
static int make_name(char dst[64], struct err *err)
{
	int64_t now_ns = clock_real_ns();
	char utc[32], compact[32];
	uint32_t random;
	size_t n = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_sys(err, -EIO, _("cannot get random bytes"));
	(void)clock_utc(utc, now_ns / 1000000000);
	for (const char *p = utc; *p != '\0' && *p != 'Z'; p++)
		if (*p != '-' && *p != ':')
			compact[n++] = *p;
	compact[n] = '\0';
	(void)snprintf(dst, 64, "%s.%06dZ-%08" PRIx32 ".eml", compact,
	        (int)(now_ns % 1000000000 / 1000), random);
	return 0;
}

static int put_message(int dir_fd, const char *name,
        const struct mime_message *m, struct err *err)
{
	struct atomicfile f;
	int r = atomicfile_open(&f, dir_fd, name, 0600, err);

	if (r < 0)
		return r;
	spool_dir_give(dir_fd, f.fd);
	r = mime_write(m, f.fd, err);
	if (r == 0)
		r = atomicfile_commit(&f, err);
	atomicfile_abort(&f);
	return r;
}

int spool_put(const char *dir, const struct mime_message *m, char **ret_path,
        struct err *err)
{
	_cleanup_spool_env_ struct spool_env env = SPOOL_ENV_INIT;
	_cleanup_close_ int dir_fd = -1;
	_cleanup_free_ char *path = NULL;
	char name[64], env_name[64];
	int r;

	r = make_envelope(&env, m, err);
	if (r < 0)
		return r;
	dir_fd = spool_dir_open(dir, true, err);
	if (dir_fd < 0)
		return dir_fd;
	r = make_name(name, err);
	if (r < 0)
		return r;
	path = path_join(dir, name);
	if (path == NULL)
		return err_nomem(err);

	spool_dir_env_name(env_name, name);
	r = spool_env_write(dir_fd, env_name, &env, err);
	if (r == 0)
		r = put_message(dir_fd, name, m, err);
	if (r < 0) {
		(void)unlinkat(dir_fd, name, 0);
		(void)unlinkat(dir_fd, env_name, 0);
		err_prefix(err, _("the e-mail cannot be kept in %s"), dir);
		return r;
	}
	spool_dir_limit(dir_fd, dir, SPOOL_KEEP);
	if (ret_path != NULL)
		*ret_path = TAKE_PTR(path);
	return 0;
}
