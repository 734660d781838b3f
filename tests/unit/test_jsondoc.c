/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"
#include "sys/jsondoc.h"
#include "util.h"

static void writes_everything(void **state)
{
	_cleanup_(jsondoc_freep) struct jsondoc *o = jsondoc_new_object();
	_cleanup_free_ char *text = NULL;
	struct jsondoc *sub, *list, *item;

	(void)state;
	jsondoc_set_int(o, "version", 1);
	jsondoc_set_string(o, "name", "a\"b\\c\n\x1b/\xc3\xa4");
	jsondoc_set_string(o, "nothing", NULL);
	jsondoc_set_real(o, "percent", 0.1);
	jsondoc_set_real(o, "nan", (double)NAN);
	jsondoc_set_real(o, "infinite", (double)INFINITY);
	jsondoc_set_bool(o, "yes", true);
	jsondoc_set_bool(o, "no", false);
	jsondoc_set_null(o, "null");
	jsondoc_set_int(o, "big", INT64_MAX);
	jsondoc_set_int(o, "small", INT64_MIN);
	jsondoc_set_time(o, "at", 1795200309);
	jsondoc_set_time(o, "never", 0);
	sub = jsondoc_add_object(o, "sub");
	jsondoc_set_int(sub, "x", 2);
	list = jsondoc_add_array(o, "list");
	item = jsondoc_append_object(list);
	jsondoc_set_int(item, "y", 3);
	jsondoc_append_string(list, "text");
	jsondoc_append_string(list, NULL);

	text = jsondoc_print(o);
	assert_non_null(text);
	assert_string_equal(text,
	        "{\n"
	        "  \"version\": 1,\n"
	        "  \"name\": \"a\\\"b\\\\c\\n\\u001B/\xc3\xa4\",\n"
	        "  \"nothing\": null,\n"
	        "  \"percent\": 0.1,\n"
	        "  \"nan\": null,\n"
	        "  \"infinite\": null,\n"
	        "  \"yes\": true,\n"
	        "  \"no\": false,\n"
	        "  \"null\": null,\n"
	        "  \"big\": 9223372036854775807,\n"
	        "  \"small\": -9223372036854775808,\n"
	        "  \"at\": \"2026-11-20T18:45:09Z\",\n"
	        "  \"never\": null,\n"
	        "  \"sub\": {\n"
	        "    \"x\": 2\n"
	        "  },\n"
	        "  \"list\": [\n"
	        "    {\n"
	        "      \"y\": 3\n"
	        "    },\n"
	        "    \"text\",\n"
	        "    null\n"
	        "  ]\n"
	        "}\n");
}

static void repairs_broken_utf8(void **state)
{
	_cleanup_(jsondoc_freep) struct jsondoc *o = jsondoc_new_object();
	_cleanup_(jsondoc_freep) struct jsondoc *back = NULL;
	_cleanup_free_ char *text = NULL;

	(void)state;
	jsondoc_set_string(o, "file",
	        "a\xff"
	        "b");
	text = jsondoc_print(o);
	assert_non_null(text);
	assert_non_null(strstr(text, "a\xef\xbf\xbd"
	                             "b"));
	assert_int_equal(jsondoc_parse(text, strlen(text), &back, NULL), 0);
}

static void replaces_a_key(void **state)
{
	_cleanup_(jsondoc_freep) struct jsondoc *o = jsondoc_new_object();

	(void)state;
	jsondoc_set_int(o, "a", 1);
	jsondoc_set_int(o, "a", 2);
	assert_int_equal(jsondoc_int(o, "a", 0), 2);
}

static void null_and_failed_documents(void **state)
{
	_cleanup_(jsondoc_freep) struct jsondoc *o = jsondoc_new_object();
	struct jsondoc *list = jsondoc_add_array(o, "list");

	(void)state;
	/* Everything on NULL is a no-op. */
	jsondoc_set_string(NULL, "a", "b");
	jsondoc_set_int(NULL, "a", 1);
	jsondoc_set_real(NULL, "a", 1);
	jsondoc_set_bool(NULL, "a", true);
	jsondoc_set_null(NULL, "a");
	jsondoc_set_time(NULL, "a", 1);
	jsondoc_append_string(NULL, "a");
	assert_null(jsondoc_add_object(NULL, "a"));
	assert_null(jsondoc_add_array(NULL, "a"));
	assert_null(jsondoc_append_object(NULL));
	assert_null(jsondoc_print(NULL));
	assert_null(jsondoc_get(NULL, "a"));
	assert_null(jsondoc_at(NULL, 0));
	assert_int_equal(jsondoc_len(NULL), 0);
	assert_string_equal(jsondoc_string(NULL, "a", "f"), "f");
	assert_string_equal(jsondoc_string_at(NULL, 0, "f"), "f");
	assert_int_equal(jsondoc_int(NULL, "a", 7), 7);
	assert_true(jsondoc_bool(NULL, "a", true));
	jsondoc_free(NULL);

	/* A failure below makes the whole document unprintable: a key in an
	 * array is the failure that needs no lack of memory. */
	jsondoc_set_int(list, "key", 1);
	assert_null(jsondoc_print(o));
}

static void wrong_containers_fail(void **state)
{
	_cleanup_(jsondoc_freep) struct jsondoc *a = jsondoc_new_object();
	_cleanup_(jsondoc_freep) struct jsondoc *b = jsondoc_new_object();

	(void)state;
	assert_null(jsondoc_append_object(a));
	assert_null(jsondoc_print(a));
	jsondoc_append_string(b, "x");
	assert_null(jsondoc_print(b));
}

static struct jsondoc *parse(const char *text)
{
	struct jsondoc *o = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(jsondoc_parse(text, strlen(text), &o, &err), 0);
	assert_non_null(o);
	return o;
}

static void reads(void **state)
{
	_cleanup_(jsondoc_freep) struct jsondoc *o =
	        parse("{\"s\":\"x\",\"i\":-5,\"r\":2.5,\"b\":true,\"n\":null,"
	              "\"o\":{\"k\":\"v\"},\"a\":[{\"q\":1},\"str\",[]],"
	              "\"max\":9223372036854775807}");
	struct jsondoc *a;

	(void)state;
	assert_string_equal(jsondoc_string(o, "s", "f"), "x");
	assert_int_equal(jsondoc_int(o, "i", 0), -5);
	assert_true(jsondoc_int(o, "max", 0) == INT64_MAX);
	assert_true(jsondoc_real(o, "r", 0) == 2.5);
	assert_true(jsondoc_real(o, "i", 0) == -5.0);
	assert_true(jsondoc_bool(o, "b", false));
	assert_string_equal(jsondoc_string(jsondoc_get(o, "o"), "k", "f"), "v");
	a = jsondoc_get(o, "a");
	assert_int_equal(jsondoc_len(a), 3);
	assert_int_equal(jsondoc_int(jsondoc_at(a, 0), "q", 0), 1);
	assert_null(jsondoc_at(a, 1));
	assert_string_equal(jsondoc_string_at(a, 1, "f"), "str");
	assert_string_equal(jsondoc_string_at(a, 0, "f"), "f");
	assert_int_equal(jsondoc_len(jsondoc_at(a, 2)), 0);
	assert_null(jsondoc_at(a, 3));
	assert_string_equal(jsondoc_string_at(a, 3, "f"), "f");
}

static void other_types_give_the_fallback(void **state)
{
	_cleanup_(jsondoc_freep) struct jsondoc *o =
	        parse("{\"s\":\"x\",\"i\":-5,\"r\":2.5,\"b\":true,\"n\":null}");

	(void)state;
	assert_string_equal(jsondoc_string(o, "i", "f"), "f");
	assert_string_equal(jsondoc_string(o, "n", "f"), "f");
	assert_null(jsondoc_string(o, "missing", NULL));
	assert_int_equal(jsondoc_int(o, "r", 9), 9);
	assert_int_equal(jsondoc_int(o, "s", 9), 9);
	assert_true(jsondoc_real(o, "s", 1.5) == 1.5);
	assert_true(jsondoc_bool(o, "i", true));
	assert_null(jsondoc_get(o, "s"));
	assert_null(jsondoc_get(o, "missing"));
	assert_int_equal(jsondoc_len(o), 0);
	assert_null(jsondoc_at(o, 0));
}

static void refuses_broken_input(void **state)
{
	static const char *const bad[] = {"", " ", "{", "}", "[1,]", "{\"a\"}",
	        "{\"a\":1,\"a\":2}", "{\"a\":1}x", "{\"a\":NaN}", "{'a':1}",
	        "{\"a\":012}", "{\"a\":\"\xff\"}", "{\"a\":\"\n\"}",
	        "{\"a\":\"\\u0000\"}", "1", "\"x\"", "null",
	        "{\"a\":\"\\ud800\"}", "{\"a\":1e999}",
	        "{\"a\":9223372036854775808}", "{\"a\":\"\\"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct jsondoc *o = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(
		        jsondoc_parse(bad[i], strlen(bad[i]), &o, &err),
		        -EINVAL);
		assert_null(o);
		assert_int_equal(err.code, -EINVAL);
		assert_non_null(strstr(err.message, "line 1"));
	}
	/* A NUL is no end of text. */
	struct jsondoc *o = NULL;
	assert_int_equal(jsondoc_parse("{}\0{}", 5, &o, NULL), -EINVAL);
	assert_null(o);
}

static void limits_the_depth(void **state)
{
	char text[400];
	struct jsondoc *o = NULL;
	struct err err = ERR_INIT;

	(void)state;
	memset(text, '[', 100);
	memset(text + 100, ']', 100);
	assert_int_equal(jsondoc_parse(text, 200, &o, &err), -EINVAL);
	assert_non_null(strstr(err.message, "deep"));
	assert_int_equal(jsondoc_parse(text + 36, 128, &o, &err), 0);
	jsondoc_freep(&o);

	/* Brackets in a string do not count. */
	memset(text, '[', sizeof(text));
	memcpy(text, "[\"\\\"", 4);
	memcpy(text + sizeof(text) - 2, "\"]", 2);
	assert_int_equal(jsondoc_parse(text, sizeof(text), &o, &err), 0);
	jsondoc_freep(&o);
}

static void limits_the_size(void **state)
{
	struct jsondoc *o = NULL;
	struct err err = ERR_INIT;

	(void)state;
	/* Refused before the first byte is looked at. */
	assert_int_equal(
	        jsondoc_parse("{}", (size_t)1 << 30, &o, &err), -EFBIG);
	assert_null(o);
}

static void prints_one_line(void **state)
{
	_cleanup_(jsondoc_freep) struct jsondoc *o = jsondoc_new_object();
	_cleanup_(jsondoc_freep) struct jsondoc *again = NULL;
	_cleanup_free_ char *line = NULL, *second = NULL;
	struct err err = ERR_INIT;

	(void)state;
	jsondoc_set_string(o, "z", "a\nb\r\x01\xe2\x80\xa8");
	jsondoc_set_int(o, "a", -1);
	(void)jsondoc_append_object(jsondoc_add_array(o, "list"));
	line = jsondoc_print_line(o, false);
	assert_non_null(line);
	/* One newline, at its end, and in the order of insertion. */
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_null(strchr(line, '\r'));
	assert_true(strstr(line, "\"z\"") < strstr(line, "\"a\""));
	assert_int_equal(jsondoc_parse(line, strlen(line), &again, &err), 0);
	assert_string_equal(
	        jsondoc_string(again, "z", ""), "a\nb\r\x01\xe2\x80\xa8");
	second = jsondoc_print_line(again, false);
	assert_string_equal(second, line);
	assert_null(jsondoc_print_line(NULL, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(writes_everything),
	        cmocka_unit_test(repairs_broken_utf8),
	        cmocka_unit_test(replaces_a_key),
	        cmocka_unit_test(null_and_failed_documents),
	        cmocka_unit_test(wrong_containers_fail),
	        cmocka_unit_test(reads),
	        cmocka_unit_test(other_types_give_the_fallback),
	        cmocka_unit_test(refuses_broken_input),
	        cmocka_unit_test(limits_the_depth),
	        cmocka_unit_test(limits_the_size),
	        cmocka_unit_test(prints_one_line),
	};

	return cmocka_run_group_tests_name("jsondoc", tests, NULL, NULL);
}
