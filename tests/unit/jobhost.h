/* SPDX-License-Identifier: MIT */
/*
 * jobhost: the real sshd, and behind it a script that plays the host of a job.
 *
 * It reads which request comes ($kind: start, follow, cancel) and the
 * how-manieth connection it is ($n), and then does what jobhost_acts() was
 * told.  There are
 *
 *	hello; said started     the greeting, and that the job is there
 *	hang                    until the test ends, however it does
 *	wait_for_go             until the test says jobhost_go()
 *
 * Include it behind cmocka.h.
 */
#ifndef TESTS_JOBHOST_H
#define TESTS_JOBHOST_H

#include <sys/stat.h>

#include "core/remote.h"
#include "sshd.h"

#define JOBHOST_LIMIT_MS 30000

static const char jobhost_script[] =
        "#!/bin/sh\n"
        "cd \"${0%/*}\"\n"
        "nonce=$(printf '%s' \"$SSH_ORIGINAL_COMMAND\" |\n"
        "	grep -o '#[0-9a-f]\\{32\\}' | head -n 1)\n"
        "nonce=${nonce#?}\n"
        "read -r n < n\n"
        "n=$((n + 1))\n"
        "echo $n > n\n"
        "kind=follow\n"
        "while IFS= read -r line; do\n"
        "	case $line in\n"
        "	\"#$nonce\") break ;;\n"
        "	runner=*) kind=start ;;\n"
        "	out_from=[0-9]*) out_from=${line#*=} ;;\n"
        "	*'mv mark cancel'*) kind=cancel ;;\n"
        "	esac\n"
        "done\n"
        "echo \"$kind $out_from\" >> requests\n"
        "hello() { printf 'vmexec %s boot/1\\n' \"$nonce\"; }\n"
        "said() { printf 'S %s running setsid 7 boot/1 /x\\n' $1; }\n"
        "hang() { exec cat never; }\n"
        "wait_for_go() { read -r go < go; }\n"
        ". ./act\n";

/* FIFOs of which we hold both ends: who reads "never" waits until we are no
 * more, who reads "go" for a line. */
static int jobhost_never = -1, jobhost_go_fd = -1;

static int jobhost_fifo(const char *name)
{
	int fd;

	assert_int_equal(mkfifo(sshd_file(name), 0600), 0);
	fd = open(sshd_file(name), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* One wait_for_go goes on. */
_unused_ static void jobhost_go(void)
{
	assert_int_equal(write(jobhost_go_fd, "\n", 1), 1);
}

/* The server.  Without it the cases are skipped. */
static int jobhost_set_up(void **state)
{
	_cleanup_free_ char *extra = NULL;

	(void)state;
	if (!sshd_prepare("job"))
		return 0;
	scratch_write(sshd.dir, "host.sh", jobhost_script);
	assert_int_equal(chmod(sshd_file("host.sh"), 0700), 0);
	jobhost_never = jobhost_fifo("never");
	jobhost_go_fd = jobhost_fifo("go");
	extra = str_printf("ForceCommand %s", sshd_file("host.sh"));
	assert_non_null(extra);
	sshd_start(extra);
	return 0;
}

static int jobhost_tear_down(void **state)
{
	util_closep(&jobhost_never);
	util_closep(&jobhost_go_fd);
	return sshd_tear_down(state);
}

/* From the next connection on. */
static void jobhost_acts(const char *act)
{
	scratch_write(sshd.dir, "n", "0\n");
	scratch_write(sshd.dir, "requests", "");
	scratch_write(sshd.dir, "act", act);
}

/* How it is reached. */
struct jobhost_line {
	struct sshd_login login;
	struct remote_options remote;
};

static void jobhost_line_init(struct jobhost_line *l)
{
	sshd_login_init(&l->login);
	l->remote = (struct remote_options){.address = "127.0.0.1",
	        .port = sshd.port,
	        .ssh = &l->login.options,
	        .connect_timeout_ms = 20000,
	        .delay_ms = 50};
}

#endif
