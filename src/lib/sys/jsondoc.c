/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "i18n.h"
#include "sys/jsondoc.h"
#include "text.h"
#include "util.h"

#define SIZE_MAX_BYTES ((size_t)64 << 20)
#define DEPTH_MAX 64
/* 17 digits would show 0.1 as 0.10000000000000001. */
#define REAL_DIGITS 15

/*
 * A handle of one value.  All handles of a document hang on its root and live
 * as long as it; the values themselves are owned by jansson's tree.
 */
struct jsondoc {
	json_t *json;
	struct jsondoc *root; /* itself for the root */
	struct jsondoc *next; /* of the root: list of all other handles */
	bool failed;          /* of the root: something is missing in it */
};

/* Takes over the reference when it makes a root. */
static struct jsondoc *new_handle(struct jsondoc *root, json_t *json)
{
	struct jsondoc *o = calloc(1, sizeof(*o));

	if (!o) {
		if (root)
			root->failed = true;
		return NULL;
	}
	o->json = json;
	o->root = root ? root : o;
	if (root) {
		o->next = root->next;
		root->next = o;
	}
	return o;
}

struct jsondoc *jsondoc_new_object(void)
{
	json_t *json = json_object();
	struct jsondoc *o = json ? new_handle(NULL, json) : NULL;

	if (!o)
		json_decref(json);
	return o;
}

void jsondoc_free(struct jsondoc *root)
{
	if (!root)
		return;
	json_decref(root->json);
	while (root) {
		struct jsondoc *next = root->next;

		free(root);
		root = next;
	}
}

void jsondoc_freep(struct jsondoc **root)
{
	jsondoc_free(*root);
	*root = NULL;
}

/* --- writing ------------------------------------------------------------- */

/* Both steal @value, also when they fail. */
static void set(struct jsondoc *o, const char *key, json_t *value)
{
	if (!o)
		json_decref(value);
	else if (json_object_set_new(o->json, key, value) < 0)
		o->root->failed = true;
}

static void append(struct jsondoc *array, json_t *value)
{
	if (!array)
		json_decref(value);
	else if (json_array_append_new(array->json, value) < 0)
		array->root->failed = true;
}

/* NULL only when out of memory. */
static json_t *new_string(const char *value)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (!value)
		return json_null();
	text_utf8_repair(&b, value, strlen(value));
	return buf_failed(&b) ? NULL : json_stringn(b.data, b.len);
}

void jsondoc_set_string(struct jsondoc *o, const char *key, const char *value)
{
	set(o, key, new_string(value));
}

void jsondoc_set_int(struct jsondoc *o, const char *key, int64_t value)
{
	set(o, key, json_integer(value));
}

void jsondoc_set_real(struct jsondoc *o, const char *key, double value)
{
	/* JSON has neither infinity nor NaN. */
	set(o, key, isfinite(value) ? json_real(value) : json_null());
}

void jsondoc_set_bool(struct jsondoc *o, const char *key, bool value)
{
	set(o, key, json_boolean(value));
}

void jsondoc_set_null(struct jsondoc *o, const char *key)
{
	set(o, key, json_null());
}

void jsondoc_set_time(struct jsondoc *o, const char *key, int64_t real_s)
{
	char text[32];

	if (real_s == 0)
		jsondoc_set_null(o, key);
	else
		jsondoc_set_string(o, key, clock_utc(text, real_s));
}

/* The tree keeps the only reference; the handle borrows it. */
static struct jsondoc *add_child(
        struct jsondoc *o, const char *key, json_t *child)
{
	if (!o || !child) {
		json_decref(child);
		if (o)
			o->root->failed = true;
		return NULL;
	}
	if ((key ? json_object_set_new(o->json, key, child)
	         : json_array_append_new(o->json, child)) < 0) {
		o->root->failed = true;
		return NULL;
	}
	return new_handle(o->root, child);
}

struct jsondoc *jsondoc_add_object(struct jsondoc *o, const char *key)
{
	return add_child(o, key, json_object());
}

struct jsondoc *jsondoc_add_array(struct jsondoc *o, const char *key)
{
	return add_child(o, key, json_array());
}

struct jsondoc *jsondoc_append_object(struct jsondoc *array)
{
	return add_child(array, NULL, json_object());
}

void jsondoc_append_string(struct jsondoc *array, const char *value)
{
	append(array, new_string(value));
}

static char *print(const struct jsondoc *root, size_t flags)
{
	char *text, *bigger;
	size_t len;

	if (!root || root->root->failed)
		return NULL;
	text = json_dumps(root->json, flags | JSON_REAL_PRECISION(REAL_DIGITS));
	if (!text)
		return NULL;

	len = strlen(text);
	bigger = realloc(text, len + 2);
	if (!bigger) {
		free(text);
		return NULL;
	}
	bigger[len] = '\n';
	bigger[len + 1] = '\0';
	return bigger;
}

char *jsondoc_print(const struct jsondoc *root)
{
	return print(root, JSON_INDENT(2));
}

char *jsondoc_print_line(const struct jsondoc *root, bool ascii)
{
	return print(root, JSON_COMPACT | (ascii ? JSON_ENSURE_ASCII : 0));
}

/* --- reading ------------------------------------------------------------- */

/* jansson's own limit is 2048 levels of recursion; our documents have five.
 * Counts brackets outside strings; need not be exact for broken input. */
static bool is_too_deep(const char *text, size_t len)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return false;
}

int jsondoc_parse(
        const char *text, size_t len, struct jsondoc **ret, struct err *err)
{
	json_error_t e;
	json_t *json;

	if (len > SIZE_MAX_BYTES)
		return err_set(err, -EFBIG,
		        _("The JSON document is too large (%zu bytes)"), len);
	if (is_too_deep(text, len))
		return err_set(err, -EINVAL,
		        _("The JSON document is nested too deeply"));

	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (!json && json_error_code(&e) == json_error_out_of_memory)
		return err_nomem(err);
	if (!json)
		return err_set(err, -EINVAL,
		        _("Not valid JSON in line %d, column %d: %s"), e.line,
		        e.column, e.text);

	*ret = new_handle(NULL, json);
	if (!*ret) {
		json_decref(json);
		return err_nomem(err);
	}
	return 0;
}

const char *jsondoc_string(
        const struct jsondoc *o, const char *key, const char *fallback)
{
	json_t *v = o ? json_object_get(o->json, key) : NULL;

	return json_is_string(v) ? json_string_value(v) : fallback;
}

int64_t jsondoc_int(const struct jsondoc *o, const char *key, int64_t fallback)
{
	json_t *v = o ? json_object_get(o->json, key) : NULL;

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

double jsondoc_real(const struct jsondoc *o, const char *key, double fallback)
{
	json_t *v = o ? json_object_get(o->json, key) : NULL;

	return json_is_number(v) ? json_number_value(v) : fallback;
}

bool jsondoc_bool(const struct jsondoc *o, const char *key, bool fallback)
{
	json_t *v = o ? json_object_get(o->json, key) : NULL;

	return json_is_boolean(v) ? json_boolean_value(v) : fallback;
}

static struct jsondoc *child_handle(const struct jsondoc *o, json_t *child)
{
	if (!json_is_object(child) && !json_is_array(child))
		return NULL;
	return new_handle(o->root, child);
}

struct jsondoc *jsondoc_get(const struct jsondoc *o, const char *key)
{
	return o ? child_handle(o, json_object_get(o->json, key)) : NULL;
}

size_t jsondoc_len(const struct jsondoc *array)
{
	return array ? json_array_size(array->json) : 0;
}

struct jsondoc *jsondoc_at(const struct jsondoc *array, size_t i)
{
	return array ? child_handle(array, json_array_get(array->json, i))
	             : NULL;
}

const char *jsondoc_string_at(
        const struct jsondoc *array, size_t i, const char *fallback)
{
	json_t *v = array ? json_array_get(array->json, i) : NULL;

	return json_is_string(v) ? json_string_value(v) : fallback;
}
