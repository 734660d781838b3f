/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "core/ledger.h"
#include "err.h"
#include "str.h"
#include "sys/db.h"
#include "util.h"

#define UUID "0A1B2C3D-1111-2222-3333-444455556666"
#define UUID_LOWER "0a1b2c3d-1111-2222-3333-444455556666"

static char dir[256];
static char path[300];
static struct err err; /* of the last call */

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/test_ledger.XXXXXX",
	        tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/asbackup.db", dir);
	return 0;
}

static int teardown(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		char p[320];

		(void)snprintf(p, sizeof(p), "%s%s", path, suffixes[i]);
		(void)unlink(p);
	}
	return rmdir(dir);
}

#define OK(call)                                                       \
	do {                                                           \
		int _r;                                                \
		err = ERR_INIT;                                        \
		_r = (call);                                           \
		if (_r < 0)                                            \
			fail_msg("%s: %d %s", #call, _r, err.message); \
	} while (0)

static struct ledger *open_it(void)
{
	struct ledger *l = NULL;

	OK(ledger_open(dir, false, &l, &err));
	assert_non_null(l);
	return l;
}

static int64_t begin(struct ledger *l, const char *uuid, int64_t after)
{
	struct ledger_run run = {.started = 1000};
	int64_t id = -1;

	(void)str_copy(run.uuid, sizeof(run.uuid), uuid);
	ledger_process_self(&run.process);
	OK(ledger_run_begin(l, &run, after, &id, &err));
	return id;
}

static int add_id(const struct ledger_run *run, void *arg)
{
	buf_printf(arg, "%lld:%s ", (long long)run->id,
	        ledger_result_name(run->result));
	return 0;
}

#define assert_runs(call, want)                           \
	do {                                              \
		_cleanup_buf_ struct buf list = BUF_INIT; \
		OK(call);                                 \
		assert_string_equal(list.data, want);     \
	} while (0)

/* --- opening -------------------------------------------------------------- */

static void opens(void **state)
{
	struct ledger *l = NULL;
	struct stat st;
	struct ledger_run run = {.started = 1};
	int64_t id;

	(void)state;
	assert_int_equal(ledger_open(dir, true, &l, &err), -ENOENT);
	assert_null(l);
	l = open_it();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	ledger_closep(&l);
	assert_int_equal(ledger_open(dir, true, &l, &err), 0);
	assert_int_equal(ledger_run_begin(l, &run, 0, &id, &err), -EROFS);
	ledger_closep(&l);
	ledger_close(NULL);
	assert_true(ledger_open("/proc/nowhere", false, &l, &err) < 0);
	assert_null(l);
}

/* A file without a schema (version 0), one of the future, a damaged one. */
static void versions(void **state)
{
	struct ledger *l = NULL;
	struct db *db = NULL;
	int fd;

	(void)state;
	OK(db_open(path, false, &db, &err));
	db_closep(&db);
	assert_int_equal(ledger_open(dir, true, &l, &err), -ENOENT);
	l = open_it();
	assert_int_equal(begin(l, UUID, 0), 1);
	ledger_closep(&l);

	OK(db_open(path, false, &db, &err));
	OK(db_exec(db, "PRAGMA user_version = 99", &err));
	db_closep(&db);
	assert_int_equal(ledger_open(dir, false, &l, &err), -EPROTONOSUPPORT);
	assert_true(err.action[0] != '\0');
	assert_null(l);

	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "no database at all, but text", 28), 28);
	(void)close(fd);
	assert_int_equal(ledger_open(dir, false, &l, &err), -EUCLEAN);
	assert_non_null(strstr(err.action, path));
	assert_null(l);
}

/* --- runs ----------------------------------------------------------------- */

static const struct ledger_run full = {
        .started = 1001,
        .ended = 2000,
        .uuid = UUID,
        .title = "Disk \xff 'A'; DROP TABLE runs;--",
        .device = "/dev/sdx1",
        .serial = "SN-1",
        .result = LEDGER_WARNINGS,
        .exit_code = 16,
        .step = "verify",
        .passes = 2,
        .files_total = 1,
        .files_copied = 2,
        .files_deleted = 3,
        .bytes_total = (uint64_t)1 << 44,
        .bytes_copied = 5,
        .plan_ms = 6,
        .copy_ms = 7,
        .verify_ms = 8,
        .flush_ms = 9,
        .free_bytes = 10,
        .size_bytes = UINT64_MAX,
        .flushed = true,
        .warnings = "one\ntwo",
        .error = {.code = -5, .message = "m", .meaning = "n", .action = "a"},
};

static int compare_full(const struct ledger_run *run, void *arg)
{
	assert_int_equal(run->id, *(int64_t *)arg);
	assert_int_equal(run->started, 1001);
	assert_int_equal(run->ended, 2000);
	assert_string_equal(run->uuid, UUID_LOWER);
	assert_string_equal(run->title, full.title);
	assert_string_equal(run->device, full.device);
	assert_string_equal(run->serial, full.serial);
	assert_int_equal(run->result, LEDGER_WARNINGS);
	assert_int_equal(run->exit_code, 16);
	assert_string_equal(run->step, "verify");
	assert_int_equal(run->passes, 2);
	assert_int_equal(run->files_total, 1);
	assert_int_equal(run->files_copied, 2);
	assert_int_equal(run->files_deleted, 3);
	assert_true(run->bytes_total == (uint64_t)1 << 44);
	assert_int_equal(run->bytes_copied, 5);
	assert_int_equal(run->plan_ms, 6);
	assert_int_equal(run->copy_ms, 7);
	assert_int_equal(run->verify_ms, 8);
	assert_int_equal(run->flush_ms, 9);
	assert_int_equal(run->free_bytes, 10);
	assert_true(run->size_bytes == INT64_MAX);
	assert_true(run->flushed);
	assert_string_equal(run->warnings, "one\ntwo");
	assert_string_equal(run->error.message, "m");
	assert_string_equal(run->error.meaning, "n");
	assert_string_equal(run->error.action, "a");
	assert_int_equal(run->process.pid, getpid());
	return 7;
}

static int compare_begun(const struct ledger_run *run, void *arg)
{
	(void)arg;
	assert_int_equal(run->started, 1000);
	assert_int_equal(run->ended, 0);
	assert_int_equal(run->result, LEDGER_RUNNING);
	assert_int_equal(run->exit_code, -1);
	assert_string_equal(run->uuid, UUID_LOWER);
	assert_null(run->warnings);
	assert_string_equal(run->error.message, "");
	assert_false(run->flushed);
	return 0;
}

static void begin_and_end(void **state)
{
	_cleanup_(ledger_closep) struct ledger *l = open_it();
	struct ledger_run run = full;

	(void)state;
	assert_int_equal(
	        ledger_last_run(l, NULL, compare_begun, NULL, &err), 0);
	run.id = begin(l, UUID, 0);
	assert_int_equal(run.id, 1);
	assert_int_equal(
	        ledger_last_run(l, NULL, compare_begun, NULL, &err), 1);
	OK(ledger_run_end(l, &run, &err));
	/* What the callback returns is handed up. */
	assert_int_equal(
	        ledger_last_run(l, UUID, compare_full, &run.id, &err), 7);
	assert_int_equal(ledger_history(l, 0, compare_full, &run.id, &err), 7);
	assert_int_equal(
	        ledger_last_run(l, "other", compare_full, NULL, &err), 0);
	run.id = 99;
	assert_int_equal(ledger_run_end(l, &run, &err), -ENOENT);
	assert_int_equal(ledger_run_died(l, 99, 1, &err), -ENOENT);
}

static void numbers_only_grow(void **state)
{
	_cleanup_(ledger_closep) struct ledger *l = open_it();
	struct ledger_disk disk = {.uuid = UUID, .marker_run = 500};
	struct db *db = NULL;

	(void)state;
	assert_int_equal(begin(l, UUID, 0), 1);
	assert_int_equal(begin(l, UUID, 0), 2);
	assert_int_equal(begin(l, UUID, 40), 41);
	assert_int_equal(begin(l, UUID, 7), 42);
	OK(ledger_disk_put(l, &disk, &err));
	assert_int_equal(begin(l, UUID, 7), 501);
	/* Absurd ones. */
	assert_int_equal(begin(l, UUID, INT64_MAX), 502);
	assert_int_equal(begin(l, UUID, -5), 503);
	disk.marker_run = INT64_MAX - 1;
	OK(ledger_disk_put(l, &disk, &err));
	assert_int_equal(begin(l, UUID, 0), 504);
	/* Not even when somebody tidied up. */
	OK(db_open(path, false, &db, &err));
	OK(db_exec(db, "DELETE FROM runs; DELETE FROM disks", &err));
	db_closep(&db);
	assert_int_equal(begin(l, UUID, 0), 505);
}

static void history(void **state)
{
	_cleanup_(ledger_closep) struct ledger *l = open_it();
	struct ledger_run run = {.result = LEDGER_GOOD};

	(void)state;
	for (int i = 0; i < 5; i++)
		(void)begin(l, i % 2 ? "AB-CD" : "ef-01", 0);
	run.id = 2;
	(void)str_copy(run.uuid, sizeof(run.uuid), "AB-CD");
	OK(ledger_run_end(l, &run, &err));
	assert_runs(ledger_history(l, 0, add_id, &list, &err),
	        "5:running 4:running 3:running 2:good 1:running ");
	assert_runs(ledger_history(l, 2, add_id, &list, &err),
	        "5:running 4:running ");
	assert_runs(ledger_history(l, UINT64_MAX, add_id, &list, &err),
	        "5:running 4:running 3:running 2:good 1:running ");
	assert_runs(
	        ledger_last_run(l, "ab-cd", add_id, &list, &err), "4:running ");
	assert_runs(
	        ledger_last_run(l, NULL, add_id, &list, &err), "5:running ");
}

static void result_names(void **state)
{
	_cleanup_(ledger_closep) struct ledger *l = open_it();
	struct db *db = NULL;

	(void)state;
	for (unsigned i = 0; i < LEDGER_RESULT_COUNT; i++) {
		struct ledger_run run = {.result = (enum ledger_result)i};
		char want[64];

		run.id = begin(l, UUID, 0);
		OK(ledger_run_end(l, &run, &err));
		(void)snprintf(want, sizeof(want), "%u:%s ", i + 1,
		        ledger_result_name((enum ledger_result)i));
		assert_runs(
		        ledger_last_run(l, NULL, add_id, &list, &err), want);
	}
	assert_string_equal(
	        ledger_result_name((enum ledger_result)77), "failed");
	/* A word of a later version is not good. */
	OK(db_open(path, false, &db, &err));
	OK(db_exec(db, "UPDATE runs SET result = 'splendid'", &err));
	db_closep(&db);
	assert_runs(ledger_last_run(l, NULL, add_id, &list, &err), "6:failed ");
}

/* --- the dead ------------------------------------------------------------- */

static bool nobody(const struct ledger_process *p)
{
	(void)p;
	return false;
}

struct burying {
	struct ledger *l;
	int seen;
};

static int bury(const struct ledger_run *run, void *arg)
{
	struct burying *b = arg;

	b->seen++;
	OK(ledger_run_died(b->l, run->id, 3000, &err));
	return 0;
}

static int check_died(const struct ledger_run *run, void *arg)
{
	(void)arg;
	assert_int_equal(run->result, LEDGER_DIED);
	assert_int_equal(run->ended, 3000);
	return 0;
}

static void finds_the_dead(void **state)
{
	_cleanup_(ledger_closep) struct ledger *l = open_it();
	struct burying b = {.l = l};
	struct ledger_run run = {.result = LEDGER_GOOD, .ended = 5};

	(void)state;
	run.id = begin(l, UUID, 0);
	OK(ledger_run_end(l, &run, &err));
	for (int i = 0; i < 3; i++)
		(void)begin(l, UUID, 0);
	/* They are ours, and we live. */
	assert_runs(ledger_find_dead(l, NULL, add_id, &list, &err), "");
	assert_runs(ledger_find_dead(l, nobody, add_id, &list, &err),
	        "2:running 3:running 4:running ");
	OK(ledger_find_dead(l, nobody, bury, &b, &err));
	assert_int_equal(b.seen, 3);
	assert_runs(ledger_find_dead(l, nobody, add_id, &list, &err), "");
	assert_int_equal(ledger_last_run(l, NULL, check_died, NULL, &err), 1);
	/* One that ended does not die. */
	OK(ledger_run_died(l, run.id, 3000, &err));
	assert_runs(ledger_history(l, 0, add_id, &list, &err),
	        "4:died 3:died 2:died 1:good ");
}

/* Killed in the middle: durable before, and found afterwards. */
static void a_killed_run_is_found(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)begin(open_it(), UUID, 0);
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	_cleanup_(ledger_closep) struct ledger *l = open_it();
	assert_runs(
	        ledger_find_dead(l, NULL, add_id, &list, &err), "1:running ");
}

static void processes(void **state)
{
	struct ledger_process self, p;
	int fds[2];
	pid_t pid;
	char c;

	(void)state;
	ledger_process_self(&self);
	assert_int_equal(self.pid, getpid());
	assert_true(self.start_ticks > 0);
	assert_int_equal(strlen(self.boot_id), 36);
	assert_true(ledger_process_is_alive(&self));
	/* A name that looks like the fields behind it. */
	assert_int_equal(prctl(PR_SET_NAME, "a) R 1 2 (b"), 0);
	assert_true(ledger_process_is_alive(&self));
	/* The same number, but another process. */
	p = self;
	p.start_ticks++;
	assert_false(ledger_process_is_alive(&p));
	p = self;
	p.boot_id[0] = p.boot_id[0] == 'a' ? 'b' : 'a';
	assert_false(ledger_process_is_alive(&p));
	/* Nothing known of it. */
	p = (struct ledger_process){.pid = 0};
	assert_false(ledger_process_is_alive(&p));
	/* Half known: in doubt it lives. */
	p = self;
	p.start_ticks = 0;
	p.boot_id[0] = '\0';
	assert_true(ledger_process_is_alive(&p));

	/* A child that has ended. */
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(fds[1]);
		_exit(read(fds[0], &c, 1) == 0 ? 0 : 1);
	}
	p = self;
	p.pid = pid;
	p.start_ticks = 0;
	assert_true(ledger_process_is_alive(&p));
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(ledger_process_is_alive(&p));
}

/* --- disks ---------------------------------------------------------------- */

static const struct ledger_disk disk = {
        .uuid = UUID,
        .serial = "SN",
        .model = "Model",
        .size_bytes = 1,
        .label = "L\n\x1b[31m",
        .first_seen = 2,
        .last_seen = 3,
        .last_good = 4,
        .last_good_run = 5,
        .last_run = 6,
        .free_bytes = 7,
        .fs_size_bytes = 8,
        .marker_run = 9,
};

static void disk_put_and_get(void **state)
{
	_cleanup_(ledger_closep) struct ledger *l = open_it();
	struct ledger_disk d, want = disk;

	(void)state;
	assert_int_equal(ledger_disk_get(l, UUID, &d, &err), 0);
	OK(ledger_disk_put(l, &disk, &err));
	for (int round = 0; round < 2; round++) {
		memset(&d, 0xa5, sizeof(d));
		assert_int_equal(ledger_disk_get(l, UUID, &d, &err), 1);
		assert_string_equal(d.uuid, UUID_LOWER);
		assert_string_equal(d.serial, want.serial);
		assert_string_equal(d.model, want.model);
		assert_true(d.size_bytes == want.size_bytes);
		assert_string_equal(d.label, want.label);
		assert_int_equal(d.first_seen, want.first_seen);
		assert_int_equal(d.last_seen, want.last_seen);
		assert_int_equal(d.last_good, want.last_good);
		assert_int_equal(d.last_good_run, want.last_good_run);
		assert_int_equal(d.last_run, want.last_run);
		assert_true(d.free_bytes == want.free_bytes);
		assert_true(d.fs_size_bytes == want.fs_size_bytes);
		assert_int_equal(d.marker_run, want.marker_run);
		assert_int_equal(d.forgotten, want.forgotten);

		/* Replaces, whatever the case of the letters. */
		want = (struct ledger_disk){.uuid = UUID_LOWER,
		        .serial = "X",
		        .model = "Y",
		        .size_bytes = 11,
		        .label = "",
		        .first_seen = 12,
		        .last_seen = 13,
		        .last_good = 14,
		        .last_good_run = 15,
		        .last_run = 16,
		        .free_bytes = 17,
		        .fs_size_bytes = 18,
		        .marker_run = 19,
		        .forgotten = true};
		OK(ledger_disk_put(l, &want, &err));
	}
}

static int add_disk(const struct ledger_disk *d, void *arg)
{
	buf_printf(arg, "%s%s ", d->uuid, d->forgotten ? "!" : "");
	return 0;
}

static int stop(const struct ledger_disk *d, void *arg)
{
	(void)d;
	(void)arg;
	return 5;
}

static void disk_list_and_forget(void **state)
{
	_cleanup_(ledger_closep) struct ledger *l = open_it();
	struct ledger_disk d = disk;

	(void)state;
	assert_runs(ledger_disk_list(l, add_disk, &list, &err), "");
	(void)str_copy(d.uuid, sizeof(d.uuid), "b-2");
	d.first_seen = 20;
	OK(ledger_disk_put(l, &d, &err));
	(void)str_copy(d.uuid, sizeof(d.uuid), "C-3");
	d.first_seen = 10;
	OK(ledger_disk_put(l, &d, &err));
	(void)str_copy(d.uuid, sizeof(d.uuid), "A-1");
	OK(ledger_disk_put(l, &d, &err));
	OK(ledger_disk_forget(l, "c-3", &err));
	assert_runs(
	        ledger_disk_list(l, add_disk, &list, &err), "a-1 c-3! b-2 ");
	assert_int_equal(ledger_disk_get(l, "C-3", &d, &err), 1);
	assert_true(d.forgotten);
	assert_int_equal(ledger_disk_forget(l, "none", &err), -ENOENT);
	assert_non_null(strstr(err.message, "none"));
	assert_int_equal(ledger_disk_list(l, stop, NULL, &err), 5);
}

/* Columns are STRICT. */
static void wrong_types_are_refused(void **state)
{
	struct db *db = NULL;

	(void)state;
	ledger_close(open_it());
	OK(db_open(path, false, &db, &err));
	assert_true(db_exec(db,
	                    "INSERT INTO disks VALUES('u','s','m','big','l',"
	                    "1,1,1,1,1,1,1,1,'adopted')",
	                    &err) < 0);
	assert_true(db_exec(db,
	                    "INSERT INTO disks VALUES('u','s','m',1,'l',"
	                    "1,1,1,1,1,1,1,1,'wrong')",
	                    &err) < 0);
	db_closep(&db);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(opens),
	        T(versions),
	        T(begin_and_end),
	        T(numbers_only_grow),
	        T(history),
	        T(result_names),
	        T(finds_the_dead),
	        T(a_killed_run_is_found),
	        T(processes),
	        T(disk_put_and_get),
	        T(disk_list_and_forget),
	        T(wrong_types_are_refused),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
