/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sig.h"

/* Until the pipe takes something: a signal must be seen meanwhile. */
static int wait_for(int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLOUT},
	        {.fd = sig_fd(), .events = POLLIN}};

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return p[1].revents ? -EINTR : 0;
}

int stream_write(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		int r = n < 0 && errno == EAGAIN ? wait_for(fd) : 0;

		if (r < 0)
			return r;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n < 0)
			continue;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int stream_open(int fd)
{
	char path[32];
	struct stat st;

	if (fstat(fd, &st) < 0 ||
	        !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return fd;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	return own < 0 ? fd : own;
}
