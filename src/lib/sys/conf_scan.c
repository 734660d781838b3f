/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "i18n.h"
#include "str.h"
#include "text.h"

#include "sys/conf_scan.h"

/* A piece of the input; never NUL-terminated. */
struct span {
	const char *p;
	size_t len;
};

struct scanner {
	struct conf_scan *out;
	unsigned line; /* of the line that is looked at */
	char section[CONF_SCAN_NAME_MAX + 1];
	bool in_section;
	bool skipping; /* the section's header was wrong: said once */

	/* the entry that indented lines would continue */
	bool open;
	bool broken; /* something about it was said already */
	char key[CONF_SCAN_NAME_MAX + 1];
	unsigned key_line;
	size_t indent;         /* of the key's line */
	size_t blanks;         /* blank lines since the last text */
	unsigned comment_line; /* first with white space and ';' or '#' */
	struct buf value;
};

/* --- problems --------------------------------------------------------------*/

/* Notes what is wrong in @line; @key may be NULL. Only the first is kept. */
static void problem(struct scanner *s, unsigned line, const char *key,
        const char *action, const char *fmt, ...) _printf_(5, 6);

static void problem(struct scanner *s, unsigned line, const char *key,
        const char *action, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (s->out->problems++ > 0)
		return;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	s->out->first_line = line;
	if (key && s->in_section)
		(void)err_set(&s->out->first, -EINVAL, "[%s] %s: %s",
		        s->section, key, text);
	else
		(void)err_set(&s->out->first, -EINVAL, "%s", text);
	err_action(&s->out->first, "%s", action);
}

/* --- bytes -----------------------------------------------------------------*/

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

/* The no-break space that comes along when text is copied from a web page. */
static bool is_nbsp(const char *p)
{
	return memcmp(p, "\xc2\xa0", 2) == 0;
}

/* Length of the white space at @p; 0 = none. */
static size_t space_len(const char *p, size_t len)
{
	if (len >= 1 && is_blank(*p))
		return 1;
	return len >= 2 && is_nbsp(p) ? 2 : 0;
}

static struct span trim(struct span v, size_t *ret_indent)
{
	size_t n;

	for (*ret_indent = 0; (n = space_len(v.p, v.len)) > 0; ++*ret_indent) {
		v.p += n;
		v.len -= n;
	}
	for (;;) {
		if (v.len >= 1 && is_blank(v.p[v.len - 1]))
			v.len -= 1;
		else if (v.len >= 2 && is_nbsp(v.p + v.len - 2))
			v.len -= 2;
		else
			return v;
	}
}

/* True when white space stands before a ';' or '#' of @v. The byte before
 * @v is readable (the sign after the key, or the line's indentation). */
static bool has_comment_sign(struct span v)
{
	for (size_t i = 0; i < v.len; i++) {
		const char *at = v.p + i;

		if (*at != ';' && *at != '#')
			continue;
		if (is_blank(at[-1]) || (i >= 1 && is_nbsp(at - 2)))
			return true;
	}
	return false;
}

/* Says what is wrong with the bytes of a line that is not a comment. */
static bool check_bytes(struct scanner *s, struct span v, const char *key)
{
	if (memchr(v.p, '\0', v.len)) {
		problem(s, s->line, key,
		        _("Save the file as plain text in UTF-8."),
		        _("the line contains a NUL byte, so the file is "
		          "damaged or not plain text"));
		return false;
	}
	if (!text_utf8_is_valid(v.p, v.len)) {
		problem(s, s->line, key,
		        _("Save the file as UTF-8, or write the letter anew."),
		        _("the line contains a character that is not UTF-8"));
		return false;
	}
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c != '\t' && (c < 0x20 || c == 0x7f)) {
			problem(s, s->line, key, _("Write the line anew."),
			        _("the line contains a control character"));
			return false;
		}
	}
	return true;
}

/* --- the end of an entry ---------------------------------------------------*/

bool conf_scan_is_secret(const char *key)
{
	return str_ends(key, "password");
}

/* "%%" becomes "%", in place. False when Python would put in another value. */
static bool unpercent(struct buf *b)
{
	size_t to = 0;

	for (size_t i = 0; i < b->len; i++) {
		const char *end;

		if (b->data[i] == '%' && b->data[i + 1] == '%') {
			i++;
		} else if (b->data[i] == '%' && b->data[i + 1] == '(') {
			end = strchr(b->data + i, ')');
			if (end && end[1] == 's')
				return false;
		}
		b->data[to++] = b->data[i];
	}
	buf_cut(b, to);
	return true;
}

/* Takes off the quotes around the value. 1 = done, 0 = it has none, -1 = it
 * has unclear ones and the problem was noted. */
static int unquote(struct scanner *s)
{
	struct buf *b = &s->value;
	bool secret = conf_scan_is_secret(s->key);
	char quote = b->data[0];
	bool closed;

	if (quote != '"' && quote != '\'')
		return 0;

	closed = b->len >= 2 && b->data[b->len - 1] == quote;
	if (secret && !closed)
		return 0;
	if (!closed) {
		problem(s, s->key_line, s->key,
		        _("Put a quote at the end of the value, or write it "
		          "without quotes."),
		        _("the value begins with a quote that is not closed"));
		return -1;
	}
	if (!secret && memchr(b->data + 1, quote, b->len - 2)) {
		problem(s, s->key_line, s->key,
		        _("Put the other kind of quotes around the whole "
		          "value, or write it without quotes."),
		        _("the value has a quote inside quotes"));
		return -1;
	}
	memmove(b->data, b->data + 1, b->len - 2);
	buf_cut(b, b->len - 2);
	return 1;
}

/* Quotes, comments and percent signs of the open entry. False = problem. */
static bool finish_value(struct scanner *s)
{
	int quoted;

	/* `"value" ; text` is a wrong comment rather than a wrong quote */
	if (s->comment_line > 0 && !conf_scan_is_secret(s->key) &&
	        s->value.data[0] != s->value.data[s->value.len - 1])
		quoted = 0;
	else
		quoted = unquote(s);
	if (quoted < 0)
		return false;
	if (quoted > 0)
		return true;

	if (s->comment_line > 0 && !conf_scan_is_secret(s->key)) {
		problem(s, s->comment_line, s->key,
		        _("Move the comment to a line of its own, or put the "
		          "whole value in quotes if ';' or '#' belongs to "
		          "it."),
		        _("it is not clear whether ';' or '#' begins a "
		          "comment here"));
		return false;
	}
	if (!unpercent(&s->value)) {
		problem(s, s->key_line, s->key,
		        _("Write what is meant instead of %(name)s; if these "
		          "characters are meant, put the value in quotes."),
		        _("references to other keys are not supported"));
		return false;
	}
	return true;
}

static const struct conf_scan_entry *find(
        const struct conf_scan *scan, const char *section, const char *key)
{
	for (size_t i = 0; i < scan->len; i++) {
		const struct conf_scan_entry *e = &scan->entries[i];

		if (strcmp(e->key, key) == 0 &&
		        str_eq_nocase(e->section, section))
			return e;
	}
	return NULL;
}

static int grow(struct conf_scan *scan)
{
	size_t size = scan->size ? 2 * scan->size : 32;
	struct conf_scan_entry *grown;

	if (scan->len < scan->size)
		return 0;
	grown = reallocarray(scan->entries, size, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	scan->entries = grown;
	scan->size = size;
	return 0;
}

static int keep_entry(struct scanner *s)
{
	struct conf_scan_entry e = {.line = s->key_line};

	if (buf_failed(&s->value) || grow(s->out) < 0)
		return -ENOMEM;
	e.section = strdup(s->section);
	e.key = strdup(s->key);
	e.value = strdup(s->value.data);
	if (!e.section || !e.key || !e.value) {
		free(e.section);
		free(e.key);
		free(e.value);
		return -ENOMEM;
	}
	s->out->entries[s->out->len++] = e;
	return 0;
}

/* Ends the open entry, if any: checks it and keeps it. 0 or -ENOMEM. */
static int end_entry(struct scanner *s)
{
	const struct conf_scan_entry *twin;

	if (!s->open)
		return 0;
	s->open = false;
	if (buf_failed(&s->value))
		return -ENOMEM;
	if (s->broken || (s->value.len > 0 && !finish_value(s)))
		return 0;

	if (s->out->len >= CONF_SCAN_ENTRIES_MAX) {
		problem(s, s->key_line, s->key, _("Shorten the file."),
		        _("the file has more than %d keys"),
		        (int)CONF_SCAN_ENTRIES_MAX);
		return 0;
	}
	twin = find(s->out, s->section, s->key);
	if (twin) {
		problem(s, s->key_line, s->key,
		        _("Remove one of the two lines."),
		        _("the key stands already in line %u"), twin->line);
		return 0;
	}
	return keep_entry(s);
}

/* --- lines -----------------------------------------------------------------*/

static void add_text(struct scanner *s, struct span text)
{
	if (s->broken)
		return;
	if (s->value.len + s->blanks + text.len > CONF_SCAN_VALUE_MAX) {
		problem(s, s->line, s->key, _("Shorten the value."),
		        _("the value is longer than %d bytes"),
		        (int)CONF_SCAN_VALUE_MAX);
		s->broken = true;
		return;
	}
	if (has_comment_sign(text) && s->comment_line == 0)
		s->comment_line = s->line;
	/* An empty first line is layout, not a part of the value. */
	for (; s->blanks > 0 && s->value.len > 0; s->blanks--)
		buf_addc(&s->value, '\n');
	s->blanks = 0;
	buf_add(&s->value, text.p, text.len);
}

static void on_continuation(struct scanner *s, struct span text)
{
	if (!s->broken && !check_bytes(s, text, s->key))
		s->broken = true;
	s->blanks++;
	add_text(s, text);
}

/* "[name]", perhaps with a comment behind it. */
static void on_header(struct scanner *s, struct span text)
{
	const char *end = memchr(text.p, ']', text.len);
	struct span name = {text.p + 1, 0};
	struct span rest = {text.p + text.len, 0};
	size_t indent;

	s->in_section = false;
	s->skipping = true;
	if (!check_bytes(s, text, NULL))
		return;
	if (end) {
		name.len = (size_t)(end - name.p);
		rest.p = end + 1;
		rest.len = (size_t)(text.p + text.len - rest.p);
	}
	name = trim(name, &indent);
	rest = trim(rest, &indent);
	if (!end || name.len == 0 || memchr(name.p, '[', name.len) ||
	        (rest.len > 0 && *rest.p != '#' && *rest.p != ';')) {
		problem(s, s->line, NULL,
		        _("Write the section's name between one pair of "
		          "brackets, as in [Backup]."),
		        _("this is not the head of a section"));
		return;
	}
	if (name.len > CONF_SCAN_NAME_MAX) {
		problem(s, s->line, NULL, _("Shorten the name."),
		        _("the section's name is longer than %d bytes"),
		        (int)CONF_SCAN_NAME_MAX);
		return;
	}
	memcpy(s->section, name.p, name.len);
	s->section[name.len] = '\0';
	s->in_section = true;
	s->skipping = false;
}

/* Where the key of @text ends; NULL when the line has neither '=' nor ':'. */
static const char *find_delimiter(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] == '=' || text.p[i] == ':')
			return text.p + i;
	return NULL;
}

/* The part before '=' becomes s->key. False = problem. */
static bool take_key(struct scanner *s, struct span text, const char *sign)
{
	struct span key = {text.p, sign ? (size_t)(sign - text.p) : 0};
	size_t indent;

	if (!s->in_section) {
		problem(s, s->line, NULL,
		        _("Put a line like [Backup] above it."),
		        _("the line stands before the first section"));
		/* saying it for every line would help nobody */
		s->skipping = true;
		return false;
	}
	key = trim(key, &indent);
	if (!sign || key.len == 0 || key.len > CONF_SCAN_NAME_MAX) {
		problem(s, s->line, NULL,
		        _("Write \"key = value\". Begin the line with '#' if "
		          "it is a comment, with a blank if it continues the "
		          "line above."),
		        _("the line in section [%s] is not \"key = value\""),
		        s->section);
		return false;
	}
	memcpy(s->key, key.p, key.len);
	s->key[key.len] = '\0';
	str_lower(s->key);
	return true;
}

static void on_key(struct scanner *s, struct span text)
{
	const char *sign = find_delimiter(text);
	struct span value = {NULL, 0};
	size_t indent;

	if (s->skipping)
		return;
	/* The name is checked first: it stands in all later messages. */
	if (sign && s->in_section &&
	        !check_bytes(s, (struct span){text.p, (size_t)(sign - text.p)},
	                NULL))
		return;
	if (!take_key(s, text, sign))
		return;

	s->open = true;
	s->broken = false;
	s->key_line = s->line;
	s->blanks = 0;
	s->comment_line = 0;
	buf_reset(&s->value);

	value.p = sign + 1;
	value.len = (size_t)(text.p + text.len - value.p);
	value = trim(value, &indent);
	if (check_bytes(s, value, s->key))
		add_text(s, value);
	else
		s->broken = true;
}

static int on_line(struct scanner *s, struct span line)
{
	size_t indent;
	struct span text = trim(line, &indent);
	int r;

	if (text.len == 0) {
		if (s->open)
			s->blanks++;
		return 0;
	}
	if (*text.p == '#' || *text.p == ';')
		return 0;
	if (s->open && indent > s->indent) {
		on_continuation(s, text);
		return 0;
	}

	r = end_entry(s);
	if (r < 0)
		return r;
	s->indent = indent;
	if (*text.p == '[')
		on_header(s, text);
	else
		on_key(s, text);
	return 0;
}

/* --- the whole -------------------------------------------------------------*/

/* The next line of @rest without its end; @rest moves behind it. */
static struct span next_line(struct span *rest)
{
	struct span line = {rest->p, 0};
	size_t end;

	while (line.len < rest->len && line.p[line.len] != '\n' &&
	        line.p[line.len] != '\r')
		line.len++;
	end = line.len;
	if (end + 1 < rest->len && memcmp(line.p + end, "\r\n", 2) == 0)
		end += 2;
	else if (end < rest->len)
		end += 1;
	rest->p += end;
	rest->len -= end;
	return line;
}

static int scan_lines(struct scanner *s, struct span rest)
{
	if (rest.len >= 3 && memcmp(rest.p, "\xef\xbb\xbf", 3) == 0) {
		rest.p += 3;
		rest.len -= 3;
	}
	if (rest.len >= 2 && (memcmp(rest.p, "\xff\xfe", 2) == 0 ||
	                             memcmp(rest.p, "\xfe\xff", 2) == 0)) {
		problem(s, 1, NULL, _("Save the file as UTF-8."),
		        _("the file is saved as UTF-16"));
		return 0;
	}
	/* So many problems are no configuration; going on would only cost
	 * time. */
	while (rest.len > 0 && s->out->problems < CONF_SCAN_PROBLEMS_MAX) {
		int r;

		s->line++;
		r = on_line(s, next_line(&rest));
		if (r < 0)
			return r;
	}
	return rest.len > 0 ? 0 : end_entry(s);
}

int conf_scan_run(struct conf_scan *scan, const char *data, size_t len)
{
	struct scanner s = {.out = scan, .value = BUF_INIT};
	int r;

	r = scan_lines(&s, (struct span){data, len});
	if (s.value.len > 0)
		explicit_bzero(s.value.data, s.value.len);
	buf_done(&s.value);
	return r;
}

void conf_scan_done(struct conf_scan *scan)
{
	for (size_t i = 0; i < scan->len; i++) {
		struct conf_scan_entry *e = &scan->entries[i];

		free(e->section);
		free(e->key);
		explicit_bzero(e->value, strlen(e->value));
		free(e->value);
	}
	free(scan->entries);
	*scan = CONF_SCAN_INIT;
}
