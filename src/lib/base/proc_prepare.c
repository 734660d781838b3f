/* SPDX-License-Identifier: MIT */
/* proc_prepare: everything a child needs, made ready before the fork. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "i18n.h"
#include "proc_internal.h"

static const char *const base_env[] = {
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL=C",
};

/* The same descriptor at a number that stdin, stdout and stderr never use:
 * a parent that was started with 0, 1 or 2 closed gets those numbers from
 * every open(). Closes @fd if @owned. Returns it or a negative errno. */
static int move_high(int fd, bool owned)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int code = high < 0 ? -errno : high;

	if (owned)
		(void)close(fd);
	return code;
}

int proc_prepare_pipe(struct proc_pipe *p, struct err *err)
{
	int fd[2];

	*p = PROC_PIPE_INIT;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_sys(err, -errno, _("cannot make a pipe"));

	p->read_fd = fd[0] >= 3 ? fd[0] : move_high(fd[0], true);
	p->write_fd = fd[1] >= 3 ? fd[1] : move_high(fd[1], true);

	int code = p->read_fd < 0 ? p->read_fd : p->write_fd;

	/* Only our end: the flag belongs to the open file description, and the
	 * program would not expect EAGAIN. */
	if (code >= 0 && fcntl(p->read_fd, F_SETFL, O_NONBLOCK) < 0)
		code = -errno;
	if (code >= 0)
		return 0;

	proc_prepare_pipe_done(p);
	return err_sys(err, code, _("cannot make a pipe"));
}

void proc_prepare_pipe_done(struct proc_pipe *p)
{
	util_closep(&p->read_fd);
	util_closep(&p->write_fd);
}

static int prepare_stdin(struct proc_exec *x, struct err *err)
{
	int fd = x->spec->stdin_fd;
	bool ours = fd < 0;

	if (ours) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(
			        err, -errno, _("cannot open %s"), "/dev/null");
	}
	x->stdin_fd = move_high(fd, ours);
	if (x->stdin_fd < 0) {
		int code = x->stdin_fd;

		x->stdin_fd = -1;
		return err_sys(
		        err, code, _("cannot pass on descriptor %d"), fd);
	}
	return 0;
}

static int prepare_output(struct proc_exec *x, int i, struct err *err)
{
	int fd = i == 0 ? x->spec->stdout_fd : x->spec->stderr_fd;

	if (fd >= 0) {
		int high = move_high(fd, false);

		if (high < 0)
			return err_sys(err, high,
			        _("cannot pass on descriptor %d"), fd);
		x->borrowed_fd[i] = high;
		return 0;
	}

	return proc_prepare_pipe(&x->out[i], err);
}

/* Puts @entry in place of the one with the same name, or at the end. */
static size_t env_put(char **envp, size_t len, char *entry)
{
	size_t name = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < len; i++) {
		if (strncmp(envp[i], entry, name) == 0) {
			envp[i] = entry;
			return len;
		}
	}
	envp[len] = entry;
	return len + 1;
}

static int prepare_env(struct proc_exec *x, struct err *err)
{
	const char *const *extra = x->spec->env;
	size_t n = 0;
	size_t len = 0;

	while (extra && extra[n])
		n++;

	x->envp = calloc(ARRAY_SIZE(base_env) + n + 1, sizeof(*x->envp));
	if (!x->envp)
		return err_nomem(err);

	/* execve(2) wants char *const[] and does not write. */
	for (size_t i = 0; i < ARRAY_SIZE(base_env); i++)
		len = env_put(x->envp, len, (char *)(uintptr_t)base_env[i]);
	for (size_t i = 0; i < n; i++) {
		if (!strchr(extra[i], '=') || extra[i][0] == '=')
			return err_set(
			        err, -EINVAL, _("invalid environment entry"));
		len = env_put(x->envp, len, (char *)(uintptr_t)extra[i]);
	}
	return 0;
}

static int compare_int(const void *a, const void *b)
{
	const int *x = a;
	const int *y = b;

	return (*x > *y) - (*x < *y);
}

static int prepare_keep(struct proc_exec *x, struct err *err)
{
	size_t n = x->spec->keep_fds_len;

	if (n == 0)
		return 0;
	x->keep_fds = calloc(n, sizeof(*x->keep_fds));
	if (!x->keep_fds)
		return err_nomem(err);

	for (size_t i = 0; i < n; i++) {
		int fd = x->spec->keep_fds[i];

		/* 0, 1 and 2 are what the caller said elsewhere. */
		if (fd >= 0 && fd <= 2)
			continue;
		if (fcntl(fd, F_GETFD) < 0)
			return err_sys(err, -errno,
			        _("cannot pass on descriptor %d"), fd);
		x->keep_fds[x->keep_fds_len++] = fd;
	}
	qsort(x->keep_fds, x->keep_fds_len, sizeof(*x->keep_fds), compare_int);
	return 0;
}

int proc_prepare(
        struct proc_exec *x, const struct proc_spec *spec, struct err *err)
{
	*x = (struct proc_exec){
	        .spec = spec,
	        .stdin_fd = -1,
	        .borrowed_fd = {-1, -1},
	        .out = {PROC_PIPE_INIT, PROC_PIPE_INIT},
	        .status = PROC_PIPE_INIT,
	};

	int code = prepare_stdin(x, err);

	for (int i = 0; i < 2 && code == 0; i++)
		code = prepare_output(x, i, err);
	if (code == 0)
		code = proc_prepare_pipe(&x->status, err);
	if (code == 0)
		code = prepare_env(x, err);
	if (code == 0)
		code = prepare_keep(x, err);
	if (code < 0)
		proc_prepare_done(x);
	return code;
}

void proc_prepare_done(struct proc_exec *x)
{
	util_closep(&x->stdin_fd);
	for (int i = 0; i < 2; i++) {
		util_closep(&x->borrowed_fd[i]);
		proc_prepare_pipe_done(&x->out[i]);
	}
	proc_prepare_pipe_done(&x->status);
	util_freep(&x->envp);
	util_freep(&x->keep_fds);
}
