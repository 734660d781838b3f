/* SPDX-License-Identifier: MIT */
#include "core/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "i18n.h"
#include "proc.h"
#include "str.h"
#include "util.h"

#define MOMENT_MS 200

struct proxy {
	struct proc_program *program;
};

static void expand(struct buf *b, const char *command, const char *host,
        unsigned port, const char *user)
{
	for (const char *p = command; *p; p++) {
		if (*p != '%' || p[1] == '\0') {
			buf_addc(b, *p);
			continue;
		}
		switch (*++p) {
		case 'h':
			buf_adds(b, host);
			break;
		case 'p':
			buf_printf(b, "%u", port);
			break;
		case 'r':
			buf_adds(b, user);
			break;
		case '%':
			buf_addc(b, '%');
			break;
		default:
			buf_addc(b, '%');
			buf_addc(b, *p);
			break;
		}
	}
}

/* What ssh, which it mostly is, needs of ours. */
static int add_env(struct strv *env)
{
	static const char *const names[] = {
	        "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
		if (getenv(names[i]))
			r = strv_addf(env, "%s=%s", names[i], getenv(names[i]));
	return r;
}

int proxy_start(struct proxy **ret, const char *command, const char *host,
        unsigned port, const char *user, int *ret_fd, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_strv_ struct strv env = STRV_INIT;
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, NULL, NULL};
	struct proxy *p;
	int fds[2], r;

	expand(&text, command, host, port, user);
	if (buf_failed(&text) || add_env(&env) < 0)
		return err_nomem(err);
	argv[2] = text.data;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(err, -errno, "%s", _("cannot start the proxy"));
	p = calloc(1, sizeof *p);
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "ProxyCommand",
	        .argv = argv, .env = (const char *const *)env.items};
	spec.stdin_fd = spec.stdout_fd = fds[1];
	spec.stderr_fd = STDERR_FILENO;
	r = p ? proc_start(&spec, &p->program, err) : err_nomem(err);
	close(fds[1]);
	if (r < 0) {
		free(p);
		close(fds[0]);
		return r;
	}
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*ret_fd = fds[0];
	*ret = p;
	return 0;
}

bool proxy_has_ended(struct proxy *p, struct err *err)
{
	struct proc_result res;
	char how[200];

	if (!p->program || !proc_await_end(p->program, MOMENT_MS))
		return false;
	proc_wait(TAKE_PTR(p->program), 1000, &res);
	err_set(err, -ENOTCONN,
	        _("the way to the host (ProxyJump or ProxyCommand) %s"),
	        proc_describe(how, sizeof how, &res));
	err_action(err, "%s",
	        _("What it said stands above. It cannot ask for anything: a "
	          "jump host's key must be known, and its own login must need "
	          "neither password nor passphrase, or have ssh-agent."));
	return true;
}

void proxy_free(struct proxy *p)
{
	struct proc_result res;

	if (!p)
		return;
	if (p->program) {
		proc_kill(p->program);
		proc_wait(p->program, 1000, &res);
	}
	free(p);
}
