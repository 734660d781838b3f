/* SPDX-License-Identifier: MIT */
#include "core/jobframe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "i18n.h"
#include "num.h"
#include "str.h"
#include "text.h"

/* More than a host ever sends at once. */
#define FRAME_MAX (64U << 20)
/* "vmexec NONCE BOOT" */
#define GREETING_MAX 256

void jobframe_restart(struct jobframe *f)
{
	f->boot[0] = '\0';
	f->line_len = 0;
	f->noise = 0;
	f->left = 0;
}

bool jobframe_has_begun(const struct jobframe *f)
{
	return f->boot[0] != '\0';
}

static int nonsense(const struct jobframe *f, struct err *err)
{
	char shown[200];

	return err_set(err, -EPROTO, _("the host answers nonsense: \"%s\""),
	        text_visible_str(shown, sizeof shown, f->line));
}

/* Splits in place at single blanks; the last word takes what is left. */
static void split(char *text, struct jobframe_line *line)
{
	line->len = 0;
	while (text && line->len < JOBFRAME_WORDS) {
		line->words[line->len++] = text;
		text = line->len < JOBFRAME_WORDS ? strchr(text, ' ') : NULL;
		if (text)
			*text++ = '\0';
	}
}

static int take_bytes(struct jobframe *f, char letter, struct err *err)
{
	struct jobframe_line line;
	uint64_t offset, len;
	char copy[64];

	if (str_copy(copy, sizeof copy, f->line + 2) < 0)
		return nonsense(f, err);
	split(copy, &line);
	if (line.len != 2 ||
	        num_parse_u64(line.words[0], UINT64_MAX, &offset) < 0 ||
	        num_parse_u64(line.words[1], FRAME_MAX, &len) < 0)
		return nonsense(f, err);
	f->is_stderr = letter == 'E';
	if (offset != (f->is_stderr ? f->err : f->out))
		return nonsense(f, err);
	f->left = len;
	return 0;
}

static int count_noise(struct jobframe *f, size_t n, struct err *err)
{
	f->noise += n;
	if (f->noise > JOBFRAME_NOISE_MAX)
		return err_set(err, -EPROTO, "%s",
		        _("the host answers with something else, without an "
		          "end"));
	return 0;
}

static int greet(struct jobframe *f, struct err *err)
{
	char greeting[GREETING_MAX];
	const char *at;

	/* A shell may have put something in front, without a newline. */
	snprintf(greeting, sizeof greeting, "vmexec %s ", f->nonce);
	at = strstr(f->line, greeting);
	if (!at || at[strlen(greeting)] == '\0')
		return count_noise(f, f->line_len + 1, err);
	return str_copy(f->boot, sizeof f->boot, at + strlen(greeting)) < 0
	               ? nonsense(f, err)
	               : 0;
}

static int take_line(struct jobframe *f, struct err *err)
{
	struct jobframe_line line = {.letter = f->line[0]};

	if (!jobframe_has_begun(f))
		return greet(f, err);
	if (f->line_len < 1 || (f->line_len > 1 && f->line[1] != ' ') ||
	        strlen(f->line) != f->line_len)
		return nonsense(f, err);
	if (line.letter == 'O' || line.letter == 'E')
		return f->line_len > 2 ? take_bytes(f, line.letter, err)
		                       : nonsense(f, err);
	if (!strchr("SHXGFJZ", line.letter))
		return nonsense(f, err);
	split(f->line_len > 2 ? f->line + 2 : NULL, &line);
	return f->on_line(&line, f->arg, err);
}

/* Bytes up to the end of the frame; how many of @len they were. */
static size_t pass_on(
        struct jobframe *f, const char *data, size_t len, bool *more)
{
	size_t n = len < f->left ? len : (size_t)f->left;

	f->left -= n;
	*(f->is_stderr ? &f->err : &f->out) += n;
	*more = f->on_data(f->is_stderr, data, n, f->arg);
	return n;
}

/* Noise may come in long lines: of those the end counts, for the greeting may
 * stand there. */
static int shorten(struct jobframe *f, struct err *err)
{
	size_t gone = f->line_len - GREETING_MAX;

	if (jobframe_has_begun(f))
		return nonsense(f, err);
	memmove(f->line, f->line + gone, GREETING_MAX + 1);
	f->line_len = GREETING_MAX;
	return count_noise(f, gone, err);
}

/* Up to the end of the line; negative errno, or how many of @len.  Where the
 * pieces are torn makes no difference. */
static ssize_t collect(
        struct jobframe *f, const char *data, size_t len, struct err *err)
{
	const char *end = memchr(data, '\n', len);
	size_t n = end ? (size_t)(end - data) : len;
	size_t room = sizeof f->line - 1 - f->line_len;
	bool full = n > room;
	int r = 0;

	if (full)
		n = room;
	memcpy(f->line + f->line_len, data, n);
	f->line_len += n;
	f->line[f->line_len] = '\0';
	if (full) {
		r = shorten(f, err);
	} else if (end) {
		r = take_line(f, err);
		f->line_len = 0;
		n++;
	}
	return r < 0 ? r : (ssize_t)n;
}

int jobframe_feed(struct jobframe *f, const char *data, size_t len,
        bool *ret_more, struct err *err)
{
	bool more = true;

	while (len > 0) {
		ssize_t n = f->left > 0 ? (ssize_t)pass_on(f, data, len, &more)
		                        : collect(f, data, len, err);

		if (n < 0)
			return (int)n;
		data += n;
		len -= (size_t)n;
	}
	if (ret_more)
		*ret_more = more;
	return 0;
}
