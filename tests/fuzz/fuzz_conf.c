/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "text.h"
#include "sys/conf_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* What every entry promises, whatever the file was. */
static void check_entry(const struct conf_scan_entry *e, unsigned line)
{
	size_t value = strlen(e->value);

	check(e->line > line);
	check(*e->section && strlen(e->section) <= CONF_SCAN_NAME_MAX);
	check(*e->key && strlen(e->key) <= CONF_SCAN_NAME_MAX);
	check(value <= CONF_SCAN_VALUE_MAX);
	check(text_utf8_is_valid(e->section, strlen(e->section)));
	check(text_utf8_is_valid(e->key, strlen(e->key)));
	check(text_utf8_is_valid(e->value, value));
	for (const char *p = e->key; *p; p++)
		check((*p < 'A' || *p > 'Z') && *p != '\n' && *p != '=');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_scan scan = CONF_SCAN_INIT;
	unsigned line = 0;
	char *copy;

	/* a copy of just this size, so that a byte too many is seen */
	copy = malloc(size ? size : 1);
	check(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	check(conf_scan_run(&scan, copy, size) == 0);
	check(scan.len <= CONF_SCAN_ENTRIES_MAX);
	for (size_t i = 0; i < scan.len; i++) {
		check_entry(&scan.entries[i], line);
		line = scan.entries[i].line;
	}
	if (scan.problems > 0) {
		check(scan.first_line > 0);
		check(scan.first.code < 0 && scan.first.message[0]);
		check(scan.first.action[0] != '\0');
	}
	conf_scan_done(&scan);
	free(copy);
	return 0;
}
