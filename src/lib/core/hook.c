/* SPDX-License-Identifier: MIT */
#include "core/hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "i18n.h"
#include "log.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "util.h"
#include "core/exitcode.h"
#include "core/status.h"
#include "sys/mount.h"

#define LINE_MAX_BYTES 1000

/* Each stream has its own: they come in pieces that are no lines. */
struct line {
	char text[LINE_MAX_BYTES + 1];
	size_t len;
};

struct output {
	const char *key;
	struct line out, err;
};

static void flush_line(const struct output *o, struct line *line)
{
	line->text[line->len] = '\0';
	if (line->len > 0)
		log_info("%s: %s", o->key, line->text);
	line->len = 0;
}

static int on_output(
        enum proc_stream stream, const char *data, size_t len, void *arg)
{
	struct output *o = arg;
	struct line *line = stream == PROC_STDERR ? &o->err : &o->out;

	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n' || line->len == LINE_MAX_BYTES)
			flush_line(o, line);
		if (data[i] != '\n')
			line->text[line->len++] = data[i];
	}
	return 0;
}

static int split(const char *command, const char *key, struct strv *argv,
        struct err *err)
{
	if (strv_split(argv, command, " \t") < 0)
		return err_nomem(err);
	if (argv->len == 0 || argv->items[0][0] != '/') {
		err_set(err, -EINVAL,
		        _("%s must be the absolute path of a "
		          "program"),
		        key);
		err_action(
		        err, _("Write %s = /path/to/program arguments."), key);
		return -EINVAL;
	}
	return path_check_program(argv->items[0], err);
}

int hook_check(const char *command, const char *key, struct err *err)
{
	_cleanup_strv_ struct strv argv = STRV_INIT;
	int r;

	if (str_is_empty(command))
		return 0;
	r = split(command, key, &argv, err);
	if (r < 0)
		err_prefix(err, "%s", key);
	return r;
}

static int make_env(const struct status *st, struct strv *env)
{
	if (strv_addf(env, "ASBACKUP_UUID=%s", st->disk.uuid) < 0 ||
	        strv_addf(env, "ASBACKUP_TITLE=%s", st->disk.title) < 0 ||
	        strv_addf(env, "ASBACKUP_DEVICE=%s", st->disk.device) < 0 ||
	        strv_addf(env, "ASBACKUP_STEP=%s", status_step_name(st->step)) <
	                0 ||
	        strv_addf(env, "ASBACKUP_STATE=%s",
	                status_state_name(st->state)) < 0)
		return -ENOMEM;
	if (st->exit_code < 0)
		return 0;
	return strv_addf(env, "ASBACKUP_EXIT_CODE=%d", st->exit_code);
}

static int judge(
        const struct proc_result *res, const char *key, struct err *err)
{
	char how[200];

	if (res->exit_code == 0)
		return 0;
	err_set(err, -ECANCELED, _("the program of %s %s"), key,
	        proc_describe(how, sizeof how, res));
	err_action(err,
	        _("Look at its messages in the log, or remove %s from "
	          "the configuration."),
	        key);
	return res->exit_code > 0 ? res->exit_code : EXITCODE_FAILED;
}

int hook_run(const char *command, const char *key, const struct status *st,
        struct err *err)
{
	_cleanup_strv_ struct strv argv = STRV_INIT, env = STRV_INIT;
	struct output out = {.key = key};
	struct proc_result res;
	struct proc_spec spec = {
	        PROC_SPEC_INIT,
	        .name = key,
	        /* What it mounts or unmounts is meant for the host. */
	        .pre_exec = mount_outside,
	        .on_output = on_output,
	        .cb_arg = &out,
	};

	if (str_is_empty(command))
		return 0;
	if (split(command, key, &argv, err) < 0)
		return EXITCODE_FAILED;
	if (make_env(st, &env) < 0) {
		err_nomem(err);
		return EXITCODE_FAILED;
	}
	spec.argv = argv.items;
	spec.env = (const char *const *)env.items;
	log_info("%s: %s", key, command);
	if (proc_run(&spec, &res, err) < 0)
		return EXITCODE_FAILED;
	flush_line(&out, &out.out);
	flush_line(&out, &out.err);
	return judge(&res, key, err);
}
