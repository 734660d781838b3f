/* SPDX-License-Identifier: MIT */
/*
 * jsondoc: JSON documents (jansson).
 *
 * Writing: build with jsondoc_new_object() and the setters; every string is
 * made valid UTF-8 first (text_utf8_repair).  Setters on a NULL document or
 * after a failed allocation do nothing and make jsondoc_print() return NULL,
 * so that a composition checks once.  Reading: strict (duplicates refused,
 * depth and size limited); getters return the fallback when the key is missing
 * or of another type.
 *
 * An object obtained by jsondoc_add_object()/_add_array() or a getter belongs
 * to its parent; only the root is freed.
 */
#ifndef SYS_JSONDOC_H
#define SYS_JSONDOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

struct jsondoc;

struct jsondoc *jsondoc_new_object(void);
void jsondoc_free(struct jsondoc *root);
void jsondoc_freep(struct jsondoc **root);

void jsondoc_set_string(struct jsondoc *o, const char *key, const char *value);
void jsondoc_set_int(struct jsondoc *o, const char *key, int64_t value);
void jsondoc_set_real(struct jsondoc *o, const char *key, double value);
void jsondoc_set_bool(struct jsondoc *o, const char *key, bool value);
void jsondoc_set_null(struct jsondoc *o, const char *key);
/* A NULL string, NaN and infinity become null. */
/* RFC 3339 UTC, or null when @real_s is 0. */
void jsondoc_set_time(struct jsondoc *o, const char *key, int64_t real_s);
struct jsondoc *jsondoc_add_object(struct jsondoc *o, const char *key);
struct jsondoc *jsondoc_add_array(struct jsondoc *o, const char *key);
/* Appends to an array. */
struct jsondoc *jsondoc_append_object(struct jsondoc *array);
void jsondoc_append_string(struct jsondoc *array, const char *value);

/* Indented by two, sorted as inserted, ends with a newline; caller frees.
 * NULL = out of memory somewhere on the way. */
char *jsondoc_print(const struct jsondoc *root);
/* The same in one line; @ascii: everything else as \u, for a terminal. */
char *jsondoc_print_line(const struct jsondoc *root, bool ascii);

/* -EINVAL with line and column; -EFBIG above 64 MiB; nested at most 64 deep.
 * The top must be an object or an array. */
int jsondoc_parse(const char *text, size_t len, struct jsondoc **ret,
        struct err *err) _must_check_;
const char *jsondoc_string(
        const struct jsondoc *o, const char *key, const char *fallback);
int64_t jsondoc_int(const struct jsondoc *o, const char *key, int64_t fallback);
/* Whole numbers, too. */
double jsondoc_real(const struct jsondoc *o, const char *key, double fallback);
bool jsondoc_bool(const struct jsondoc *o, const char *key, bool fallback);
/* An object or array below @o; NULL when there is none. Each call costs 32
 * bytes until the root is freed: not in a loop over the same key. */
struct jsondoc *jsondoc_get(const struct jsondoc *o, const char *key);
size_t jsondoc_len(const struct jsondoc *array);
struct jsondoc *jsondoc_at(const struct jsondoc *array, size_t i);
/* The string at @i of an array. */
const char *jsondoc_string_at(
        const struct jsondoc *array, size_t i, const char *fallback);

#endif
