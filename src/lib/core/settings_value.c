/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "i18n.h"
#include "num.h"
#include "path.h"
#include "str.h"
#include "text.h"

#include "core/settings_value.h"

/* More is no limit for any disk. */
#define RATE_MAX_KIB 1000000000

static void *member(struct settings *s, const struct settings_spec *spec)
{
	return (char *)s + spec->offset;
}

static const void *const_member(
        const struct settings *s, const struct settings_spec *spec)
{
	return (const char *)s + spec->offset;
}

char *settings_value_shown(char dst[64], const char *value)
{
	if (str_copy(dst, 60, value) < 0)
		memcpy(dst + strlen(dst), "...", sizeof("..."));
	return dst;
}

/* --- checks ----------------------------------------------------------------*/

int settings_value_check_line(const char *value, struct err *err)
{
	if (strchr(value, '\n')) {
		(void)err_set(err, -EINVAL,
		        _("the next line is indented and so is taken as a "
		          "part of this value"));
		err_action(
		        err, _("Remove the blanks at the start of that line."));
		return -EINVAL;
	}
	if (!text_is_header_safe(value)) {
		(void)err_set(err, -EINVAL,
		        _("the value contains a control character"));
		err_action(err, _("Write the value anew."));
		return -EINVAL;
	}
	return 0;
}

/* "//" counts as "/", as for the kernel; the end is cut where it has no
 * meaning. */
static char *squeeze(const char *value, bool keep_end)
{
	char *path = strdup(value);
	size_t to = 0;

	if (!path)
		return NULL;
	for (size_t i = 0; path[i]; i++)
		if (path[i] != '/' || to == 0 || path[to - 1] != '/')
			path[to++] = path[i];
	if (!keep_end && to > 1 && path[to - 1] == '/')
		to--;
	path[to] = '\0';
	return path;
}

int settings_value_path(
        const char *value, enum settings_type type, char **ret, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	char shown[64];

	if (type == SETTINGS_FILE && str_ends(value, "/")) {
		(void)err_set(err, -EINVAL,
		        _("\"%s\" is a directory; this is the path of a file"),
		        settings_value_shown(shown, value));
		err_action(err, _("Write the file's name behind it."));
		return -EINVAL;
	}
	path = squeeze(value, type == SETTINGS_SOURCE);
	if (!path)
		return err_nomem(err);
	if (!path_is_clean_absolute(path)) {
		(void)err_set(err, -EINVAL,
		        *value == '/' ? _("\"%s\" is not a plain path")
		                      : _("\"%s\" is not an absolute path"),
		        settings_value_shown(shown, value));
		err_action(err, _("Write the whole path, beginning with '/' "
		                  "and without \"..\"."));
		return -EINVAL;
	}
	*ret = TAKE_PTR(path);
	return 0;
}

static int parse_lockfile(const char *value, char **ret, struct err *err)
{
	_cleanup_free_ char *rooted = NULL, *path = NULL;
	char shown[64];

	if (*value == '/')
		return settings_value_path(value, SETTINGS_FILE, ret, err);

	path = squeeze(value, true);
	rooted = path ? str_printf("/%s", path) : NULL;
	if (!rooted)
		return err_nomem(err);
	if (!path_is_clean_absolute(rooted) || str_ends(path, "/") ||
	        str_eq(path, ".") || str_ends(path, "/.")) {
		(void)err_set(err, -EINVAL,
		        _("\"%s\" is not a file below the destination"),
		        settings_value_shown(shown, value));
		err_action(err, _("Write a file name without \"..\", as in "
		                  ".asbackup.lock."));
		return -EINVAL;
	}
	*ret = TAKE_PTR(path);
	return 0;
}

static int parse_program(const char *value, char **ret, struct err *err)
{
	_cleanup_free_ char *program = NULL;
	char shown[64];

	program = strndup(value, strcspn(value, " \t"));
	if (!program)
		return err_nomem(err);
	if (!path_is_clean_absolute(program) || str_ends(program, "/")) {
		(void)err_set(err, -EINVAL,
		        _("\"%s\" is not the absolute path of a program"),
		        settings_value_shown(shown, program));
		err_action(err, _("Write the whole path of the program, "
		                  "beginning with '/', then its arguments."));
		return -EINVAL;
	}
	*ret = strdup(value);
	return *ret ? 0 : err_nomem(err);
}

static int parse_language(const char *value, char **ret, struct err *err)
{
	char shown[64];

	for (const char *p = value; *p; p++) {
		char c = *p;

		/* what i18n_set_language() takes */
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		        (p > value && strchr("_.@", c)))
			continue;
		(void)err_set(err, -EINVAL, _("\"%s\" is not a language"),
		        settings_value_shown(shown, value));
		err_action(err, _("Write en or de."));
		return -EINVAL;
	}
	*ret = strdup(value);
	return *ret ? 0 : err_nomem(err);
}

static int parse_host(const char *value, char **ret, struct err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "0123456789.-_:";
	const char *colon = strchr(value, ':');
	char shown[64];

	if (value[strspn(value, allowed)] != '\0' || *value == '-') {
		(void)err_set(err, -EINVAL,
		        _("\"%s\" is not the name or address of a host"),
		        settings_value_shown(shown, value));
		err_action(err, _("Write the name alone, as in "
		                  "mail.example.com."));
		return -EINVAL;
	}
	/* two colons: IPv6 */
	if (colon && !strchr(colon + 1, ':')) {
		(void)err_set(err, -EINVAL, _("\"%s\" is a host with a port"),
		        settings_value_shown(shown, value));
		err_action(err, _("Write the host alone; the port has a key "
		                  "of its own."));
		return -EINVAL;
	}
	*ret = strdup(value);
	return *ret ? 0 : err_nomem(err);
}

int settings_value_address(const char *value, char **ret, struct err *err)
{
	_cleanup_free_ char *address = NULL;
	const char *open = strrchr(value, '<');
	char shown[64];

	if (open && str_ends(open, ">"))
		address = strndup(open + 1, strlen(open) - 2);
	else
		address = strdup(value);
	if (!address)
		return err_nomem(err);
	if (!text_is_mail_address(address)) {
		(void)err_set(err, -EINVAL, _("\"%s\" is not a mail address"),
		        settings_value_shown(shown, value));
		err_action(err, _("Write name@example.com; put a comma "
		                  "between several."));
		return -EINVAL;
	}
	*ret = TAKE_PTR(address);
	return 0;
}

int settings_value_addresses(const char *value, struct strv *v, struct err *err)
{
	_cleanup_strv_ struct strv parts = STRV_INIT;

	if (strv_split(&parts, value, ",;\n") < 0)
		return err_nomem(err);
	for (size_t i = 0; i < parts.len; i++) {
		_cleanup_free_ char *address = NULL;
		int r;

		r = settings_value_address(parts.items[i], &address, err);
		if (r < 0)
			return r;
		if (!strv_has(v, address) && strv_add(v, address) < 0)
			return err_nomem(err);
	}
	return 0;
}

/* --- words and numbers -----------------------------------------------------*/

/* "safe, classic" */
static void list_words(const struct settings_spec *spec, struct buf *b)
{
	for (size_t i = 0; spec->words[i]; i++) {
		if (i > 0)
			buf_adds(b, ", ");
		buf_adds(b, spec->words[i]);
	}
}

static int parse_word(const struct settings_spec *spec, const char *value,
        size_t *ret, struct err *err)
{
	_cleanup_buf_ struct buf words = BUF_INIT;
	char shown[64];

	for (size_t i = 0; spec->words[i]; i++) {
		if (str_eq_nocase(spec->words[i], value)) {
			*ret = i;
			return 0;
		}
	}
	list_words(spec, &words);
	if (buf_failed(&words))
		return err_nomem(err);
	(void)err_set(err, -EINVAL, _("\"%s\" is not known here"),
	        settings_value_shown(shown, value));
	err_action(err, _("Write one of: %s."), words.data);
	return -EINVAL;
}

static int parse_encryption(const struct settings_spec *spec, const char *value,
        size_t *ret, struct err *err)
{
	if (str_eq_nocase(value, "tls") || str_eq_nocase(value, "ssl") ||
	        str_eq_nocase(value, "smtps")) {
		(void)err_set(err, -EINVAL,
		        _("implicit TLS, as on port 465, is not supported"));
		err_action(err, _("Write encryption = starttls and "
		                  "port = 587."));
		return -EINVAL;
	}
	return parse_word(spec, value, ret, err);
}

static int parse_number(const struct settings_spec *spec, const char *value,
        int64_t *ret, struct err *err)
{
	char shown[64];
	int r = num_parse_i64(value, spec->min, spec->max, ret);

	if (r == 0)
		return 0;
	settings_value_shown(shown, value);
	if (r == -ERANGE)
		(void)err_set(err, -EINVAL, _("%s is out of range"), shown);
	else
		(void)err_set(
		        err, -EINVAL, _("\"%s\" is not a whole number"), shown);
	err_action(err, _("Write a number from %lld to %lld, without a unit."),
	        (long long)spec->min, (long long)spec->max);
	return -EINVAL;
}

/* "512", "50M", "1 GB/s", "300KiB" */
static int parse_rate(const char *value, int64_t *ret, struct err *err)
{
	char text[32], shown[64];
	const char *unit;
	uint64_t bytes;
	size_t digits, len;
	int64_t kib;

	if (num_parse_i64(value, 0, RATE_MAX_KIB, &kib) == 0) {
		*ret = kib;
		return 0;
	}
	digits = strspn(value, "0123456789");
	if (strlen(value) >= sizeof(text) || digits == 0)
		goto wrong;
	memcpy(text, value, digits);
	/* blanks before the unit, "/s" behind it and the i of KiB are only
	 * decoration */
	unit = value + digits + strspn(value + digits, " ");
	if (!*unit || strchr("0123456789/", *unit))
		goto wrong;
	memcpy(text + digits, unit, strlen(unit) + 1);
	len = strlen(text);
	if (str_ends(text, "/s"))
		text[len -= 2] = '\0';
	if (str_ends(text, "iB"))
		text[len - 2] = '\0';
	if (num_parse_bytes(text, &bytes) < 0 || bytes / 1024 >= RATE_MAX_KIB)
		goto wrong;
	*ret = (int64_t)((bytes + 1023) / 1024);
	return 0;
wrong:
	(void)err_set(err, -EINVAL, _("\"%s\" is not a rate"),
	        settings_value_shown(shown, value));
	err_action(err, _("Write KiB per second, or a number with K, M or G, "
	                  "as in 50M; 0 means no limit."));
	return -EINVAL;
}

static int parse_bool(const char *value, bool *ret, struct err *err)
{
	char shown[64];

	if (num_parse_bool(value, ret) == 0)
		return 0;
	(void)err_set(err, -EINVAL, _("\"%s\" is neither yes nor no"),
	        settings_value_shown(shown, value));
	err_action(err, _("Write yes or no."));
	return -EINVAL;
}

/* --- into the struct -------------------------------------------------------*/

/* Every type whose member is a char *. */
static int parse_text(const struct settings_spec *spec, const char *value,
        char **ret, struct err *err)
{
	size_t i;
	int r;

	switch ((int)spec->type) {
	case SETTINGS_LANGUAGE:
		return parse_language(value, ret, err);
	case SETTINGS_PATH:
	case SETTINGS_FILE:
	case SETTINGS_SOURCE:
		return settings_value_path(value, spec->type, ret, err);
	case SETTINGS_LOCKFILE:
		return parse_lockfile(value, ret, err);
	case SETTINGS_PROGRAM:
		return parse_program(value, ret, err);
	case SETTINGS_HOST:
		return parse_host(value, ret, err);
	case SETTINGS_ADDRESS:
		return settings_value_address(value, ret, err);
	case SETTINGS_WORD:
		r = parse_word(spec, value, &i, err);
		if (r < 0)
			return r;
		value = spec->words[i];
		break;
	default:
		break;
	}
	*ret = strdup(value);
	return *ret ? 0 : err_nomem(err);
}

static int set_text(char **field, const struct settings_spec *spec,
        const char *value, struct err *err)
{
	char *text;
	int r = parse_text(spec, value, &text, err);

	if (r < 0)
		return r;
	free(*field);
	*field = text;
	return 0;
}

static int set_addresses(struct strv *field, const char *value, struct err *err)
{
	struct strv v = STRV_INIT;
	int r = settings_value_addresses(value, &v, err);

	if (r < 0) {
		strv_done(&v);
		return r;
	}
	strv_done(field);
	*field = v;
	return 0;
}

/* The enums of settings.h all have the size and signedness of this. */
static int set_choice(unsigned *field, const struct settings_spec *spec,
        const char *value, struct err *err)
{
	size_t i;
	int r;

	if (spec->type == SETTINGS_ENCRYPTION)
		r = parse_encryption(spec, value, &i, err);
	else
		r = parse_word(spec, value, &i, err);
	if (r == 0)
		*field = (unsigned)i;
	return r;
}

int settings_value_set(struct settings *s, const struct settings_spec *spec,
        const char *value, struct err *err)
{
	void *field = member(s, spec);
	int r;

	if (spec->type == SETTINGS_ADDRESSES)
		return set_addresses(field, value, err);

	r = settings_value_check_line(value, err);
	if (r < 0)
		return r;
	switch ((int)spec->type) {
	case SETTINGS_NUMBER:
		return parse_number(spec, value, field, err);
	case SETTINGS_RATE:
		return parse_rate(value, field, err);
	case SETTINGS_BOOL:
		return parse_bool(value, field, err);
	case SETTINGS_CHOICE:
	case SETTINGS_ENCRYPTION:
		return set_choice(field, spec, value, err);
	default:
		return set_text(field, spec, value, err);
	}
}

/* --- and back --------------------------------------------------------------*/

static char *join(const struct strv *v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < v->len; i++) {
		if (i > 0)
			buf_adds(&b, ", ");
		buf_adds(&b, v->items[i]);
	}
	return buf_take(&b);
}

char *settings_value_get(
        const struct settings *s, const struct settings_spec *spec)
{
	const void *field = const_member(s, spec);

	switch ((int)spec->type) {
	case SETTINGS_NUMBER:
	case SETTINGS_RATE:
		return str_printf("%" PRId64, *(const int64_t *)field);
	case SETTINGS_BOOL:
		return strdup(*(const bool *)field ? "yes" : "no");
	case SETTINGS_CHOICE:
	case SETTINGS_ENCRYPTION:
		return strdup(spec->words[*(const unsigned *)field]);
	case SETTINGS_ADDRESSES:
		return join(field);
	default:
		return strdup(*(char *const *)field);
	}
}
