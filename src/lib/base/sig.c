/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "i18n.h"
#include "sig.h"

static const int watched[] = {SIGTERM, SIGINT, SIGHUP};

static atomic_int caught;
static int event_fd = -1;
static pid_t owner;

static void on_signal(int signo)
{
	int saved = errno, none = 0;
	uint64_t one = 1;

	(void)atomic_compare_exchange_strong(&caught, &none, signo);

	/* A forked child that has not reset its signals yet shares the
	 * eventfd: a signal for the child must not wake the parent. */
	if (getpid() == owner && write(event_fd, &one, sizeof(one)) < 0) {
		/* EAGAIN: 2^64 signals are waiting, so it is readable. */
	}
	errno = saved;
}

/* Whoever started us with a signal ignored (nohup, "&" of a shell) meant it. */
static int watch(int signo)
{
	struct sigaction sa, old;

	if (sigaction(signo, NULL, &old) < 0)
		return -errno;
	if (old.sa_handler == SIG_IGN && signo != SIGTERM)
		return 0;

	sa = (struct sigaction){
	        .sa_handler = on_signal, .sa_flags = SA_RESTART};
	(void)sigemptyset(&sa.sa_mask);
	return sigaction(signo, &sa, NULL) < 0 ? -errno : 0;
}

static int ignore(int signo)
{
	struct sigaction sa = {.sa_handler = SIG_IGN};

	return sigaction(signo, &sa, NULL) < 0 ? -errno : 0;
}

int sig_init(struct err *err)
{
	int r = 0;

	if (event_fd < 0) {
		event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (event_fd < 0)
			return err_sys(err, -errno, "%s",
			        _("cannot prepare for signals"));
	}
	owner = getpid();

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(watched); i++)
		r = watch(watched[i]);
	if (r == 0)
		r = ignore(SIGPIPE);
	if (r == 0)
		r = ignore(SIGXFSZ);
	if (r < 0)
		return err_sys(err, r, "%s", _("cannot prepare for signals"));
	return 0;
}

int sig_caught(void)
{
	return atomic_load(&caught);
}

int sig_fd(void)
{
	return event_fd;
}

void sig_reset(void)
{
	sigset_t block, old;
	uint64_t count;

	/* In one step, so that a signal in between is not half forgotten. */
	(void)sigemptyset(&block);
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		(void)sigaddset(&block, watched[i]);
	(void)sigprocmask(SIG_BLOCK, &block, &old);

	atomic_store(&caught, 0);
	if (event_fd >= 0 && read(event_fd, &count, sizeof(count)) < 0) {
		/* EAGAIN: nothing had come. */
	}
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
}
