/* SPDX-License-Identifier: MIT */
#include "core/ping.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <unistd.h>

/* The kernel's ping sockets fill in the identity and the checksum, and hand
 * over only answers to this one; no raw socket, whose user would see all. */
int ping_send(const struct sockaddr *to, socklen_t len)
{
	bool v6 = to->sa_family == AF_INET6;
	struct icmphdr v4_request = {.type = ICMP_ECHO};
	struct icmp6_hdr v6_request = {.icmp6_type = ICMP6_ECHO_REQUEST};
	int fd =
	        socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	int e;

	if (fd < 0)
		return -errno;
	if (sendto(fd, v6 ? (void *)&v6_request : (void *)&v4_request, 8, 0, to,
	            len) == 8)
		return fd;
	e = errno;
	close(fd);
	return -e;
}

bool ping_answered(int fd)
{
	unsigned char answer[64];
	ssize_t n = recv(fd, answer, sizeof answer, 0);

	return n >= 8 &&
	       (answer[0] == ICMP_ECHOREPLY || answer[0] == ICMP6_ECHO_REPLY);
}
