/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a document: what is accepted prints to something that is
 * accepted again and prints the same.  And any bytes as a string: it comes
 * back, repaired.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "sys/jsondoc.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Every getter on everything that can be reached; all of it must be
 * readable. */
static size_t walk(const struct jsondoc *o, int depth)
{
	static const char *const keys[] = {"", "a", "version", "list"};
	size_t sum = jsondoc_len(o);

	check(depth < 100);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct jsondoc *child = jsondoc_get(o, keys[i]);

		sum += strlen(jsondoc_string(o, keys[i], ""));
		sum += (size_t)jsondoc_int(o, keys[i], 0);
		sum += jsondoc_real(o, keys[i], 0) > 1;
		sum += jsondoc_bool(o, keys[i], false);
		if (child)
			sum += walk(child, depth + 1);
	}
	for (size_t i = 0; i < jsondoc_len(o); i++) {
		struct jsondoc *child = jsondoc_at(o, i);

		sum += strlen(jsondoc_string_at(o, i, ""));
		if (child)
			sum += walk(child, depth + 1);
	}
	return sum;
}

static void as_document(const char *text, size_t len)
{
	struct jsondoc *first = NULL, *second = NULL;
	struct err err = ERR_INIT;
	char *a, *b;
	int r = jsondoc_parse(text, len, &first, &err);

	if (r < 0) {
		check(!first && err.code == r && err.message[0] != '\0');
		return;
	}
	/* Observed, so that the compiler cannot drop it. */
	if (walk(first, 0) == SIZE_MAX)
		abort();
	a = jsondoc_print(first);
	check(a != NULL);
	r = jsondoc_parse(a, strlen(a), &second, &err);
	/* The largest doubles do not survive rounding to 15 digits. */
	check(r == 0 || strstr(a, "e308") || strstr(a, "e+308"));
	if (r == 0) {
		b = jsondoc_print(second);
		check(b && strcmp(a, b) == 0);
		free(b);
	}
	free(a);
	jsondoc_free(first);
	jsondoc_free(second);
}

static void as_string(const char *text)
{
	struct jsondoc *o = jsondoc_new_object(), *back = NULL;
	struct buf want = BUF_INIT;
	char *printed;

	jsondoc_set_string(o, "s", text);
	printed = jsondoc_print(o);
	check(printed != NULL);
	check(jsondoc_parse(printed, strlen(printed), &back, NULL) == 0);
	text_utf8_repair(&want, text, strlen(text));
	check(strcmp(jsondoc_string(back, "s", ""), want.data) == 0);
	buf_done(&want);
	free(printed);
	jsondoc_free(o);
	jsondoc_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of just this size, so that a byte too many is seen. */
	char *copy = malloc(size ? size : 1);
	char *text = malloc(size + 1);

	check(copy && text);
	if (size > 0) {
		memcpy(copy, data, size);
		memcpy(text, data, size);
	}
	text[size] = '\0';
	as_document(copy, size);
	as_string(text);
	free(copy);
	free(text);
	return 0;
}
