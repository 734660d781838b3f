/* SPDX-License-Identifier: MIT */
#include "sys/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "i18n.h"

struct resolve {
	struct gaicb request;
	struct addrinfo hints;
	char *host;
	char port[8];
	int fd;          /* eventfd(2) */
	atomic_int refs; /* ours, and that of the resolver's thread */
};

static void unref(struct resolve *r)
{
	if (atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	if (r->request.ar_result)
		freeaddrinfo(r->request.ar_result);
	if (r->fd >= 0)
		close(r->fd);
	free(r->host);
	free(r);
}

static void tell(union sigval value)
{
	struct resolve *r = value.sival_ptr;

	(void)eventfd_write(r->fd, 1);
	unref(r);
}

void resolve_free(struct resolve *r)
{
	if (r)
		unref(r);
}

int resolve_start(
        struct resolve **ret, const char *host, unsigned port, struct err *err)
{
	struct sigevent event = {
	        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell};
	struct resolve *r = calloc(1, sizeof *r);
	struct gaicb *list[1];
	int e;

	if (!r)
		return err_nomem(err);
	atomic_init(&r->refs, 1);
	r->host = strdup(host);
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->fd < 0 || !r->host) {
		e = r->host ? -errno : -ENOMEM;
		unref(r);
		return err_set(
		        err, e, _("cannot look up %s: %s"), host, err_text(e));
	}
	snprintf(r->port, sizeof r->port, "%u", port);
	r->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM,
	        .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
	r->request = (struct gaicb){.ar_name = r->host,
	        .ar_service = r->port,
	        .ar_request = &r->hints};
	/* A number needs no resolver, and no address of that kind here. */
	if (strspn(host, "0123456789.") == strlen(host) || strchr(host, ':'))
		r->hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	list[0] = &r->request;
	event.sigev_value.sival_ptr = r;
	atomic_fetch_add(&r->refs, 1);
	e = getaddrinfo_a(GAI_NOWAIT, list, 1, &event);
	if (e != 0) {
		atomic_fetch_sub(&r->refs, 1);
		unref(r);
		return err_set(err, -EAGAIN, _("cannot look up %s: %s"), host,
		        gai_strerror(e));
	}
	*ret = r;
	return 0;
}

int resolve_fd(const struct resolve *r)
{
	return r->fd;
}

int resolve_answer(
        const struct resolve *r, const struct addrinfo **ret, struct err *err)
{
	/* gai_error(3) takes what it does not change. */
	int e = gai_error((struct gaicb *)(uintptr_t)&r->request);

	if (e == EAI_INPROGRESS)
		return -EAGAIN;
	if (e == 0) {
		*ret = r->request.ar_result;
		return 0;
	}
	err_set(err, -EHOSTUNREACH, _("there is no address for %s: %s"),
	        r->host, gai_strerror(e));
	err_action(err, "%s",
	        _("Check the spelling, /etc/hosts and the name server."));
	return -EHOSTUNREACH;
}
