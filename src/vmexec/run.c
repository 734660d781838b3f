/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "loop.h"
#include "path.h"
#include "sig.h"
#include "ask.h"
#include "options.h"
#include "output.h"
#include "tell.h"
#include "core/job.h"
#include "sys/crypto.h"

#define SCRIPT_MAX (64U << 20)
/* Ctrl-C again within this cancels. */
#define AGAIN_MS 2000

struct run {
	const struct options *options;
	struct ask_memory *memory;
	struct loop loop;
	struct job *job;
	struct output output;
	struct loop_source signals;
	struct loop_source again; /* waits for the second Ctrl-C */
	char id[JOBTEXT_ID_MAX + 1];
	char *script;
	size_t script_len;
	bool over;
	bool cancelled; /* by Ctrl-C */
	bool rerun;
	int exitcode;
};

/* --- the end ----------------------------------------------------------------
 */

static void tell_how_to_return(const struct run *run)
{
	bool is_there =
	        job_is_known(run->job) || run->options->action == ACTION_ATTACH;

	tell_detached(run->id, run->cancelled ? TELL_CANCELLED
	                       : is_there     ? TELL_GOES_ON
	                                      : TELL_UNKNOWN);
}

static void detach(struct run *run)
{
	tell_how_to_return(run);
	run->exitcode = VMEXEC_DETACHED;
	run->over = true;
}

static int script_status(int status)
{
	if (status <= VMEXEC_STATUS_MAX)
		return status;
	log_warn(_("the script ended with %d; %d is told, for the rest has a "
	           "meaning of its own"),
	        status, VMEXEC_STATUS_MAX);
	return VMEXEC_STATUS_MAX;
}

static int exitcode_of(const struct run *run, const struct job_result *result)
{
	switch (result->kind) {
	case JOB_EXITED:
	case JOB_CANCELLED:
		return script_status(result->status);
	case JOB_TIMED_OUT:
		return VMEXEC_TIMEOUT;
	case JOB_VANISHED:
		return VMEXEC_VANISHED;
	case JOB_REBOOTED:
		return run->options->on_reboot == REBOOT_EXPECTED
		               ? 0
		               : VMEXEC_REBOOTED;
	case JOB_UNREACHABLE:
		return VMEXEC_UNREACHABLE;
	case JOB_UNKNOWN:
		return VMEXEC_DETACHED;
	case JOB_REFUSED:
	default:
		return VMEXEC_FAILED;
	}
}

/* It has ended, well perhaps, but that is not what was got here. */
static void not_written(struct run *run, const struct err *err)
{
	log_show_err(LOG_LEVEL_ERR, err);
	tell_detached(run->id, TELL_ENDED);
	if (run->exitcode == 0)
		run->exitcode = VMEXEC_DETACHED;
}

static void on_end(const struct job_result *result, void *arg)
{
	struct run *run = arg;
	struct err err = ERR_INIT;
	int r;

	if (run->over)
		return;
	run->over = true;
	run->exitcode = exitcode_of(run, result);
	r = output_end(&run->output, &err);
	if (r < 0)
		not_written(run, &err);
	run->rerun = result->kind == JOB_REBOOTED &&
	             run->options->on_reboot == REBOOT_RERUNS &&
	             run->options->action == ACTION_RUN;
	if (tell_end(run->id, result, run->exitcode, &err) < 0 && r == 0)
		not_written(run, &err);
	if (result->kind == JOB_UNKNOWN)
		tell_how_to_return(run);
}

/* The host has not heard of it. */
static void give_up(struct run *run)
{
	struct job_result result = {
	        .kind = JOB_UNREACHABLE, .status = -1, .why = ERR_INIT};

	err_set(&result.why, -EINTR, "%s",
	        run->options->action == ACTION_RUN
	                ? _("interrupted; nothing was started there")
	                : _("interrupted"));
	on_end(&result, run);
}

static bool on_data(bool is_stderr, const char *data, size_t len, void *arg)
{
	struct run *run = arg;
	struct err err = ERR_INIT;
	int r;

	if (run->over)
		return true;
	r = output_write(&run->output, is_stderr, data, len, &err);
	if (r < 0 && r != -EINTR) {
		log_show_err(LOG_LEVEL_ERR, &err);
		detach(run);
	} else if (r < 0) {
		/* Nobody reads, and somebody wants the end. */
		detach(run);
	}
	return true;
}

static void on_event(enum job_event what, const char *text, void *arg)
{
	struct run *run = arg;

	/* The line that is used to end it is none that was lost; and a login
	 * that Ctrl-C broke off needs no explanation. */
	if (!(what == JOB_RESUMED && run->cancelled) &&
	        !(what == JOB_RETRY && sig_caught()))
		tell_event(what, run->id, text);
	/* A password that was right once is given again to the next login. */
	ask_again(run->memory);
}

/* --- signals ----------------------------------------------------------------
 */

static void on_signal(short revents, void *arg)
{
	struct run *run = arg;
	int sig = sig_caught();

	if (!(revents & POLLIN))
		return;
	/* Who leaves waits no more for somebody who does not read: while the
	 * signal is there, nothing that is written does. */
	if (job_was_asked(run->job) && sig == SIGINT && !run->cancelled)
		sig_reset();
	/* Behind "^C". */
	if (sig == SIGINT)
		output_end_line(&run->output);
	if (!job_was_asked(run->job)) {
		give_up(run);
	} else if (sig != SIGINT || run->cancelled) {
		detach(run);
	} else if (run->again.due_ms > 0) {
		run->again.due_ms = 0;
		run->cancelled = true;
		job_cancel(run->job);
	} else {
		run->again.due_ms = clock_mono_ms() + AGAIN_MS;
		/* Also with --quiet: who sees nothing presses again. */
		log_warn("%s", _("press Ctrl-C again to end the job; else it "
		                 "goes on alone"));
	}
}

static void on_second_chance_over(short revents, void *arg)
{
	struct run *run = arg;

	(void)revents;
	if (run->again.due_ms == 0)
		return;
	run->again.due_ms = 0;
	detach(run);
}

/* --- the job ----------------------------------------------------------------
 */

static int make_id(struct run *run)
{
	unsigned char raw[6];
	int r = crypto_random(raw, sizeof raw);

	if (run->options->job)
		return str_copy(run->id, sizeof run->id, run->options->job);
	if (r == 0)
		snprintf(run->id, sizeof run->id, "%02x%02x%02x%02x%02x%02x",
		        raw[0], raw[1], raw[2], raw[3], raw[4], raw[5]);
	return r;
}

static int read_script(struct run *run, struct err *err)
{
	const struct options *o = run->options;
	int r;

	if (o->action != ACTION_RUN)
		return 0;
	if (o->command) {
		run->script = str_printf("%s\n", o->command);
		run->script_len = run->script ? strlen(run->script) : 0;
		return run->script ? 0 : err_nomem(err);
	}
	r = str_eq(o->script, "-") ? path_read_fd(STDIN_FILENO, SCRIPT_MAX,
	                                     &run->script, &run->script_len)
	                           : path_read_file(o->script, SCRIPT_MAX,
	                                     &run->script, &run->script_len);
	if (r == -EFBIG)
		return err_set(err, r, _("the script %s is larger than 64 MiB"),
		        o->script);
	return r < 0 ? err_sys(err, r, _("cannot read the script %s"),
	                       o->script)
	             : 0;
}

static int follow(struct run *run, const struct job_spec *spec, struct err *err)
{
	struct job_handlers h = {.on_data = on_data,
	        .on_event = on_event,
	        .on_end = on_end,
	        .arg = run};
	int r = job_start(&run->job, &run->loop, spec, &h, err);

	while (r == 0 && !run->over) {
		r = loop_step(&run->loop, -1);
		if (r == -EINTR)
			r = 0;
		if (r < 0)
			err_sys(err, r, "%s", _("cannot wait for events"));
	}
	job_free(run->job);
	run->job = NULL;
	return r;
}

static int begin(struct run *run, struct err *err)
{
	int r = read_script(run, err);

	if (r == 0 && make_id(run) < 0)
		r = err_set(err, -EIO, "%s", _("no random numbers"));
	if (r == 0)
		r = output_init(&run->output, run->options, err);
	if (r == 0)
		r = sig_init(err);
	if (r < 0)
		return r;
	run->signals.fd = sig_fd();
	if (loop_add(&run->loop, &run->signals) < 0 ||
	        loop_add(&run->loop, &run->again) < 0)
		return err_nomem(err);
	return 0;
}

/* What was typed, for the job; @start and what it points to stay the run's. */
static struct job_spec describe(const struct run *run,
        const struct remote_options *remote, struct jobtext_start *start)
{
	const struct options *o = run->options;

	*start = (struct jobtext_start){.id = run->id,
	        .script_size = run->script_len,
	        .args = o->args,
	        .env = (const char *const *)o->env.items,
	        .interpreter = o->interpreter,
	        .dir = o->dir,
	        .limit_s = o->timeout_s,
	        .method = o->method,
	        .again = true};
	return (struct job_spec){.remote = remote,
	        .start = start,
	        .script = run->script,
	        .attach = o->action == ACTION_ATTACH,
	        .sudo = o->sudo,
	        .idle_ms = o->idle_timeout_s * 1000,
	        .silence_ms = (int)o->heartbeat_timeout_s * 1000,
	        .retries = (int)o->retries};
}

static int follow_all(
        struct run *run, const struct job_spec *spec, struct err *err)
{
	for (;;) {
		int r;

		run->over = run->rerun = false;
		r = follow(run, spec, err);
		if (r < 0 || !run->rerun)
			return r;
		log_notice("%s", _("The host has rebooted: the script starts "
		                   "again."));
	}
}

int run_job(const struct options *o, const struct remote_options *remote,
        struct ask_memory *memory)
{
	struct run run = {
	        .options = o,
	        .memory = memory,
	        .loop = LOOP_INIT,
	        .output = {.log_fd = -1},
	        .signals = {.fd = -1,
	                .events = POLLIN,
	                .on_ready = on_signal,
	                .arg = &run},
	        .again = {.fd = -1,
	                .on_ready = on_second_chance_over,
	                .arg = &run},
	        .exitcode = VMEXEC_FAILED,
	};
	struct err err = ERR_INIT;
	struct jobtext_start start;
	int r = begin(&run, &err);

	if (r == 0) {
		struct job_spec spec = describe(&run, remote, &start);

		r = follow_all(&run, &spec, &err);
	}
	if (r < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		run.exitcode = VMEXEC_FAILED;
	}
	output_done(&run.output);
	loop_done(&run.loop);
	free(run.script);
	return run.exitcode;
}
