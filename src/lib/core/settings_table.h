/* SPDX-License-Identifier: MIT */
/*
 * settings_table: what keys there are.  Used by settings*.c only.
 */
#ifndef CORE_SETTINGS_TABLE_H
#define CORE_SETTINGS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/settings.h"

enum settings_type {
	SETTINGS_TEXT,       /* char *: one line */
	SETTINGS_LANGUAGE,   /* char *: "de", "en" */
	SETTINGS_PATH,       /* char *: absolute */
	SETTINGS_FILE,       /* char *: absolute, not ending in a slash */
	SETTINGS_SOURCE,     /* char *: absolute, trailing slash kept */
	SETTINGS_LOCKFILE,   /* char *: absolute, or relative without ".." */
	SETTINGS_PROGRAM,    /* char *: absolute path and arguments */
	SETTINGS_HOST,       /* char *: name or address */
	SETTINGS_PASSWORD,   /* char *: never shown */
	SETTINGS_WORD,       /* char *: one of @words */
	SETTINGS_CHOICE,     /* enum: index into @words */
	SETTINGS_ENCRYPTION, /* enum settings_crypt; knows wrong guesses */
	SETTINGS_NUMBER,     /* int64_t: @min to @max */
	SETTINGS_RATE,       /* int64_t: KiB/s, units allowed */
	SETTINGS_BOOL,       /* bool */
	SETTINGS_ADDRESS,    /* char *: one mail address */
	SETTINGS_ADDRESSES,  /* struct strv */
	SETTINGS_DISKS,      /* settings_disks.c reads it, @offset unused */
	SETTINGS_SECRET,     /* settings_mail.c reads it, @offset unused */
};

struct settings_spec {
	struct settings_key pub;
	enum settings_type type;
	size_t offset; /* of the member in struct settings */
	int64_t min;   /* SETTINGS_NUMBER */
	int64_t max;
	const char *const *words; /* SETTINGS_WORD, _CHOICE; NULL-terminated */
	/* The default depends on other keys (settings.c, settings_mail.c);
	 * pub.fallback tells what it comes to when nothing else is set. */
	bool derived;
};

/* The section of pub.section for all sections "[disk NAME]". */
#define SETTINGS_DISK_SECTION "disk NAME"

/* The @i-th key or NULL. */
const struct settings_spec *settings_table_at(size_t i);
/* The key or NULL; compared without case. */
const struct settings_spec *settings_table_find(
        const char *section, const char *key);
/* Is @section the head of a disk, "disk" and a blank and its name? */
bool settings_table_is_disk(const char *section);
bool settings_table_has_section(const char *section);

/* What somebody may have meant; NULL = no idea. Static strings. */
const char *settings_table_near_key(const char *section, const char *key);
const char *settings_table_near_section(const char *section);
/* The section where @key would be known; NULL = none. */
const char *settings_table_section_of(const char *key);

#endif
