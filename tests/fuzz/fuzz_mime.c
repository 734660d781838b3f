/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as subject, file name, display name and address: what comes out is
 * ASCII, one header, with lines that are not too long.  And any bytes as the
 * envelope of a waiting mail.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "core/mime.h"
#include "core/spool_env.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

/* Every line but the first begins with a space (it is one header), ends in
 * CRLF, and has at most @max bytes. */
static void check_header(const struct buf *b, size_t max)
{
	const char *line = b->data;

	must(!buf_failed(b), "memory");
	while (*line != '\0') {
		const char *end = strstr(line, "\r\n");

		must(end != NULL, "the end of a line is missing");
		must((size_t)(end - line) <= max, "a long line");
		for (const char *p = line; p < end; p++)
			must(*p >= 0x20 && *p < 0x7f, "not ASCII");
		must(line == b->data || line[0] == ' ', "a second header");
		line = end + 2;
	}
}

static void check_headers(const char *s)
{
	char *const list[] = {
	        (char *)(uintptr_t)s, (char *)(uintptr_t) "a@b.example", NULL};
	_cleanup_buf_ struct buf b = BUF_INIT;

	mime_header_text(&b, "Subject", s);
	check_header(&b, 78);
	buf_reset(&b);
	mime_header_filename(&b, s);
	check_header(&b, 998);
	buf_reset(&b);
	if (mime_header_from(&b, "a@b.example", s, NULL) == 0)
		check_header(&b, 998);
	buf_reset(&b);
	if (mime_header_addresses(&b, "To", list, NULL) == 0)
		check_header(&b, 998);
	buf_reset(&b);
	mime_filename_ascii(&b, s);
	must(strpbrk(b.data, "\"\\\r\n/") == NULL, "a file name");
}

static void check_clean(const char *s, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_INIT, again = BUF_INIT;

	mime_clean(&b, s, size, true);
	must(text_utf8_is_valid(b.data, b.len), "broken UTF-8");
	mime_clean(&again, b.data, b.len, true);
	must(strcmp(b.data, again.data) == 0, "cleaned twice differs");
}

/* What can be read is written so that it reads the same. */
static void check_envelope(char *text)
{
	_cleanup_spool_env_ struct spool_env env = SPOOL_ENV_INIT,
	                                     again = SPOOL_ENV_INIT;
	_cleanup_buf_ struct buf b = BUF_INIT, c = BUF_INIT;

	if (spool_env_parse(text, &env) < 0)
		return;
	spool_env_format(&env, &b);
	spool_env_format(&env, &c);
	must(spool_env_parse(c.data, &again) == 0, "unreadable envelope");
	buf_reset(&c);
	spool_env_format(&again, &c);
	must(strcmp(b.data, c.data) == 0, "another envelope");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	if (s == NULL)
		return 0;
	memcpy(s, data, size);
	s[size] = '\0';
	check_headers(s);
	check_clean(s, size);
	check_envelope(s);
	free(s);
	return 0;
}
