/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <stdint.h>

enum kind { HOST, USER, PATH, NUMBER };

/* One row for every key of the file. */
struct key {
	const wchar_t *name;
	enum kind kind;
	size_t offset;
	size_t size;             /* room in characters, for texts */
	unsigned least, most;    /* for numbers */
	const wchar_t *standard; /* the default, written as in the file */
};

#define TEXT(name, kind, field, standard)                          \
	{                                                          \
		name, kind, offsetof(struct settings, field),      \
		        sizeof(((struct settings *)NULL)->field) / \
		                sizeof(wchar_t),                   \
		        0, 0, standard                             \
	}
#define NUM(name, field, least, most, standard)                           \
	{                                                                 \
		name, NUMBER, offsetof(struct settings, field), 0, least, \
		        most, standard                                    \
	}

static const struct key keys[] = {
        TEXT(L"host", HOST, host, L""),
        TEXT(L"user", USER, user, L"root"),
        NUM(L"port", port, 1, 65535, L"22"),
        TEXT(L"key", PATH, key, L"id_ed25519"),
        TEXT(L"known-hosts", PATH, known_hosts, L"known_hosts"),
        TEXT(L"ssh", PATH, ssh, L""),
        TEXT(L"log", PATH, log, L""),
        NUM(L"limit-seconds", limit_seconds, 1, 86400, L"540"),
        NUM(L"attempts", attempts, 1, 100, L"3"),
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static bool only(const wchar_t *s, const wchar_t *others)
{
	for (; *s; s++) {
		bool plain = (*s >= L'0' && *s <= L'9') ||
		             (*s >= L'a' && *s <= L'z') ||
		             (*s >= L'A' && *s <= L'Z');

		if (!plain && !wcschr(others, *s)) {
			return false;
		}
	}

	return true;
}

bool settings_host_valid(const wchar_t *host)
{
	return host[0] && host[0] != L'-' && only(host, L".:_-") &&
	       wcslen(host) < sizeof(((struct settings *)NULL)->host) /
	                              sizeof(wchar_t);
}

static bool is_letter(wchar_t c)
{
	return (c >= L'a' && c <= L'z') || (c >= L'A' && c <= L'Z');
}

static bool is_slash(wchar_t c)
{
	return c == L'\\' || c == L'/';
}

/* "C:\x" or "\\server\x" */
static bool is_absolute(const wchar_t *path)
{
	return (is_slash(path[0]) && is_slash(path[1])) ||
	       (is_letter(path[0]) && path[1] == L':' && is_slash(path[2]));
}

/* Relative to a drive or to the current directory of another drive: nobody
 * means that. */
static bool is_half(const wchar_t *path)
{
	return !is_absolute(path) && (is_slash(path[0]) || wcschr(path, L':'));
}

/* ssh expands ${...} in the names of its files; a quote would end ours. */
static bool path_valid(const wchar_t *path)
{
	for (const wchar_t *s = path; *s; s++) {
		if (*s < L' ' || wcschr(L"\"<>|?*", *s)) {
			return false;
		}
	}

	return !wcsstr(path, L"${") && !is_half(path);
}

static bool number(const wchar_t *s, const struct key *key, unsigned *ret)
{
	uint64_t n = 0;

	if (!*s) {
		return false;
	}
	for (; *s; s++) {
		if (*s < L'0' || *s > L'9' || n > key->most) {
			return false;
		}
		n = n * 10 + (uint64_t)(*s - L'0');
	}
	if (n < key->least || n > key->most) {
		return false;
	}

	*ret = (unsigned)n;
	return true;
}

/* Texts that are too long are wrong, never cut. */
static bool store(
        wchar_t *to, size_t size, const wchar_t *first, const wchar_t *second)
{
	if (wcslen(first) + wcslen(second) >= size) {
		return false;
	}
	wcscpy(to, first);
	wcscat(to, second);

	return true;
}

static bool set(struct settings *s, const struct key *key, const wchar_t *value,
        const wchar_t *dir)
{
	char *field = (char *)s + key->offset;
	const wchar_t *prefix = L"";

	switch (key->kind) {
	case NUMBER:
		return number(value, key, (unsigned *)(void *)field);
	case HOST:
		if (value[0] && !settings_host_valid(value)) {
			return false;
		}
		break;
	case USER:
		if (!value[0] || value[0] == L'-' || !only(value, L"._-")) {
			return false;
		}
		break;
	case PATH:
		if (!path_valid(value)) {
			return false;
		}
		if (value[0] && !is_absolute(value)) {
			prefix = dir;
		}
		break;
	}

	return store((wchar_t *)(void *)field, key->size, prefix, value);
}

static const struct key *find(const wchar_t *name)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (wcscmp(keys[i].name, name) == 0) {
			return &keys[i];
		}
	}

	return NULL;
}

static bool is_blank(wchar_t c)
{
	return c == L' ' || c == L'\t' || c == L'\r';
}

/* Without the blanks around it. */
static wchar_t *trim(wchar_t *s)
{
	size_t length;

	while (is_blank(*s)) {
		s++;
	}
	length = wcslen(s);
	while (length > 0 && is_blank(s[length - 1])) {
		s[--length] = 0;
	}

	return s;
}

/* One line.  Returns 0, or -1 with a sentence. */
static int parse_line(struct settings *s, wchar_t *line, unsigned nr,
        const wchar_t *dir, wchar_t *ret_error, size_t error_size)
{
	const struct key *key;
	wchar_t *name = trim(line);
	wchar_t *value;

	if (!name[0] || name[0] == L'#' || name[0] == L';') {
		return 0;
	}

	value = wcschr(name, L'=');
	if (!value) {
		(void)swprintf(ret_error, error_size,
		        L"line %u is not \"key = value\"", nr);
		return -1;
	}
	*value++ = 0;
	name = trim(name);
	value = trim(value);

	key = find(name);
	if (!key) {
		(void)swprintf(ret_error, error_size,
		        L"line %u: there is no key \"%.40ls\"", nr, name);
		return -1;
	}
	if (!set(s, key, value, dir)) {
		(void)swprintf(ret_error, error_size,
		        L"line %u: \"%.200ls\" is no value for %ls", nr, value,
		        name);
		return -1;
	}

	return 0;
}

int settings_parse(struct settings *s, wchar_t *text, const wchar_t *dir,
        wchar_t *ret_error, size_t error_size)
{
	unsigned nr = 0;

	*s = (struct settings){.port = 0};
	for (size_t i = 0; i < KEYS; i++) {
		if (!set(s, &keys[i], keys[i].standard, dir)) {
			(void)swprintf(ret_error, error_size,
			        L"the path %.200ls is too long", dir);
			return -1;
		}
	}

	while (text) {
		wchar_t *end = wcschr(text, L'\n');

		if (end) {
			*end++ = 0;
		}
		if (parse_line(s, text, ++nr, dir, ret_error, error_size) < 0) {
			return -1;
		}
		text = end;
	}

	return 0;
}
