/* SPDX-License-Identifier: MIT */
/*
 * copier: a backup copy as the locks see it, for tests/root/lock_stress.py.
 *
 *	copier --lock-dir DIR --history FILE --who NAME --run N --ms N
 *	       [--yields N]
 *
 * Does with core/claim.h what asbackup does: takes the claim, starts a child
 * that inherits the lock and stands for rsync (--ms milliseconds), waits for
 * it, asks whether a job ran meanwhile, and releases.  With --yields it makes
 * way for a job that waits, so many times.  Killed, it leaves the child
 * behind, with the lock.
 *
 * What happens is appended to the history (lock_history.py tells its form),
 * each line by one write(2), and always so that a span of time in the history
 * lies within what it tells of.  Prints a line when it copies.
 *
 * Exit code: 0; 75 another copy; 1 something else.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "num.h"
#include "sig.h"
#include "startup.h"
#include "str.h"
#include "util.h"
#include "core/claim.h"
#include "core/lockjob.h"

#define DAY_S (24 * 60 * 60)
/* How often a copy that yields asks whether a job waits. */
#define ASK_MS 5
#define LIMIT_MS (120 * 1000)

static const char *arg_lock_dir, *arg_history, *arg_who, *arg_run;
static int64_t arg_ms, arg_yields;
static int history = -1;
static bool told_wait;

static void record(const char *event)
{
	struct timespec ts;
	char line[256];
	int len;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	len = snprintf(line, sizeof line, "%lld%09ld %d %s %s %s -\n",
	        (long long)ts.tv_sec, ts.tv_nsec, (int)getpid(), arg_who,
	        arg_run, event);
	if (write(history, line, (size_t)len) != len)
		_exit(1);
}

static void sleep_ms(int64_t ms)
{
	struct timespec ts = {
	        .tv_sec = ms / 1000,
	        .tv_nsec = ms % 1000 * 1000000,
	};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		continue;
}

static void on_wait(const struct strv *names, void *arg)
{
	(void)names;
	(void)arg;
	if (!told_wait)
		record("waits");
	told_wait = true;
}

/* --- the copy ---------------------------------------------------------------
 */

/* Whoever reads an "inherits" without a "leaves" knows no more than that. */
static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	(void)signal(SIGTERM, SIG_DFL);
	(void)close(STDOUT_FILENO);
	record("inherits");
	sleep_ms(arg_ms);
	record("leaves");
	_exit(0);
}

static bool must_yield(struct claim *c)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	return claim_waiting(c, &names, NULL) == 0 && names.len > 0;
}

/* true: it made way for a job. */
static bool copy(struct claim *c, bool may_yield)
{
	bool yields = false;
	pid_t pid;

	record("copies");
	/* For whoever wants to kill us meanwhile. */
	printf("copying\n");
	(void)fflush(stdout);
	pid = start_child();
	while (pid > 0 && waitpid(pid, NULL, may_yield ? WNOHANG : 0) == 0) {
		if (!yields && must_yield(c)) {
			yields = true;
			record("yields");
			(void)kill(pid, SIGKILL);
		}
		sleep_ms(ASK_MS);
	}
	record("copied");
	return yields;
}

static int take(struct claim *c, struct err *err)
{
	const struct claim_wait wait = {
	        .limit_ms = LIMIT_MS,
	        .on_wait = on_wait,
	};

	told_wait = false;
	record("asks");
	return claim_take(c, &wait, err);
}

static void judge(struct claim *c)
{
	char name[256];
	int r = claim_overlap(c, name, NULL);

	record(r == 0 ? "clean" : r > 0 ? "unclean" : "unknown");
}

static int run(struct claim *c, struct err *err)
{
	for (;;) {
		int r = take(c, err);

		if (r < 0) {
			record(r == -EWOULDBLOCK ? "busy" : "fails");
			return r;
		}
		if (!copy(c, arg_yields-- > 0))
			break;
		claim_release(c);
	}
	judge(c);
	claim_release(c);
	record("released");
	return 0;
}

/* --- the command line -------------------------------------------------------
 */

static const struct option long_options[] = {
        {"lock-dir", required_argument, NULL, 'l'},
        {"history", required_argument, NULL, 'h'},
        {"who", required_argument, NULL, 'w'},
        {"run", required_argument, NULL, 'r'},
        {"ms", required_argument, NULL, 'm'},
        {"yields", required_argument, NULL, 'y'},
        {NULL, 0, NULL, 0},
};

static int parse(int argc, char **argv)
{
	int c, r = 0;

	while (r == 0 &&
	        (c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		switch (c) {
		case 'l':
			arg_lock_dir = optarg;
			break;
		case 'h':
			arg_history = optarg;
			break;
		case 'w':
			arg_who = optarg;
			break;
		case 'r':
			arg_run = optarg;
			break;
		case 'm':
			r = num_parse_i64(optarg, 0, 60000, &arg_ms);
			break;
		case 'y':
			r = num_parse_i64(optarg, 0, 100, &arg_yields);
			break;
		default:
			r = -EINVAL;
		}
	return r == 0 && arg_lock_dir && arg_history && arg_who && arg_run &&
	                       optind == argc
	               ? 0
	               : -EINVAL;
}

int main(int argc, char **argv)
{
	struct lease_record self;
	const struct strv no_dirs = STRV_INIT;
	struct claim_spec spec = {.old_dirs = &no_dirs, .self = &self};
	struct claim *c = NULL;
	struct err err = ERR_INIT;
	int r;

	startup();
	if (parse(argc, argv) < 0)
		return 2;
	if (sig_init(NULL) < 0)
		return 1;
	history = open(arg_history, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (history < 0)
		return 1;
	spec.lock_dir = arg_lock_dir;
	spec.lease_s = DAY_S;
	lockjob_record(&self, DAY_S);
	(void)str_copy(self.job, sizeof self.job, arg_who);
	(void)str_copy(self.run, sizeof self.run, arg_run);
	r = claim_open(&spec, &c, &err);
	if (r == 0)
		r = run(c, &err);
	claim_close(c);
	if (r < 0 && r != -EWOULDBLOCK)
		log_show_err(LOG_LEVEL_ERR, &err);
	return r == 0 ? 0 : r == -EWOULDBLOCK ? 75 : 1;
}
