/* SPDX-License-Identifier: MIT */
/*
 * fleet: one command on many hosts at once, from one process, with the library
 * behind vmexec; for measuring.
 *
 *	fleet PORT KEY KNOWN_HOSTS COMMAND HOST...
 *
 * Ends with the number of hosts on which it failed (at most 100); says how much
 * memory the process took at most.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loop.h"
#include "num.h"
#include "startup.h"
#include "core/job.h"
#include "core/remote.h"
#include "sys/sshclient.h"

struct host {
	struct job *job;
	char id[JOBTEXT_ID_MAX + 1];
	struct sshclient_options ssh;
	struct remote_options remote;
	struct jobtext_start start;
};

static int running, failed;

static bool on_data(bool is_stderr, const char *data, size_t len, void *arg)
{
	(void)arg;
	fwrite(data, 1, len, is_stderr ? stderr : stdout);
	return true;
}

static void on_end(const struct job_result *result, void *arg)
{
	struct host *h = arg;

	running--;
	if (result->kind != JOB_EXITED || result->status != 0) {
		failed++;
		fprintf(stderr, "%s: %d %s\n", h->ssh.host, result->status,
		        result->why.message);
	}
	job_free(h->job);
	h->job = NULL;
}

static void start(struct host *h, struct loop *loop, const char *script)
{
	struct job_handlers handlers = {
	        .on_data = on_data, .on_end = on_end, .arg = h};
	struct job_spec spec = {.remote = &h->remote,
	        .start = &h->start,
	        .script = script,
	        .silence_ms = 60000,
	        .retries = 3};
	struct err err = ERR_INIT;

	if (job_start(&h->job, loop, &spec, &handlers, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		exit(100);
	}
	running++;
}

int main(int argc, char **argv)
{
	_cleanup_loop_ struct loop loop = LOOP_INIT;
	const char *keys[] = {NULL, NULL}, *known[] = {NULL, NULL};
	struct rusage usage;
	struct host *hosts;
	uint64_t port;
	int n = argc - 5;

	startup();
	if (n < 1 || num_parse_u64(argv[1], 65535, &port) < 0)
		return 100;
	keys[0] = argv[2];
	known[0] = argv[3];
	hosts = calloc((size_t)n, sizeof *hosts);
	if (!hosts)
		return 100;
	for (int i = 0; i < n; i++) {
		struct host *h = &hosts[i];

		snprintf(h->id, sizeof h->id, "fleet-%d-%d", (int)getpid(), i);
		h->ssh = (struct sshclient_options){.host = argv[5 + i],
		        .port = (unsigned)port,
		        .user = "root",
		        .known_hosts = known,
		        .identities = keys};
		h->remote = (struct remote_options){.address = argv[5 + i],
		        .port = (unsigned)port,
		        .ssh = &h->ssh,
		        .connect_timeout_ms = 60000,
		        .retries = 3,
		        .delay_ms = 1000};
		h->start = (struct jobtext_start){.id = h->id,
		        .script_size = strlen(argv[4]),
		        .again = true};
		start(h, &loop, argv[4]);
	}
	while (running > 0 && loop_step(&loop, -1) == 0)
		;
	getrusage(RUSAGE_SELF, &usage);
	fprintf(stderr, "%ld KiB, %ld ms of processor time\n", usage.ru_maxrss,
	        (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	                (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
	                        1000);
	free(hosts);
	/* If the loop has failed, on all that were not ready. */
	failed += running;
	return failed > 100 ? 100 : failed;
}
