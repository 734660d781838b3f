/* SPDX-License-Identifier: MIT */
/* Does ssh-agent answer?  libssh would wait for it without an end. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "sys/sshclient_internal.h"

#define ANSWER_MS 3000
/* So that hundreds of hosts do not wait for it one after the other. */
#define PAUSE_MS 60000

/* A non-blocking connect(2) to it never takes long: it fails when too many wait
 * already. */
static int connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	if (str_copy(a.sun_path, sizeof a.sun_path, path) < 0)
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		int e = errno;

		close(fd);
		return -e;
	}
	return fd;
}

/* The first byte of a list of keys is enough. */
static bool lists_keys(int fd)
{
	static const char request[] = {0, 0, 0, 1, 11};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left, end = clock_mono_ms() + ANSWER_MS;
	char byte;
	int r;

	if (send(fd, request, sizeof request, MSG_NOSIGNAL) !=
	        (ssize_t)sizeof request)
		return false;
	do {
		left = end - clock_mono_ms();
		r = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	return r > 0 && recv(fd, &byte, 1, 0) == 1;
}

bool sshclient_agent_answers(void)
{
	static int64_t silent_until_ms;
	const char *path = getenv("SSH_AUTH_SOCK");
	bool answers;
	int fd;

	if (str_is_empty(path) || clock_mono_ms() < silent_until_ms)
		return false;
	fd = connect_to(path);
	/* One that is not there (any more) is nothing to speak of. */
	if (fd < 0 && fd != -EAGAIN)
		return false;
	answers = fd >= 0 && lists_keys(fd);
	if (fd >= 0)
		close(fd);
	if (answers)
		return true;
	silent_until_ms = clock_mono_ms() + PAUSE_MS;
	log_warn(_("ssh-agent does not answer at %s and is passed over"), path);
	return false;
}
