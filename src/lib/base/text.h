/* SPDX-License-Identifier: MIT */
/*
 * text: making foreign text safe for where it goes, and figures readable.
 *
 * File names, labels, remote output and configuration values are hostile.
 * There is one function per destination; nothing else in the tree escapes.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct buf;

/* Length (1-4) of the valid UTF-8 sequence at @s, which has @len bytes left;
 * 0 when it is not one (overlong, surrogate, above U+10FFFF, cut). */
size_t text_utf8_len(const char *s, size_t len);
bool text_utf8_is_valid(const char *s, size_t len);

/*
 * For terminal, log line, journal, mail body: printable UTF-8 passes;
 * C0 (tab and newline too), DEL, C1, broken UTF-8, bidirectional overrides
 * and a backslash followed by one of "nrtx\\" become \n \r \t \xHH (by byte)
 * or \\ so that the original can be told.  Appends to @b.
 */
void text_visible(struct buf *b, const char *s, size_t len);
/* The same into a fixed buffer, cut with "..." when too long; returns dst. */
char *text_visible_str(char *dst, size_t size, const char *s);

/* Broken sequences become U+FFFD; nothing else changes. For JSON. */
void text_utf8_repair(struct buf *b, const char *s, size_t len);

/* For HTML text and attributes: & < > " ' as entities, control characters
 * as U+FFFD. */
void text_html(struct buf *b, const char *s, size_t len);

/* True when @s may stand in a mail or HTTP header: no CR, LF, NUL or other
 * control character. */
bool text_is_header_safe(const char *s);

/* True for local-part@domain of printable ASCII without spaces, quotes,
 * brackets, at most 254 bytes, exactly one '@'. */
bool text_is_mail_address(const char *s);

/* "1.4 GB" (powers of 1000, as disks are sold), in the decimal sign of the
 * language; "512 bytes" below 1000. Buffers: 32 bytes are enough. */
char *text_bytes(char dst[32], uint64_t bytes);
/* "2 h 05 min", "3 min 10 s", "0.8 s". */
char *text_duration(char dst[32], int64_t ms);
/* Digits in groups: 1,234,567 (en) or 1.234.567 (de). */
char *text_count(char dst[32], uint64_t n);

#endif
