/* SPDX-License-Identifier: MIT */
/* veeam-lock: a Veeam job's pre-job script.  Parses the command line; the work
 * is in take.c and list.c. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "i18n.h"
#include "log.h"
#include "sig.h"
#include "startup.h"
#include "veeam_lock.h"
#include "../common/load_settings.h"
#include "../common/usage.h"
#include "core/exitcode.h"
#include "core/settings.h"

enum opt {
	OPT_JOB = 256,
	OPT_RUN,
	OPT_LEASE,
	OPT_WAIT,
	OPT_REMOTE,
	OPT_NO_MAIL,
	OPT_LIST,
	OPT_JSON,
	OPT_CLEAN,
};

static const struct option long_options[] = {
        {"job", required_argument, NULL, OPT_JOB},
        {"run", required_argument, NULL, OPT_RUN},
        {"lease", required_argument, NULL, OPT_LEASE},
        {"wait", required_argument, NULL, OPT_WAIT},
        {"remote", no_argument, NULL, OPT_REMOTE},
        {"no-mail", no_argument, NULL, OPT_NO_MAIL},
        {"list", no_argument, NULL, OPT_LIST},
        {"json", no_argument, NULL, OPT_JSON},
        {"clean", no_argument, NULL, OPT_CLEAN},
        {"config", required_argument, NULL, 'c'},
        USAGE_OPTIONS,
};

static void help(void)
{
	printf(_("Usage: veeam-lock [OPTIONS]\n"
	         "Tells the backup copy that a Veeam job runs; waits for a "
	         "copy that runs.\n"
	         "To be called before the job; veeam-unlock after it.\n\n"));
	printf(_("Options:\n"
	         "      --job ID         which job (as Veeam tells, else "
	         "\"veeam\")\n"
	         "      --run ID         which run of it\n"
	         "      --lease HOURS    the lock ends by itself after so "
	         "long\n"
	         "      --wait MINUTES   wait at most so long for a copy\n"
	         "      --remote         the job runs on another machine\n"
	         "      --no-mail        no mail when the job cannot have the "
	         "lock\n"
	         "      --list           who holds what, who waits\n"
	         "      --json           with --list: for programs\n"
	         "      --clean          remove locks whose time is over\n"));
	printf(_("  -c, --config FILE    instead of the installed "
	         "configuration\n"
	         "  -v, --verbose        say more\n"
	         "  -q, --quiet          only warnings and errors\n"
	         "  -h, --help           this help\n"
	         "  -V, --version        the version\n\n"
	         "See veeam-lock(8), asbackup.conf(5).\n"));
}

#define PROGRAM "veeam-lock"
#define usage(...) usage_error(PROGRAM, __VA_ARGS__)

static void set_option(struct lock_options *o, int c)
{
	switch (c) {
	case OPT_JOB:
		o->job = usage_id(PROGRAM, optarg);
		break;
	case OPT_RUN:
		o->run = usage_id(PROGRAM, optarg);
		break;
	case OPT_LEASE:
		o->lease_hours = usage_number(PROGRAM, optarg, 1, 8760);
		break;
	case OPT_WAIT:
		o->wait_minutes = usage_number(PROGRAM, optarg, 0, 525600);
		break;
	case OPT_REMOTE:
		o->remote = true;
		break;
	case OPT_NO_MAIL:
		o->no_mail = true;
		break;
	case OPT_LIST:
		o->list = true;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_CLEAN:
		o->clean = true;
		break;
	case 'c':
		o->config = optarg;
		break;
	default:
		(void)usage_option(PROGRAM, help, c);
		break;
	}
}

static void parse(int argc, char **argv, struct lock_options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:" USAGE_LETTERS, long_options,
	                NULL)) != -1)
		set_option(o, c);
	if (optind < argc)
		usage(_("too many arguments: '%s'"), argv[optind]);
	if (o->json && !o->list)
		usage("%s", _("--json belongs to --list"));
	if (o->list && o->clean)
		usage("%s", _("--list and --clean do not go together"));
}

int main(int argc, char **argv)
{
	struct lock_options o = {.wait_minutes = -1};
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
	if (o.list)
		return lock_list(&o, s);
	return o.clean ? lock_clean(&o, s) : lock_take(&o, s);
}
