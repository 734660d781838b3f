/* SPDX-License-Identifier: MIT */
/* Everything that would make a run fail, before it fails. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "buf.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "../common/json_print.h"
#include "../common/load_settings.h"
#include "core/exitcode.h"
#include "core/guard.h"
#include "core/jobs.h"
#include "core/lease.h"
#include "core/mailer.h"
#include "core/precheck.h"
#include "core/rsync_cmd.h"
#include "core/settings.h"
#include "core/target.h"
#include "sys/jsondoc.h"
#include "sys/sandbox.h"

struct check {
	const struct settings *s;
	bool json;
	struct jsondoc *items; /* an array */
	int code;              /* of the first failure, as the run would end */
};

enum outcome { OUTCOME_OK, OUTCOME_NOTE, OUTCOME_FAILED };

static void add_json(struct check *c, const char *what, enum outcome outcome,
        const char *detail, const struct err *err)
{
	static const char *const names[] = {"ok", "note", "failed"};
	struct jsondoc *o = jsondoc_append_object(c->items);

	jsondoc_set_string(o, "what", what);
	jsondoc_set_string(o, "result", names[outcome]);
	jsondoc_set_string(o, "detail", detail);
	if (err)
		jsondoc_set_string(o, "action", err->action);
}

static void print(const char *mark, const char *what, const char *detail)
{
	cli_print_safe(mark, 8);
	cli_print_safe(what, 28);
	putchar(' ');
	cli_print_safe(detail, 0);
	putchar('\n');
}

static void good(struct check *c, const char *what, const char *detail)
{
	if (c->json)
		add_json(c, what, OUTCOME_OK, detail, NULL);
	else
		print(_("ok"), what, detail);
}

static void note(struct check *c, const char *what, const char *detail)
{
	if (c->json)
		add_json(c, what, OUTCOME_NOTE, detail, NULL);
	else
		print(_("note"), what, detail);
}

static void failed(
        struct check *c, const char *what, int code, const struct err *err)
{
	if (c->code == 0)
		c->code = code;
	if (c->json) {
		add_json(c, what, OUTCOME_FAILED, err->message, err);
		return;
	}
	print(_("FAILED"), what, err->message);
	if (err->action[0])
		print("", "", err->action);
}

static void check_directories(struct check *c)
{
	struct err err = ERR_INIT;
	FILE *rsync_log = NULL;
	_cleanup_free_ char *path = precheck_log_path(c->s);

	if (precheck_directories(c->s, &err) < 0)
		failed(c, _("directories"), EXITCODE_CONFIG, &err);
	else
		good(c, _("directories"), c->s->state_directory);
	err = ERR_INIT;
	if (precheck_logs(c->s, &rsync_log, &err) < 0)
		failed(c, _("log files"), EXITCODE_CONFIG, &err);
	else
		good(c, _("log files"), path ? path : "");
	if (rsync_log)
		fclose(rsync_log);
	err = ERR_INIT;
	if (precheck_files(c->s, &err) < 0)
		failed(c, _("other files"), EXITCODE_CONFIG, &err);
}

static void check_rsync(struct check *c)
{
	struct rsync_program rsync;
	struct err err = ERR_INIT;

	if (rsync_cmd_find(&rsync, &err) < 0) {
		failed(c, "rsync", EXITCODE_CONFIG, &err);
		return;
	}
	good(c, "rsync", rsync.version);
	if (rsync.note[0])
		note(c, "rsync", rsync.note);
	rsync_program_done(&rsync);
}

static void check_source(struct check *c)
{
	struct err err = ERR_INIT;

	if (guard_source(c->s, &err) < 0)
		failed(c, _("source"), EXITCODE_GUARD, &err);
	else
		good(c, _("source"), c->s->source);
}

static int count_job(const struct lease_entry *e, void *arg)
{
	size_t *jobs = arg;

	if (e->kind == LEASE_ENTRY_LEASE && e->verdict == LEASE_LIVE)
		(*jobs)++;
	return 0;
}

static int count_leases(struct check *c, size_t *ret, struct err *err)
{
	_cleanup_free_ char *dir = settings_lock_dir(c->s);
	struct lease l = LEASE_INIT;
	int r;

	if (!dir)
		return err_nomem(err);
	r = lease_open(&l, dir, c->s->lease_hours * 3600, err);
	if (r == 0)
		r = lease_list(&l, count_job, ret, err);
	lease_close(&l);
	return r;
}

static int count_old(struct check *c, size_t *ret, struct err *err)
{
	_cleanup_strv_ struct strv dirs = STRV_INIT, names = STRV_INIT;
	struct jobs *jobs = NULL;
	int r;

	if (settings_veeam_lock_dirs(c->s, &dirs) < 0)
		return err_nomem(err);
	r = jobs_open(&dirs, &jobs, err);
	if (r == 0)
		r = jobs_list(jobs, &names, err);
	*ret += names.len;
	jobs_free(jobs);
	return r;
}

static void check_locks(struct check *c)
{
	_cleanup_free_ char *dir = settings_lock_dir(c->s);
	struct err err = ERR_INIT;
	size_t jobs = 0;

	if (count_old(c, &jobs, &err) < 0 || count_leases(c, &jobs, &err) < 0)
		failed(c, _("Veeam's locks"), EXITCODE_VEEAM, &err);
	else if (jobs > 0)
		note(c, _("Veeam's locks"),
		        _("a Veeam job is running; a copy would wait"));
	else
		good(c, _("Veeam's locks"), dir);
}

static void check_disk(struct check *c)
{
	struct target t = TARGET_INIT;
	struct err err = ERR_INIT;
	struct mount_request req = {.device = NULL};
	char where[1024], detail[600], driver[128];
	int r;

	if (c->s->disks_len == 0) {
		err_set(&err, -ENODEV, "%s", _("no backup disk is configured"));
		err_action(&err, "%s",
		        _("Plug a disk in and run \"asbackup disks --add\"."));
		failed(c, _("disks"), EXITCODE_MATCH, &err);
		return;
	}
	r = target_find(&t, c->s, NULL, NULL, &err);
	if (r == -ENODEV) {
		note(c, _("disks"),
		        _("none of the configured disks is "
		          "attached now"));
		return;
	}
	if (r < 0) {
		failed(c, _("disks"), EXITCODE_MATCH, &err);
		return;
	}
	if (mount_find(t.disk.device, t.disk.devno, where, sizeof where) == 1) {
		err_set(&err, -EBUSY, _("the disk %s is already mounted on %s"),
		        t.disk.device, where);
		err_action(&err, _("Run \"umount %s\"."), where);
		failed(c, _("disks"), EXITCODE_MOUNT, &err);
		return;
	}
	req.device = t.disk.device;
	req.fstype = t.disk.fstype;
	if (mount_driver_of(&req, driver, sizeof driver, &err) < 0) {
		failed(c, _("disks"), EXITCODE_MOUNT, &err);
		return;
	}
	(void)snprintf(detail, sizeof detail, "%s (%s, %s)",
	        settings_disk_title(t.conf), t.disk.device, driver);
	good(c, _("disks"), detail);
}

static void check_kernel(struct check *c)
{
	if (sandbox_probe() & SANDBOX_HAS_FILES)
		good(c, _("confinement of rsync"), "Landlock");
	else
		note(c, _("confinement of rsync"),
		        _("this kernel has no Landlock"));
	if (geteuid() != 0) {
		struct err err = ERR_INIT;

		err_set(&err, -EPERM, "%s", _("only root can mount disks"));
		err_action(&err, "%s", _("Run it with sudo."));
		failed(c, _("rights"), EXITCODE_MOUNT, &err);
	}
}

static void check_mail(struct check *c, bool send)
{
	struct err err = ERR_INIT;

	if (str_is_empty(c->s->mail_server)) {
		note(c, _("mail"),
		        _("no mail server is configured; reports stay in the "
		          "spool directory"));
		return;
	}
	if (c->s->mail_sysop.len == 0)
		note(c, _("mail"),
		        _("to-mail-addresses-sysop is empty: nobody hears of "
		          "every run"));
	if (!send) {
		good(c, _("mail"), _("configured; --mail sends a test mail"));
		return;
	}
	if (mailer_test(c->s, NULL, &err) < 0)
		failed(c, _("mail"), EXITCODE_FAILED, &err);
	else
		good(c, _("mail"), _("the test mail was sent"));
}

static void run_checks(struct check *c, bool mail)
{
	good(c, _("configuration"), c->s->path);
	check_kernel(c);
	check_directories(c);
	check_rsync(c);
	check_source(c);
	check_locks(c);
	check_disk(c);
	check_mail(c, mail);
}

static void print_end(const struct check *c)
{
	if (c->code == 0)
		printf("\n%s\n", _("Nothing here would make a run fail."));
	else
		printf("\n%s\n", _("A run would fail. See above what to do."));
}

int cmd_check(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_(jsondoc_freep) struct jsondoc *root = NULL;
	struct check c = {.json = cli->json};
	int code = load_settings(cli->config, &s);

	if (code)
		return code;
	c.s = s;
	if (!cli->json) {
		run_checks(&c, cli->mail);
		print_end(&c);
		return c.code;
	}
	root = jsondoc_new_object();
	jsondoc_set_int(root, "version", 1);
	c.items = jsondoc_add_array(root, "checks");
	run_checks(&c, cli->mail);
	jsondoc_set_int(root, "exit_code", c.code);
	code = json_print(root);
	return code ? code : c.code;
}
