/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "text.h"
#include "util.h"

static void send_text(const char *text, size_t len)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	size_t path_len;

	if (!path || (path[0] != '/' && path[0] != '@'))
		return;
	path_len = strlen(path);
	if (path_len >= sizeof addr.sun_path)
		return;
	memcpy(addr.sun_path, path, path_len);
	/* '@' stands for the NUL of the abstract name space. */
	if (path[0] == '@')
		addr.sun_path[0] = '\0';

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT,
	        (const struct sockaddr *)&addr,
	        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len));
}

static void send_line(const char *line)
{
	send_text(line, strlen(line));
}

void notify_ready(void)
{
	send_line("READY=1");
}

void notify_stopping(void)
{
	send_line("STOPPING=1");
}

void notify_status(const char *text)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_adds(&b, "STATUS=");
	text_visible(&b, text, strlen(text));
	if (!buf_failed(&b))
		send_text(b.data, b.len);
}

void notify_watchdog(void)
{
	static int64_t last_ms;
	int64_t now = clock_mono_ms();

	if (last_ms != 0 && now - last_ms < 1000)
		return;
	last_ms = now;
	send_line("WATCHDOG=1");
}
