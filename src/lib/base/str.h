/* SPDX-License-Identifier: MIT */
/*
 * str: what string.h lacks.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include "util.h"

bool str_eq(const char *a, const char *b);        /* NULL equals NULL */
bool str_eq_nocase(const char *a, const char *b); /* ASCII letters only */
bool str_is_empty(const char *s);                 /* NULL or "" */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Copies at most size-1 bytes, cuts at a UTF-8 boundary, always terminates.
 * Returns 0 or -ENAMETOOLONG when it had to cut. */
int str_copy(char *dst, size_t size, const char *src);
/* Where to cut @s, which has more than @len bytes, so that at most @len are
 * left and no UTF-8 sequence is torn. */
size_t str_utf8_cut(const char *s, size_t len);
/* Removes white space at both ends, in place; returns the new start. */
char *str_trim(char *s);
/* asprintf that returns the string or NULL (out of memory). */
char *str_printf(const char *fmt, ...) _printf_(1, 2);
/* Lower-cases ASCII letters in place. */
void str_lower(char *s);

/* A NULL-terminated vector of strings, every one owned. */
struct strv {
	char **items; /* NULL-terminated once len > 0; NULL when empty */
	size_t len;
};
#define STRV_INIT ((struct strv){.items = NULL})
void strv_done(struct strv *v);
#define _cleanup_strv_ _cleanup_(strv_done)
/* Each returns 0 or -ENOMEM; @v is unchanged then. */
int strv_add(struct strv *v, const char *s) _must_check_;
int strv_addf(struct strv *v, const char *fmt, ...) _must_check_ _printf_(2, 3);
/* Splits at any byte of @separators, trims each piece, drops empty ones,
 * appends to @v. */
int strv_split(
        struct strv *v, const char *s, const char *separators) _must_check_;
bool strv_has(const struct strv *v, const char *s);

/* Edit distance, for "did you mean"; capped at @cap. */
int str_distance(const char *a, const char *b, int cap);

#endif
