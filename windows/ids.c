/* SPDX-License-Identifier: MIT */
#include "ids.h"

#define GUID_LENGTH 36

static bool is_hex(wchar_t c)
{
	return (c >= L'0' && c <= L'9') || (c >= L'a' && c <= L'f') ||
	       (c >= L'A' && c <= L'F');
}

/* Letters and digits of ASCII alone, whatever the locale thinks. */
static bool is_plain(wchar_t c)
{
	return (c >= L'0' && c <= L'9') || (c >= L'a' && c <= L'z') ||
	       (c >= L'A' && c <= L'Z');
}

/* wcschr() finds the end of the string too. */
static bool is_in(const wchar_t *set, wchar_t c)
{
	return c && wcschr(set, c);
}

bool ids_valid(const wchar_t *id)
{
	size_t i;

	if (!is_plain(id[0]) && id[0] != L'{') {
		return false;
	}
	for (i = 0; id[i]; i++) {
		if (!is_plain(id[i]) && !is_in(L"._-{}", id[i])) {
			return false;
		}
		if (i == IDS_LENGTH) {
			return false;
		}
	}

	return true;
}

/* 8-4-4-4-12 digits; reads no further than the first that does not fit. */
static bool is_guid(const wchar_t *s)
{
	for (int i = 0; i < GUID_LENGTH; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != L'-' : !is_hex(s[i])) {
			return false;
		}
	}

	return true;
}

/* Is text[from, to) a word?  Braces and quotes around it belong to it. */
static bool is_word(const wchar_t *text, size_t from, size_t to)
{
	while (from > 0 && is_in(L"{\"'([", text[from - 1])) {
		from--;
	}
	while (is_in(L"}\"')]", text[to])) {
		to++;
	}

	return (from == 0 || is_in(L" \t=,;:", text[from - 1])) &&
	       (!text[to] || is_in(L" \t,;", text[to]));
}

size_t ids_find(const wchar_t *command_line, wchar_t (*ret_ids)[IDS_LENGTH + 1],
        size_t max)
{
	size_t found = 0;
	size_t at = 0;

	while (command_line[at] && found < max) {
		const wchar_t *s = command_line + at;

		if (!is_guid(s) ||
		        !is_word(command_line, at, at + GUID_LENGTH)) {
			at++;
			continue;
		}

		for (size_t i = 0; i < GUID_LENGTH; i++) {
			bool upper = s[i] >= L'A' && s[i] <= L'F';

			ret_ids[found][i] =
			        upper ? (wchar_t)(s[i] - L'A' + L'a') : s[i];
		}
		ret_ids[found][GUID_LENGTH] = 0;
		found++;
		at += GUID_LENGTH;
	}

	return found;
}
