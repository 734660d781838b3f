/* SPDX-License-Identifier: MIT */
/* settings_print: the settings as a configuration file (--print-config). */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "str.h"

#include "core/settings_disks.h"
#include "core/settings_table.h"
#include "core/settings_value.h"

/* Would the reader take @value for something else when it has no quotes? */
static bool needs_quotes(const char *value)
{
	size_t len = strlen(value);

	if (len == 0)
		return false;
	if (strchr("\"' \t", value[0]) || strchr(" \t", value[len - 1]))
		return true;
	for (const char *p = value; *p; p++) {
		if ((*p == ';' || *p == '#') &&
		        (p == value || p[-1] == ' ' || p[-1] == '\t'))
			return true;
		if (*p == '%' && (p[1] == '%' || p[1] == '('))
			return true;
	}
	return false;
}

static void print_line(struct buf *b, const char *key, const char *value)
{
	const char *quote = "";

	if (needs_quotes(value))
		quote = strchr(value, '"') ? "'" : "\"";
	buf_printf(b, "%s =%s%s%s%s\n", key, *value ? " " : "", quote, value,
	        quote);
}

static void print_disk(struct buf *b, const struct settings_disk *disk)
{
	buf_printf(b, "\n[disk %s]\n", disk->name);
	print_line(b, "uuid", disk->uuid);
	buf_adds(b, "mail =");
	for (size_t i = 0; i < disk->mail.len; i++)
		buf_printf(b, "%s %s", i > 0 ? "," : "", disk->mail.items[i]);
	buf_addc(b, '\n');
	print_line(b, "label", disk->label ? disk->label : "");
}

/* False = out of memory. */
static bool print_key(struct buf *b, const struct settings *s,
        const struct settings_spec *spec)
{
	_cleanup_free_ char *value = NULL;

	if (spec->type == SETTINGS_SECRET)
		/* where it came from is not kept, and not needed */
		value = strdup(
		        *s->mail_password && str_eq(spec->pub.key, "password")
		                ? "****"
		                : "");
	else if (spec->type == SETTINGS_DISKS)
		value = settings_disks_list(s);
	else
		value = settings_value_get(s, spec);
	if (value)
		print_line(b, spec->pub.key, value);
	return value != NULL;
}

char *settings_print(const struct settings *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	const struct settings_spec *spec;
	const char *section = "";

	for (size_t i = 0; (spec = settings_table_at(i)) != NULL; i++) {
		bool first = !str_eq(section, spec->pub.section);

		section = spec->pub.section;
		if (str_eq(section, SETTINGS_DISK_SECTION)) {
			for (size_t j = 0; first && j < s->disks_len; j++)
				if (s->disks[j].name)
					print_disk(&b, &s->disks[j]);
			continue;
		}
		if (first)
			buf_printf(&b, "%s[%s]\n", i > 0 ? "\n" : "", section);
		if (!print_key(&b, s, spec))
			return NULL;
	}
	return buf_take(&b);
}
