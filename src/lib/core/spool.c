/* SPDX-License-Identifier: MIT */
#include "core/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "core/spool_dir.h"
#include "core/spool_env.h"
#include "i18n.h"
#include "log.h"
#include "path.h"
#include "sig.h"
#include "sys/mail.h"

/* Less time than this is not worth an attempt. */
#define ATTEMPT_MIN_MS 1000
/* A "next" further away than this is the trace of a clock that was wrong. */
#define NEXT_MAX_S (24 * 3600)

/* --- one attempt -------------------------------------------------------------
 */

struct attempt {
	int dir_fd;
	const char *dir;
	const char *name; /* of the .eml */
	char env_name[64];
	struct spool_env env;
	const struct mail_server *server;
	enum mail_verdict verdict;
	bool refused; /* somebody got nothing, for good */
};

enum { SENT = 0, WAITS = 1, FAILED = 2 };

int64_t spool_backoff_s(int attempts)
{
	int64_t s = 300;

	for (int i = 1; i < attempts && s < 4 * 3600; i++)
		s *= 2;
	return s < 4 * 3600 ? s : 4 * 3600;
}

/* Opens the .eml and holds it against others who send, as long as it is open.
 * -EWOULDBLOCK: somebody does. -ENOENT: somebody has. */
static int open_locked(int dir_fd, const char *name, struct err *err)
{
	_cleanup_close_ int fd = openat(
	        dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st, there;

	if (fd < 0)
		return err_sys(err, -errno, _("cannot open %s"), name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(
		        err, -errno, _("another process is sending %s"), name);
	/* It was sent and unlinked between open and flock. */
	if (fstat(fd, &st) < 0 ||
	        fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	        st.st_ino != there.st_ino || st.st_dev != there.st_dev)
		return err_set(err, -ENOENT,
		        _("%s was sent by another process"), name);
	if (!spool_dir_is_ours(dir_fd, &st))
		return err_set(err, -EPERM,
		        _("%s is not a regular file of this user"), name);
	return TAKE_FD(fd);
}

static int to_failed(struct attempt *a, struct err *err)
{
	int r;

	/* What the envelope cannot hold is no reason not to move it. */
	(void)spool_env_write(a->dir_fd, a->env_name, &a->env, NULL);
	r = spool_dir_fail(a->dir_fd, a->name, a->env_name);
	if (r < 0) {
		err_prefix(err, _("cannot move it to %s/failed (%s)"), a->dir,
		        err_text(r));
		return r;
	}
	a->refused = true;
	err_meaning_default(
	        err, _("the message is kept as %s/failed/%s"), a->dir, a->name);
	err_action_default(err,
	        _("correct what the mail server complains about; to send it "
	          "again, move it and its .env file back to %s"),
	        a->dir);
	return FAILED;
}

static int put_off(struct attempt *a, struct err *err)
{
	struct spool_env *env = &a->env;

	env->attempts++;
	env->next_s = clock_real_s() + spool_backoff_s(env->attempts);
	/* When this fails it is tried again sooner than it should be. */
	(void)spool_env_write(a->dir_fd, a->env_name, env, NULL);
	err_meaning_default(err,
	        _("the message waits as %s/%s and will be tried again; this "
	          "does not change the result of the copy"),
	        a->dir, a->name);
	return WAITS;
}

static int take_away(struct attempt *a, struct err *err)
{
	int r = spool_dir_remove(a->dir_fd, a->name);

	if (r == 0)
		return SENT;
	err_sys(err, r, _("the message %s/%s was sent but cannot be removed"),
	        a->dir, a->name);
	err_meaning(err, _("it will be sent again"));
	err_action(err, _("remove it by hand"));
	return r;
}

/* Some have it, some not: only the others stay in the envelope. */
static int split(struct attempt *a, const enum mail_rcpt *rcpt, struct err *err)
{
	_cleanup_strv_ struct strv later = STRV_INIT, refused = STRV_INIT;
	struct strv *rest = &later;

	for (size_t i = 0; i < a->env.to.len; i++) {
		const char *to = a->env.to.items[i];

		/* Out of memory: better nobody gets it twice. */
		if (rcpt[i] == MAIL_RCPT_REFUSED)
			(void)!strv_add(&refused, to);
		else if (rcpt[i] != MAIL_RCPT_ACCEPTED)
			(void)!strv_add(&later, to);
	}
	a->refused = refused.len > 0;
	if (later.len == 0)
		rest = &refused;
	if (rest->len == 0)
		return take_away(a, err);
	strv_done(&a->env.to);
	a->env.to = *rest;
	*rest = STRV_INIT;
	return rest == &later ? put_off(a, err) : to_failed(a, err);
}

static int send_locked(struct attempt *a, int fd, struct err *err)
{
	enum mail_rcpt rcpt[MAIL_TO_MAX];
	struct err why = ERR_INIT;
	int r;

	a->verdict = mail_send_each(
	        a->server, a->env.from, a->env.to.items, fd, rcpt, &why);
	(void)str_copy(a->env.error, sizeof(a->env.error), why.message);
	switch (a->verdict) {
	case MAIL_SENT:
		return take_away(a, err);
	case MAIL_PARTLY:
		r = split(a, rcpt, &why);
		break;
	case MAIL_PERMANENT:
		r = to_failed(a, &why);
		break;
	case MAIL_TEMPORARY:
	case MAIL_SETUP:
	default:
		r = put_off(a, &why);
		break;
	}
	if (err != NULL)
		*err = why;
	return r;
}

static int try_one(struct attempt *a, struct err *err)
{
	_cleanup_close_ int fd = open_locked(a->dir_fd, a->name, err);
	int r;

	if (fd < 0)
		return TAKE_FD(fd);
	spool_dir_env_name(a->env_name, a->name);
	a->env = SPOOL_ENV_INIT;
	r = spool_env_read(a->dir_fd, a->env_name, &a->env, err);
	if (r == 0)
		r = send_locked(a, fd, err);
	else if (r == -ENOENT || r == -EBADMSG)
		r = spool_dir_fail(a->dir_fd, a->name, a->env_name) == 0
		            ? FAILED
		            : r;
	spool_env_done(&a->env);
	return r;
}

static bool has_server(const struct mail_server *server)
{
	return server != NULL && !str_is_empty(server->host);
}

int spool_send(
        const char *path, const struct mail_server *server, struct err *err)
{
	_cleanup_free_ char *dir = path_dirname(path);
	_cleanup_close_ int dir_fd = -1;
	const char *slash = strrchr(path, '/');
	struct attempt a = {.dir = dir, .server = server};

	if (dir == NULL)
		return err_nomem(err);
	a.name = slash != NULL ? slash + 1 : path;
	if (!spool_dir_is_name(a.name))
		return err_set(err, -EINVAL,
		        _("%s is not the name of a waiting e-mail"), path);
	if (!has_server(server)) {
		err_set(err, -ENOENT, _("no mail server is configured"));
		err_meaning(err, _("the message stays as %s"), path);
		err_action(
		        err, _("set server in section [Mail] to have it sent"));
		return WAITS;
	}
	dir_fd = spool_dir_open(dir, false, err);
	if (dir_fd < 0)
		return dir_fd;
	a.dir_fd = dir_fd;
	return try_one(&a, err);
}

/* --- all that wait
 * ------------------------------------------------------------ */

struct flush {
	const struct spool_flush *what;
	struct spool_result *ret;
	int dir_fd;
	int64_t end_ms;
	int tried;
	int in_a_row; /* that could not be sent for now */
	bool stop;
};

static bool is_due(int dir_fd, const char *name)
{
	_cleanup_spool_env_ struct spool_env env = SPOOL_ENV_INIT;
	char env_name[64];
	int64_t now = clock_real_s();

	spool_dir_env_name(env_name, name);
	/* A broken one is due: the attempt sorts it out. */
	if (spool_env_read(dir_fd, env_name, &env, NULL) < 0)
		return true;
	return env.next_s <= now || env.next_s > now + NEXT_MAX_S;
}

static void count(
        struct flush *f, const struct attempt *a, int r, const struct err *why)
{
	struct spool_result *ret = f->ret;

	if (r == -EWOULDBLOCK || r == -ENOENT) {
		ret->not_due++;
		return;
	}
	f->tried++;
	if (a->refused)
		ret->refused++;
	if (r != SENT)
		ret->err = *why;
	if (r == SENT)
		ret->sent++;
	else if (r == FAILED)
		ret->failed++;
	else
		ret->waiting++;
	f->in_a_row = r == SENT || r == FAILED ? 0 : f->in_a_row + 1;
	if (a->verdict == MAIL_SETUP || f->in_a_row >= 2)
		f->stop = true;
}

static void flush_one(struct flush *f, const char *name)
{
	int64_t left = f->end_ms - clock_mono_ms();
	const struct spool_flush *what = f->what;
	struct mail_server server;
	struct attempt a = {.dir_fd = f->dir_fd,
	        .dir = what->dir,
	        .name = name,
	        .server = &server};
	struct err why = ERR_INIT;
	int r;

	if (f->stop || left < ATTEMPT_MIN_MS || sig_caught() != 0 ||
	        (what->max > 0 && f->tried >= what->max) ||
	        (!what->force && !is_due(f->dir_fd, name))) {
		f->ret->not_due++;
		return;
	}
	server = *what->server;
	if (server.timeout_ms > left)
		server.timeout_ms = left;
	r = try_one(&a, &why);
	count(f, &a, r, &why);
	if (a.refused || r == FAILED)
		log_warn(_("e-mail %s: %s"), name, why.message);
}

int spool_flush(const struct spool_flush *what, struct spool_result *ret,
        struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	struct flush f = {.what = what, .ret = ret};
	_cleanup_close_ int dir_fd = -1;
	int r;

	*ret = (struct spool_result){.err = ERR_INIT};
	r = spool_list(what->dir, &names, err);
	if (r < 0)
		return r;
	dir_fd = spool_dir_open(what->dir, false, err);
	if (dir_fd == -ENOENT)
		return 0;
	if (dir_fd < 0)
		return dir_fd;
	spool_dir_clean(dir_fd);
	if (!has_server(what->server)) {
		ret->not_due = (int)names.len;
		return 0;
	}
	f.dir_fd = dir_fd;
	f.end_ms = clock_mono_ms() + what->limit_ms;
	for (size_t i = 0; i < names.len; i++)
		flush_one(&f, names.items[i]);
	return 0;
}

int spool_list(const char *dir, struct strv *ret, struct err *err)
{
	_cleanup_close_ int dir_fd = spool_dir_open(dir, false, err);
	int r;

	if (dir_fd == -ENOENT)
		return 0;
	if (dir_fd < 0)
		return TAKE_FD(dir_fd);
	r = spool_dir_list(dir_fd, ret);
	return r < 0 ? err_sys(err, r, _("cannot read %s"), dir) : 0;
}
