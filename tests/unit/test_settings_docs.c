/* SPDX-License-Identifier: MIT */
/*
 * The commented sample and the manual page say what the table says: the same
 * sections, keys and defaults.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "core/settings.h"
#include "path.h"
#include "str.h"
#include "sys/conf.h"
#include "util.h"

#define SAMPLE "config/config.ini.sample"
#define MANUAL "man/asbackup.conf.5"

static char *source_path(const char *name)
{
	const char *top = getenv("ASBACKUP_SRC");
	char *path = path_join(top ? top : ".", name);

	assert_non_null(path);
	return path;
}

static char *read_source(const char *name)
{
	_cleanup_free_ char *path = source_path(name);
	char *text = NULL;
	size_t len;
	int r = path_read_file(path, 1024 * 1024, &text, &len);

	if (r < 0)
		fail_msg("%s: error %d (run it in the top directory)", path, r);
	return text;
}

/* What a document says of one key. */
struct fact {
	char section[64];
	char key[64];
	char fallback[128];
};
static struct fact facts[200];
static size_t facts_len;

static void add_fact(const char *section, const char *key, size_t key_len,
        const char *fallback, size_t fallback_len)
{
	struct fact *f = &facts[facts_len];

	assert_true(facts_len < ARRAY_SIZE(facts));
	assert_true(key_len < sizeof(f->key));
	assert_true(fallback_len < sizeof(f->fallback));
	(void)str_copy(f->section, sizeof(f->section), section);
	memcpy(f->key, key, key_len);
	f->key[key_len] = '\0';
	memcpy(f->fallback, fallback, fallback_len);
	f->fallback[fallback_len] = '\0';
	facts_len++;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";

/* "[Section]", "#[disk NAME]", "#key = default"; all else is prose. */
static void read_sample_line(char *line, char section[64])
{
	const char *text = *line == '#' ? line + 1 : line;
	size_t key = strspn(text, letters);

	if (*text == '[') {
		(void)str_copy(section, 64, text + 1);
		section[strcspn(section, "]")] = '\0';
	} else if (*line == '#' && key > 0 && str_starts(text + key, " =")) {
		const char *value = text + key + 2;

		value += strspn(value, " ");
		add_fact(section, text, key, value, strlen(value));
	} else if (*line && *line != '#') {
		fail_msg("%s: not commented out: %s", SAMPLE, line);
	}
}

/* ".Ss Section NAME", ".It Ic key", ".It Ic key Pq Cm default". */
static void read_manual_line(char *line, char section[64])
{
	static const char head[] = ".Ss Section ", item[] = ".It Ic ";

	if (str_starts(line, head)) {
		(void)str_copy(section, 64, line + strlen(head));
	} else if (str_starts(line, item)) {
		const char *key = line + strlen(item);
		size_t len = strcspn(key, " ");
		const char *rest = key + len;

		if (str_starts(rest, " Pq Cm "))
			rest += strlen(" Pq Cm ");
		else
			assert_string_equal(rest, "");
		add_fact(section, key, len, rest, strlen(rest));
	}
}

static void read_facts(
        const char *name, void (*read_line)(char *line, char section[64]))
{
	_cleanup_free_ char *text = read_source(name);
	char section[64] = "";
	char *next;

	facts_len = 0;
	for (char *line = text; *line; line = next) {
		size_t len = strcspn(line, "\n");

		next = line + len + (line[len] == '\n');
		line[len] = '\0';
		read_line(line, section);
	}
}

/* Each key of the table once, with its default, and no others. */
static void compare(const char *name)
{
	const struct settings_key *key;
	size_t count = 0;

	for (; (key = settings_key_at(count)) != NULL; count++) {
		size_t found = 0;

		for (size_t i = 0; i < facts_len; i++) {
			if (!str_eq(facts[i].key, key->key) ||
			        !str_eq(facts[i].section, key->section))
				continue;
			found++;
			if (!str_eq(facts[i].fallback, key->fallback))
				fail_msg("%s: [%s] %s: default \"%s\", not "
				         "\"%s\"",
				        name, key->section, key->key,
				        facts[i].fallback, key->fallback);
		}
		if (found != 1)
			fail_msg("%s: [%s] %s stands there %zu times", name,
			        key->section, key->key, found);
	}
	for (size_t i = 0; facts_len > count && i < facts_len; i++)
		print_message(
		        "%s: [%s] %s\n", name, facts[i].section, facts[i].key);
	assert_int_equal(facts_len, count);
}

static void test_sample(void **state)
{
	(void)state;
	read_facts(SAMPLE, read_sample_line);
	compare(SAMPLE);
}

static void test_manual(void **state)
{
	(void)state;
	read_facts(MANUAL, read_manual_line);
	compare(MANUAL);
}

/* As it is installed it can be read, and says nothing. */
static void test_sample_loads(void **state)
{
	_cleanup_free_ char *path = source_path(SAMPLE);
	_cleanup_(conf_freep) struct conf *conf = NULL;
	_cleanup_(settings_freep) struct settings *s = NULL;
	struct err err = ERR_INIT;
	struct settings *none;

	(void)state;
	if (conf_load(path, &conf, &err) < 0 ||
	        settings_load_disks(path, &s, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(conf_count(conf), 0);
	assert_int_equal(s->disks_len, 0);
	assert_true(settings_load(path, &none, &err) < 0);
	assert_non_null(strstr(err.message, "backup-source is missing"));
	assert_null(strstr(err.message, "more error"));
}

/* Taking away every '#' before a key changes nothing. */
static void test_sample_uncommented(void **state)
{
	_cleanup_(settings_freep) struct settings *defaults = settings_new();
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_free_ char *one = NULL, *two = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT;
	const char *tmp = getenv("TMPDIR");
	char path[256];
	struct err err = ERR_INIT;
	const char *section = "";
	int fd, r;

	(void)state;
	read_facts(SAMPLE, read_sample_line);
	for (size_t i = 0; i < facts_len; i++) {
		const struct fact *f = &facts[i];

		if (str_eq(f->section, "disk NAME"))
			continue;
		if (!str_eq(section, f->section))
			buf_printf(&text, "[%s]\n", f->section);
		section = f->section;
		buf_printf(&text, "%s = %s\n", f->key,
		        str_eq(f->key, "backup-source") ? "/srv" : f->fallback);
	}
	(void)snprintf(path, sizeof(path), "%s/settings_docs.XXXXXX",
	        tmp ? tmp : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.data, text.len), text.len);
	close(fd);
	r = settings_load(path, &s, &err);
	(void)unlink(path);
	if (r < 0)
		fail_msg("%s", err.message);

	free(defaults->source);
	defaults->source = strdup("/srv");
	one = settings_print(defaults);
	two = settings_print(s);
	assert_string_equal(one, two);
}

/* The one English sentence of each key. */
static void test_help(void **state)
{
	const struct settings_key *key;

	(void)state;
	for (size_t i = 0; (key = settings_key_at(i)) != NULL; i++) {
		assert_true(strlen(key->help) > 10);
		assert_true(str_ends(key->help, "."));
		assert_true(strlen(key->type) > 0);
		assert_int_equal(strspn(key->key, letters), strlen(key->key));
	}
	assert_null(settings_key_at((size_t)-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_sample),
	        cmocka_unit_test(test_manual),
	        cmocka_unit_test(test_sample_loads),
	        cmocka_unit_test(test_sample_uncommented),
	        cmocka_unit_test(test_help),
	};

	unsetenv("STATE_DIRECTORY");
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("LOGS_DIRECTORY");
	unsetenv("CREDENTIALS_DIRECTORY");
	return cmocka_run_group_tests_name("settings_docs", tests, NULL, NULL);
}
