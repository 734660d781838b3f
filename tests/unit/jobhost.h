/* SPDX-License-Identifier: MIT */
/*
 * jobhost: the real sshd, and behind it a script that plays the host of a job.
 *
 * It reads which request comes ($kind: start, follow, cancel) and the
 * how-manieth connection it is ($n), and then does what jobhost_acts() was
 * told.  There are
 *
 *	hello; said started     the greeting, and that the job is there
 *	hang                    until the test has ended
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
        "	*': > cancel'*) kind=cancel ;;\n"
        "	esac\n"
        "done\n"
        "echo \"$kind $out_from\" >> requests\n"
        "hello() { printf 'vmexec %s boot/1\\n' \"$nonce\"; }\n"
        "said() { printf 'S %s running setsid 7 boot/1 /x\\n' $1; }\n"
        /* Not for ever, if the test has no time to end it. */
        "hang() { exec timeout 60 cat never; }\n"
        "wait_for_go() { read -r go < go; }\n"
        ". ./act\n";

/* The server.  Without it the cases are skipped. */
static int jobhost_set_up(void **state)
{
	_cleanup_free_ char *extra = NULL;

	(void)state;
	if (!sshd_prepare("job"))
		return 0;
	scratch_write(sshd.dir, "host.sh", jobhost_script);
	assert_int_equal(chmod(sshd_file("host.sh"), 0700), 0);
	assert_int_equal(mkfifo(sshd_file("never"), 0600), 0);
	extra = str_printf("ForceCommand %s", sshd_file("host.sh"));
	assert_non_null(extra);
	sshd_start(extra);
	return 0;
}

static int jobhost_tear_down(void **state)
{
	int fd = open(sshd_file("never"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	/* Whoever hangs has a writer now, and then the end of the file. */
	if (fd >= 0)
		close(fd);
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
