/* SPDX-License-Identifier: MIT */
/*
 * proxy: a command whose standard input and output are the connection
 * (ProxyCommand of ssh_config(5)).
 */
#ifndef CORE_PROXY_H
#define CORE_PROXY_H

#include <stdbool.h>
#include "err.h"

struct proxy;

/*
 * Starts @command by a shell, for that is what ssh does with it; %h, %p and %r
 * in it become @host, @port and @user, %% a percent sign.  The shell reads
 * them: whoever lets others choose them has made sure that they are harmless.
 * What it says on standard error goes to ours.  *ret_fd: non-blocking, the
 * caller's.  0 or negative errno with @err.
 */
int proxy_start(struct proxy **ret, const char *command, const char *host,
        unsigned port, const char *user, int *ret_fd,
        struct err *err) _must_check_;
/* After the connection broke: true when that is because the command has ended,
 * within a moment; @err says how then. */
bool proxy_has_ended(struct proxy *p, struct err *err);
/* Ends it. NULL is fine. */
void proxy_free(struct proxy *p);

#endif
