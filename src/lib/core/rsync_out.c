/* SPDX-License-Identifier: MIT */
#include "core/rsync_out.h"

#include <ctype.h>
#include <string.h>

#include "str.h"

#define PREFIX "asb|"

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* "\#ooo" at @p, of a byte that a name can have: not NUL, not above 255. */
static bool is_escape(const char *p, size_t len)
{
	return len >= 5 && p[0] == '\\' && p[1] == '#' && is_octal(p[2]) &&
	       p[2] <= '3' && is_octal(p[3]) && is_octal(p[4]) &&
	       memcmp(p + 2, "000", 3) != 0;
}

size_t rsync_out_unescape(char *s, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		if (is_escape(s + i, len - i)) {
			s[out++] = (char)((s[i + 2] - '0') * 64 +
			                  (s[i + 3] - '0') * 8 +
			                  (s[i + 4] - '0'));
			i += 4;
			continue;
		}
		s[out++] = s[i];
	}
	s[out] = '\0';
	return out;
}

/* Digits with group separators of whatever locale; the first other byte ends
 * it. Returns the end, or NULL when there is no digit. */
static const char *number(const char *s, uint64_t *ret)
{
	uint64_t n = 0;
	const char *p = s;

	if (!isdigit((unsigned char)*p))
		return NULL;
	for (;; p++) {
		if (isdigit((unsigned char)*p))
			n = n * 10 + (uint64_t)(*p - '0');
		else if (!((*p == ',' || *p == '.') &&
		                 isdigit((unsigned char)p[1])))
			break;
	}
	*ret = n;
	return p;
}

static enum rsync_item_kind kind_of(const char *changes)
{
	switch (changes[0]) {
	case '>':
	case '<':
		return RSYNC_ITEM_COPY;
	case 'c':
	case 'h':
		return RSYNC_ITEM_CREATE;
	case '.':
		return RSYNC_ITEM_ATTR;
	case '*':
		return strncmp(changes, "*deleting", 9) == 0 ? RSYNC_ITEM_DELETE
		                                             : RSYNC_ITEM_OTHER;
	default:
		return RSYNC_ITEM_OTHER;
	}
}

/* Nothing was hashed: rsync prints blanks, or zeros in a dry run. */
static void copy_hash(char *dst, const char *src, size_t len)
{
	dst[0] = '\0';
	if (len != 32 || strspn(src, "0") == len)
		return;
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)src[i]))
			return;
	memcpy(dst, src, 32);
	dst[32] = '\0';
}

/* "asb|CHANGES|SIZE|HASH|NAME"; false when it is none after all. */
static bool item(struct rsync_out *p, int *ret)
{
	struct rsync_item it = {.kind = RSYNC_ITEM_OTHER};
	char *changes = p->line + strlen(PREFIX);
	char *size = strchr(changes, '|');
	char *hash = size ? strchr(size + 1, '|') : NULL;
	char *name = hash ? strchr(hash + 1, '|') : NULL;

	if (!name || p->overlong)
		return false;
	*size++ = *hash++ = *name++ = '\0';
	(void)str_copy(it.changes, sizeof it.changes, changes);
	it.kind = kind_of(changes);
	if (!number(size, &it.size))
		it.size = 0;
	copy_hash(it.hash, hash, strcspn(hash, "|"));
	it.name_len = strlen(name);
	memcpy(p->name, name, it.name_len + 1);
	it.name_len = rsync_out_unescape(p->name, it.name_len);
	if (it.kind != RSYNC_ITEM_DELETE && strlen(changes) > 2) {
		it.type = changes[1];
		it.is_new = strchr(changes + 2, '+') != NULL;
	}
	it.is_dir = it.type == 'd';
	if (it.name_len > 1 && p->name[it.name_len - 1] == '/') {
		it.is_dir = true;
		p->name[--it.name_len] = '\0';
	}
	it.name = p->name;
	*ret = p->events.on_item ? p->events.on_item(&it, p->events.arg) : 0;
	return true;
}

static bool progress(struct rsync_out *p, int *ret)
{
	struct rsync_progress pr = {.bytes = 0};
	const char *s = p->line + strspn(p->line, " ");
	uint64_t percent;

	if (s == p->line && !isdigit((unsigned char)*s))
		return false;
	s = number(s, &pr.bytes);
	if (!s || *s != ' ')
		return false;
	s = number(s + strspn(s, " "), &percent);
	if (!s || *s != '%' || percent > 100)
		return false;
	pr.percent = (int)percent;
	*ret = p->events.on_progress ? p->events.on_progress(&pr, p->events.arg)
	                             : 0;
	return true;
}

static uint64_t after(const char *line, const char *label)
{
	const char *s = strstr(line, label);
	uint64_t n = 0;

	if (s)
		(void)number(s + strlen(label), &n);
	return n;
}

static bool stats(struct rsync_out *p)
{
	struct rsync_stats *st = &p->stats;
	const char *l = p->line;

	if (str_starts(l, "Number of files: ")) {
		p->in_stats = true;
		st->files_total = after(l, "files: ");
		st->files_regular = after(l, "reg: ");
	} else if (str_starts(l, "Number of created files: ")) {
		st->created = after(l, "files: ");
		st->created_regular = after(l, "reg: ");
	} else if (str_starts(l, "Number of deleted files: ")) {
		st->deleted = after(l, "files: ");
		st->deleted_regular = after(l, "reg: ");
	} else if (str_starts(l, "Number of regular files transferred: ")) {
		st->transferred = after(l, "transferred: ");
	} else if (str_starts(l, "Total file size: ")) {
		st->bytes_total = after(l, "size: ");
	} else if (str_starts(l, "Total transferred file size: ")) {
		st->bytes_transferred = after(l, "size: ");
	} else if (str_starts(l, "Literal data: ")) {
		st->literal_bytes = after(l, "data: ");
	} else if (str_starts(l, "Matched data: ")) {
		st->matched_bytes = after(l, "data: ");
	} else if (str_starts(l, "total size is ")) {
		st->complete = st->complete || p->in_stats;
		p->in_stats = false;
		return true;
	} else {
		return p->in_stats;
	}
	return true;
}

static int line(struct rsync_out *p)
{
	int r = 0;

	p->line[p->len] = '\0';
	if (p->len == 0)
		return 0;
	if (str_starts(p->line, PREFIX) && item(p, &r))
		return r;
	if (progress(p, &r))
		return r;
	if (stats(p))
		return 0;
	return p->events.on_message
	               ? p->events.on_message(p->line, p->events.arg)
	               : 0;
}

void rsync_out_init(struct rsync_out *p, const struct rsync_out_events *ev)
{
	memset(p, 0, sizeof *p);
	p->events = *ev;
}

int rsync_out_end(struct rsync_out *p)
{
	int r = line(p);

	p->len = 0;
	p->overlong = false;
	return r;
}

int rsync_out_feed(struct rsync_out *p, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n' || data[i] == '\r') {
			int r = rsync_out_end(p);

			if (r)
				return r;
			continue;
		}
		if (p->len == RSYNC_OUT_LINE_MAX)
			p->overlong = true;
		else
			p->line[p->len++] = data[i];
	}
	return 0;
}
