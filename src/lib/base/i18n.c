/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "i18n.h"
#include "paths.h"
#include "str.h"

#define DOMAIN "asbackup"

/* gettext's own counter: it keeps what it looked up until this changes, and
 * does not see a new value of LANGUAGE otherwise. */
extern int _nl_msg_cat_cntr;

static struct {
	char locale[64];    /* LC_MESSAGES at i18n_init() */
	char language[128]; /* LANGUAGE at i18n_init(); "" = not set */
	char code[16];      /* the language in force; "" = "en" */
} state;

/*
 * The language of the catalogue that gettext really found, not of the one
 * that was asked for: the translation of "" is the catalogue's header, and
 * that has a line "Language: de".
 */
static void find_code(void)
{
	const char *line = strstr(dgettext(DOMAIN, ""), "Language:");
	size_t len;

	(void)str_copy(state.code, sizeof(state.code), "en");
	if (!line)
		return;
	line += strlen("Language:");
	line += strspn(line, " ");
	len = strspn(line, "abcdefghijklmnopqrstuvwxyz");
	if (len < 2 || len > 3)
		return;
	memcpy(state.code, line, len);
	state.code[len] = '\0';
}

static void apply(const char *locale, const char *language)
{
	/* gettext does not look at LANGUAGE while the locale is called "C";
	 * C.UTF-8 needs nothing installed and has another name. */
	if (!setlocale(LC_MESSAGES, locale))
		(void)setlocale(LC_MESSAGES, "C.UTF-8");
	if (*language)
		(void)setenv("LANGUAGE", language, 1);
	else
		(void)unsetenv("LANGUAGE");
	_nl_msg_cat_cntr++;
	find_code();
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "de_DE.UTF-8@euro" is fine; "../../x" would be a path below LOCALEDIR. */
static bool is_language_name(const char *name)
{
	bool codeset = false;

	for (const char *p = name; *p; p++) {
		if (is_letter(*p) || *p == '_' || *p == '@')
			continue;
		if (*p == '.' && p > name && p[1] != '.') {
			codeset = true;
			continue;
		}
		if (codeset && (*p == '-' || (*p >= '0' && *p <= '9')))
			continue;
		return false;
	}
	return is_letter(*name);
}

/* The name of the locale for messages as setlocale(3) would find it. */
static const char *locale_of_environment(void)
{
	static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return value;
	}
	return "C";
}

void i18n_init(void)
{
	const char *dir = secure_getenv("ASBACKUP_LOCALEDIR");
	const char *locale = locale_of_environment();
	const char *language = getenv("LANGUAGE");

	(void)bindtextdomain(DOMAIN, dir && *dir ? dir : PATH_LOCALEDIR);
	(void)bind_textdomain_codeset(DOMAIN, "UTF-8");
	(void)textdomain(DOMAIN);

	/* The C library's own texts (strerror) come in LC_CTYPE's charset. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");

	/* A locale that is not installed still says which language is meant. */
	if (str_is_empty(language) && !setlocale(LC_MESSAGES, locale) &&
	        is_language_name(locale))
		language = locale;

	(void)str_copy(state.locale, sizeof(state.locale), locale);
	(void)str_copy(state.language, sizeof(state.language),
	        language ? language : "");
	apply(state.locale, state.language);
}

int i18n_set_language(const char *language)
{
	const char *locale = state.locale;

	if (str_is_empty(language)) {
		apply(*locale ? locale : "C", state.language);
		return 0;
	}
	if (!is_language_name(language))
		return -EINVAL;

	if (!*locale || str_eq(locale, "C") || str_eq(locale, "POSIX"))
		locale = "C.UTF-8";
	apply(locale, language);
	return 0;
}

const char *i18n_language(void)
{
	return state.code[0] ? state.code : "en";
}

char i18n_decimal_sign(void)
{
	/* Of the languages that a catalogue exists for. */
	return str_eq(i18n_language(), "en") ? '.' : ',';
}
