/* SPDX-License-Identifier: MIT */
/*
 * i18n: which language people are spoken to in (gettext, domain "asbackup").
 *
 * Every sentence for people is written _("..."). Sentences that stand in
 * tables are marked N_("...") and translated where they are used.
 * Machines are never spoken to in a translated language: JSON keys, log
 * levels, exit codes and state names stay as they are.
 */
#ifndef BASE_I18N_H
#define BASE_I18N_H

#include <libintl.h>

#define _(s) gettext(s)
#define N_(s) (s)
#define P_(one, many, n) ngettext(one, many, n)

/*
 * Binds the message catalogue and takes the language from the environment
 * (LC_ALL, LC_MESSAGES, LANG, LANGUAGE).  The catalogue lies in
 * $ASBACKUP_LOCALEDIR if set (tests, build tree), else in LOCALEDIR.
 * LC_NUMERIC stays "C" whatever the environment says: rsync's and our own
 * numbers are parsed with it.
 */
void i18n_init(void);

/*
 * Speaks @language ("de", "en") from now on; NULL or "" means as at
 * i18n_init().  Works without installed locales (C.UTF-8 plus LANGUAGE).
 * Returns 0, or -EINVAL when the name is not letters, '_', '.', '@' (digits
 * and '-' only behind the '.', as in "de_DE.UTF-8").
 */
int i18n_set_language(const char *language);

/* The language in force: "en", "de", ...; for mails' Content-Language. It is
 * that of the catalogue in use ("Language:" in its header), so "en" when
 * there is none for the language that was asked for. */
const char *i18n_language(void);

/* The decimal sign of the language in force: '.' or ','. */
char i18n_decimal_sign(void);

#endif
