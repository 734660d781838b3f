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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/chains.h"
#include "sig.h"
#include "util.h"

static struct chains c;

static int setup(void **state)
{
	(void)state;
	c = CHAINS_INIT;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	chains_done(&c);
	return 0;
}

static void add(const char *path, uint64_t size)
{
	assert_int_equal(chains_add(&c, path, size), 0);
}

static void add_vbm(const char *path, const char *text)
{
	assert_int_equal(chains_add_vbm(&c, path, text, strlen(text)), 0);
}

static void judge(void)
{
	assert_int_equal(chains_judge(&c, NULL), 0);
}

static void newest(const struct chain *ch, const char *any, const char *good)
{
	assert_string_equal(ch->newest->name, any);
	if (!good) {
		assert_null(ch->newest_restorable);
		return;
	}
	assert_non_null(ch->newest_restorable);
	assert_string_equal(ch->newest_restorable->name, good);
}

static void has_problem(const struct chain *ch, const char *text)
{
	if (!strv_has(&ch->problems, text)) {
		for (size_t i = 0; i < ch->problems.len; i++)
			print_message("problem: %s\n", ch->problems.items[i]);
		fail_msg("no problem \"%s\"", text);
	}
}

static void names(void **state)
{
	static const struct {
		const char *name;
		int kind; /* -1 = none */
		const char *job, *time;
	} t[] = {
	        {"JobName2026-11-14T220000.vbk", CHAINS_FULL, "JobName",
	                "2026-11-14T220000"},
	        {"Job_2026-11-14T220000_1A2B.vib", CHAINS_INCREMENT, "Job",
	                "2026-11-14T220000"},
	        {"vm01.vm-123D2026-11-14T220000_F3A1.vbk", CHAINS_FULL,
	                "vm01.vm-123", "2026-11-14T220000"},
	        {"B\xc3\xbcro Server2026-11-06T220000.VRB", CHAINS_REVERSE,
	                "B\xc3\xbcro Server", "2026-11-06T220000"},
	        {"HDD2026-11-14T220000.vib", CHAINS_INCREMENT, "HDD",
	                "2026-11-14T220000"},
	        {"a2020-01-01T000000b2026-11-14T220000.vib", CHAINS_INCREMENT,
	                "a2020-01-01T000000b", "2026-11-14T220000"},
	        {"full.vbk", CHAINS_FULL, "", ""},
	        {"2026-11-14T220000.vbk", CHAINS_FULL, "", "2026-11-14T220000"},
	        {"Job2026-11-14 220000.vbk", CHAINS_FULL, "", ""},
	        {"D2026-11-14T220000.vbk", CHAINS_FULL, "D",
	                "2026-11-14T220000"},
	        {"_2026-11-14T220000.vbk", CHAINS_FULL, "_",
	                "2026-11-14T220000"},
	        {".vbk", -1, "", ""},
	        {"vbk", -1, "", ""},
	        {"", -1, "", ""},
	        {"Job.vbm", -1, "", ""},
	        {".Job2026-11-14T220000.vbk.Ab12Cd", -1, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		enum chains_kind kind;
		char job[256], time[CHAINS_TIME_SIZE];

		if (!chains_parse_name(
		            t[i].name, &kind, job, sizeof job, time)) {
			assert_int_equal(t[i].kind, -1);
			continue;
		}
		assert_int_equal((int)kind, t[i].kind);
		assert_string_equal(job, t[i].job);
		assert_string_equal(time, t[i].time);
	}
}

static void a_complete_chain(void **state)
{
	(void)state;
	add("A/J2026-11-03T220000.vib", 1);
	add("A/J2026-11-01T220000.vbk", 1);
	add("A/J2026-11-02T220000.vib", 1);
	add("A/notes.txt", 1);
	add_vbm("A/J.vbm", "<x F=\"J2026-11-03T220000.vib\"/>");
	judge();
	assert_int_equal(c.items_len, 1);
	assert_true(c.items[0].complete);
	assert_true(c.items[0].vbm);
	assert_int_equal(c.items[0].points, 3);
	assert_int_equal(c.items[0].restorable, 3);
	assert_string_equal(c.items[0].directory, "A");
	assert_string_equal(c.items[0].job, "J");
	newest(&c.items[0], "J2026-11-03T220000.vib", "J2026-11-03T220000.vib");
}

static void nothing_at_all(void **state)
{
	(void)state;
	judge();
	assert_int_equal(c.items_len, 0);
}

static void a_missing_increment(void **state)
{
	(void)state;
	add("A/J2026-11-01T220000.vbk", 1);
	add("A/J2026-11-02T220000.vib", 1);
	add("A/J2026-11-04T220000.vib", 1);
	add("A/J2026-11-05T220000.vib", 1);
	add_vbm("A/J.vbm", "\"C:\\B\\J2026-11-01T220000.vbk\" "
	                   "\"C:\\B\\J2026-11-03T220000.vib\"");
	judge();
	assert_int_equal(c.items_len, 1);
	assert_false(c.items[0].complete);
	assert_int_equal(c.items[0].points, 4);
	assert_int_equal(c.items[0].restorable, 2);
	newest(&c.items[0], "J2026-11-05T220000.vib", "J2026-11-02T220000.vib");
	has_problem(&c.items[0],
	        "J2026-11-03T220000.vib is named in the .vbm but not on the "
	        "disk");
	has_problem(&c.items[0], "2 restore points that depend on it are lost");
}

/* rsync was killed: its temporary file is left. */
static void a_rest(void **state)
{
	(void)state;
	add("A/J2026-11-01T220000.vbk", 1);
	add("A/J2026-11-02T220000.vib", 1);
	add("A/.J2026-11-02T220000.vib.Ab12Cd", 1);
	add("A/.J2026-11-03T220000.vib.Ab12Cd", 1);
	add("A/.J2026-11-04T220000.vib.Ab12C-", 1);
	add("A/.J.vbm.Ab12Cd", 1);
	add_vbm("A/J.vbm", "\"J2026-11-03T220000.vib\"");
	judge();
	assert_int_equal(c.items_len, 1);
	assert_int_equal(c.items[0].points, 2);
	assert_int_equal(c.items[0].problems_total, 1);
	newest(&c.items[0], "J2026-11-03T220000.vib", "J2026-11-02T220000.vib");
	has_problem(&c.items[0],
	        "J2026-11-03T220000.vib is not on the disk, only a part of it "
	        "from a copy that was interrupted");
}

static void size_0(void **state)
{
	(void)state;
	add("J2026-11-01T220000.vbk", 0);
	add("J2026-11-02T220000.vib", 1);
	judge();
	assert_int_equal(c.items_len, 1);
	assert_false(c.items[0].complete);
	assert_false(c.items[0].vbm);
	assert_string_equal(c.items[0].directory, "");
	newest(&c.items[0], "J2026-11-02T220000.vib", NULL);
	has_problem(&c.items[0], "J2026-11-01T220000.vbk has size 0");
	has_problem(&c.items[0], "1 restore point that depends on it is lost");
}

static void orphans(void **state)
{
	(void)state;
	add("A/J2026-11-01T220000.vib", 1);
	add("A/J2026-11-02T220000.vib", 1);
	add("B/K2026-11-01T220000.vrb", 1);
	judge();
	assert_int_equal(c.items_len, 2);
	assert_int_equal(c.items[0].restorable, 0);
	newest(&c.items[0], "J2026-11-02T220000.vib", NULL);
	has_problem(&c.items[0],
	        "J2026-11-01T220000.vib has no full backup before it");
	has_problem(&c.items[1],
	        "K2026-11-01T220000.vrb has no full backup after it");
}

/* Before the first full one an increment, behind the last a reverse one. */
static void orphans_around_a_chain(void **state)
{
	(void)state;
	add("J2026-11-01T220000.vib", 1);
	add("J2026-11-02T220000.vbk", 1);
	add("J2026-11-03T220000.vrb", 1);
	judge();
	assert_int_equal(c.items_len, 2);
	newest(&c.items[0], "J2026-11-03T220000.vrb", NULL);
	assert_int_equal(c.items[0].points, 2);
	assert_true(c.items[1].complete);
	assert_int_equal(c.items[1].points, 1);
}

static void every_full_begins_a_chain(void **state)
{
	(void)state;
	add("A/J2026-11-01T220000.vbk", 1);
	add("A/J2026-11-02T220000.vib", 1);
	add("A/J2026-11-08T220000.vbk", 0);
	add("A/J2026-11-09T220000.vib", 1);
	add("A/K2026-11-09T220000.vbk", 1);
	add("B/J2026-11-09T220000.vbk", 1);
	judge();
	assert_int_equal(c.items_len, 4);
	/* the newest of a job first */
	newest(&c.items[0], "J2026-11-09T220000.vib", NULL);
	assert_false(c.items[0].complete);
	newest(&c.items[1], "J2026-11-02T220000.vib", "J2026-11-02T220000.vib");
	assert_true(c.items[1].complete);
	assert_string_equal(c.items[2].job, "K");
	assert_string_equal(c.items[3].directory, "B");
	assert_true(c.items[3].complete);
}

static void reverse_increments_lead_to_the_full(void **state)
{
	(void)state;
	add("J2026-11-01T220000.vrb", 1);
	add("J2026-11-02T220000.vrb", 0);
	add("J2026-11-03T220000.vrb", 1);
	add("J2026-11-04T220000.vbk", 1);
	add("J2026-11-05T220000.vib", 1);
	judge();
	assert_int_equal(c.items_len, 1);
	assert_false(c.items[0].complete);
	assert_int_equal(c.items[0].points, 5);
	/* 03, 04 and 05 */
	assert_int_equal(c.items[0].restorable, 3);
	newest(&c.items[0], "J2026-11-05T220000.vib", "J2026-11-05T220000.vib");
}

/* A reverse one between two full ones belongs to the later. */
static void reverse_between_full_ones(void **state)
{
	(void)state;
	add("J2026-11-01T220000.vbk", 1);
	add("J2026-11-02T220000.vrb", 1);
	add("J2026-11-03T220000.vbk", 0);
	judge();
	assert_int_equal(c.items_len, 2);
	assert_int_equal(c.items[0].points, 2);
	assert_int_equal(c.items[0].restorable, 0);
	assert_true(c.items[1].complete);
}

static void names_without_a_date(void **state)
{
	(void)state;
	add("Job A/inc1.vib", 1);
	add("Job A/full.vbk", 1);
	add("Job A/Job A.vbm", 5);
	judge();
	assert_int_equal(c.items_len, 1);
	assert_int_equal(c.items[0].points, 2);
	assert_int_equal(c.items[0].restorable, 2);
}

static void the_vbm_of_a_job(void **state)
{
	(void)state;
	add("A/J2026-11-01T220000.vbk", 1);
	add("A/JJ2026-11-01T220000.vbk", 1);
	add("A/K2026-11-01T220000.vbk", 1);
	add("A/L2026-11-01T220000.vbk", 1);
	add_vbm("A/J_1A2B.vbm", "nothing");
	add_vbm("A/other.vbm", "\"K2026-11-01T220000.vbk\"");
	add("A/L.vbm", 0);
	judge();
	assert_int_equal(c.items_len, 4);
	assert_true(c.items[0].vbm);
	assert_false(c.items[1].vbm);
	assert_true(c.items[2].vbm);
	assert_true(c.items[2].complete);
	assert_true(c.items[3].vbm);
	assert_false(c.items[3].complete);
	has_problem(&c.items[3], "L.vbm is empty or cannot be read");
}

/* A .vbm alone: everything it names is gone. */
static void only_the_vbm_is_left(void **state)
{
	(void)state;
	add_vbm("A/J.vbm",
	        "\"J2026-11-01T220000.vbk\" \"J2026-11-02T220000.vib\"");
	add_vbm("A/J_2.vbm", "\"J2026-11-02T220000.vib\"");
	judge();
	assert_int_equal(c.items_len, 1);
	assert_int_equal(c.items[0].points, 0);
	assert_int_equal(c.items[0].problems_total, 2);
	newest(&c.items[0], "J2026-11-02T220000.vib", NULL);
}

static void many_problems_are_counted(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		char name[64];

		(void)snprintf(
		        name, sizeof name, "J2026-11-14T2200%02d.vib", i);
		add(name, 1);
	}
	judge();
	assert_int_equal(c.items_len, 1);
	assert_int_equal(c.items[0].problems.len, CHAINS_PROBLEMS_MAX);
	assert_int_equal(c.items[0].problems_total, 50);
}

static void scan_is(const char *data, size_t len, const char *expected)
{
	_cleanup_strv_ struct strv v = STRV_INIT;
	char got[2000] = "";

	assert_int_equal(chains_scan_vbm(data, len, &v), 0);
	for (size_t i = 0; i < v.len; i++) {
		assert_true(strlen(got) + strlen(v.items[i]) + 2 < sizeof got);
		strncat(got, v.items[i], 300);
		strncat(got, "|", 2);
	}
	assert_string_equal(got, expected);
}

static void scan_xml(void **state)
{
	static const struct {
		const char *text, *names;
	} t[] = {
	        {"", ""},
	        {"<S FilePath=\"b 1.vbk\"/><S FilePath='a.VIB'/>",
	                "a.VIB|b 1.vbk|"},
	        {"<P>E:\\Backup\\Job A\\x.vrb</P>", "x.vrb|"},
	        {"<P>/mnt/backup/x.vbk</P><P>x.vbk</P>", "x.vbk|"},
	        {"\"R&amp;D &#228;&#xE4;.vbk\"", "R&D \xc3\xa4\xc3\xa4.vbk|"},
	        {"\"O'Brien.vbk\"", "O'Brien.vbk|"},
	        {"a='O'Brien.vbk'", "O'Brien.vbk|"},
	        {"\"&lt;.vib\" \"&bad;.vib\" \"&#0;x.vib\"",
	                "&#0;x.vib|&bad;.vib|"},
	        {"\"a&#47;b.vbk\" \"a&#10; c.vbk\"", "b.vbk|c.vbk|"},
	        /* XML in a value of XML */
	        {"A=\"&lt;S F=&quot;E:\\x.vbk&quot;/&gt;&lt;P&gt;y.vib&lt;\"",
	                "x.vbk|y.vib|"},
	        {"A=\"&#60;S F=&#34;x.vbk&#34;/&#62;\"", "x.vbk|"},
	        {"A=\"&lt;S F=&apos;O&apos;Brien.vbk&apos;/&gt;\"",
	                "O'Brien.vbk|"},
	        {"\"x.vbk.tmp\" \"x.vbks\" \"x.vbk_\" \".vbk\" \"x.vbm\"", ""},
	        {"x.vbk", "x.vbk|"},
	        {".vbk", ""},
	        {"\".vbk", ""},
	        {"x.vb", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		scan_is(t[i].text, strlen(t[i].text), t[i].names);
}

static void scan_utf16(void **state)
{
	static const char with_bom[] =
	        "\xff\xfe\"\0\xfc\0 \0\x3d\xd8\x00\xde.\0v\0b\0k\0\"\0";
	static const char without[] = "<\0a\0=\0\"\0x\0.\0v\0i\0b\0\"\0>";
	static const char torn[] = "\xff\xfe\x3d\xd8x\0.\0v\0b\0k\0\"";

	(void)state;
	scan_is(with_bom, sizeof with_bom - 1,
	        "\xc3\xbc \xf0\x9f\x98\x80.vbk|");
	scan_is(without, sizeof without - 1, "x.vib|");
	scan_is(torn, sizeof torn - 1, "\xef\xbf\xbdx.vbk|");
}

static void scan_bounds(void **state)
{
	size_t len = 3000;
	char *data = malloc(len + 6);

	(void)state;
	assert_non_null(data);
	memset(data, 'x', len);
	memcpy(data + len, ".vbk\"", 6);
	scan_is(data, len + 5, "");
	/* the longest name a file system takes */
	memset(data, 'x', 252);
	data[0] = '"';
	memcpy(data + 252, ".vbk\"", 6);
	{
		_cleanup_strv_ struct strv v = STRV_INIT;

		assert_int_equal(chains_scan_vbm(data, 257, &v), 0);
		assert_int_equal(v.len, 1);
		assert_int_equal(strlen(v.items[0]), 255);
	}
	free(data);
}

/* --- the walk ------------------------------------------------------------- */

static char dir[200];

static void make(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	(void)snprintf(full, sizeof full, "%s/%s", dir, path);
	f = fopen(full, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void make_dir(const char *path)
{
	char full[512];

	(void)snprintf(full, sizeof full, "%s/%s", dir, path);
	assert_int_equal(mkdir(full, 0700), 0);
}

static const char *const tree[] = {"A", "A/deep", ".asbackup", "A/.asbackup"};
static const char *const files[] = {"A/J2026-11-01T220000.vbk",
        "A/deep/K2026-11-01T220000.vbk", "A/deep/K2026-11-02T220000.vib",
        "A/J.vbm", ".asbackup/X2026-11-01T220000.vbk",
        "A/.asbackup/Y2026-11-01T220000.vbk", "A/link2026-11-01T220000.vbk",
        "A/loop", "A/fifo.vbm"};

static int make_tree(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char full[512];

	(void)setup(state);
	(void)snprintf(dir, sizeof dir, "%s/chains.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(tree); i++)
		make_dir(tree[i]);
	for (size_t i = 0; i < 6; i++)
		make(files[i], "\"J2026-11-02T220000.vib\"");
	(void)snprintf(full, sizeof full, "%s/%s", dir, files[6]);
	assert_int_equal(symlink("J2026-11-01T220000.vbk", full), 0);
	(void)snprintf(full, sizeof full, "%s/%s", dir, files[7]);
	assert_int_equal(symlink("..", full), 0);
	(void)snprintf(full, sizeof full, "%s/%s", dir, files[8]);
	assert_int_equal(mkfifo(full, 0600), 0);
	return 0;
}

static int remove_tree(void **state)
{
	char full[512];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(full, sizeof full, "%s/%s", dir, files[i]);
		(void)unlink(full);
	}
	for (size_t i = ARRAY_SIZE(tree); i-- > 0;) {
		(void)snprintf(full, sizeof full, "%s/%s", dir, tree[i]);
		(void)rmdir(full);
	}
	(void)teardown(state);
	return rmdir(dir);
}

static void the_walk(void **state)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(chains_read(&c, fd, NULL), 0);
	(void)close(fd);
	judge();
	assert_int_equal(c.unreadable, 0);
	assert_int_equal(c.items_len, 3);
	assert_string_equal(c.items[0].directory, "A");
	assert_string_equal(c.items[0].job, "J");
	assert_true(c.items[0].vbm);
	/* J.vbm names one more */
	assert_false(c.items[0].complete);
	assert_int_equal(c.items[0].points, 1);
	/* only the one at the top is ours */
	assert_string_equal(c.items[1].directory, "A/.asbackup");
	assert_string_equal(c.items[2].directory, "A/deep");
	assert_true(c.items[2].complete);
	assert_int_equal(c.items[2].points, 2);
}

static void the_walk_can_be_ended(void **state)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_INIT;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sig_init(NULL), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(chains_read(&c, fd, &err), -ECANCELED);
	assert_true(err.message[0]);
	sig_reset();
	(void)close(fd);
	assert_true(chains_read(&c, -1, &err) < 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define WALK(f) cmocka_unit_test_setup_teardown(f, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(names),
	        TEST(a_complete_chain),
	        TEST(nothing_at_all),
	        TEST(a_missing_increment),
	        TEST(a_rest),
	        TEST(size_0),
	        TEST(orphans),
	        TEST(orphans_around_a_chain),
	        TEST(every_full_begins_a_chain),
	        TEST(reverse_increments_lead_to_the_full),
	        TEST(reverse_between_full_ones),
	        TEST(names_without_a_date),
	        TEST(the_vbm_of_a_job),
	        TEST(only_the_vbm_is_left),
	        TEST(many_problems_are_counted),
	        TEST(scan_xml),
	        TEST(scan_utf16),
	        TEST(scan_bounds),
	        WALK(the_walk),
	        WALK(the_walk_can_be_ended),
	};

	return cmocka_run_group_tests_name("chains", tests, NULL, NULL);
}
