/* SPDX-License-Identifier: MIT */
/* status_json: the status as JSON: status.json written and read. */
#include "core/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "atomicfile.h"
#include "clock.h"
#include "i18n.h"
#include "path.h"
#include "util.h"
#include "core/settings.h"
#include "sys/jsondoc.h"

#define STATUS_MAX (1 << 20)

static void set_count(struct jsondoc *o, const char *key, uint64_t n)
{
	jsondoc_set_int(o, key, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

static void add_strings(
        struct jsondoc *o, const char *key, const struct strv *v)
{
	struct jsondoc *a = jsondoc_add_array(o, key);

	for (size_t i = 0; i < v->len; i++)
		jsondoc_append_string(a, v->items[i]);
}

static void add_disk(struct jsondoc *root, const struct status *st)
{
	struct jsondoc *o = jsondoc_add_object(root, "disk");

	jsondoc_set_string(o, "uuid", st->disk.uuid);
	jsondoc_set_string(o, "title", st->disk.title);
	jsondoc_set_string(o, "device", st->disk.device);
	jsondoc_set_string(o, "serial", st->disk.serial);
	jsondoc_set_string(o, "fstype", st->disk.fstype);
	set_count(o, "size_bytes", st->disk.size_bytes);
	set_count(o, "free_bytes", st->disk.free_bytes);
}

static void add_plan(struct jsondoc *root, const struct status *st)
{
	struct jsondoc *o = jsondoc_add_object(root, "plan");

	set_count(o, "files_total", st->plan.files_total);
	set_count(o, "files_to_copy", st->plan.files_to_copy);
	set_count(o, "bytes_to_copy", st->plan.bytes_to_copy);
	set_count(o, "files_to_delete", st->plan.files_to_delete);
	jsondoc_set_bool(o, "delete_first", st->plan.delete_first);
}

static void add_progress(struct jsondoc *root, const struct status *st)
{
	struct jsondoc *o = jsondoc_add_object(root, "progress");

	set_count(o, "bytes_done", st->progress.bytes_done);
	set_count(o, "bytes_total", st->progress.bytes_total);
	jsondoc_set_real(o, "percent", st->progress.percent);
	set_count(o, "rate_bytes_per_second", st->progress.rate);
	if (st->progress.eta_seconds < 0)
		jsondoc_set_null(o, "eta_seconds");
	else
		jsondoc_set_int(o, "eta_seconds", st->progress.eta_seconds);
	set_count(o, "files_done", st->progress.files_done);
	jsondoc_set_string(o, "file", st->progress.file);
}

static void add_result(struct jsondoc *root, const struct status *st)
{
	struct jsondoc *o = jsondoc_add_object(root, "result");

	jsondoc_set_int(o, "passes", st->passes);
	set_count(o, "files_copied", st->files_copied);
	set_count(o, "bytes_copied", st->bytes_copied);
	set_count(o, "files_deleted", st->files_deleted);
	set_count(o, "files_verified", st->files_verified);
	set_count(o, "bytes_verified", st->bytes_verified);
	jsondoc_set_int(o, "plan_milliseconds", st->took.plan_ms);
	jsondoc_set_int(o, "copy_milliseconds", st->took.copy_ms);
	jsondoc_set_int(o, "verify_milliseconds", st->took.verify_ms);
	jsondoc_set_int(o, "flush_milliseconds", st->took.flush_ms);
	jsondoc_set_int(o, "total_milliseconds", st->took.total_ms);
}

static void add_error(struct jsondoc *root, const struct status *st)
{
	struct jsondoc *o;

	if (st->error.code == 0) {
		jsondoc_set_null(root, "error");
		return;
	}
	o = jsondoc_add_object(root, "error");
	jsondoc_set_string(o, "message", st->error.message);
	jsondoc_set_string(o, "meaning", st->error.meaning);
	jsondoc_set_string(o, "action", st->error.action);
}

char *status_json(const struct status *st)
{
	_cleanup_(jsondoc_freep) struct jsondoc *root = jsondoc_new_object();

	jsondoc_set_int(root, "version", 1);
	jsondoc_set_string(root, "state", status_state_name(st->state));
	jsondoc_set_string(root, "step", status_step_name(st->step));
	if (st->exit_code < 0)
		jsondoc_set_null(root, "exit_code");
	else
		jsondoc_set_int(root, "exit_code", st->exit_code);
	jsondoc_set_bool(root, "may_be_unplugged", st->may_be_unplugged);
	jsondoc_set_bool(root, "skipped", st->skipped);
	jsondoc_set_bool(root, "dry_run", st->dry_run);
	jsondoc_set_bool(root, "adopted", st->adopted);
	jsondoc_set_int(root, "run", st->run);
	jsondoc_set_int(root, "pid", st->pid);
	jsondoc_set_time(root, "started", st->started);
	jsondoc_set_time(root, "ended", st->ended);
	jsondoc_set_time(root, "updated", st->updated);
	jsondoc_set_string(root, "source", st->source);
	add_disk(root, st);
	add_plan(root, st);
	add_progress(root, st);
	add_result(root, st);
	add_strings(root, "waiting_for", &st->waiting_for);
	add_strings(root, "warnings", &st->warnings);
	add_error(root, st);
	return jsondoc_print(root);
}

int status_publish(
        const struct status *st, const struct settings *s, struct err *err)
{
	_cleanup_free_ char *text = NULL, *path = NULL;
	int r;

	text = status_json(st);
	path = path_join(s->runtime_directory, "status.json");
	if (!text || !path)
		return err_nomem(err);
	r = path_mkdirs(s->runtime_directory, 0755, err);
	if (r < 0)
		return r;
	return atomicfile_write(
	        AT_FDCWD, path, text, strlen(text), 0644, false, err);
}

static int64_t get_time(const struct jsondoc *o, const char *key)
{
	int64_t t = 0;

	if (clock_parse_utc(jsondoc_string(o, key, ""), &t) < 0)
		return 0;
	return t;
}

static uint64_t get_count(const struct jsondoc *o, const char *key)
{
	int64_t n = jsondoc_int(o, key, 0);

	return n < 0 ? 0 : (uint64_t)n;
}

static enum status_state get_state(const char *name)
{
	for (int i = STATUS_IDLE; i <= STATUS_FAILED; i++)
		if (str_eq(name, status_state_name((enum status_state)i)))
			return (enum status_state)i;
	return STATUS_IDLE;
}

static enum status_step get_step(const char *name)
{
	for (int i = STEP_NONE; i < STEP_COUNT; i++)
		if (str_eq(name, status_step_name((enum status_step)i)))
			return (enum status_step)i;
	return STEP_NONE;
}

#define GET_STRING(dst, o, key) \
	((void)str_copy((dst), sizeof(dst), jsondoc_string((o), (key), "")))

static void read_disk(const struct jsondoc *root, struct status *st)
{
	const struct jsondoc *o = jsondoc_get(root, "disk");

	GET_STRING(st->disk.uuid, o, "uuid");
	GET_STRING(st->disk.title, o, "title");
	GET_STRING(st->disk.device, o, "device");
	GET_STRING(st->disk.serial, o, "serial");
	GET_STRING(st->disk.fstype, o, "fstype");
	st->disk.size_bytes = get_count(o, "size_bytes");
	st->disk.free_bytes = get_count(o, "free_bytes");
}

static void read_plan(const struct jsondoc *root, struct status *st)
{
	const struct jsondoc *o = jsondoc_get(root, "plan");

	st->plan.files_total = get_count(o, "files_total");
	st->plan.files_to_copy = get_count(o, "files_to_copy");
	st->plan.bytes_to_copy = get_count(o, "bytes_to_copy");
	st->plan.files_to_delete = get_count(o, "files_to_delete");
	st->plan.delete_first = jsondoc_bool(o, "delete_first", false);
}

static void read_progress(const struct jsondoc *root, struct status *st)
{
	const struct jsondoc *o = jsondoc_get(root, "progress");

	st->progress.bytes_done = get_count(o, "bytes_done");
	st->progress.bytes_total = get_count(o, "bytes_total");
	st->progress.percent = jsondoc_real(o, "percent", 0);
	st->progress.rate = get_count(o, "rate_bytes_per_second");
	st->progress.eta_seconds = jsondoc_int(o, "eta_seconds", -1);
	st->progress.files_done = get_count(o, "files_done");
	GET_STRING(st->progress.file, o, "file");
}

static void read_result(const struct jsondoc *root, struct status *st)
{
	const struct jsondoc *o = jsondoc_get(root, "result");

	st->passes = (int)jsondoc_int(o, "passes", 0);
	st->files_copied = get_count(o, "files_copied");
	st->bytes_copied = get_count(o, "bytes_copied");
	st->files_deleted = get_count(o, "files_deleted");
	st->files_verified = get_count(o, "files_verified");
	st->bytes_verified = get_count(o, "bytes_verified");
	st->took.plan_ms = jsondoc_int(o, "plan_milliseconds", 0);
	st->took.copy_ms = jsondoc_int(o, "copy_milliseconds", 0);
	st->took.verify_ms = jsondoc_int(o, "verify_milliseconds", 0);
	st->took.flush_ms = jsondoc_int(o, "flush_milliseconds", 0);
	st->took.total_ms = jsondoc_int(o, "total_milliseconds", 0);
}

static void read_error(const struct jsondoc *root, struct status *st)
{
	const struct jsondoc *o = jsondoc_get(root, "error");

	if (str_is_empty(jsondoc_string(o, "message", "")))
		return;
	st->error.code = -EIO;
	GET_STRING(st->error.message, o, "message");
	GET_STRING(st->error.meaning, o, "meaning");
	GET_STRING(st->error.action, o, "action");
}

static int read_strings(
        const struct jsondoc *root, const char *key, struct strv *v)
{
	const struct jsondoc *a = jsondoc_get(root, key);

	for (size_t i = 0; i < jsondoc_len(a); i++)
		if (strv_add(v, jsondoc_string_at(a, i, "")) < 0)
			return -ENOMEM;
	return 0;
}

static int read_root(const struct jsondoc *root, struct status *st)
{
	st->state = get_state(jsondoc_string(root, "state", ""));
	st->step = get_step(jsondoc_string(root, "step", ""));
	st->exit_code = (int)jsondoc_int(root, "exit_code", -1);
	st->may_be_unplugged = jsondoc_bool(root, "may_be_unplugged", false);
	st->skipped = jsondoc_bool(root, "skipped", false);
	st->dry_run = jsondoc_bool(root, "dry_run", false);
	st->adopted = jsondoc_bool(root, "adopted", false);
	st->run = jsondoc_int(root, "run", 0);
	st->pid = jsondoc_int(root, "pid", 0);
	st->started = get_time(root, "started");
	st->ended = get_time(root, "ended");
	st->updated = get_time(root, "updated");
	GET_STRING(st->source, root, "source");
	read_disk(root, st);
	read_plan(root, st);
	read_progress(root, st);
	read_result(root, st);
	read_error(root, st);
	if (read_strings(root, "waiting_for", &st->waiting_for) < 0)
		return -ENOMEM;
	return read_strings(root, "warnings", &st->warnings);
}

int status_read(struct status *ret, const struct settings *s, struct err *err)
{
	_cleanup_(jsondoc_freep) struct jsondoc *root = NULL;
	_cleanup_free_ char *text = NULL, *path = NULL;
	size_t len;
	int r;

	path = path_join(s->runtime_directory, "status.json");
	if (!path)
		return err_nomem(err);
	r = path_read_file(path, STATUS_MAX, &text, &len);
	if (r < 0)
		return err_sys(
		        err, r, _("cannot read the status file %s"), path);
	r = jsondoc_parse(text, len, &root, err);
	if (r < 0) {
		err_prefix(err, "%s", path);
		return r;
	}
	r = read_root(root, ret);
	return r < 0 ? err_nomem(err) : 0;
}
