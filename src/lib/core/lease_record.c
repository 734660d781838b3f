/* SPDX-License-Identifier: MIT */
#include "core/lease_record.h"

#include <ctype.h>
#include <stdlib.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "num.h"
#include "str.h"
#include "text.h"
#include "util.h"

#define HEADER "asbackup-lease 1"
#define LAST "end"
/* Nothing is older or lives longer: a thousand years. */
#define SECONDS_MAX INT64_C(31556952000)

/* --- %XX --------------------------------------------------------------------
 */

static bool is_plain(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static void encode(struct buf *b, const char *s, const char *also)
{
	for (; *s; s++)
		if (is_plain((unsigned char)*s) || strchr(also, *s))
			buf_addc(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)*s);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Into @dst, which holds @size bytes; false: too long, or no such text. */
static bool decode(char *dst, size_t size, const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)s[i];

		if (c == '%') {
			if (len - i < 3 || digit(s[i + 1]) < 0 ||
			        digit(s[i + 2]) < 0)
				return false;
			c = digit(s[i + 1]) * 16 + digit(s[i + 2]);
			i += 2;
		}
		if (c == 0 || n + 1 >= size)
			return false;
		dst[n++] = (char)c;
	}
	dst[n] = '\0';
	return true;
}

/* --- ids and file names -----------------------------------------------------
 */

bool lease_record_is_id(const char *id)
{
	size_t len = strlen(id);

	if (len == 0 || len > LEASE_JOB_MAX || !text_utf8_is_valid(id, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)id[i]))
			return false;
	return true;
}

char *lease_record_name(char *dst, const char *job)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	encode(&b, job, "");
	/* Never cut: an id has at most LEASE_JOB_MAX bytes. */
	(void)str_copy(dst, 3 * LEASE_JOB_MAX + 1, b.data);
	return dst;
}

bool lease_record_job(char ret[LEASE_JOB_MAX + 1], const char *name)
{
	char again[3 * LEASE_JOB_MAX + 1];

	return decode(ret, LEASE_JOB_MAX + 1, name, strlen(name)) &&
	       lease_record_is_id(ret) &&
	       str_eq(lease_record_name(again, ret), name);
}

/* --- the text ---------------------------------------------------------------
 */

static void add(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "%s ", key);
	encode(b, value, ".:");
	buf_addc(b, '\n');
}

static void add_number(struct buf *b, const char *key, int64_t value)
{
	buf_printf(b, "%s %lld\n", key, (long long)value);
}

void lease_record_format(struct buf *b, const struct lease_record *rec)
{
	buf_adds(b, HEADER "\n");
	add(b, "job", rec->job);
	add(b, "run", rec->run);
	add(b, "host", rec->host);
	add(b, "machine", rec->machine);
	add(b, "boot", rec->boot);
	add_number(b, "taken", rec->taken);
	add_number(b, "taken_boot_ms", rec->taken_boot_ms);
	add_number(b, "ttl_s", rec->ttl_s);
	add_number(b, "remote", rec->remote);
	add_number(b, "forced", rec->forced);
	add_number(b, "pid", rec->pid);
	buf_adds(b, LAST "\n");
}

static bool read_number(
        const char *s, size_t len, int64_t min, int64_t max, int64_t *ret)
{
	char text[24];

	if (len >= sizeof text)
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	return num_parse_i64(text, min, max, ret) == 0;
}

/* Each bit is a key that was there. */
struct reader {
	struct lease_record *rec;
	unsigned seen;
};

static bool take_text(struct reader *r, unsigned key, const char *v, size_t len)
{
	struct lease_record *rec = r->rec;
	const struct {
		char *dst;
		size_t size;
	} to[] = {
	        {rec->job, sizeof rec->job},
	        {rec->run, sizeof rec->run},
	        {rec->host, sizeof rec->host},
	        {rec->machine, sizeof rec->machine},
	        {rec->boot, sizeof rec->boot},
	};

	return decode(to[key].dst, to[key].size, v, len);
}

static bool take_number(
        struct reader *r, unsigned key, const char *v, size_t len)
{
	const int64_t max[] = {
	        SECONDS_MAX, SECONDS_MAX * 1000, SECONDS_MAX, 1, 1, INT_MAX};
	struct lease_record *rec = r->rec;
	int64_t n;

	if (!read_number(v, len, 0, max[key], &n))
		return false;
	switch (key) {
	case 0:
		rec->taken = n;
		break;
	case 1:
		rec->taken_boot_ms = n;
		break;
	case 2:
		rec->ttl_s = n;
		break;
	case 3:
		rec->remote = n;
		break;
	case 4:
		rec->forced = n;
		break;
	default:
		rec->pid = (pid_t)n;
		break;
	}
	return true;
}

/* Texts first, numbers behind them. */
static const char *const keys[] = {"job", "run", "host", "machine", "boot",
        "taken", "taken_boot_ms", "ttl_s", "remote", "forced", "pid"};
#define TEXTS 5

static bool take_line(struct reader *r, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	size_t key_len = space ? (size_t)(space - line) : len;
	const char *value = space ? space + 1 : line + len;
	size_t value_len = (size_t)(line + len - value);

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strlen(keys[i]) != key_len ||
		        memcmp(keys[i], line, key_len) != 0)
			continue;
		if (r->seen & (1U << i))
			return false; /* twice: which one? */
		r->seen |= 1U << i;
		return i < TEXTS ? take_text(r, i, value, value_len)
		                 : take_number(r, i - TEXTS, value, value_len);
	}
	return true;
}

static bool is_line(const char *line, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(line, text, len) == 0;
}

static bool parse(struct reader *r, const char *text, size_t len)
{
	const char *end = text + len;
	bool first = true;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));

		if (!nl)
			return false;
		if (first && !is_line(text, (size_t)(nl - text), HEADER))
			return false;
		if (is_line(text, (size_t)(nl - text), LAST))
			return nl + 1 == end;
		if (!first && !take_line(r, text, (size_t)(nl - text)))
			return false;
		first = false;
		text = nl + 1;
	}
	return false;
}

int lease_record_parse(const char *text, size_t len, struct lease_record *ret)
{
	struct reader r = {.rec = ret};

	*ret = (struct lease_record){.ttl_s = 0};
	if (len <= LEASE_RECORD_MAX && !memchr(text, '\0', len) &&
	        parse(&r, text, len) &&
	        r.seen == (1U << ARRAY_SIZE(keys)) - 1 &&
	        lease_record_is_id(ret->job) &&
	        (!ret->run[0] || lease_record_is_id(ret->run)) &&
	        ret->ttl_s > 0)
		return 0;
	*ret = (struct lease_record){.ttl_s = 0};
	return -EBADMSG;
}
