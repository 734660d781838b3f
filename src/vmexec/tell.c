/* SPDX-License-Identifier: MIT */
#include "tell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base64.h"
#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "stream.h"
#include "sys/jsondoc.h"

static bool as_json;
static const char *host_name;
static const char *reached_by;
static int json_fd;
static int lost; /* why an object could not be written, or 0 */

void tell_init(bool json, const char *host, const char *options)
{
	as_json = json;
	host_name = host;
	reached_by = options;
	if (json)
		json_fd = stream_open(STDOUT_FILENO);
}

static const char *const event_names[] = {
        [JOB_CONNECTED] = "connected",
        [JOB_STARTED] = "started",
        [JOB_ADOPTED] = "adopted",
        [JOB_RETRY] = "retry",
        [JOB_LOST] = "lost",
        [JOB_RESUMED] = "resumed",
        [JOB_CANCELLING] = "cancelling",
};

static const char *const kind_names[] = {
        [JOB_EXITED] = "exited",
        [JOB_TIMED_OUT] = "timed_out",
        [JOB_CANCELLED] = "cancelled",
        [JOB_VANISHED] = "vanished",
        [JOB_REBOOTED] = "rebooted",
        [JOB_UNREACHABLE] = "unreachable",
        [JOB_UNKNOWN] = "unknown",
        [JOB_REFUSED] = "refused",
};

static struct jsondoc *begin(const char *event)
{
	struct jsondoc *o = jsondoc_new_object();

	jsondoc_set_int(o, "version", 1);
	jsondoc_set_string(o, "event", event);
	jsondoc_set_time(o, "time", clock_real_s());
	jsondoc_set_string(o, "host", host_name);
	return o;
}

static int print(struct jsondoc *o)
{
	/* UTF-8 has control characters of its own. */
	_cleanup_free_ char *line =
	        jsondoc_print_line(o, isatty(STDOUT_FILENO));
	int r = line ? stream_write(json_fd, line, strlen(line)) : -ENOMEM;

	jsondoc_free(o);
	if (r < 0)
		lost = r;
	return r;
}

int tell_output(bool is_stderr, const char *data, size_t len, struct err *err)
{
	struct jsondoc *o = begin("output");
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r;

	jsondoc_set_string(o, "stream", is_stderr ? "stderr" : "stdout");
	/* Text only when nothing would be changed. */
	if (text_utf8_is_valid(data, len) && !memchr(data, '\0', len)) {
		buf_add(&text, data, len);
		jsondoc_set_string(o, "text", text.data);
	} else {
		base64_add(&text, data, len);
		jsondoc_set_string(o, "base64", text.data);
	}
	if (buf_failed(&text)) {
		jsondoc_free(o);
		return err_nomem(err);
	}
	r = print(o);
	return r < 0 ? err_sys(err, r, "%s",
	                       _("cannot write to standard output"))
	             : 0;
}

static void tell_started(const char *job, const char *how)
{
	log_notice(_("%s: job %s has started (kept alive by %s)"), host_name,
	        job, how);
	if (str_ends(how, "-until-logout"))
		log_warn(
		        _("%s: it ends when the connection does, for the host "
		          "ends what a user leaves running at logout "
		          "(KillUserProcesses); \"loginctl enable-linger\" for "
		          "that user keeps it alive"),
		        host_name);
}

/* A host that boots refuses for minutes, each time with the same words. */
static void tell_retry(const char *text, bool again)
{
	if (again)
		log_info("%s: %s", host_name, text);
	else
		log_warn("%s: %s", host_name, text);
}

static bool is_repeated(enum job_event what, const char *text)
{
	static char last[600];
	bool same = what == JOB_RETRY && str_eq(text, last);

	(void)str_copy(last, sizeof last, what == JOB_RETRY ? text : "");
	return same;
}

static void tell_people(enum job_event what, const char *job, const char *text)
{
	bool again = is_repeated(what, text);

	switch (what) {
	case JOB_CONNECTED:
		log_info(_("%s: logged in"), host_name);
		break;
	case JOB_STARTED:
		tell_started(job, text);
		break;
	case JOB_ADOPTED:
		log_notice(_("%s: job %s is there already and is followed"),
		        host_name, job);
		break;
	case JOB_RETRY:
		tell_retry(text, again);
		break;
	case JOB_LOST:
		log_warn(_("%s: the connection is lost (%s); job %s goes on, "
		           "connecting again"),
		        host_name, text, job);
		break;
	case JOB_RESUMED:
		log_notice(
		        _("%s: connected again, nothing was lost"), host_name);
		break;
	case JOB_CANCELLING:
	default:
		log_notice(_("%s: ending job %s"), host_name, job);
		break;
	}
}

void tell_event(enum job_event what, const char *job, const char *text)
{
	struct jsondoc *o;

	if (!as_json) {
		tell_people(what, job, text);
		return;
	}
	o = begin(event_names[what]);
	jsondoc_set_string(o, "job", job);
	if (!str_is_empty(text))
		jsondoc_set_string(o, "text", text);
	(void)print(o);
}

static void tell_people_end(const struct job_result *result, int exitcode)
{
	struct err e = result->why;

	if (result->incomplete)
		log_warn(_("%s: the disk of the host was full, or it has lost "
		           "power: output is missing"),
		        host_name);
	if (e.code == 0)
		return;
	err_prefix(&e, "%s", host_name);
	log_show_err(result->kind == JOB_REBOOTED && exitcode == 0
	                     ? LOG_LEVEL_NOTICE
	                     : LOG_LEVEL_ERR,
	        &e);
}

int tell_end(const char *job, const struct job_result *result, int exitcode,
        struct err *err)
{
	struct jsondoc *o;

	if (!as_json) {
		tell_people_end(result, exitcode);
		return 0;
	}
	o = begin("end");
	jsondoc_set_string(o, "job", job);
	jsondoc_set_string(o, "result", kind_names[result->kind]);
	if (result->status >= 0)
		jsondoc_set_int(o, "exit_status", result->status);
	else
		jsondoc_set_null(o, "exit_status");
	jsondoc_set_int(o, "exit_code", exitcode);
	jsondoc_set_int(o, "bytes_out", (int64_t)result->out);
	jsondoc_set_int(o, "bytes_err", (int64_t)result->err);
	jsondoc_set_bool(o, "output_complete", !result->incomplete);
	if (result->why.code != 0)
		jsondoc_set_string(o, "message", result->why.message);
	(void)print(o);
	return lost == 0 ? 0
	                 : err_sys(err, lost, "%s",
	                           _("cannot write to standard output"));
}

static char *detached_text(const char *job, enum tell_detached how)
{
	switch (how) {
	case TELL_UNKNOWN:
		return str_printf(_("it is not known whether job %s has "
		                    "started on %s"),
		        job, host_name);
	case TELL_CANCELLED:
		return str_printf(_("it is not known whether job %s has been "
		                    "ended on %s"),
		        job, host_name);
	case TELL_GOES_ON:
	case TELL_ENDED:
	default:
		return str_printf(_("job %s goes on on %s"), job, host_name);
	}
}

static void tell_people_ended(const char *job)
{
	log_warn(_("job %s has ended on %s, but not all of it was written "
	           "here. Once more: vmexec%s --attach %s %s"),
	        job, host_name, reached_by, job, host_name);
}

/* Also with --quiet: its name may have been made up. */
static void tell_people_detached(const char *job, enum tell_detached how)
{
	_cleanup_free_ char *text = detached_text(job, how);

	log_warn(_("%s. Follow it again: vmexec%s --attach %s %s; end it: "
	           "vmexec%s --cancel %s %s"),
	        text ? text : job, reached_by, job, host_name, reached_by, job,
	        host_name);
}

void tell_detached(const char *job, enum tell_detached how)
{
	struct jsondoc *o;

	if (how == TELL_ENDED) {
		tell_people_ended(job);
		return;
	}
	if (!as_json) {
		tell_people_detached(job, how);
		return;
	}
	o = begin("detached");
	jsondoc_set_string(o, "job", job);
	/* That nobody reads may be the reason. */
	if (print(o) < 0)
		tell_people_detached(job, how);
}
