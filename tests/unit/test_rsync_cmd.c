/* SPDX-License-Identifier: MIT */
/*
 * The vector, and what a real rsync does with it: the marker's directory and
 * the lock file survive, nothing that is not ours is deleted.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/rsync_cmd.h"
#include "core/rsync_out.h"
#include "core/settings.h"
#include "path.h"
#include "proc.h"
#include "util.h"

static char dir[200];
static struct settings s;
static struct strv argv, keep;
static struct err err;
static char program_path[] = "/usr/bin/rsync";
static struct rsync_program program;

static const char *below(const char *path)
{
	static char full[4][600];
	static unsigned next;
	char *dst = full[next++ % ARRAY_SIZE(full)];

	(void)snprintf(dst, sizeof full[0], "%s/%s", dir, path);
	return dst;
}

static void make(const char *path, const char *text)
{
	_cleanup_free_ char *parent = path_dirname(below(path));
	FILE *f;

	assert_non_null(parent);
	assert_int_equal(path_mkdirs(parent, 0755, NULL), 0);
	f = fopen(below(path), "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static bool contains(const char *path, const char *text)
{
	_cleanup_free_ char *data = NULL;
	size_t len;

	return path_read_file(below(path), 1000, &data, &len) == 0 &&
	       strcmp(data, text) == 0;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(below(path), &st) == 0;
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(
	        dir, sizeof dir, "%s/rsync_cmd.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	memset(&s, 0, sizeof s);
	argv = keep = STRV_INIT;
	err = ERR_INIT;
	program = (struct rsync_program){
	        .path = program_path, .has_xxh128 = true};
	return 0;
}

static int teardown(void **state)
{
	char *const rm[] = {(char[]){"/bin/rm"}, (char[]){"-rf"}, dir, NULL};
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "rm", .argv = rm};
	struct proc_result res;

	(void)state;
	strv_done(&argv);
	strv_done(&keep);
	free(s.source);
	free(s.rsync_excludes);
	return proc_run(&spec, &res, NULL) < 0 || res.exit_code ? -1 : 0;
}

static void set_source(const char *path)
{
	free(s.source);
	s.source = strdup(path);
	assert_non_null(s.source);
}

static void keeping(const char *name)
{
	assert_int_equal(strv_add(&keep, name), 0);
}

static int build(enum rsync_purpose purpose, const char *fstype, bool before)
{
	struct rsync_cmd cmd = {
	        .purpose = purpose,
	        .program = &program,
	        .fstype = fstype,
	        .delete_before = before,
	        .keep = keep,
	};

	strv_done(&argv);
	err = ERR_INIT;
	return rsync_cmd_build(&cmd, &s, &argv, &err);
}

static size_t place(const char *word)
{
	for (size_t i = 0; i < argv.len; i++)
		if (strcmp(argv.items[i], word) == 0)
			return i;
	fail_msg("no %s", word);
	return 0;
}

static void safe_on_posix(void **state)
{
	static const char *const words[] = {"-a", "--numeric-ids",
	        "--no-devices", "--delete-after", "--no-human-readable",
	        "--stats", "--out-format=asb|%i|%l|%C|%n", "--info=progress2",
	        "--exclude=/.asbackup", "--filter=P /lost+found",
	        "--filter=P /System Volume Information",
	        "--filter=P /$RECYCLE.BIN", "--bwlimit=5000"};

	(void)state;
	set_source("/data/");
	s.bandwidth_limit_kib = 5000;
	keeping(".asbackup");
	assert_int_equal(build(RSYNC_COPY, "ext4", false), 0);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		(void)place(words[i]);
	assert_false(strv_has(&argv, "--dry-run"));
	assert_false(strv_has(&argv, "-K"));
	assert_false(strv_has(&argv, "--delete-before"));
	assert_string_equal(argv.items[0], "/usr/bin/rsync");
	assert_string_equal(argv.items[argv.len - 3], "--");
	assert_string_equal(argv.items[argv.len - 2], "/data/");
	assert_string_equal(argv.items[argv.len - 1], "./");
	/* a dry run moves nothing that could be too fast */
	assert_int_equal(build(RSYNC_PLAN, "ext4", false), 0);
	assert_false(strv_has(&argv, "--bwlimit=5000"));
}

static void safe_elsewhere(void **state)
{
	static const struct {
		const char *fstype, *window;
	} t[] = {{"vfat", "--modify-window=2"}, {"exfat", "--modify-window=1"},
	        {"ntfs3", "--modify-window=0"}};

	(void)state;
	set_source("/data");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(build(RSYNC_COPY, t[i].fstype, true), 0);
		(void)place("-rt");
		(void)place(t[i].window);
		(void)place("--delete-before");
		assert_false(strv_has(&argv, "-a"));
		assert_false(strv_has(&argv, "--delete-after"));
	}
}

static void classic(void **state)
{
	(void)state;
	set_source("/data");
	s.rsync_options = SETTINGS_RSYNC_CLASSIC;
	assert_int_equal(build(RSYNC_COPY, "ext4", false), 0);
	(void)place("-rtv");
	(void)place("--size-only");
	(void)place("--inplace");
	(void)place("--delete-before");
	assert_false(strv_has(&argv, "-a"));
	assert_false(strv_has(&argv, "--delete-after"));
}

static const char *dry(const char *word)
{
	return strcmp(word, "--delete-after") == 0 ? "--delete-delay" : word;
}

/* A list in front costs time: only where there is something to delete. */
static void nothing_to_delete(void **state)
{
	struct rsync_cmd cmd = {
	        .purpose = RSYNC_COPY,
	        .program = &program,
	        .fstype = "ext4",
	        .no_deletes = true,
	};

	(void)state;
	set_source("/data");
	strv_done(&argv);
	assert_int_equal(rsync_cmd_build(&cmd, &s, &argv, &err), 0);
	assert_false(strv_has(&argv, "--delete-after"));
	assert_false(strv_has(&argv, "--delete-delay"));
	(void)place("--info=progress2");
	cmd.small_files = true;
	strv_done(&argv);
	assert_int_equal(rsync_cmd_build(&cmd, &s, &argv, &err), 0);
	assert_false(strv_has(&argv, "--info=progress2"));
	/* The checks look for deletes all the same. */
	cmd.purpose = RSYNC_CHECK_SAME;
	strv_done(&argv);
	assert_int_equal(rsync_cmd_build(&cmd, &s, &argv, &err), 0);
	(void)place("--delete-delay");
}

/* Only these may differ between plan, copy and check. */
static void one_method_for_all(void **state)
{
	static const char *const fstypes[] = {"ext4", "exfat"};
	_cleanup_strv_ struct strv copy = STRV_INIT;

	(void)state;
	set_source("/data");
	keeping(".asbackup");
	for (unsigned i = 0; i < 8; i++) {
		size_t info;

		s.rsync_options =
		        i & 1 ? SETTINGS_RSYNC_CLASSIC : SETTINGS_RSYNC_SAFE;
		assert_int_equal(
		        build(RSYNC_COPY, fstypes[i >> 1 & 1], i & 4), 0);
		info = place("--info=progress2");
		strv_done(&copy);
		copy = argv;
		argv = STRV_INIT;
		for (int p = RSYNC_PLAN; p <= RSYNC_CHECK_SAME; p += 2) {
			assert_int_equal(build((enum rsync_purpose)p,
			                         fstypes[i >> 1 & 1], i & 4),
			        0);
			assert_int_equal(argv.len, copy.len);
			for (size_t k = 0; k < argv.len; k++)
				assert_string_equal(argv.items[k],
				        k == info ? "--dry-run"
				                  : dry(copy.items[k]));
		}
	}
}

static void excludes(void **state)
{
	(void)state;
	set_source("/data");
	keeping(".asbackup");
	make("rules", "*.tmp\n- /cache/\n; a ! in a comment\n!important\n");
	s.rsync_excludes = strdup(below("rules"));
	assert_int_equal(build(RSYNC_COPY, "ext4", false), 0);
	/* ours come first: the first that fits wins */
	assert_true(place("--exclude=/.asbackup") + 4 == argv.len - 4);
	assert_memory_equal(argv.items[argv.len - 4], "--exclude-from=", 15);

	make("rules", "*.tmp\r\n ! \r\n");
	assert_int_equal(build(RSYNC_COPY, "ext4", false), -EINVAL);
	assert_true(err.message[0] && err.action[0]);
	make("rules", "!");
	assert_int_equal(build(RSYNC_COPY, "ext4", false), -EINVAL);
	free(s.rsync_excludes);
	s.rsync_excludes = strdup(below("no-rules"));
	assert_int_equal(build(RSYNC_COPY, "ext4", false), -ENOENT);
	free(s.rsync_excludes);
	s.rsync_excludes = strdup("rules");
	assert_int_equal(build(RSYNC_COPY, "ext4", false), -EINVAL);
}

static void refused(void **state)
{
	char name[] = "rsync";
	struct rsync_program relative = {.path = name};
	struct rsync_cmd cmd = {.program = &relative, .fstype = "ext4"};

	(void)state;
	assert_int_equal(build(RSYNC_COPY, "ext4", false), -EINVAL);
	set_source("host:/data");
	assert_int_equal(build(RSYNC_COPY, "ext4", false), -EINVAL);
	set_source("/data");
	assert_int_equal(rsync_cmd_build(&cmd, &s, &argv, &err), -EINVAL);
}

static void patterns(void **state)
{
	(void)state;
	set_source("/data");
	keeping("a*b?[c]\\d");
	keeping("back\\slash");
	keeping("./sub//dir/lock/");
	keeping("/");
	assert_int_equal(build(RSYNC_COPY, "ext4", false), 0);
	(void)place("--exclude=/a\\*b\\?\\[c\\]\\\\d");
	/* without a wildcard rsync takes it for itself */
	(void)place("--exclude=/back\\slash");
	(void)place("--exclude=/sub//dir/lock");
	(void)place("--filter=P /sub");
	(void)place("--filter=P /sub//dir");
}

/* --- with a real rsync ------------------------------------------------------
 */

static int run(enum rsync_purpose purpose)
{
	_cleanup_close_ int fd = -1;
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "rsync"};
	struct proc_result res;

	if (access("/usr/bin/rsync", X_OK) < 0) {
		print_message("no rsync\n");
		skip();
	}
	assert_int_equal(build(purpose, "ext4", false), 0);
	fd = open(below("dst"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	spec.argv = argv.items;
	spec.cwd_fd = fd;
	assert_int_equal(proc_run(&spec, &res, NULL), 0);
	return res.exit_code;
}

static void make_world(void)
{
	make("src/A/full.vbk", "full");
	make("src/.asbackup/marker.json", "theirs");
	make("src/backup.lock", "theirs");
	make("src/odd*[1]\\.lock", "theirs");
	make("dst/.asbackup/marker.json", "ours");
	make("dst/backup.lock", "ours");
	make("dst/odd*[1]\\.lock", "ours");
	make("dst/sub/dir/lock", "ours");
	make("dst/lost+found/x", "ours");
	make("dst/System Volume Information/x", "ours");
	make("dst/$RECYCLE.BIN/x", "ours");
	make("dst/old.vbk", "old");
	make("dst/odd1.lock", "old");
	keeping(".asbackup");
	keeping("backup.lock");
	keeping("odd*[1]\\.lock");
	keeping("sub/dir/lock");
}

static void assert_ours(void)
{
	assert_true(contains("dst/.asbackup/marker.json", "ours"));
	assert_true(contains("dst/backup.lock", "ours"));
	assert_true(contains("dst/odd*[1]\\.lock", "ours"));
	assert_true(contains("dst/sub/dir/lock", "ours"));
	assert_true(contains("dst/lost+found/x", "ours"));
	assert_true(contains("dst/System Volume Information/x", "ours"));
	assert_true(contains("dst/$RECYCLE.BIN/x", "ours"));
}

static void contents_of_the_source(void **state)
{
	(void)state;
	for (int mode = 0; mode < 2; mode++) {
		s.rsync_options =
		        mode ? SETTINGS_RSYNC_CLASSIC : SETTINGS_RSYNC_SAFE;
		strv_done(&keep);
		make_world();
		set_source(below("src/"));
		assert_int_equal(run(RSYNC_PLAN), 0);
		assert_true(exists("dst/old.vbk"));
		assert_int_equal(run(RSYNC_COPY), 0);
		assert_ours();
		assert_true(contains("dst/A/full.vbk", "full"));
		/* what is not in the source goes */
		assert_false(exists("dst/old.vbk"));
		assert_false(exists("dst/odd1.lock"));
	}
}

static void the_directory_itself(void **state)
{
	(void)state;
	for (int mode = 0; mode < 2; mode++) {
		s.rsync_options =
		        mode ? SETTINGS_RSYNC_CLASSIC : SETTINGS_RSYNC_SAFE;
		strv_done(&keep);
		make_world();
		make("dst/src/gone.vib", "old");
		set_source(below("src"));
		assert_int_equal(run(RSYNC_COPY), 0);
		assert_ours();
		assert_true(contains("dst/src/A/full.vbk", "full"));
		assert_false(exists("dst/src/gone.vib"));
		/* beside the directory nothing is touched */
		assert_true(exists("dst/old.vbk"));
		assert_true(exists("dst/odd1.lock"));
		/* deeper it is a name like any other */
		assert_true(
		        contains("dst/src/.asbackup/marker.json", "theirs"));
	}
}

/* Rules of the user cannot open what ours close. */
static void excludes_cannot_undo_ours(void **state)
{
	(void)state;
	make_world();
	make("rules", "+ /.asbackup/***\n+ /backup.lock\n+ *\n");
	s.rsync_excludes = strdup(below("rules"));
	set_source(below("src/"));
	assert_int_equal(run(RSYNC_COPY), 0);
	assert_ours();
	assert_false(exists("dst/old.vbk"));
}

static void the_rsync_of_this_machine(void **state)
{
	struct rsync_program found;

	(void)state;
	if (access("/usr/bin/rsync", X_OK) < 0) {
		print_message("no rsync\n");
		skip();
	}
	if (rsync_cmd_find(&found, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(found.path[0] == '/');
	assert_true(found.version[0] >= '3');
	if (strcmp(found.version, "3.2.7") == 0)
		assert_true(found.note[0]);
	rsync_program_done(&found);
}

static void versions(void **state)
{
	static const struct {
		const char *output;
		int r;
		const char *version;
		bool note, hashes;
	} t[] = {
	        {"rsync  version 3.1.0  protocol version 31\n", 0, "3.1.0",
	                true, false},
	        {"rsync  version 3.2.7  protocol version 31\n    xxh128 xxh3\n",
	                0, "3.2.7", true, true},
	        {"rsync  version 3.2.0  protocol version 31\n    md5 none\n", 0,
	                "3.2.0", true, false},
	        {"rsync  version v3.4.2dev  protocol version 32\nxxh128", 0,
	                "3.4.2dev", true, true},
	        {"rsync  version 3.5.0  protocol version 32\nxxh128", 0,
	                "3.5.0", false, true},
	        {"rsync  version 4.0  protocol version 33\nxxh128", 0, "4.0",
	                false, true},
	        {"rsync  version 10.1.2\nxxh128", 0, "10.1.2", false, true},
	        {"rsync  version 3.0.9  protocol version 30\n", -EOPNOTSUPP,
	                "3.0.9", false, true},
	        {"rsync  version 2.6.9\n", -EOPNOTSUPP, "2.6.9", false, true},
	        {"openrsync: protocol version 29\n", -EPROTO, "", false, true},
	        {"rsync  version x\n", -EPROTO, "", false, true},
	        {"rsync  version \n", -EPROTO, "", false, true},
	        {"rsync  version 3\n", -EPROTO, "", false, true},
	        {"", -EPROTO, "", false, true},
	};

	(void)state;
	set_source("/data");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		err = ERR_INIT;
		program = (struct rsync_program){.path = program_path};
		assert_int_equal(
		        rsync_cmd_judge_version(&program, t[i].output, &err),
		        t[i].r);
		assert_string_equal(program.version, t[i].version);
		assert_int_equal(program.note[0] != '\0', t[i].note);
		if (t[i].r < 0) {
			assert_true(err.message[0] && err.action[0]);
			continue;
		}
		assert_int_equal(build(RSYNC_COPY, "ext4", false), 0);
		assert_int_equal(strv_has(&argv, "--checksum-choice=xxh128"),
		        t[i].hashes);
		/* MD5 must not pass for XXH128 */
		assert_int_equal(
		        strv_has(&argv, "--out-format=" RSYNC_OUT_FORMAT),
		        t[i].hashes);
		assert_int_equal(
		        strv_has(&argv, "--out-format=" RSYNC_OUT_NO_HASH),
		        !t[i].hashes);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(safe_on_posix),
	        TEST(safe_elsewhere),
	        TEST(classic),
	        TEST(nothing_to_delete),
	        TEST(one_method_for_all),
	        TEST(excludes),
	        TEST(refused),
	        TEST(patterns),
	        TEST(contents_of_the_source),
	        TEST(the_directory_itself),
	        TEST(excludes_cannot_undo_ours),
	        TEST(versions),
	        TEST(the_rsync_of_this_machine),
	};

	return cmocka_run_group_tests_name("rsync_cmd", tests, NULL, NULL);
}
