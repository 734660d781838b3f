/* SPDX-License-Identifier: MIT */
/*
 * mime: composing one e-mail message (RFC 5322, 2045-2047, 2231).
 *
 *	struct mime_message m = { .from = "a@x.example", .to = to,
 *	        .subject = subject, .body = text };
 *	r = mime_write(&m, fd, err);
 *
 * What comes out is ASCII with CRLF line ends and lines of at most 998 bytes
 * (76 nearly always), whatever goes in: every part is base64, a subject or a
 * name with anything else than plain ASCII becomes encoded-words.  No value
 * can start a header line of its own: control characters, broken UTF-8 and
 * bidirectional overrides become visible escapes (text.h), and an address
 * that is not a plain local-part@domain is refused.
 *
 * The message has Date, Message-ID and Auto-Submitted: auto-generated (so that
 * no holiday notice answers), and nothing that names the program's version.
 */
#ifndef CORE_MIME_H
#define CORE_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

struct buf;

/* More of the body than this is cut, and a last line says so. */
#define MIME_BODY_MAX (256 * 1024)
/* Longer attachment names are cut (bytes). */
#define MIME_NAME_MAX 120

struct mime_attachment {
	const char *name; /* any bytes; made into a harmless file name */
	const char *type; /* "text/plain", "application/gzip", ...; NULL or
	                   * broken = application/octet-stream. Text is taken
	                   * for UTF-8 */
	int fd;           /* regular file, read from its start without moving
	                   * its offset, as far as it reaches now; borrowed */
	const void *data; /* not NULL (but ""): the content, not that of fd */
	size_t len;       /* of data */
};

struct mime_message {
	const char *from;      /* address */
	const char *from_name; /* shown before it; NULL or "" = none */
	char *const *to;       /* addresses, NULL-terminated; at least one */
	char *const *cc;       /* the same, may be NULL or empty */
	const char *subject;   /* UTF-8, one line */
	const char *body;      /* UTF-8, lines end in \n */
	const char *language;  /* "de"; NULL or broken = no such header */
	const char *host;      /* right half of the Message-ID; NULL = ours */
	int64_t date_s;        /* seconds since 1970; 0 = now */
	const struct mime_attachment *attachments;
	size_t attachments_len;
};

/*
 * Writes the whole message to @fd (position as it is; nothing is synced).
 * Returns 0; -EINVAL for an address that cannot stand in a header or no
 * recipient; the errno of reading an attachment or of writing.  On failure
 * something may have been written.
 */
int mime_write(
        const struct mime_message *m, int fd, struct err *err) _must_check_;

/* An address that may stand in a list of a header: text_is_mail_address(),
 * and none of  , ; : \ ( ) < > [ ] " and at most 64 bytes before the @. */
bool mime_is_address(const char *s);

/*
 * Appends @text made safe for a mail: like text_visible(), but a backslash is
 * left alone (text that went through text_visible() before is not escaped
 * twice), and with @multiline newline and tab pass.
 */
void mime_clean(struct buf *b, const char *text, size_t len, bool multiline);

/* --- pieces, for tests and fuzzing -------------------------------------- */

/* Appends "Name: value\r\n", folded, encoded where needed. @name is ours. */
void mime_header_text(struct buf *b, const char *name, const char *value);
/* Appends "Name: address\r\n" with every address of @list, folded. */
int mime_header_addresses(
        struct buf *b, const char *name, char *const *list, struct err *err);
/* Appends "From: shown <address>\r\n"; @shown may be NULL or empty. */
int mime_header_from(
        struct buf *b, const char *address, const char *shown, struct err *err);
/* Appends Content-Disposition with filename, or filename* where needed. */
void mime_header_filename(struct buf *b, const char *name);
/* Appends the same name in ASCII, to stand between quotes (the old "name" of
 * Content-Type, for programs that do not know filename*). */
void mime_filename_ascii(struct buf *b, const char *name);
/* Appends base64 in lines of 76 with CRLF. For whole contents only: what is
 * appended by two calls is not one base64 text unless @len is divisible by
 * 57 in all but the last. */
void mime_base64(struct buf *b, const void *data, size_t len);

#endif
