/* SPDX-License-Identifier: MIT */
#include "core/job.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "i18n.h"
#include "loop.h"
#include "num.h"
#include "str.h"
#include "text.h"
#include "core/jobframe.h"
#include "core/jobrefused.h"
#include "core/jobshell.h"
#include "core/remote.h"
#include "sys/sshclient.h"

/* So many times the patience until the first word of the host: sudo, a slow
 * login. */
#define GREETING_TIMES 3
/* It gives the processes ten seconds. */
#define CANCEL_MS 60000

enum request { START, FOLLOW, CANCEL };

struct job {
	struct loop *loop;
	struct remote *remote;
	struct job_spec spec;
	struct job_handlers handlers;
	struct loop_source timer;
	char nonce[JOBTEXT_NONCE_SIZE];
	enum request request;
	bool known;        /* the host has said that the job is there */
	bool asked;        /* the host may have begun it */
	bool asked_before; /* likewise, on the lines before this one */
	bool begun;        /* and so on this line */
	bool paused;       /* by on_data */
	bool cancelling;   /* then the request after this one is CANCEL */
	bool over;         /* result is waiting to be told */
	bool timed_out;    /* that is why it is cancelled */
	bool doubted;      /* the timer was due; due again, it is believed */
	struct jobframe frame;
	char boot[80]; /* of the host when it was first seen */
	struct buf text;
	size_t sent; /* of text and script */
	bool all_sent;
	struct buf words; /* of its shell, beside the answer */
	int64_t heard_ms; /* the last byte came */
	int64_t grown_ms; /* the output grew; 0 = not known on this line */
	uint64_t size;    /* of both streams, on the host */
	int failures;     /* of the line since the last progress */
	struct job_result result;
};

static void event(struct job *j, enum job_event what, const char *text)
{
	if (j->handlers.on_event)
		j->handlers.on_event(what, text, j->handlers.arg);
}

/* --- the end ----------------------------------------------------------------
 */

/* Told from the timer: nothing of ours is on the stack then. */
static void finish(struct job *j, enum job_kind kind, int status)
{
	if (j->over)
		return;
	j->over = true;
	j->result.kind = kind;
	j->result.status = status;
	j->result.out = j->frame.out;
	j->result.err = j->frame.err;
	j->timer.due_ms = 1;
}

static struct err *why(struct job *j)
{
	return j->over ? NULL : &j->result.why;
}

static void refuse_as(struct job *j, enum job_kind kind, const struct err *err)
{
	if (j->over)
		return;
	j->result.why = *err;
	finish(j, kind, -1);
}

static void refuse(struct job *j, const struct err *err)
{
	refuse_as(j, j->known ? JOB_UNKNOWN : JOB_REFUSED, err);
}

/* --- what the host says -----------------------------------------------------
 */

static bool on_bytes(bool is_stderr, const char *data, size_t len, void *arg)
{
	struct job *j = arg;

	j->failures = 0;
	j->paused = !j->handlers.on_data(is_stderr, data, len, j->handlers.arg);
	/* Behind it, for it may have waited for somebody to read. */
	j->grown_ms = clock_mono_ms();
	return !j->paused;
}

static int not_understood(struct err *err)
{
	return err_set(err, -EPROTO, "%s",
	        _("the host answers something that cannot be understood"));
}

static bool get(const struct jobframe_line *line, size_t i, uint64_t *ret)
{
	return i < line->len &&
	       num_parse_u64(line->words[i], UINT64_MAX, ret) == 0;
}

/* For another request. */
static void hang_up(struct job *j)
{
	j->heard_ms = 0;
	remote_connect(j->remote);
}

static bool is_over(const char *state)
{
	return str_eq(state, "rebooted") || str_eq(state, "vanished");
}

static int on_started(
        struct job *j, const struct jobframe_line *line, struct err *err)
{
	bool first = !j->known;
	char shown[200];

	if (line->len < 6 || j->begun)
		return not_understood(err);
	j->known = j->begun = true;
	j->grown_ms = clock_mono_ms();
	if (j->request == START)
		j->request = FOLLOW;
	text_visible_str(shown, sizeof shown, line->words[2]);
	/* Of what has not gone on, the next line says what became. */
	if (first || !is_over(line->words[1]))
		event(j,
		        !first                              ? JOB_RESUMED
		        : str_eq(line->words[0], "started") ? JOB_STARTED
		                                            : JOB_ADOPTED,
		        shown);
	/* It was to be ended before it was known to be there. */
	if (j->cancelling)
		hang_up(j);
	return 0;
}

static void note_growth(struct job *j, uint64_t out, uint64_t err)
{
	if (out + err == j->size)
		return;
	j->size = out + err;
	j->grown_ms = clock_mono_ms();
}

static int on_exit_line(
        struct job *j, const struct jobframe_line *line, struct err *err)
{
	uint64_t status, out, errs;

	if (line->len < 5 || !get(line, 0, &status) || !get(line, 1, &out) ||
	        !get(line, 2, &errs) || status > 255 || out != j->frame.out ||
	        errs != j->frame.err)
		return not_understood(err);
	j->result.incomplete = line->len > 5 && str_eq(line->words[5], "lost");
	bool cancelled = str_eq(line->words[4], "cancelled");
	/* Else it has ended by itself in the last moment. */
	bool idle = cancelled && j->timed_out;

	if (idle || str_eq(line->words[4], "timeout")) {
		err_set(why(j), -ETIMEDOUT, "%s",
		        idle ? _("it has printed nothing for too long and "
		                 "was ended")
		             : _("it took too long and was ended"));
		finish(j, JOB_TIMED_OUT, (int)status);
	} else if (cancelled) {
		err_set(why(j), -ECANCELED, "%s", _("it was cancelled"));
		finish(j, JOB_CANCELLED, (int)status);
	} else {
		finish(j, JOB_EXITED, (int)status);
	}
	return 0;
}

static void on_gone(struct job *j, bool rebooted)
{
	if (rebooted)
		err_set(why(j), -ESTALE, "%s",
		        _("the host has rebooted while it ran"));
	else
		err_set(why(j), -ESRCH, "%s",
		        _("it was killed together with what ran it, or its "
		          "files were removed"));
	finish(j, rebooted ? JOB_REBOOTED : JOB_VANISHED, -1);
}

static int on_refused(struct job *j, const struct jobframe_line *line)
{
	struct err e = ERR_INIT;

	if (jobrefused_is(line, "gone") && j->known) {
		on_gone(j, !str_eq(j->boot, j->frame.boot));
		return 0;
	}
	jobrefused_tell(line, j->spec.start->id, &e);
	/* It does not go on: what is there is not what it was. */
	refuse_as(j,
	        !j->known                        ? JOB_REFUSED
	        : jobrefused_is(line, "shorter") ? JOB_VANISHED
	                                         : JOB_UNKNOWN,
	        &e);
	return 0;
}

static int on_line(const struct jobframe_line *line, void *arg, struct err *err)
{
	struct job *j = arg;
	uint64_t out, errs;

	if (j->boot[0] == '\0')
		(void)str_copy(j->boot, sizeof j->boot, j->frame.boot);
	switch (line->letter) {
	case 'S':
		return on_started(j, line, err);
	case 'H':
		if (!get(line, 0, &out) || !get(line, 1, &errs))
			return not_understood(err);
		j->failures = 0;
		note_growth(j, out, errs);
		return 0;
	case 'X':
		return on_exit_line(j, line, err);
	case 'G':
		on_gone(j, line->len > 0 && str_eq(line->words[0], "rebooted"));
		return 0;
	case 'F':
		return on_refused(j, line);
	case 'Z':
		return j->request == CANCEL ? 0 : not_understood(err);
	default:
		return not_understood(err);
	}
}

/* --- requests ---------------------------------------------------------------
 */

/* How long the host may be silent. */
static int64_t patience_ms(const struct job *j)
{
	if (!jobframe_has_begun(&j->frame))
		return (int64_t)j->spec.silence_ms * GREETING_TIMES;
	return j->request == CANCEL ? CANCEL_MS : j->spec.silence_ms;
}

/* Else silence means nothing. */
static bool is_listening(const struct job *j)
{
	return j->heard_ms > 0 && !j->paused;
}

/* When it has printed nothing for too long; 0 = never. */
static int64_t idle_end_ms(const struct job *j)
{
	return j->spec.idle_ms > 0 && j->grown_ms > 0 && !j->cancelling &&
	                       !j->timed_out
	               ? j->grown_ms + j->spec.idle_ms
	               : 0;
}

static void set_timer(struct job *j)
{
	int64_t due = 0;

	j->doubted = false;
	if (j->over) {
		j->timer.due_ms = 1;
		return;
	}
	if (is_listening(j)) {
		int64_t idle = idle_end_ms(j);

		due = j->heard_ms + patience_ms(j);
		if (idle > 0 && idle < due)
			due = idle;
	}
	j->timer.due_ms = due;
}

static void connect_again(struct job *j, const struct err *err)
{
	char shown[600];

	j->heard_ms = 0;
	if (j->over)
		return;
	if (j->failures++ >= j->spec.retries) {
		remote_drop(j->remote);
		j->result.why = *err;
		finish(j, job_was_asked(j) ? JOB_UNKNOWN : JOB_REFUSED, -1);
		return;
	}
	text_visible_str(shown, sizeof shown, err->message);
	event(j, j->known ? JOB_LOST : JOB_RETRY, shown);
	/* At once, but not over and over. */
	if (j->failures == 1)
		remote_connect(j->remote);
	else
		remote_connect_later(j->remote);
	set_timer(j);
}

static bool on_output(bool is_stderr, const char *data, size_t len, void *arg)
{
	struct job *j = arg;
	struct err err = ERR_INIT;
	bool more = true, answered = jobframe_has_begun(&j->frame);

	if (j->over)
		return true;
	/* What a login prints is no sign of life: it may have no end. */
	if (is_stderr || !answered)
		jobshell_hear(&j->words, data, len);
	if (is_stderr)
		return true;
	if (jobframe_feed(&j->frame, data, len, &more, &err) < 0)
		refuse(j, &err);
	if (!answered && jobframe_has_begun(&j->frame))
		buf_reset(&j->words);
	/* The handler may have waited for somebody to read; or the line was
	 * given up. */
	if (j->heard_ms > 0 && jobframe_has_begun(&j->frame))
		j->heard_ms = clock_mono_ms();
	set_timer(j);
	return more;
}

/* The shell on the host has ended. */
static void on_shell_end(const struct sshclient_end *end, void *arg)
{
	struct job *j = arg;
	struct err err = ERR_INIT;
	int r;

	if (j->over)
		return;
	if (j->request == CANCEL) {
		j->request = FOLLOW;
		hang_up(j);
		return;
	}
	r = jobshell_ended(end, jobframe_has_begun(&j->frame), j->spec.sudo,
	        &j->words, &err);
	if (r == -ENOEXEC || r == -EAGAIN)
		j->asked = j->asked_before;
	/* It may be that the host shuts down. */
	if (r == -ENOEXEC && !j->known)
		refuse(j, &err);
	else
		connect_again(j, &err);
}

static void compose(struct job *j)
{
	buf_reset(&j->text);
	switch (j->request) {
	case START:
		jobtext_start(&j->text, j->nonce, j->spec.start);
		break;
	case CANCEL:
		jobtext_cancel(&j->text, j->nonce, j->spec.start->id);
		break;
	case FOLLOW:
	default:
		jobtext_follow(&j->text, j->nonce, j->spec.start->id,
		        j->frame.out, j->frame.err);
		break;
	}
}

static void on_up(void *arg)
{
	struct job *j = arg;
	struct sshclient_handlers h = {
	        .on_data = on_output, .on_end = on_shell_end, .arg = j};
	_cleanup_buf_ struct buf command = BUF_INIT;
	struct err err = ERR_INIT;

	jobframe_restart(&j->frame);
	buf_reset(&j->words);
	j->begun = false;
	j->asked_before = j->asked;
	if (j->cancelling && j->known) {
		j->request = CANCEL;
		j->cancelling = false;
	}
	compose(j);
	jobtext_command(&command, j->nonce, j->text.len, j->spec.sudo);
	j->sent = 0;
	j->all_sent = false;
	j->paused = false;
	j->heard_ms = clock_mono_ms();
	j->grown_ms = 0;
	if (buf_failed(&j->text) || buf_failed(&command)) {
		err_nomem(&err);
		refuse(j, &err);
	} else if (remote_exec(j->remote, command.data, &h, &err) < 0) {
		refuse(j, &err);
	}
	set_timer(j);
	/* Last, for who is told may cancel it. */
	if (!j->known && !j->over)
		event(j, JOB_CONNECTED, "");
}

/* What is sent next, and how much there is of it in one piece. */
static const char *to_send(const struct job *j, size_t *ret_len)
{
	size_t script = j->request == START ? j->spec.start->script_size : 0;

	if (j->sent < j->text.len) {
		*ret_len = j->text.len - j->sent;
		return j->text.data + j->sent;
	}
	*ret_len = j->text.len + script - j->sent;
	return j->spec.script ? j->spec.script + (j->sent - j->text.len) : "";
}

static void on_room(void *arg)
{
	struct job *j = arg;
	size_t len;

	if (j->all_sent)
		return;
	for (;;) {
		const char *data = to_send(j, &len);
		ssize_t n;

		if (len == 0) {
			j->asked = true; /* it has all that it needs */
			break;
		}
		n = remote_write(j->remote, data, len);
		if (n <= 0)
			return;
		/* So much was taken of what was sent before. */
		j->heard_ms = clock_mono_ms();
		j->sent += (size_t)n;
	}
	/* Before the program runs it is not accepted: tried again then. */
	j->all_sent = remote_write_end(j->remote) == 0;
}

static void on_failed(const struct err *err, void *arg)
{
	struct job *j = arg;

	j->heard_ms = 0;
	if (j->over)
		return;
	j->result.why = *err;
	finish(j, job_was_asked(j) ? JOB_UNKNOWN : JOB_UNREACHABLE, -1);
}

static void on_lost(const struct err *err, void *arg)
{
	connect_again(arg, err);
}

static void on_retry(const struct err *err, int delay_ms, void *arg)
{
	(void)delay_ms;
	event(arg, JOB_RETRY, err->message);
}

/* --- time -------------------------------------------------------------------
 */

static void on_time(short revents, void *arg)
{
	struct job *j = arg;
	struct err err = ERR_INIT;
	int64_t now = clock_mono_ms();

	(void)revents;
	if (j->over) {
		loop_remove(j->loop, &j->timer);
		remote_drop(j->remote);
		j->handlers.on_end(&j->result, j->handlers.arg);
		return;
	}
	/* We may have been stopped: what has come meanwhile is read first. */
	if (!j->doubted) {
		j->doubted = true;
		j->timer.due_ms = now;
		return;
	}
	if (is_listening(j) && idle_end_ms(j) > 0 && now >= idle_end_ms(j)) {
		j->timed_out = true;
		job_cancel(j);
	} else if (is_listening(j) && now >= j->heard_ms + patience_ms(j)) {
		err_set(&err, -ETIMEDOUT,
		        _("the host has not said a word for %d s"),
		        (int)(patience_ms(j) / 1000));
		remote_drop(j->remote);
		connect_again(j, &err);
	}
	set_timer(j);
}

void job_resume(struct job *j)
{
	j->paused = false;
	if (j->heard_ms > 0)
		j->heard_ms = clock_mono_ms();
	if (j->grown_ms > 0)
		j->grown_ms = clock_mono_ms();
	remote_resume(j->remote);
	set_timer(j);
}

bool job_is_known(const struct job *j)
{
	return j->known;
}

bool job_was_asked(const struct job *j)
{
	return j->known || j->asked;
}

void job_cancel(struct job *j)
{
	if (j->over || j->cancelling)
		return;
	j->cancelling = true;
	event(j, JOB_CANCELLING, "");
	hang_up(j);
}

/* --- life -------------------------------------------------------------------
 */

void job_free(struct job *j)
{
	if (!j)
		return;
	loop_remove(j->loop, &j->timer);
	remote_free(j->remote);
	buf_done(&j->text);
	buf_done(&j->words);
	free(j);
}

int job_start(struct job **ret, struct loop *loop, const struct job_spec *spec,
        const struct job_handlers *handlers, struct err *err)
{
	struct job *j = calloc(1, sizeof *j);
	struct remote_handlers h = {.on_up = on_up,
	        .on_failed = on_failed,
	        .on_lost = on_lost,
	        .on_retry = on_retry,
	        .on_room = on_room,
	        .arg = j};
	int r;

	if (!j)
		return err_nomem(err);
	j->loop = loop;
	j->spec = *spec;
	j->handlers = *handlers;
	j->text = BUF_INIT;
	j->words = BUF_INIT;
	j->request = spec->attach ? FOLLOW : START;
	j->timer =
	        (struct loop_source){.fd = -1, .on_ready = on_time, .arg = j};
	j->frame = (struct jobframe){.nonce = j->nonce,
	        .on_data = on_bytes,
	        .on_line = on_line,
	        .arg = j};
	r = jobtext_nonce(j->nonce);
	if (r == 0)
		r = loop_add(loop, &j->timer);
	if (r < 0)
		err_sys(err, r, "%s", _("cannot begin"));
	else
		r = remote_new(&j->remote, loop, spec->remote, &h, err);
	if (r < 0) {
		job_free(j);
		return r;
	}
	remote_connect(j->remote);
	*ret = j;
	return 0;
}
