/* SPDX-License-Identifier: MIT */
#include "jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "num.h"
#include "sig.h"
#include "text.h"
#include "options.h"
#include "../common/json_print.h"
#include "core/jobframe.h"
#include "core/jobquery.h"
#include "core/jobrefused.h"
#include "core/jobtext.h"
#include "sys/jsondoc.h"

struct question {
	const struct options *options;
	const char *host;
	struct jsondoc *root; /* --list --json, or NULL */
	struct jsondoc *jobs; /* an array in it */
	struct buf table;     /* --list for people */
	bool any;
	bool refused;
};

/* What was listed so far does not count. */
static void begin_list(struct question *x)
{
	buf_reset(&x->table);
	x->any = false;
	if (!x->options->json)
		return;
	jsondoc_free(x->root);
	x->root = jsondoc_new_object();
	jsondoc_set_int(x->root, "version", 1);
	jsondoc_set_string(x->root, "host", x->host);
	x->jobs = jsondoc_add_array(x->root, "jobs");
}

static void on_again(const struct err *why, void *arg)
{
	struct question *x = arg;

	log_warn("%s: %s", x->host, why->message);
	if (x->options->action == ACTION_LIST)
		begin_list(x);
}

static int ask_host(const struct options *o,
        const struct remote_options *remote, struct question *x,
        void (*compose)(struct buf *b, const char *nonce, void *arg),
        int (*on_line)(
                const struct jobframe_line *line, void *arg, struct err *err))
{
	bool up = false;
	struct jobquery q = {.remote = remote,
	        .sudo = o->sudo,
	        .silence_ms = (int)o->heartbeat_timeout_s * 1000,
	        .compose = compose,
	        .on_line = on_line,
	        .on_again = on_again,
	        .arg = x,
	        .ret_up = &up};
	struct err err = ERR_INIT;
	int r = sig_init(&err);

	if (r == 0)
		r = jobquery_ask(&q, &err);
	if (r == 0)
		return x->refused ? VMEXEC_FAILED : 0;
	err_prefix(&err, "%s", x->host);
	log_show_err(LOG_LEVEL_ERR, &err);
	return up ? VMEXEC_FAILED : VMEXEC_UNREACHABLE;
}

static int refuse(struct question *x, const struct jobframe_line *line)
{
	struct err err = ERR_INIT;

	x->refused = true;
	jobrefused_tell(line, x->options->job, &err);
	err_prefix(&err, "%s", x->host);
	log_show_err(LOG_LEVEL_ERR, &err);
	return 0;
}

/* --- list -------------------------------------------------------------------
 */

enum word {
	NAME,
	STATE,
	METHOD,
	PID,
	STARTED,
	OUT,
	ERRS,
	STATUS,
	ENDED,
	WHY,
	WORDS,
};

static int64_t number(const char *text)
{
	int64_t n;

	return num_parse_i64(text, 0, INT64_MAX, &n) < 0 ? -1 : n;
}

static void add_job(struct question *x, const struct jobframe_line *line)
{
	struct jsondoc *o = jsondoc_append_object(x->jobs);

	jsondoc_set_string(o, "id", line->words[NAME]);
	jsondoc_set_string(o, "state", line->words[STATE]);
	if (number(line->words[STATUS]) >= 0)
		jsondoc_set_int(o, "exit_status", number(line->words[STATUS]));
	else
		jsondoc_set_null(o, "exit_status");
	jsondoc_set_time(o, "started", number(line->words[STARTED]));
	jsondoc_set_int(o, "bytes_out", number(line->words[OUT]));
	jsondoc_set_int(o, "bytes_err", number(line->words[ERRS]));
	jsondoc_set_string(o, "method", line->words[METHOD]);
	if (number(line->words[ENDED]) >= 0) {
		jsondoc_set_time(o, "ended", number(line->words[ENDED]));
		jsondoc_set_string(o, "why", line->words[WHY]);
	}
}

static const char *state_text(const char *state)
{
	if (str_eq(state, "running"))
		return _("running");
	if (str_eq(state, "ended"))
		return _("ended");
	if (str_eq(state, "rebooted"))
		return _("cut off by a reboot");
	if (str_eq(state, "vanished"))
		return _("killed");
	return _("starting");
}

static void print_job(struct buf *b, const struct jobframe_line *line)
{
	char name[100], when[32], bytes[32], status[40] = "";
	int64_t out = number(line->words[OUT]);

	if (number(line->words[STATUS]) >= 0)
		snprintf(status, sizeof status, _(" with %d"),
		        (int)number(line->words[STATUS]));
	buf_printf(b, "%-24s  %s  %10s  %s%s\n",
	        text_visible_str(name, sizeof name, line->words[NAME]),
	        clock_local(when, number(line->words[STARTED])),
	        text_bytes(bytes, out < 0 ? 0 : (uint64_t)out),
	        state_text(line->words[STATE]), status);
}

static int on_job(const struct jobframe_line *line, void *arg, struct err *err)
{
	struct question *x = arg;

	if (line->letter == 'F')
		return refuse(x, line);
	if (line->letter != 'J')
		return 0;
	if (line->len < WORDS)
		return err_set(err, -EPROTO, "%s",
		        _("the host answers something that cannot be "
		          "understood"));
	x->any = true;
	if (x->jobs)
		add_job(x, line);
	else
		print_job(&x->table, line);
	return 0;
}

static void compose_list(struct buf *b, const char *nonce, void *arg)
{
	(void)arg;
	jobtext_list(b, nonce);
}

static int print_table(const struct question *x)
{
	if (!x->any)
		log_notice(_("%s: no jobs"), x->host);
	if (buf_failed(&x->table) || fputs(x->table.data, stdout) < 0 ||
	        fflush(stdout) != 0) {
		log_err("%s", _("cannot write to standard output"));
		return VMEXEC_FAILED;
	}
	return 0;
}

int jobs_list(const struct options *o, const struct remote_options *remote,
        const char *host)
{
	struct question x = {.options = o, .host = host, .table = BUF_INIT};
	int r;

	begin_list(&x);
	r = ask_host(o, remote, &x, compose_list, on_job);
	if (r == 0 && o->json)
		r = json_print(x.root) == 0 ? 0 : VMEXEC_FAILED;
	else if (r == 0)
		r = print_table(&x);
	jsondoc_free(x.root);
	buf_done(&x.table);
	return r;
}

/* --- cancel, clean ----------------------------------------------------------
 */

static void compose_cancel(struct buf *b, const char *nonce, void *arg)
{
	const struct question *x = arg;

	jobtext_cancel(b, nonce, x->options->job);
}

static int on_cancelled(
        const struct jobframe_line *line, void *arg, struct err *err)
{
	struct question *x = arg;

	(void)err;
	if (line->letter == 'F')
		return refuse(x, line);
	if (line->len > 0 && str_eq(line->words[0], "running"))
		log_notice(_("%s: job %s has been ended"), x->host,
		        x->options->job);
	else
		log_notice(_("%s: job %s had ended already"), x->host,
		        x->options->job);
	return 0;
}

int jobs_cancel(const struct options *o, const struct remote_options *remote,
        const char *host)
{
	struct question x = {.options = o, .host = host};

	return ask_host(o, remote, &x, compose_cancel, on_cancelled);
}

static void compose_clean(struct buf *b, const char *nonce, void *arg)
{
	const struct question *x = arg;

	jobtext_clean(b, nonce, x->options->keep_days);
}

static int on_cleaned(
        const struct jobframe_line *line, void *arg, struct err *err)
{
	struct question *x = arg;
	int64_t n;

	(void)err;
	if (line->letter == 'F')
		return refuse(x, line);
	n = line->len > 0 ? number(line->words[0]) : -1;
	if (n >= 0)
		log_notice(P_("%s: %lld job removed", "%s: %lld jobs removed",
		                   (unsigned long)n),
		        x->host, (long long)n);
	return 0;
}

int jobs_clean(const struct options *o, const struct remote_options *remote,
        const char *host)
{
	struct question x = {.options = o, .host = host};

	return ask_host(o, remote, &x, compose_clean, on_cleaned);
}
