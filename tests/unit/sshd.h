/* SPDX-License-Identifier: MIT */
/*
 * sshd: an SSH server for a unit test, on 127.0.0.1 with keys and a port of
 * its own, for the user who runs the test.  One at a time.
 *
 * Its directory has: host, host_rsa, user, other, locked (passphrase "secret")
 * and their .pub, authorized_keys, sshd_config.  Include it behind cmocka.h.
 *
 *	sshd_prepare("name") and sshd_start("")   in the group's set-up
 *	NEED_SSHD(); ... sshd_login_init(&c)     in each case
 *	sshd_tear_down                            is the group's
 */
#ifndef TESTS_SSHD_H
#define TESTS_SSHD_H

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "sys/sshclient.h"
#include "own_mounts.h"
#include "scratch.h"

static struct {
	char dir[SCRATCH_PATH];
	unsigned port;
	struct proc_program *program;
	bool is_there;
} sshd;

#define NEED_SSHD()                 \
	do {                        \
		if (!sshd.is_there) \
			skip();     \
	} while (0)

static const char *sshd_file(const char *name)
{
	return scratch_path(sshd.dir, name);
}

_unused_ static const char *sshd_user(void)
{
	const struct passwd *pw = getpwuid(geteuid());

	assert_non_null(pw);
	return pw->pw_name;
}

static void sshd_keygen(const char *type, const char *name, const char *phrase)
{
	char *argv[] = {(char[]){"/usr/bin/ssh-keygen"}, (char[]){"-q"},
	        (char[]){"-t"}, strdup(type), (char[]){"-N"}, strdup(phrase),
	        (char[]){"-C"}, strdup(name), (char[]){"-f"},
	        strdup(sshd_file(name)), NULL};
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "ssh-keygen",
	        .argv = argv, .timeout_ms = 60000};
	struct proc_result res;
	struct err err = ERR_INIT;

	assert_int_equal(proc_run(&spec, &res, &err), 0);
	assert_int_equal(res.exit_code, 0);
	free(argv[3]);
	free(argv[5]);
	free(argv[7]);
	free(argv[9]);
}

/* That of root: as crypt(3) makes it; "*" = none. */
static void sshd_password(const char *hash)
{
	_cleanup_free_ char *shadow =
	        str_printf("root:%s:19000:0:99999:7:::\n", hash);

	assert_non_null(shadow);
	scratch_write(sshd.dir, "shadow", shadow);
}

/* sshd wants /run/sshd, and a root who is not locked out ('!'). */
static bool sshd_make_place(void)
{
	if (geteuid() != 0)
		return true;
	if (!own_mounts())
		return false;
	sshd_password("*");
	(void)mount(sshd_file("shadow"), "/etc/shadow", NULL, MS_BIND, NULL);
	if (access("/run/sshd", F_OK) < 0 &&
	        (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
	                mkdir("/run/sshd", 0755) < 0)) {
		print_message("there is no /run/sshd\n");
		return false;
	}
	return true;
}

/* The keys.  False: there is no sshd, which is printed. */
_unused_ static bool sshd_prepare(const char *name)
{
	char *keys;

	if (access("/usr/sbin/sshd", X_OK) < 0 ||
	        access("/usr/bin/ssh-keygen", X_OK) < 0) {
		print_message("sshd is not installed (openssh-server)\n");
		return false;
	}
	scratch_make(sshd.dir, name);
	if (!sshd_make_place())
		return false;
	sshd_keygen("ed25519", "host", "");
	sshd_keygen("rsa", "host_rsa", "");
	sshd_keygen("ed25519", "user", "");
	sshd_keygen("ed25519", "other", "");
	sshd_keygen("ed25519", "locked", "secret");
	keys = scratch_read(sshd.dir, "user.pub");
	scratch_write(sshd.dir, "authorized_keys", keys);
	free(keys);
	sshd.is_there = true;
	return true;
}

/* A port that stays free while nobody listens: none of those that the kernel
 * gives to outgoing connections, which could even meet themselves there. */
static unsigned sshd_free_port(void)
{
	struct sockaddr_in a = {
	        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned lowest, port;

	assert_true(fd >= 0 && f);
	assert_int_equal(fscanf(f, "%u", &lowest), 1);
	(void)fclose(f);
	assert_true(lowest > 2000);
	do {
		assert_int_equal(getrandom(&port, sizeof port, 0), sizeof port);
		port = 2000 + port % (lowest - 2000);
		a.sin_port = htons((uint16_t)port);
	} while (bind(fd, (struct sockaddr *)&a, sizeof a) < 0);
	return port;
}

/* A connection to a port of 127.0.0.1, not blocking; -1 = there is none. */
_unused_ static int sshd_connect_to(unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	        .sin_addr = {htonl(INADDR_LOOPBACK)},
	        .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* A port on 127.0.0.1 that takes connections, and does nothing with them. */
_unused_ static int sshd_listen(unsigned *ret_port, int backlog)
{
	struct sockaddr_in a = {
	        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static void sshd_write_config(const char *extra)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_printf(&b,
	        "%s\nHostKey %s/host\n"
	        "AuthorizedKeysFile %s/authorized_keys\n"
	        "ListenAddress 127.0.0.1\nPort %u\nPidFile none\n"
	        "StrictModes no\nUsePAM no\nPasswordAuthentication no\n"
	        "KbdInteractiveAuthentication no\nPermitRootLogin yes\n"
	        "MaxStartups 500\nLogLevel ERROR\n",
	        extra, sshd.dir, sshd.dir, sshd.port);
	assert_false(buf_failed(&b));
	scratch_write(sshd.dir, "sshd_config", b.data);
}

_unused_ static void sshd_stop(void)
{
	struct proc_result res;

	if (!sshd.program)
		return;
	proc_kill(sshd.program);
	proc_wait(sshd.program, 5000, &res);
	sshd.program = NULL;
}

/* Writes into @file, in the server's directory, that it has the key @name. */
static void sshd_know(const char *file, const char *name)
{
	_cleanup_free_ char *pub = str_printf("%s.pub", name);
	_cleanup_free_ char *key = scratch_read(sshd.dir, pub);
	_cleanup_free_ char *line =
	        str_printf("[127.0.0.1]:%u %s", sshd.port, key);

	assert_non_null(line);
	scratch_write(sshd.dir, file, line);
}

/* @extra: lines of sshd_config(5), which count more than ours.  On the port of
 * before, if there was one. */
_unused_ static void sshd_start(const char *extra)
{
	char *argv[] = {(char[]){"/usr/sbin/sshd"}, (char[]){"-D"},
	        (char[]){"-e"}, (char[]){"-f"},
	        strdup(sshd_file("sshd_config")), NULL};
	_cleanup_close_ int log = open(sshd_file("sshd.log"),
	        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "sshd", .argv = argv};
	int64_t end = clock_mono_ms() + 20000;
	struct err err = ERR_INIT;
	int fd = -1;

	assert_true(log >= 0);
	spec.stdout_fd = spec.stderr_fd = log;
	while (fd < 0) {
		assert_true(clock_mono_ms() < end);
		if (sshd.program && !proc_has_ended(sshd.program)) {
			usleep(10000);
			fd = sshd_connect_to(sshd.port);
			continue;
		}
		/* Somebody else may have taken the port. */
		sshd_stop();
		if (sshd.port == 0)
			sshd.port = sshd_free_port();
		sshd_write_config(extra);
		assert_int_equal(proc_start(&spec, &sshd.program, &err), 0);
	}
	close(fd);
	free(argv[4]);
}

/* Kills those who serve the connections, as a crash would. */
_unused_ static void sshd_kill_sessions(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char path[300], text[512] = "";
		int pid = 0, parent = 0;
		FILE *f;

		(void)snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(text, sizeof text, f) && strrchr(text, ')'))
			(void)sscanf(strrchr(text, ')'), ") %*c %d", &parent);
		(void)fclose(f);
		(void)sscanf(e->d_name, "%d", &pid);
		if (pid > 0 && parent == proc_pid(sshd.program))
			(void)kill(pid, SIGKILL);
	}
	(void)closedir(d);
}

_unused_ static int sshd_tear_down(void **state)
{
	(void)state;
	sshd_stop();
	scratch_remove(sshd.dir);
	return 0;
}

/* Knows the server ("known") and has the right key ("user"). */
struct sshd_login {
	struct sshclient_options options;
	const char *known[3];
	const char *keys[3];
	char paths[2][2 * SCRATCH_PATH];
};

_unused_ static void sshd_login_init(struct sshd_login *c)
{
	sshd_know("known", "host");
	(void)str_copy(c->paths[0], sizeof c->paths[0], sshd_file("known"));
	(void)str_copy(c->paths[1], sizeof c->paths[1], sshd_file("user"));
	c->known[0] = c->paths[0];
	c->keys[0] = c->paths[1];
	c->known[1] = c->keys[1] = NULL;
	c->options = (struct sshclient_options){.host = "127.0.0.1",
	        .port = sshd.port,
	        .user = sshd_user(),
	        .known_hosts = c->known,
	        .identities = c->keys};
}

_unused_ static int sshd_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

#endif
