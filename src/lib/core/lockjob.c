/* SPDX-License-Identifier: MIT */
#include "core/lockjob.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "path.h"
#include "str.h"
#include "text.h"
#include "util.h"

/* sudo, sh, a wrapper or two. */
#define PARENTS_MAX 16

void lockjob_record(struct lease_record *ret, int64_t ttl_s)
{
	struct lease_now now;

	lease_now(&now);
	*ret = (struct lease_record){
	        .taken = now.real,
	        .taken_boot_ms = now.boot_ms,
	        .ttl_s = ttl_s,
	        .remote = lockjob_is_remote(),
	        .pid = getpid(),
	};
	(void)str_copy(ret->machine, sizeof ret->machine, now.machine);
	(void)str_copy(ret->boot, sizeof ret->boot, now.boot);
	if (gethostname(ret->host, sizeof ret->host - 1) < 0)
		ret->host[0] = '\0';
}

/* --- ids --------------------------------------------------------------------
 */

static bool take_id(char *dst, size_t size, const char *variable)
{
	const char *value = getenv(variable);

	return value && lease_record_is_id(value) &&
	       str_copy(dst, size, value) == 0;
}

void lockjob_from_environment(struct lease_record *ret)
{
	if (!take_id(ret->job, sizeof ret->job, "VEEAM_JOB_ID") &&
	        !take_id(ret->job, sizeof ret->job, "VEEAM_JOB_NAME"))
		(void)str_copy(ret->job, sizeof ret->job, "veeam");
	if (!take_id(ret->run, sizeof ret->run, "VEEAM_SESSION_ID"))
		ret->run[0] = '\0';
}

/* --- over ssh? --------------------------------------------------------------
 */

/* The name of process @pid in @name, which has 16 bytes; its parent. 0: there
 * is no telling. */
static pid_t look_at(pid_t pid, char name[16])
{
	char path[32], *text = NULL, *open, *close;
	_cleanup_free_ char *owned = NULL;
	size_t len;
	int parent = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (path_read_file(path, 4096, &text, &len) < 0)
		return 0;
	owned = text;
	/* The name is in brackets and may hold some itself. */
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (!open || !close || sscanf(close, ") %*c %d", &parent) != 1)
		return 0;
	*close = '\0';
	(void)str_copy(name, 16, open + 1);
	return parent;
}

bool lockjob_is_remote(void)
{
	pid_t pid = getppid();

	if (getenv("SSH_CONNECTION") || getenv("SSH_CLIENT"))
		return true;
	for (int i = 0; i < PARENTS_MAX && pid > 1; i++) {
		char name[16] = "";

		pid = look_at(pid, name);
		if (str_eq(name, "sshd") || str_starts(name, "sshd-"))
			return true;
	}
	return false;
}

/* --- for the log ------------------------------------------------------------
 */

char *lockjob_reaped(
        char *dst, size_t size, const char *job, enum lease_verdict why)
{
	char shown[300];

	text_visible_str(shown, sizeof shown, job);
	switch (why) {
	case LEASE_LIVE:
		(void)snprintf(dst, size,
		        _("the pre-job script of the Veeam job %s was killed "
		          "while it waited; the job counts as running"),
		        shown);
		break;
	case LEASE_EXPIRED:
		(void)snprintf(dst, size,
		        _("the lock of the Veeam job %s was never released "
		          "and ended by itself"),
		        shown);
		break;
	case LEASE_REBOOTED:
		(void)snprintf(dst, size,
		        _("the lock of the Veeam job %s was from before this "
		          "machine was restarted, and is gone"),
		        shown);
		break;
	case LEASE_SUPERSEDED:
		(void)snprintf(dst, size,
		        _("the lock of an earlier run of the Veeam job %s was "
		          "never released; this run has taken its place"),
		        shown);
		break;
	}
	return dst;
}

void lockjob_log_reaped(const char *job, enum lease_verdict why, void *arg)
{
	char text[400];

	(void)arg;
	log_warn("%s", lockjob_reaped(text, sizeof text, job, why));
}
