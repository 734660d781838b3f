/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/marker.h"
#include "core/target.h"
#include "scratch.h"
#include "str.h"

#define UUID "0a1b2c3d-1111-2222-3333-0123456789ab"
#define FILE_NAME MARKER_DIR "/marker.json"

static char state_dir[SCRATCH_PATH], disk_dir[SCRATCH_PATH];
static struct target t;
static struct marker m;
static enum marker_verdict verdict;
static struct err err;

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	scratch_make(state_dir, "marker-state");
	scratch_make(disk_dir, "marker-disk");
	t = TARGET_INIT;
	(void)str_copy(t.disk.uuid, sizeof(t.disk.uuid), UUID);
	(void)str_copy(t.disk.serial, sizeof(t.disk.serial), "WD-123");
	t.disk.size_bytes = 4000787030016;
	t.root_fd = open(disk_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t.root_fd >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	target_done(&t);
	scratch_remove(state_dir);
	scratch_remove(disk_dir);
	return 0;
}

static void put(void)
{
	m = (struct marker){
	        .title = "Office \"A\"\n\033[31m",
	        .run = 42,
	        .state = MARKER_COMPLETE,
	        .started = 1700000000,
	        .ended = 1700003600,
	};
	if (marker_write(&t, state_dir, &m, &err) != 0)
		fail_msg("%s", err.message);
}

static enum marker_verdict get(void)
{
	memset(&m, 0x55, sizeof(m));
	if (marker_read(&t, state_dir, &m, &verdict, &err) != 0)
		fail_msg("%s", err.message);
	return verdict;
}

/* Replaces the first @from in the file by @to. */
static void forge(const char *from, const char *to)
{
	_cleanup_free_ char *text = scratch_read(disk_dir, FILE_NAME);
	char *at = strstr(text, from);
	char changed[8192];

	assert_non_null(at);
	(void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text),
	        text, to, at + strlen(from));
	scratch_write(disk_dir, FILE_NAME, changed);
}

static void none(void **state)
{
	(void)state;
	assert_int_equal(get(), MARKER_NONE);
	assert_string_equal(m.uuid, "");
	assert_int_equal(m.run, 0);
	/* An empty directory is none, either. */
	scratch_mkdir(disk_dir, MARKER_DIR);
	assert_int_equal(get(), MARKER_NONE);
}

static void there_and_back(void **state)
{
	struct stat st;

	(void)state;
	put();
	assert_int_equal(get(), MARKER_OURS);
	assert_string_equal(m.uuid, UUID);
	assert_string_equal(m.serial, "WD-123");
	assert_string_equal(m.title, "Office \"A\"\n\033[31m");
	assert_int_equal(m.size_bytes, 4000787030016);
	assert_int_equal(m.run, 42);
	assert_int_equal(m.state, MARKER_COMPLETE);
	assert_int_equal(m.started, 1700000000);
	assert_int_equal(m.ended, 1700003600);
	assert_true(m.server[0]);
	assert_int_equal(strlen(m.mac), 64);
	assert_int_equal(stat(scratch_path(disk_dir, MARKER_DIR), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(scratch_path(disk_dir, FILE_NAME), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(scratch_path(state_dir, "server.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
}

static void each_state(void **state)
{
	static const enum marker_state states[] = {
	        MARKER_COPYING, MARKER_INCOMPLETE, MARKER_COMPLETE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		m = (struct marker){.state = states[i]};
		assert_int_equal(marker_write(&t, state_dir, &m, &err), 0);
		assert_int_equal(get(), MARKER_OURS);
		assert_int_equal(m.state, states[i]);
	}
	/* The state is information, not signed; an unknown one is no state
	 * to rely on. */
	forge("\"complete\"", "\"perfect\"");
	assert_int_equal(get(), MARKER_OURS);
	assert_int_equal(m.state, MARKER_INCOMPLETE);
}

static void uuid_in_other_case(void **state)
{
	(void)state;
	put();
	(void)str_copy(t.disk.uuid, sizeof(t.disk.uuid),
	        "0A1B2C3D-1111-2222-3333-0123456789AB");
	assert_int_equal(get(), MARKER_OURS);
}

static void moved_to_other_hardware(void **state)
{
	(void)state;
	put();
	(void)str_copy(t.disk.serial, sizeof(t.disk.serial), "WD-124");
	assert_int_equal(get(), MARKER_MOVED);
	assert_string_equal(m.serial, "WD-123");
	(void)str_copy(t.disk.serial, sizeof(t.disk.serial), "WD-123");
	t.disk.size_bytes++;
	assert_int_equal(get(), MARKER_MOVED);
	t.disk.size_bytes--;
	t.disk.uuid[0] = '1';
	assert_int_equal(get(), MARKER_MOVED);
}

static void forged(void **state)
{
	(void)state;
	put();
	forge("WD-123", "WD-124");
	(void)str_copy(t.disk.serial, sizeof(t.disk.serial), "WD-124");
	assert_int_equal(get(), MARKER_FOREIGN);
	put();
	forge("\"mac\": \"", "\"mac\": \"0");
	assert_int_equal(get(), MARKER_FOREIGN);
	put();
	forge("\"mac\"", "\"mad\"");
	assert_int_equal(get(), MARKER_FOREIGN);
	/* An older clone that claims to be the newest. */
	put();
	forge("\"run\": 42", "\"run\": 43");
	assert_int_equal(get(), MARKER_FOREIGN);
	put();
	forge("4000787030016", "-1");
	assert_int_equal(get(), MARKER_FOREIGN);
}

/* The border between the parts that are signed cannot be moved. */
static void parts_cannot_be_shifted(void **state)
{
	(void)state;
	(void)str_copy(t.disk.serial, sizeof(t.disk.serial), "12");
	t.disk.size_bytes = 345;
	put();
	forge("\"serial\": \"12\"", "\"serial\": \"123\"");
	forge("\"size_bytes\": 345", "\"size_bytes\": 45");
	(void)str_copy(t.disk.serial, sizeof(t.disk.serial), "123");
	t.disk.size_bytes = 45;
	assert_int_equal(get(), MARKER_FOREIGN);
}

static void of_another_server(void **state)
{
	(void)state;
	put();
	assert_int_equal(unlink(scratch_path(state_dir, "server.key")), 0);
	assert_int_equal(get(), MARKER_FOREIGN);
	assert_int_equal(m.run, 42);
}

static void damaged(void **state)
{
	static const char *const texts[] = {"", "{", "null", "[]", "{}",
	        "{\"uuid\": 7, \"serial\": [], \"mac\": null}",
	        "{\"uuid\": \"a\", \"uuid\": \"b\"}", "\377\376"};
	static char large[70000];

	(void)state;
	scratch_mkdir(disk_dir, MARKER_DIR);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		scratch_write(disk_dir, FILE_NAME, texts[i]);
		assert_int_equal(get(), MARKER_FOREIGN);
	}
	memset(large, ' ', sizeof(large) - 1);
	scratch_write(disk_dir, FILE_NAME, large);
	assert_int_equal(get(), MARKER_FOREIGN);
}

static void no_regular_file(void **state)
{
	(void)state;
	scratch_mkdir(disk_dir, MARKER_DIR);
	scratch_mkdir(disk_dir, FILE_NAME);
	assert_int_equal(get(), MARKER_FOREIGN);
	assert_int_equal(rmdir(scratch_path(disk_dir, FILE_NAME)), 0);
	/* Nobody writes to it: reading must not wait. */
	assert_int_equal(mkfifo(scratch_path(disk_dir, FILE_NAME), 0600), 0);
	assert_int_equal(get(), MARKER_FOREIGN);
}

static void assert_trap(void)
{
	err = ERR_INIT;
	assert_int_equal(
	        marker_read(&t, state_dir, &m, &verdict, &err), -ELOOP);
	assert_true(err.message[0] && err.meaning[0] && err.action[0]);
	assert_true(marker_write(&t, state_dir, &m, &err) < 0);
}

static void links_on_the_disk(void **state)
{
	(void)state;
	scratch_mkdir(state_dir, "victim");
	assert_int_equal(symlink(scratch_path(state_dir, "victim"),
	                         scratch_path(disk_dir, MARKER_DIR)),
	        0);
	assert_trap();
	assert_false(scratch_has(state_dir, "victim/marker.json"));
	assert_int_equal(unlink(scratch_path(disk_dir, MARKER_DIR)), 0);

	assert_int_equal(
	        symlink("elsewhere", scratch_path(disk_dir, MARKER_DIR)), 0);
	assert_trap();
	assert_int_equal(unlink(scratch_path(disk_dir, MARKER_DIR)), 0);

	scratch_write(disk_dir, MARKER_DIR, "");
	assert_trap();
	assert_int_equal(unlink(scratch_path(disk_dir, MARKER_DIR)), 0);

	/* The marker itself: refused when read, replaced when written. */
	scratch_mkdir(disk_dir, MARKER_DIR);
	scratch_write(state_dir, "victim/file", "untouched");
	assert_int_equal(symlink(scratch_path(state_dir, "victim/file"),
	                         scratch_path(disk_dir, FILE_NAME)),
	        0);
	assert_int_equal(
	        marker_read(&t, state_dir, &m, &verdict, &err), -ELOOP);
	put();
	assert_int_equal(get(), MARKER_OURS);
	_cleanup_free_ char *text = scratch_read(state_dir, "victim/file");
	assert_string_equal(text, "untouched");
}

static void assert_key_refused(void)
{
	err = ERR_INIT;
	assert_int_equal(
	        marker_read(&t, state_dir, &m, &verdict, &err), -EPERM);
	assert_non_null(strstr(err.action, "chmod 600"));
	err = ERR_INIT;
	assert_int_equal(marker_write(&t, state_dir, &m, &err), -EPERM);
}

static void key_that_others_can_read(void **state)
{
	const char *key;

	(void)state;
	put();
	key = scratch_path(state_dir, "server.key");
	assert_int_equal(chmod(key, 0640), 0);
	assert_key_refused();
	assert_int_equal(chmod(key, 0604), 0);
	assert_key_refused();
	assert_int_equal(chmod(key, 0400), 0);
	assert_int_equal(get(), MARKER_OURS);
}

static void key_that_is_damaged(void **state)
{
	(void)state;
	put();
	scratch_write(state_dir, "server.key", "short");
	assert_key_refused();
	assert_int_equal(unlink(scratch_path(state_dir, "server.key")), 0);
	assert_int_equal(
	        symlink("elsewhere", scratch_path(state_dir, "server.key")), 0);
	assert_int_equal(
	        marker_read(&t, state_dir, &m, &verdict, &err), -ELOOP);
	assert_int_equal(unlink(scratch_path(state_dir, "server.key")), 0);
}

static void no_state_directory(void **state)
{
	(void)state;
	assert_int_equal(marker_read(&t, scratch_path(state_dir, "no"), &m,
	                         &verdict, &err),
	        -ENOENT);
	assert_true(err.message[0]);
}

/* USB bridges make up serial numbers of all kinds. */
static void serial_numbers_of_all_kinds(void **state)
{
	static const char *const serials[] = {
	        "", "\377\376\001", "a\nb", "\\\"", "    ", "\303\274"};
	char longest[sizeof(t.disk.serial)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
		(void)str_copy(
		        t.disk.serial, sizeof(t.disk.serial), serials[i]);
		put();
		assert_int_equal(get(), MARKER_OURS);
	}
	memset(longest, '\377', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(t.disk.serial, longest, sizeof(longest));
	put();
	assert_int_equal(get(), MARKER_OURS);
	t.disk.serial[0] = 'x';
	assert_int_equal(get(), MARKER_MOVED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(none),
	        T(there_and_back),
	        T(each_state),
	        T(uuid_in_other_case),
	        T(moved_to_other_hardware),
	        T(forged),
	        T(parts_cannot_be_shifted),
	        T(of_another_server),
	        T(damaged),
	        T(no_regular_file),
	        T(links_on_the_disk),
	        T(key_that_others_can_read),
	        T(key_that_is_damaged),
	        T(no_state_directory),
	        T(serial_numbers_of_all_kinds),
	};

	return cmocka_run_group_tests_name("marker", tests, NULL, NULL);
}
