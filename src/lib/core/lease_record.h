/* SPDX-License-Identifier: MIT */
/*
 * lease_record: the text of a lease, and of a ticket of the queue.
 *
 *	asbackup-lease 1
 *	job Daily%20backup
 *	run 4711
 *	...
 *	end
 *
 * One "key value" to a line, values with %XX for everything but letters,
 * digits and "-_.:", so that no value can be two lines.  Unknown keys are
 * passed over (a newer version wrote them); a record without its last line is
 * torn.
 */
#ifndef CORE_LEASE_RECORD_H
#define CORE_LEASE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;

/* Bytes, without the NUL; three times as many fit into a file name. */
#define LEASE_JOB_MAX 80
#define LEASE_RECORD_MAX 4096

struct lease_record {
	char job[LEASE_JOB_MAX + 1]; /* what it is a lease for */
	char run[LEASE_JOB_MAX + 1]; /* which run of that job; "" = not known */
	char host[65];               /* for people */
	char machine[40];            /* machine-id(5) */
	char boot[40];               /* boot id of the kernel */
	int64_t taken;               /* seconds since 1970 */
	int64_t taken_boot_ms;       /* CLOCK_BOOTTIME of that boot */
	int64_t ttl_s;               /* it ends by itself after so long */
	bool remote; /* the job may go on when this machine is restarted */
	bool forced; /* the job may have run beside a copy */
	pid_t pid;   /* of the one that wrote it, for people */
};

void lease_record_format(struct buf *b, const struct lease_record *rec);
/* 0; -EBADMSG: torn, or not a record. @ret is zeroed then. */
int lease_record_parse(const char *text, size_t len, struct lease_record *ret);

/* May it be the id of a job or a run? 1 to LEASE_JOB_MAX bytes of valid UTF-8
 * without control characters. */
bool lease_record_is_id(const char *id);
/* The name of a job's lease file, with %XX; dst 3 * LEASE_JOB_MAX + 1. */
char *lease_record_name(char *dst, const char *job);
/* The job whose lease the file is; false: not such a name. */
bool lease_record_job(char ret[LEASE_JOB_MAX + 1], const char *name);

#endif
