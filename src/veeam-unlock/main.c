/* SPDX-License-Identifier: MIT */
/* veeam-unlock: a Veeam job's post-job script: the job has ended, its lock
 * goes. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "i18n.h"
#include "log.h"
#include "sig.h"
#include "startup.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "../common/load_settings.h"
#include "../common/usage.h"
#include "core/exitcode.h"
#include "core/lease.h"
#include "core/lockjob.h"
#include "core/settings.h"

enum opt { OPT_JOB = 256, OPT_RUN, OPT_ALL };

static const struct option long_options[] = {
        {"job", required_argument, NULL, OPT_JOB},
        {"run", required_argument, NULL, OPT_RUN},
        {"all", no_argument, NULL, OPT_ALL},
        {"config", required_argument, NULL, 'c'},
        USAGE_OPTIONS,
};

struct options {
	const char *config;
	const char *job;
	const char *run;
	bool all;
};

static void help(void)
{
	printf(_("Usage: veeam-unlock [OPTIONS]\n"
	         "Tells the backup copy that a Veeam job has ended.\n\n"
	         "Options:\n"
	         "      --job ID         which job (as Veeam tells, else "
	         "\"veeam\")\n"
	         "      --run ID         only if that run of it has the lock\n"
	         "      --all            every job\n"
	         "  -c, --config FILE    instead of the installed "
	         "configuration\n"
	         "  -v, --verbose        say more\n"
	         "  -q, --quiet          only warnings and errors\n"
	         "  -h, --help           this help\n"
	         "  -V, --version        the version\n\n"
	         "See veeam-unlock(8), asbackup.conf(5).\n"));
}

#define PROGRAM "veeam-unlock"
#define usage(...) usage_error(PROGRAM, __VA_ARGS__)

static void set_option(struct options *o, int c)
{
	switch (c) {
	case OPT_JOB:
		o->job = usage_id(PROGRAM, optarg);
		break;
	case OPT_RUN:
		o->run = usage_id(PROGRAM, optarg);
		break;
	case OPT_ALL:
		o->all = true;
		break;
	case 'c':
		o->config = optarg;
		break;
	default:
		(void)usage_option(PROGRAM, help, c);
		break;
	}
}

static void parse(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:" USAGE_LETTERS, long_options,
	                NULL)) != -1)
		set_option(o, c);
	if (optind < argc)
		usage(_("too many arguments: '%s'"), argv[optind]);
	if (o->all && (o->job || o->run))
		usage("%s", _("--all does not go with --job or --run"));
}

/* --- unlocking --------------------------------------------------------------
 */

static int unlock_one(
        struct lease *l, const char *job, const char *run, struct err *err)
{
	char shown[300];
	int r = lease_release(l, job, run, err);

	if (r < 0)
		return r;
	text_visible_str(shown, sizeof shown, job);
	switch ((enum lease_released)r) {
	case LEASE_RELEASED:
		printf(_("The Veeam job %s has ended; its lock is gone.\n"),
		        shown);
		break;
	case LEASE_RELEASED_FORCED:
		printf(_("The Veeam job %s has ended; its lock is gone.\n"),
		        shown);
		log_warn(_("the Veeam job %s may have run beside a backup "
		           "copy, which then says that it is not consistent"),
		        shown);
		break;
	case LEASE_NOT_THERE:
		log_warn(_("the Veeam job %s had no lock (any more)"), shown);
		break;
	case LEASE_NEWER_RUN:
		log_warn(_("another run of the Veeam job %s has the lock: "
		           "kept"),
		        shown);
		break;
	}
	return 0;
}

static int add_job(const struct lease_entry *e, void *arg)
{
	struct strv *jobs = arg;

	return e->kind == LEASE_ENTRY_LEASE ? strv_add(jobs, e->record.job) : 0;
}

static int unlock_all(struct lease *l, struct err *err)
{
	_cleanup_strv_ struct strv jobs = STRV_INIT;
	/* A script that was killed while it waited leaves a ticket, which
	 * would become a lease behind our back. */
	int first = lease_clean(l, err);
	int r = lease_list(l, add_job, &jobs, first ? NULL : err);

	if (r == -ENOMEM)
		r = err_nomem(first ? NULL : err);
	first = first ? first : r;
	if (first == 0 && jobs.len == 0)
		log_warn("%s", _("no Veeam job had a lock"));
	/* One that cannot be removed is no reason to leave the others. */
	for (size_t i = 0; i < jobs.len; i++) {
		r = unlock_one(l, jobs.items[i], "", first ? NULL : err);
		first = first ? first : r;
	}
	return first;
}

static int unlock(
        const struct options *o, const struct settings *s, struct err *err)
{
	_cleanup_free_ char *dir = settings_lock_dir(s);
	struct lease l = LEASE_INIT;
	struct lease_record rec;
	int r;

	if (!dir)
		return err_nomem(err);
	lockjob_from_environment(&rec);
	l.on_reaped = lockjob_log_reaped;
	r = lease_open(&l, dir, s->lease_hours * 3600, err);
	if (r == 0)
		r = o->all ? unlock_all(&l, err)
		           : unlock_one(&l, o->job ? o->job : rec.job,
		                     o->run ? o->run : rec.run, err);
	lease_close(&l);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = {.config = NULL};
	_cleanup_(settings_freep) struct settings *s = NULL;
	struct err err = ERR_INIT;
	int code;

	startup();
	parse(argc, argv, &o);
	if (sig_init(&err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_FAILED;
	}
	code = load_settings(o.config, &s);
	if (code)
		return code;
	if (unlock(&o, s, &err) == 0)
		return EXITCODE_DONE;
	err_meaning_default(&err, "%s",
	        _("The backup copy goes on waiting for this job, until the "
	          "time of its lock is over."));
	err_action_default(&err, "%s",
	        _("Call veeam-unlock once more; \"veeam-lock --list\" shows "
	          "which locks are left."));
	log_show_err(LOG_LEVEL_ERR, &err);
	return EXITCODE_FAILED;
}
