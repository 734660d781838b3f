/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "core/lease_record.h"
#include "str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_same(
        const struct lease_record *a, const struct lease_record *b)
{
	check(str_eq(a->job, b->job) && str_eq(a->run, b->run));
	check(str_eq(a->host, b->host) && str_eq(a->machine, b->machine));
	check(str_eq(a->boot, b->boot));
	check(a->taken == b->taken && a->taken_boot_ms == b->taken_boot_ms);
	check(a->ttl_s == b->ttl_s && a->pid == b->pid);
	check(a->remote == b->remote && a->forced == b->forced);
}

/* What was read is written, and read again, as the same. */
static void check_round_trip(const struct lease_record *rec)
{
	_cleanup_buf_ struct buf b = BUF_INIT, again = BUF_INIT;
	char name[3 * LEASE_JOB_MAX + 1], job[LEASE_JOB_MAX + 1];
	struct lease_record copy;

	check(lease_record_is_id(rec->job));
	check(!rec->run[0] || lease_record_is_id(rec->run));
	check(rec->ttl_s > 0 && rec->taken >= 0 && rec->taken_boot_ms >= 0);
	lease_record_format(&b, rec);
	check(!buf_failed(&b) && b.len <= LEASE_RECORD_MAX);
	check(lease_record_parse(b.data, b.len, &copy) == 0);
	check_same(rec, &copy);
	lease_record_format(&again, &copy);
	check(str_eq(b.data, again.data));
	/* without its end it is torn */
	check(lease_record_parse(b.data, b.len - 1, &copy) == -EBADMSG);
	check(lease_record_job(job, lease_record_name(name, rec->job)));
	check(str_eq(job, rec->job));
	check(!strchr(name, '/') && name[0] != '.');
}

/* As a file name: whatever is one is the only one of its job. */
static void check_name(const char *s)
{
	char name[3 * LEASE_JOB_MAX + 1], job[LEASE_JOB_MAX + 1];

	if (lease_record_job(job, s))
		check(str_eq(lease_record_name(name, job), s));
	if (lease_record_is_id(s)) {
		check(lease_record_job(job, lease_record_name(name, s)));
		check(str_eq(job, s));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct lease_record nothing;
	struct lease_record rec;
	char *copy;

	/* a copy of just this size, so that a byte too many is seen */
	copy = malloc(size ? size : 1);
	check(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (lease_record_parse(copy, size, &rec) == 0)
		check_round_trip(&rec);
	else
		check_same(&rec, &nothing);
	free(copy);

	copy = strndup((const char *)data, size);
	check(copy != NULL);
	check_name(copy);
	free(copy);
	return 0;
}
