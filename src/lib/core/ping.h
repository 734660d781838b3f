/* SPDX-License-Identifier: MIT */
/*
 * ping: one ICMP echo request, to tell a host that is off from one whose SSH
 * server is (icmp(7), RFC 792, RFC 4443).
 */
#ifndef CORE_PING_H
#define CORE_PING_H

#include <stdbool.h>
#include <sys/socket.h>

/* Sends one. A socket that becomes readable when something comes, or negative
 * errno; -EACCES when this user may not (net.ipv4.ping_group_range). */
int ping_send(const struct sockaddr *to, socklen_t len);
/* What came is the answer. */
bool ping_answered(int fd);

#endif
