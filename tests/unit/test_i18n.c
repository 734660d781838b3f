/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <locale.h>
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

#include "err.h"
#include "i18n.h"
#include "path.h"
#include "text.h"
#include "util.h"

static char dir[256];

struct message {
	const char *id, *text;
};

/* Sorted by id, as gettext's binary search wants it. */
static const struct message german[] = {
        {"", "Language: de\nContent-Type: text/plain; charset=UTF-8\n"},
        {"error:", "Fehler:"},
        {"out of memory", "zu wenig Arbeitsspeicher f\xc3\xbcr Stra\xc3\x9f"
                          "en"},
};

static void put32(FILE *f, size_t n)
{
	uint32_t word = (uint32_t)n;

	assert_int_equal(fwrite(&word, sizeof(word), 1, f), 1);
}

/* Writes a .mo file (gettext manual, "GNU MO Files"): a header of seven
 * words, two tables of (length, offset), then the strings. */
static void write_catalogue(const char *path, const struct message *m, size_t n)
{
	FILE *f = fopen(path, "we");
	size_t at = 28 + 16 * n;

	assert_non_null(f);
	put32(f, 0x950412de);
	put32(f, 0);
	put32(f, n);
	put32(f, 28);
	put32(f, 28 + 8 * n);
	put32(f, 0);
	put32(f, 28 + 16 * n);
	for (size_t i = 0; i < n; i++) {
		put32(f, strlen(m[i].id));
		put32(f, at);
		at += strlen(m[i].id) + 1;
	}
	for (size_t i = 0; i < n; i++) {
		put32(f, strlen(m[i].text));
		put32(f, at);
		at += strlen(m[i].text) + 1;
	}
	for (size_t i = 0; i < n; i++)
		(void)fwrite(m[i].id, strlen(m[i].id) + 1, 1, f);
	for (size_t i = 0; i < n; i++)
		(void)fwrite(m[i].text, strlen(m[i].text) + 1, 1, f);
	assert_int_equal(fclose(f), 0);
}

static int make_catalogue(void **s)
{
	const char *tmp = getenv("TMPDIR");
	char path[400];

	(void)s;
	(void)snprintf(dir, sizeof(dir), "%s/i18n.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/de/LC_MESSAGES", dir);
	if (path_mkdirs(path, 0700, NULL) < 0)
		return -1;
	(void)snprintf(
	        path, sizeof(path), "%s/de/LC_MESSAGES/asbackup.mo", dir);
	write_catalogue(path, german, ARRAY_SIZE(german));
	return setenv("ASBACKUP_LOCALEDIR", dir, 1);
}

static int remove_catalogue(void **s)
{
	static const char *const names[] = {
	        "/de/LC_MESSAGES/asbackup.mo", "/de/LC_MESSAGES", "/de", ""};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[400];

		(void)snprintf(path, sizeof(path), "%s%s", dir, names[i]);
		if (remove(path) < 0)
			return -1;
	}
	return 0;
}

/* Starts anew with nothing but @name=@value and LANGUAGE=@language. */
static void start(const char *name, const char *value, const char *language)
{
	static const char *const names[] = {
	        "LC_ALL", "LC_MESSAGES", "LANG", "LC_NUMERIC", "LANGUAGE"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unsetenv(names[i]);
	if (name)
		(void)setenv(name, value, 1);
	if (language)
		(void)setenv("LANGUAGE", language, 1);
	i18n_init();
}

static void check_is_english(void)
{
	assert_string_equal(_("error:"), "error:");
	assert_string_equal(i18n_language(), "en");
	assert_int_equal(i18n_decimal_sign(), '.');
}

static void check_is_german(void)
{
	assert_string_equal(_("error:"), "Fehler:");
	/* UTF-8 whatever LC_CTYPE of the environment says. */
	assert_string_equal(_("out of memory"), german[2].text);
	assert_string_equal(i18n_language(), "de");
	assert_int_equal(i18n_decimal_sign(), ',');
}

static void english_before_init(void **s)
{
	(void)s;
	check_is_english();
}

static void language_of_the_environment(void **s)
{
	(void)s;
	start(NULL, NULL, NULL);
	check_is_english();
	start("LANG", "C", NULL);
	check_is_english();
	start("LC_ALL", "POSIX", "de");
	check_is_english();
	/* Not installed, and meant all the same. */
	start("LANG", "de_DE.UTF-8", NULL);
	check_is_german();
	start("LC_MESSAGES", "de_AT", NULL);
	check_is_german();
	start("LC_ALL", "de_DE.ISO-8859-1@euro", NULL);
	check_is_german();
	start("LANG", "C.UTF-8", "de");
	check_is_german();
	start("LANG", "en_GB.UTF-8", "fr:de:en");
	check_is_german();
	/* LC_ALL goes before LANG. */
	(void)setenv("LC_ALL", "C", 1);
	i18n_init();
	check_is_english();
}

static void language_of_the_settings(void **s)
{
	(void)s;
	start("LANG", "C", NULL);
	assert_int_equal(i18n_set_language("de"), 0);
	check_is_german();
	assert_int_equal(i18n_set_language("en"), 0);
	check_is_english();
	assert_int_equal(i18n_set_language("de_DE.UTF-8"), 0);
	check_is_german();
	assert_int_equal(i18n_set_language(""), 0);
	check_is_english();

	start("LANG", "de_DE.UTF-8", NULL);
	assert_int_equal(i18n_set_language("en"), 0);
	check_is_english();
	assert_int_equal(i18n_set_language(NULL), 0);
	check_is_german();
}

static void a_language_without_catalogue_is_english(void **s)
{
	(void)s;
	start("LANG", "C.UTF-8", NULL);
	assert_int_equal(i18n_set_language("fr"), 0);
	check_is_english();
	start("LANG", "tlh", NULL);
	check_is_english();
}

static void bad_names(void **s)
{
	static const char *const names[] = {"../../etc", "de/../x", "/de",
	        "d e", "de\n", "de:en", "4", "de-DE", ".", "..", "_", "@",
	        "de..", "\xc3\xa4", "de;"};

	(void)s;
	start("LANG", "C", NULL);
	assert_int_equal(i18n_set_language("de"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(i18n_set_language(names[i]), -EINVAL);
		check_is_german();
	}
	/* From the environment neither. */
	start("LANG", "../de", NULL);
	check_is_english();
}

static void numbers_stay_machine_readable(void **s)
{
	(void)s;
	start("LC_ALL", "de_DE.UTF-8", NULL);
	assert_string_equal(setlocale(LC_NUMERIC, NULL), "C");
	assert_string_equal(setlocale(LC_TIME, NULL), "C");
	/* Widths on the terminal and strerror() need UTF-8. */
	assert_string_equal(setlocale(LC_CTYPE, NULL), "C.UTF-8");
	assert_true(strtod("1.5", NULL) > 1.4);
}

static void figures_follow_the_language(void **s)
{
	char dst[32];

	(void)s;
	start("LANG", "de_DE.UTF-8", NULL);
	assert_string_equal(text_bytes(dst, 1440000000), "1,4 GB");
	assert_string_equal(text_duration(dst, 800), "0,8 s");
	assert_string_equal(text_count(dst, 1234567), "1.234.567");
	assert_int_equal(i18n_set_language("en"), 0);
	assert_string_equal(text_bytes(dst, 1440000000), "1.4 GB");
}

static void errors_keep_the_language_they_were_set_in(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	start("LANG", "de", NULL);
	(void)err_nomem(&e);
	assert_int_equal(i18n_set_language("en"), 0);
	assert_string_equal(e.message, german[2].text);
	(void)err_nomem(&e);
	assert_string_equal(e.message, "out of memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(english_before_init),
	        cmocka_unit_test(language_of_the_environment),
	        cmocka_unit_test(language_of_the_settings),
	        cmocka_unit_test(a_language_without_catalogue_is_english),
	        cmocka_unit_test(bad_names),
	        cmocka_unit_test(numbers_stay_machine_readable),
	        cmocka_unit_test(figures_follow_the_language),
	        cmocka_unit_test(errors_keep_the_language_they_were_set_in),
	};

	return cmocka_run_group_tests_name(
	        "i18n", tests, make_catalogue, remove_catalogue);
}
