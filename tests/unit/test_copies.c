/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "core/copies.h"
#include "core/ledger.h"
#include "scratch.h"
#include "str.h"
#include "util.h"

static char dir[SCRATCH_PATH];
static struct err err;

static int setup(void **state)
{
	(void)state;
	scratch_make(dir, "copies");
	err = ERR_INIT;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

static void put(struct ledger *l, const char *uuid, int64_t last_good)
{
	struct ledger_disk d = {.last_good = last_good, .first_seen = 1};

	(void)str_copy(d.uuid, sizeof d.uuid, uuid);
	assert_int_equal(ledger_disk_put(l, &d, &err), 0);
}

static void published_and_read(void **state)
{
	_cleanup_(copies_freep) struct copies *c = NULL;
	struct ledger *l = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(ledger_open(dir, false, &l, &err), 0);
	put(l, "1234-abcd", 1700000000);
	put(l, "6f6e6575-7569-4d64-8000-000000000001", 0);
	assert_int_equal(copies_publish(dir, l, &err), 0);
	put(l, "1234-abcd", 1700000001);
	assert_int_equal(copies_publish(dir, l, &err), 0);
	ledger_close(l);

	assert_int_equal(stat(scratch_path(dir, "public/copies.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(copies_read(dir, &c, &err), 0);
	assert_int_equal(copies_last_good(c, "1234-ABCD"), 1700000001);
	assert_int_equal(
	        copies_last_good(c, "6f6e6575-7569-4d64-8000-000000000001"), 0);
	assert_int_equal(copies_last_good(c, "unknown"), 0);
}

static void nothing_published(void **state)
{
	struct copies *c = NULL;

	(void)state;
	assert_int_equal(copies_read(dir, &c, &err), -ENOENT);
	assert_null(c);
}

static void not_json(void **state)
{
	struct copies *c = NULL;

	(void)state;
	scratch_mkdir(dir, "public");
	scratch_write(dir, "public/copies.json", "{\"disks\": ");
	assert_int_equal(copies_read(dir, &c, &err), -EINVAL);
	assert_non_null(strstr(err.message, "copies.json"));
	assert_null(c);
}

/* Whatever is in there, it is no reason to fail. */
static void strange_contents(void **state)
{
	static const char *const texts[] = {
	        "{}",
	        "{\"disks\": 3}",
	        "{\"disks\": [1, {}, {\"uuid\": 7}]}",
	        "{\"disks\": [{\"uuid\": \"a\", \"last_good\": \"soon\"}]}",
	        "[]",
	};

	(void)state;
	scratch_mkdir(dir, "public");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(copies_freep) struct copies *c = NULL;

		scratch_write(dir, "public/copies.json", texts[i]);
		assert_int_equal(copies_read(dir, &c, &err), 0);
		assert_int_equal(copies_last_good(c, "a"), 0);
	}
}

static void cannot_be_published(void **state)
{
	struct ledger *l = NULL;

	(void)state;
	assert_int_equal(ledger_open(dir, false, &l, &err), 0);
	scratch_write(dir, "public", "a file");
	assert_true(copies_publish(dir, l, &err) < 0);
	assert_string_not_equal(err.message, "");
	ledger_close(l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(published_and_read),
	        T(nothing_published),
	        T(not_json),
	        T(strange_contents),
	        T(cannot_be_published),
	};

	return cmocka_run_group_tests_name("copies", tests, NULL, NULL);
}
