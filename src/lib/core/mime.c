/* SPDX-License-Identifier: MIT */
#include "core/mime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "atomicfile.h"
#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "str.h"

/* What is read at once; divisible by 57, so that base64 lines join. */
#define CHUNK (57 * 1024)

static void body_text(struct buf *b, const char *body)
{
	_cleanup_buf_ struct buf clean = BUF_INIT;
	size_t len = strlen(body);
	size_t max = len > MIME_BODY_MAX ? MIME_BODY_MAX : len;

	/* Not in the middle of a character: whole lines when there are any. */
	if (max < len) {
		const char *nl = memrchr(body, '\n', max);

		if (nl != NULL)
			max = (size_t)(nl - body) + 1;
		else
			while (max > 0 && (body[max] & 0xc0) == 0x80)
				max--;
	}
	mime_clean(&clean, body, max, true);
	if (max < len)
		buf_printf(&clean, _("\n[%zu bytes more were left out here]\n"),
		        len - max);
	/* RFC 2045 6.8: line ends are CRLF before base64 is made of text. */
	for (size_t i = 0; i < clean.len; i++) {
		if (clean.data[i] == '\n')
			buf_addc(b, '\r');
		buf_addc(b, clean.data[i]);
	}
	if (buf_failed(&clean))
		b->failed = true;
}

/* --- the message --------------------------------------------------------- */

struct out {
	int fd;
	struct buf b;
	struct err *err;
};

static int out_flush(struct out *o)
{
	int r;

	if (buf_failed(&o->b))
		return err_nomem(o->err);
	r = atomicfile_write_all(o->fd, o->b.data, o->b.len);
	if (r < 0)
		return err_sys(o->err, r, _("cannot write the e-mail"));
	buf_reset(&o->b);
	return 0;
}

static int random_hex(char *dst, size_t bytes, struct err *err)
{
	unsigned char raw[32];

	if (getrandom(raw, bytes, 0) != (ssize_t)bytes)
		return err_sys(err, -EIO, _("cannot get random bytes"));
	for (size_t i = 0; i < bytes; i++) {
		*dst++ = "0123456789abcdef"[raw[i] >> 4];
		*dst++ = "0123456789abcdef"[raw[i] & 15];
	}
	*dst = '\0';
	return 0;
}

static const char host_chars[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "0123456789.-";

static void add_host(struct buf *b, const char *host)
{
	struct utsname u;
	size_t start = b->len;

	if (host == NULL)
		host = uname(&u) == 0 ? u.nodename : "";
	/* The host name may hold anything: sethostname(2) does not look. */
	for (size_t i = 0; i < 200 && host[i] != '\0'; i++)
		if (strchr(host_chars, host[i]) != NULL)
			buf_addc(b, host[i]);
	if (b->len == start || b->data[start] == '.' ||
	        b->data[b->len - 1] == '.' ||
	        strstr(b->data + start, "..") != NULL) {
		buf_cut(b, start);
		buf_adds(b, "localhost");
	}
}

static bool is_language(const char *s)
{
	return !str_is_empty(s) && strlen(s) <= 35 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                 "0123456789-") == strlen(s);
}

static int add_headers(
        struct buf *b, const struct mime_message *m, struct err *err)
{
	int64_t now = m->date_s != 0 ? m->date_s : clock_real_s();
	char date[64], id[33];
	int r;

	if (m->to == NULL || m->to[0] == NULL)
		return err_set(err, -EINVAL, _("the e-mail has no recipient"));
	r = random_hex(id, 16, err);
	if (r < 0)
		return r;
	buf_printf(b, "Date: %s\r\n", clock_mail(date, now));
	r = mime_header_from(b, m->from, m->from_name, err);
	if (r == 0)
		r = mime_header_addresses(b, "To", m->to, err);
	if (r == 0 && m->cc != NULL && m->cc[0] != NULL)
		r = mime_header_addresses(b, "Cc", m->cc, err);
	if (r < 0)
		return r;
	mime_header_text(b, "Subject", m->subject != NULL ? m->subject : "");
	buf_printf(b, "Message-ID: <%" PRId64 ".%s@", now, id);
	add_host(b, m->host);
	buf_adds(b, ">\r\nMIME-Version: 1.0\r\n"
	            "Auto-Submitted: auto-generated\r\n");
	if (is_language(m->language))
		buf_printf(b, "Content-Language: %s\r\n", m->language);
	return 0;
}

static void add_text_part(struct buf *b, const char *body)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	buf_adds(b, "Content-Type: text/plain; charset=utf-8\r\n"
	            "Content-Transfer-Encoding: base64\r\n\r\n");
	body_text(&text, body != NULL ? body : "");
	mime_base64(b, text.data, text.len);
	if (buf_failed(&text))
		b->failed = true;
}

/* "type/subtype" of harmless characters. */
static bool is_type(const char *s)
{
	size_t n, rest;
	static const char token[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	        "0123456789.+-";

	if (s == NULL)
		return false;
	n = strspn(s, token);
	if (n == 0 || n > 64 || s[n] != '/')
		return false;
	rest = strspn(s + n + 1, token);
	/* Base64 is not allowed for these, RFC 2046 5.1. */
	if (strncasecmp(s, "multipart/", 10) == 0 ||
	        strncasecmp(s, "message/", 8) == 0)
		return false;
	return rest > 0 && rest <= 64 && s[n + 1 + rest] == '\0';
}

static int add_file(struct out *o, const struct mime_attachment *a)
{
	_cleanup_free_ char *chunk = NULL;
	struct stat st;
	off_t pos = 0;

	if (fstat(a->fd, &st) < 0)
		return err_sys(o->err, -errno, _("cannot read %s"), a->name);
	if (!S_ISREG(st.st_mode))
		return err_set(o->err, -EINVAL, _("%s is not a regular file"),
		        a->name);
	chunk = malloc(CHUNK);
	if (chunk == NULL)
		return err_nomem(o->err);
	while (pos < st.st_size) {
		size_t want = st.st_size - pos < CHUNK
		                      ? (size_t)(st.st_size - pos)
		                      : CHUNK;
		size_t got = 0;
		int r;

		while (got < want) {
			ssize_t n = pread(a->fd, chunk + got, want - got,
			        pos + (off_t)got);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return err_sys(o->err, -errno,
				        _("cannot read %s"), a->name);
			if (n == 0)
				break; /* it was cut in the meantime */
			got += (size_t)n;
		}
		mime_base64(&o->b, chunk, got);
		r = out_flush(o);
		if (r < 0 || got < want)
			return r;
		pos += (off_t)got;
	}
	return 0;
}

static int add_attachment(
        struct out *o, const struct mime_attachment *a, const char *boundary)
{
	const char *type =
	        is_type(a->type) ? a->type : "application/octet-stream";
	const char *name = a->name != NULL ? a->name : "";

	buf_printf(&o->b, "\r\n--%s\r\nContent-Type: %s%s;\r\n name=\"",
	        boundary, type,
	        strncasecmp(type, "text/", 5) == 0 ? "; charset=utf-8" : "");
	mime_filename_ascii(&o->b, name);
	buf_adds(&o->b, "\"\r\n");
	mime_header_filename(&o->b, name);
	buf_adds(&o->b, "Content-Transfer-Encoding: base64\r\n\r\n");
	if (a->data == NULL)
		return add_file(o, a);
	for (size_t i = 0; i < a->len; i += CHUNK) {
		int r;

		mime_base64(&o->b, (const char *)a->data + i,
		        a->len - i < CHUNK ? a->len - i : CHUNK);
		r = out_flush(o);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_parts(struct out *o, const struct mime_message *m)
{
	char boundary[35] = "=_"; /* "=_" occurs in no base64 text */
	int r;

	if (m->attachments_len == 0) {
		add_text_part(&o->b, m->body);
		return 0;
	}
	r = random_hex(boundary + 2, 16, o->err);
	if (r < 0)
		return r;
	buf_printf(&o->b,
	        "Content-Type: multipart/mixed;\r\n boundary=\"%s\"\r\n\r\n"
	        "--%s\r\n",
	        boundary, boundary);
	add_text_part(&o->b, m->body);
	for (size_t i = 0; i < m->attachments_len; i++) {
		r = add_attachment(o, &m->attachments[i], boundary);
		if (r < 0)
			return r;
	}
	buf_printf(&o->b, "\r\n--%s--\r\n", boundary);
	return 0;
}

int mime_write(const struct mime_message *m, int fd, struct err *err)
{
	struct out o = {.fd = fd, .b = BUF_INIT, .err = err};
	int r;

	r = add_headers(&o.b, m, err);
	if (r == 0)
		r = add_parts(&o, m);
	if (r == 0)
		r = out_flush(&o);
	buf_done(&o.b);
	return r;
}
