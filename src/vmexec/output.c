/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "tell.h"
#include "options.h"
#include "stream.h"

/* --- notices between the output ----------------------------------------------
 */

/* A notice begins a line of its own, in no colour of the script. */
static void protect_notices(const struct output *o)
{
	static const char *const leads[] = {NULL, "\n", "\033[0m", "\033[0m\n"};

	if (o->has_notices)
		log_set_lead(leads[o->place.is_styled * 2 + o->place.in_line]);
}

/* One that has come meanwhile has left the terminal at the start of a line. */
static void find_place(struct output *o)
{
	if (o->has_notices && !log_has_lead())
		o->place = (struct termsafe_place){.in_line = false};
}

void output_end_line(struct output *o)
{
	o->place.in_line = true;
	protect_notices(o);
}

/* --- begin and end ----------------------------------------------------------
 */

int output_init(
        struct output *o, const struct options *options, struct err *err)
{
	*o = (struct output){.prefix = options->prefix,
	        .strip = options->strip,
	        .json = options->json,
	        .has_notices = isatty(STDERR_FILENO),
	        .log_fd = -1};
	for (int i = 0; i < 2; i++) {
		o->streams[i].fd = stream_open(i + 1);
		o->streams[i].is_terminal = isatty(i + 1);
		o->streams[i].strip.strip = true;
	}
	if (!options->log)
		return 0;
	o->log_fd = open(options->log,
	        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	if (o->log_fd < 0)
		return err_sys(err, -errno, _("cannot write the log %s"),
		        options->log);
	return 0;
}

void output_done(struct output *o)
{
	util_closep(&o->log_fd);
	/* What the shell prints next is not the script's. */
	find_place(o);
	for (int i = 0; i < 2 && o->place.is_styled; i++)
		if (o->streams[i].is_terminal &&
		        stream_write(o->streams[i].fd, "\033[0m", 4) == 0)
			o->place.is_styled = false;
	for (int i = 0; i < 2; i++)
		if (o->streams[i].fd > 2)
			util_closep(&o->streams[i].fd);
}

/* --- output -----------------------------------------------------------------
 */

static void put_prefix(struct output_stream *s, const char *prefix,
        struct buf *out, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!s->begun)
			buf_adds(out, prefix);
		s->begun = data[i] != '\n';
		buf_addc(out, data[i]);
	}
}

/* What goes to the stream for these bytes; @data itself when that is it. */
static void convert(struct output *o, struct output_stream *s, struct buf *a,
        struct buf *b, const char **data, size_t *len)
{
	if (o->strip) {
		termsafe_feed(&s->strip, a, *data, *len);
		*data = a->data;
		*len = a->len;
	}
	if (s->is_terminal) {
		s->safe.place = o->place;
		termsafe_feed(&s->safe, b, *data, *len);
		o->place = s->safe.place;
		*data = b->data;
		*len = b->len;
	}
	if (o->prefix) {
		struct buf *c = *data == a->data ? b : a;

		buf_reset(c);
		put_prefix(s, o->prefix, c, *data, *len);
		o->place.in_line |= s->begun;
		*data = c->data;
		*len = c->len;
	}
}

static int write_stream(struct output *o, struct output_stream *s,
        const char *data, size_t len, struct err *err)
{
	_cleanup_buf_ struct buf a = BUF_INIT, b = BUF_INIT;
	int r;

	find_place(o);
	convert(o, s, &a, &b, &data, &len);
	if (buf_failed(&a) || buf_failed(&b))
		return err_nomem(err);
	if (s->is_terminal)
		protect_notices(o);
	r = stream_write(s->fd, data, len);
	if (r < 0 && r != -EINTR)
		err_sys(err, r, "%s",
		        s == o->streams ? _("cannot write to standard output")
		                        : _("cannot write to standard error"));
	return r;
}

int output_write(struct output *o, bool is_stderr, const char *data, size_t len,
        struct err *err)
{
	int r = 0;

	if (o->log_fd >= 0)
		r = stream_write(o->log_fd, data, len);
	if (r < 0)
		return err_sys(err, r, "%s", _("cannot write the log"));
	if (o->json)
		return tell_output(is_stderr, data, len, err);
	return write_stream(o, &o->streams[is_stderr], data, len, err);
}

static int end_stream(
        struct output *o, struct output_stream *s, struct err *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (o->strip)
		termsafe_end(&s->strip, &b);
	if (s->is_terminal)
		termsafe_end(&s->safe, &b);
	if (b.len == 0)
		return 0;
	return stream_write(s->fd, b.data, b.len) < 0
	               ? err_set(err, -EIO, "%s",
	                         _("cannot write the rest of the output"))
	               : 0;
}

int output_end(struct output *o, struct err *err)
{
	int r = end_stream(o, &o->streams[0], err);

	if (r == 0)
		r = end_stream(o, &o->streams[1], err);
	if (r == 0 && o->log_fd >= 0 && fsync(o->log_fd) < 0 && errno != EINVAL)
		r = err_sys(err, -errno, "%s", _("cannot write the log"));
	return r;
}
