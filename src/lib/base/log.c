/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "atomicfile.h"
#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"

#define TAIL_LINES 20
#define TAIL_LINE_MAX 1024

/* Back to the start of the terminal's line, and empty it. */
#define CLEAR_LINE "\r\033[K"

enum style { STYLE_PLAIN, STYLE_TERMINAL, STYLE_JOURNAL };

struct secret {
	struct secret *next;
	size_t len;
	char text[];
};

static struct {
	enum log_level max_level;
	enum style style;
	bool colour;
	bool progress;    /* a progress line stands on the terminal */
	const char *lead; /* before the next line; NULL = nothing */
	int file_fd;
	bool file_torn; /* the last line in the file has no end */
	bool incomplete;
	struct secret *secrets;
	bool hide_all; /* a secret could not be remembered */
	char *tail[TAIL_LINES];
	size_t tail_next;
} state = {
        .max_level = LOG_LEVEL_NOTICE,
        .file_fd = -1,
};

/* --- what standard error is ----------------------------------------------- */

/*
 * The variable alone says little: a shell that the journal listens to hands
 * it on to programs whose output goes elsewhere.  It holds the device and
 * inode of the journal's socket.
 */
static bool is_journal(void)
{
	const char *value = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (str_is_empty(value) || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(own, sizeof(own), "%llu:%llu",
	        (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return str_eq(value, own);
}

void log_init(enum log_level max_level)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	state.max_level = max_level;
	state.progress = false;
	state.incomplete = false;
	state.style = STYLE_PLAIN;
	if (isatty(STDERR_FILENO)) {
		/* A dumb terminal knows no escape sequences at all. */
		if (!str_is_empty(term) && !str_eq(term, "dumb"))
			state.style = STYLE_TERMINAL;
	} else if (is_journal()) {
		state.style = STYLE_JOURNAL;
	}
	state.colour = state.style == STYLE_TERMINAL && str_is_empty(no_colour);
}

void log_set_level(enum log_level max_level)
{
	state.max_level = max_level;
}

/* --- secrets -------------------------------------------------------------- */

void log_add_secret(const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;
	struct secret *s;

	if (len < 3)
		return;
	s = malloc(sizeof(*s) + len + 1);
	if (!s) {
		state.hide_all = true;
		return;
	}
	s->len = len;
	memcpy(s->text, secret, len + 1);
	s->next = state.secrets;
	state.secrets = s;
}

/* How many bytes at the start of @s belong to a secret. */
static size_t secret_len(const char *s)
{
	size_t longest = 0;

	for (const struct secret *p = state.secrets; p; p = p->next)
		if (p->len > longest && strncmp(s, p->text, p->len) == 0)
			longest = p->len;
	return longest;
}

void log_mask(char *text)
{
	size_t hidden = 0;

	/* Only what lies behind the present place is compared, so that
	 * secrets that overlap are found although the first is gone. */
	for (; *text; text++) {
		size_t len = state.hide_all ? 1 : secret_len(text);

		if (len > hidden)
			hidden = len;
		if (hidden > 0) {
			*text = '*';
			hidden--;
		}
	}
}

/* The filter that every line passes: without secrets, then visible. */
static void add_safe(struct buf *b, const char *text)
{
	size_t hidden = 0;

	if (state.hide_all) {
		buf_adds(b, "****");
		return;
	}
	while (*text) {
		size_t n = 0;

		/* A run of bytes that may be shown, at one go. */
		while (text[n] && secret_len(text + n) == 0)
			n++;
		text_visible(b, text, n);
		text += n;
		if (!*text)
			break;
		buf_adds(b, "****");
		for (hidden = 1; hidden > 0 && *text; hidden--, text++) {
			size_t len = secret_len(text);

			if (len > hidden)
				hidden = len;
		}
	}
}

/* --- the last lines ------------------------------------------------------- */

static void remember(const char *line)
{
	char *copy = malloc(TAIL_LINE_MAX);
	char **slot = &state.tail[state.tail_next];

	if (!copy)
		return;
	/* Safe already; this only cuts. */
	if (str_copy(copy, TAIL_LINE_MAX, line) < 0)
		memcpy(copy + str_utf8_cut(copy, TAIL_LINE_MAX - 4), "...",
		        sizeof("..."));
	free(*slot);
	*slot = copy;
	state.tail_next = (state.tail_next + 1) % TAIL_LINES;
}

char *log_tail(void)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < TAIL_LINES; i++) {
		const char *line =
		        state.tail[(state.tail_next + i) % TAIL_LINES];

		if (line)
			buf_printf(&b, "%s\n", line);
	}
	return buf_take(&b);
}

/* --- writing -------------------------------------------------------------- */

/* The word in front of a line for people; "" for the usual ones. */
static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR:
		return _("error:");
	case LOG_LEVEL_WARNING:
		return _("warning:");
	case LOG_LEVEL_DEBUG:
		return "debug:";
	case LOG_LEVEL_NOTICE:
	case LOG_LEVEL_INFO:
	default:
		return "";
	}
}

/* The same in the log file, for grep: never translated. */
static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR:
		return "err";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_NOTICE:
		return "notice";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
	default:
		return "debug";
	}
}

static const char *level_colour(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR:
		return "\033[1;31m";
	case LOG_LEVEL_WARNING:
		return "\033[1;33m";
	case LOG_LEVEL_DEBUG:
		return "\033[2m";
	case LOG_LEVEL_NOTICE:
	case LOG_LEVEL_INFO:
	default:
		return "";
	}
}

/* Whoever closed our standard error does not want to hear of it. */
static void put_stderr(struct buf *b)
{
	(void)atomicfile_write_all(STDERR_FILENO, b->data, b->len);
}

static void write_stderr(
        enum log_level level, const char *word, const char *safe)
{
	const char *colour = state.colour ? level_colour(level) : "";
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (state.progress)
		buf_adds(&b, CLEAR_LINE);
	state.progress = false;
	if (state.lead)
		buf_adds(&b, state.lead);
	state.lead = NULL;
	if (state.style == STYLE_JOURNAL)
		buf_printf(&b, "<%d>", (int)level);
	if (*word)
		buf_printf(
		        &b, "%s%s%s ", colour, word, *colour ? "\033[0m" : "");
	buf_printf(&b, "%s\n", safe);
	/* One write, so that lines of several processes do not mix. */
	put_stderr(&b);
}

static void write_file(enum log_level level, const char *safe)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char now[32];
	ssize_t n;

	buf_printf(&b, "%s%s %s: %s\n", state.file_torn ? "\n" : "",
	        clock_utc(now, clock_real_s()), level_name(level), safe);
	do {
		n = write(state.file_fd, b.data, b.len);
	} while (n < 0 && errno == EINTR);

	/* Part of a line on a full disk: the rest is given up, and the next
	 * line, if there is room again, must not stick to it. */
	if (n > 0)
		state.file_torn = b.data[n - 1] != '\n';
	if (buf_failed(&b) || n < 0 || (size_t)n < b.len)
		state.incomplete = true;
}

void log_set_lead(const char *lead)
{
	state.lead = lead;
}

bool log_has_lead(void)
{
	return state.lead != NULL;
}

/* @follows: belongs to the line before, so it is indented instead of having
 * a level in front. */
static void put(enum log_level level, const char *text, bool follows)
{
	const char *word = follows ? "" : level_word(level);
	_cleanup_buf_ struct buf safe = BUF_INIT, line = BUF_INIT;

	if (follows)
		buf_adds(&safe, "  ");
	add_safe(&safe, text);

	if (level <= state.max_level)
		write_stderr(level, word, safe.data);
	if (state.file_fd >= 0 &&
	        (level <= LOG_LEVEL_INFO || level <= state.max_level))
		write_file(level, safe.data);
	if (level <= LOG_LEVEL_INFO) {
		buf_printf(&line, "%s%s%s", word, *word ? " " : "", safe.data);
		remember(line.data);
	}
}

/* Nobody will see it: not worth composing. */
static bool is_unheard(enum log_level level)
{
	return level > LOG_LEVEL_INFO && level > state.max_level;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int saved = errno;
	char small[512];
	va_list ap;

	if (is_unheard(level))
		return;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (!buf_failed(&b)) {
		put(level, b.data, false);
	} else {
		/* Without memory: the beginning is better than nothing. */
		va_start(ap, fmt);
		if (vsnprintf(small, sizeof(small), fmt, ap) >= 0)
			put(level, small, false);
		va_end(ap);
	}
	errno = saved;
}

void log_show_err(enum log_level level, const struct err *err)
{
	int saved = errno;

	if (is_unheard(level))
		return;
	put(level, err->message[0] ? err->message : err_text(err->code), false);
	if (err->meaning[0])
		put(level, err->meaning, true);
	if (err->action[0])
		put(level, err->action, true);
	errno = saved;
}

/* --- the file ------------------------------------------------------------- */

/* /dev/null and friends are fine, a FIFO or a directory is not. */
static int open_file(const char *path)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int flags;

	/* O_NONBLOCK only for a FIFO that nobody reads. */
	fd = open(path,
	        O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC |
	                O_NOCTTY | O_NONBLOCK,
	        0640);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return -EINVAL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int log_open_file(const char *path, struct err *err)
{
	int fd = open_file(path);

	if (fd < 0)
		state.incomplete = true;
	if (fd == -ELOOP)
		return err_set(
		        err, fd, _("the log file %s is a symbolic link"), path);
	if (fd == -EINVAL)
		return err_set(err, fd,
		        _("the log file %s is not a regular file"), path);
	if (fd < 0)
		return err_sys(
		        err, fd, _("cannot write the log file %s"), path);
	log_close();
	state.file_fd = fd;
	state.file_torn = false;
	return 0;
}

void log_close(void)
{
	if (state.file_fd >= 0 && close(state.file_fd) < 0 && errno != EINTR)
		state.incomplete = true;
	state.file_fd = -1;
}

bool log_is_incomplete(void)
{
	return state.incomplete;
}

/* --- progress ------------------------------------------------------------- */

static size_t columns(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0)
		return 80;
	return ws.ws_col;
}

/* Cuts @b to @width columns: a line that wraps cannot be cleared any more. */
static void cut_to_width(struct buf *b, size_t width)
{
	size_t used = 0, pos = 0;

	while (pos < b->len) {
		size_t n = text_utf8_len(b->data + pos, b->len - pos);
		mbstate_t mb = {0};
		wchar_t wc = L'?';
		int w;

		/* Not decodable in this locale: taken as one column each. */
		if (mbrtowc(&wc, b->data + pos, n, &mb) > n)
			wc = L'?';
		w = wcwidth(wc);
		used += w < 0 ? 1 : (size_t)w;
		if (used > width)
			break;
		pos += n > 0 ? n : 1;
	}
	buf_cut(b, pos);
}

void log_progress(const char *line)
{
	_cleanup_buf_ struct buf safe = BUF_INIT, b = BUF_INIT;
	int saved = errno;

	if (state.style != STYLE_TERMINAL)
		return;
	if (!str_is_empty(line)) {
		add_safe(&safe, line);
		cut_to_width(&safe, columns() - 1);
	}
	if (state.progress || safe.len > 0)
		buf_printf(&b, CLEAR_LINE "%s", safe.data);
	state.progress = safe.len > 0;
	put_stderr(&b);
	errno = saved;
}
