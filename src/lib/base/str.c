/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

/* The C library's tolower() and isspace() depend on the locale. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_eq_nocase(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) == lower(*b);
}

bool str_is_empty(const char *s)
{
	return !s || !*s;
}

bool str_starts(const char *s, const char *prefix)
{
	return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len, suffix_len = strlen(suffix);

	if (!s)
		return false;
	len = strlen(s);
	return len >= suffix_len && strcmp(s + len - suffix_len, suffix) == 0;
}

size_t str_utf8_cut(const char *s, size_t len)
{
	size_t n = len;

	/* Back over at most three continuation bytes to what could be the
	 * lead byte of the sequence that the cut would tear. Longer runs are
	 * not UTF-8 and may be cut anywhere. */
	while (n > 0 && len - n < 3 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return ((unsigned char)s[n] & 0xc0) == 0x80 ? len : n;
}

int str_copy(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);
	int r = 0;

	if (size == 0)
		return -ENAMETOOLONG;
	if (len >= size) {
		len = str_utf8_cut(src, size - 1);
		r = -ENAMETOOLONG;
	}
	memcpy(dst, src, len);
	dst[len] = '\0';
	return r;
}

char *str_trim(char *s)
{
	size_t len;

	while (is_space(*s))
		s++;
	len = strlen(s);
	while (len > 0 && is_space(s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

char *str_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	/* Without memory the pointer is not defined. */
	return n < 0 ? NULL : s;
}

void str_lower(char *s)
{
	for (; *s; s++)
		*s = lower(*s);
}

void strv_done(struct strv *v)
{
	for (size_t i = 0; i < v->len; i++)
		free(v->items[i]);
	free(v->items);
	*v = STRV_INIT;
}

/* Takes over @s, also on failure; NULL counts as out of memory. */
static int add_owned(struct strv *v, char *s)
{
	char **items;

	if (!s)
		return -ENOMEM;
	items = reallocarray(v->items, v->len + 2, sizeof(*items));
	if (!items) {
		free(s);
		return -ENOMEM;
	}
	items[v->len++] = s;
	items[v->len] = NULL;
	v->items = items;
	return 0;
}

int strv_add(struct strv *v, const char *s)
{
	return add_owned(v, strdup(s));
}

int strv_addf(struct strv *v, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return add_owned(v, n < 0 ? NULL : s);
}

/* Takes away what was added after the vector had @len strings. */
static void shrink(struct strv *v, size_t len)
{
	while (v->len > len) {
		v->len--;
		free(v->items[v->len]);
		v->items[v->len] = NULL;
	}
	if (v->len == 0)
		strv_done(v);
}

int strv_split(struct strv *v, const char *s, const char *separators)
{
	size_t before = v->len;

	while (*s) {
		size_t len = strcspn(s, separators);
		const char *end = s + len;
		const char *next = *end ? end + 1 : end;
		int r = 0;

		while (s < end && is_space(*s))
			s++;
		while (end > s && is_space(end[-1]))
			end--;
		if (end > s)
			r = add_owned(v, strndup(s, (size_t)(end - s)));
		if (r < 0) {
			shrink(v, before);
			return r;
		}
		s = next;
	}
	return 0;
}

bool strv_has(const struct strv *v, const char *s)
{
	for (size_t i = 0; i < v->len; i++)
		if (strcmp(v->items[i], s) == 0)
			return true;
	return false;
}

/* Longer words are not worth a suggestion. */
#define DISTANCE_MAX 64

int str_distance(const char *a, const char *b, int cap)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	int row[DISTANCE_MAX + 1];

	if (a_len > DISTANCE_MAX || b_len > DISTANCE_MAX)
		return strcmp(a, b) == 0 ? 0 : cap;

	for (size_t j = 0; j <= b_len; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= a_len; i++) {
		int diagonal = row[0];

		row[0] = (int)i;
		for (size_t j = 1; j <= b_len; j++) {
			int best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b_len] < cap ? row[b_len] : cap;
}
