/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/settings.h"
#include "core/status.h"
#include "log.h"
#include "scratch.h"
#include "str.h"
#include "sys/jsondoc.h"

#define HOSTILE "a\nb\033[31m\"</script>\\ \303\274"

static char dir[SCRATCH_PATH];
static struct settings *s;
static struct status st, back;
static struct err err;

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	scratch_make(dir, "status");
	s = settings_new();
	assert_non_null(s);
	scratch_set(&s->runtime_directory, scratch_path(dir, "run/asbackup"));
	status_init(&st);
	status_init(&back);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	status_done(&st);
	status_done(&back);
	settings_freep(&s);
	scratch_remove(dir);
	return 0;
}

static void round_trip(void)
{
	status_done(&back);
	status_init(&back);
	if (status_publish(&st, s, &err) != 0 ||
	        status_read(&back, s, &err) != 0)
		fail_msg("%s", err.message);
}

static void assert_strv(const struct strv *a, const struct strv *b)
{
	assert_int_equal(a->len, b->len);
	for (size_t i = 0; i < a->len; i++)
		assert_string_equal(a->items[i], b->items[i]);
}

static void assert_same(void)
{
#define INT(f) assert_int_equal(st.f, back.f)
#define TEXT(f) assert_string_equal(st.f, back.f)
	INT(state);
	INT(step);
	INT(exit_code);
	INT(may_be_unplugged);
	INT(skipped);
	INT(dry_run);
	INT(run);
	INT(pid);
	INT(started);
	INT(ended);
	INT(updated);
	TEXT(disk.uuid);
	TEXT(disk.title);
	TEXT(disk.device);
	TEXT(disk.serial);
	TEXT(disk.fstype);
	INT(disk.size_bytes);
	INT(disk.free_bytes);
	TEXT(source);
	INT(plan.files_total);
	INT(plan.files_to_copy);
	INT(plan.bytes_to_copy);
	INT(plan.files_to_delete);
	INT(plan.delete_first);
	INT(progress.bytes_done);
	INT(progress.bytes_total);
	assert_true(fabs(st.progress.percent - back.progress.percent) < 1e-9);
	INT(progress.rate);
	INT(progress.eta_seconds);
	INT(progress.files_done);
	TEXT(progress.file);
	INT(took.plan_ms);
	INT(took.copy_ms);
	INT(took.verify_ms);
	INT(took.flush_ms);
	INT(passes);
	INT(files_copied);
	INT(bytes_copied);
	INT(files_deleted);
	INT(files_verified);
	INT(bytes_verified);
	INT(adopted);
	assert_strv(&st.waiting_for, &back.waiting_for);
	assert_strv(&st.warnings, &back.warnings);
	TEXT(error.message);
	TEXT(error.meaning);
	TEXT(error.action);
#undef INT
#undef TEXT
}

#define SET(f, v) ((void)str_copy(st.f, sizeof(st.f), v))

/* Every member another value, none of them the default. */
static void fill(void)
{
	int64_t n = 100;

	st.state = STATUS_FAILED;
	st.step = STEP_VERIFY;
	st.exit_code = 16;
	st.may_be_unplugged = st.skipped = st.dry_run = st.adopted = true;
	st.run = n++;
	st.pid = n++;
	st.started = 1700000000;
	st.ended = 1700000001;
	st.updated = 1700000002;
	SET(disk.uuid, "0123-4567");
	SET(disk.title, HOSTILE);
	SET(disk.device, "/dev/sdb1");
	SET(disk.serial, "S" HOSTILE);
	SET(disk.fstype, "exfat");
	st.disk.size_bytes = INT64_MAX;
	st.disk.free_bytes = (uint64_t)n++;
	SET(source, "/srv/" HOSTILE);
	st.plan.files_total = (uint64_t)n++;
	st.plan.files_to_copy = (uint64_t)n++;
	st.plan.bytes_to_copy = (uint64_t)n++;
	st.plan.files_to_delete = (uint64_t)n++;
	st.plan.delete_first = true;
	st.progress.bytes_done = (uint64_t)n++;
	st.progress.bytes_total = (uint64_t)n++;
	st.progress.percent = 43.75;
	st.progress.rate = (uint64_t)n++;
	st.progress.eta_seconds = n++;
	st.progress.files_done = (uint64_t)n++;
	SET(progress.file, "f" HOSTILE);
	st.took.plan_ms = n++;
	st.took.copy_ms = n++;
	st.took.verify_ms = n++;
	st.took.flush_ms = n++;
	st.passes = 2;
	st.files_copied = (uint64_t)n++;
	st.bytes_copied = (uint64_t)n++;
	st.files_deleted = (uint64_t)n++;
	st.files_verified = (uint64_t)n++;
	st.bytes_verified = (uint64_t)n++;
	assert_int_equal(strv_add(&st.waiting_for, "a" HOSTILE ".lock"), 0);
	assert_int_equal(strv_add(&st.waiting_for, "b.lock"), 0);
	status_warn(&st, "first %s", HOSTILE);
	status_warn(&st, "second");
	(void)err_set(&st.error, -EIO, "message %s", HOSTILE);
	err_meaning(&st.error, "meaning %s", HOSTILE);
	err_action(&st.error, "action %s", HOSTILE);
}

static void defaults(void **state)
{
	(void)state;
	round_trip();
	assert_same();
	assert_int_equal(back.exit_code, -1);
	assert_int_equal(back.progress.eta_seconds, -1);
	assert_int_equal(back.error.code, 0);
}

static void every_field(void **state)
{
	struct stat file;

	(void)state;
	fill();
	round_trip();
	assert_same();
	assert_int_equal(back.warnings.len, 2);
	assert_true(back.error.code < 0);
	assert_int_equal(
	        stat(scratch_path(s->runtime_directory, "status.json"), &file),
	        0);
	assert_int_equal(file.st_mode & 07777, 0644);
}

static void every_state_and_step(void **state)
{
	(void)state;
	for (int i = STATUS_IDLE; i <= STATUS_FAILED; i++)
		for (int k = STEP_NONE; k < STEP_COUNT; k++) {
			st.state = (enum status_state)i;
			st.step = (enum status_step)k;
			round_trip();
			assert_same();
			assert_true(status_step_text(st.step)[0]);
		}
}

static void broken_utf8(void **state)
{
	(void)state;
	SET(disk.title, "x\377y");
	assert_int_equal(strv_add(&st.waiting_for, "\300.lock"), 0);
	round_trip();
	assert_string_equal(back.disk.title, "x\357\277\275y");
	assert_string_equal(back.waiting_for.items[0], "\357\277\275.lock");
}

static void numbers_out_of_range(void **state)
{
	(void)state;
	st.plan.bytes_to_copy = UINT64_MAX;
	st.progress.percent = (double)NAN;
	round_trip();
	assert_int_equal(back.plan.bytes_to_copy, INT64_MAX);
	assert_true(back.progress.percent == 0);
}

/* The keys are an interface; asbackup-json(5) promises them. */
static void keys_and_nulls(void **state)
{
	_cleanup_(jsondoc_freep) struct jsondoc *root = NULL;
	_cleanup_free_ char *text = NULL;

	(void)state;
	text = status_json(&st);
	assert_non_null(text);
	assert_int_equal(jsondoc_parse(text, strlen(text), &root, &err), 0);
	assert_int_equal(jsondoc_int(root, "version", 0), 1);
	assert_non_null(strstr(text, "\"exit_code\": null"));
	assert_non_null(strstr(text, "\"started\": null"));
	assert_non_null(strstr(text, "\"ended\": null"));
	assert_non_null(strstr(text, "\"eta_seconds\": null"));
	assert_non_null(strstr(text, "\"error\": null"));
	assert_string_equal(jsondoc_string(root, "state", ""), "idle");
	assert_string_equal(jsondoc_string(root, "step", ""), "none");
	assert_non_null(jsondoc_get(root, "waiting_for"));
}

static void read_text(const char *text, int expected)
{
	scratch_write(s->runtime_directory, "status.json", text);
	status_done(&back);
	status_init(&back);
	err = ERR_INIT;
	assert_int_equal(status_read(&back, s, &err), expected);
	assert_int_equal(err.message[0] != '\0', expected != 0);
}

static void what_we_did_not_write(void **state)
{
	(void)state;
	assert_int_equal(status_read(&back, s, &err), -ENOENT);
	round_trip();
	read_text("", -EINVAL);
	read_text("{\"state\": ", -EINVAL);
	read_text("{}", 0);
	assert_int_equal(back.state, STATUS_IDLE);
	read_text("{\"state\": \"unheard of\", \"step\": 7, \"disk\": [],"
	          "\"run\": \"x\", \"warnings\": {\"a\": 1}, \"error\": 3,"
	          "\"waiting_for\": [1, null, \"a\", {}],"
	          "\"plan\": {\"files_total\": -5}, \"started\": \"soon\"}",
	        0);
	assert_int_equal(back.state, STATUS_IDLE);
	assert_int_equal(back.step, STEP_NONE);
	assert_int_equal(back.plan.files_total, 0);
	assert_int_equal(back.started, 0);
	assert_int_equal(back.warnings.len, 0);
	assert_int_equal(back.error.code, 0);
	assert_string_equal(back.waiting_for.items[2], "a");
}

static void cannot_be_written(void **state)
{
	(void)state;
	scratch_write(dir, "file", "");
	scratch_set(&s->runtime_directory, scratch_path(dir, "file"));
	assert_int_equal(status_publish(&st, s, &err), -ENOTDIR);
	assert_true(err.message[0]);
}

static void warnings(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++)
		status_warn(&st, "the same");
	assert_int_equal(st.warnings.len, 1);
	for (int i = 0; i < 200; i++)
		status_warn(&st, "no. %d", i);
	assert_int_equal(st.warnings.len, 50);
}

static void lines(void **state)
{
	char line[200], small[12];

	(void)state;
	st.step = STEP_COPY;
	status_line(&st, line, sizeof(line));
	assert_string_equal(line, "Copying");
	st.progress.bytes_total = 1200000000000;
	st.progress.bytes_done = 516000000000;
	st.progress.percent = 43.9;
	st.progress.rate = 100000000;
	st.progress.eta_seconds = 6840;
	SET(progress.file, HOSTILE);
	status_line(&st, line, sizeof(line));
	assert_non_null(strstr(line, "43 %"));
	assert_non_null(strstr(line, "1.2 TB"));
	assert_non_null(strstr(line, "1 h 54 min"));
	assert_null(strpbrk(line, "\n\033"));
	status_line(&st, small, sizeof(small));
	assert_string_equal(small, "Copying: 43");

	st.step = STEP_VEEAM_WAIT;
	assert_int_equal(strv_add(&st.waiting_for, "x\n.lock"), 0);
	status_line(&st, line, sizeof(line));
	assert_string_equal(line, "Waiting for Veeam jobs: x\\n.lock");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(defaults),
	        T(every_field),
	        T(every_state_and_step),
	        T(broken_utf8),
	        T(numbers_out_of_range),
	        T(keys_and_nulls),
	        T(what_we_did_not_write),
	        T(cannot_be_written),
	        T(warnings),
	        T(lines),
	};

	log_init(LOG_LEVEL_ERR);
	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
