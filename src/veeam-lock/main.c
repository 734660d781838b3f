/* SPDX-License-Identifier: MIT */
/* veeam-lock: a Veeam job's pre-job script.  Parses the command line; the work
 * is in take.c and list.c. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "i18n.h"
#include "log.h"
#include "num.h"
#include "sig.h"
#include "startup.h"
#include "version.h"
#include "veeam_lock.h"
#include "core/exitcode.h"
#include "core/lease_record.h"
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
        {"verbose", no_argument, NULL, 'v'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
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

static _Noreturn void usage(const char *fmt, ...) _printf_(1, 2);

static _Noreturn void usage(const char *fmt, ...)
{
	va_list ap;

	fputs("veeam-lock: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n%s\n", _("Try 'veeam-lock --help'."));
	exit(EXITCODE_USAGE);
}

static const char *id(const char *text)
{
	if (!lease_record_is_id(text))
		usage(_("an id has 1 to %d bytes and no control characters"),
		        LEASE_JOB_MAX);
	return text;
}

static int64_t number(const char *text, int64_t min, int64_t max)
{
	int64_t n;

	if (num_parse_i64(text, min, max, &n) < 0)
		usage(_("'%s' is not a number from %lld to %lld"), text,
		        (long long)min, (long long)max);
	return n;
}

static void set_option(struct lock_options *o, int c)
{
	switch (c) {
	case OPT_JOB:
		o->job = id(optarg);
		break;
	case OPT_RUN:
		o->run = id(optarg);
		break;
	case OPT_LEASE:
		o->lease_hours = number(optarg, 1, 8760);
		break;
	case OPT_WAIT:
		o->wait_minutes = number(optarg, 0, 525600);
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
	case 'v':
		log_set_level(LOG_LEVEL_INFO);
		break;
	case 'q':
		log_set_level(LOG_LEVEL_WARNING);
		break;
	default:
		usage("%s", _("this option is not known"));
	}
}

static void parse(int argc, char **argv, struct lock_options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:vqhV", long_options, NULL)) !=
	        -1) {
		if (c == 'h') {
			help();
			exit(EXITCODE_DONE);
		}
		if (c == 'V') {
			printf("veeam-lock %s\n", VERSION);
			exit(EXITCODE_DONE);
		}
		set_option(o, c);
	}
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

	startup();
	parse(argc, argv, &o);
	if (sig_init(&err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_FAILED;
	}
	if (settings_load(o.config, &s, &err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_CONFIG;
	}
	if (i18n_set_language(s->language) < 0)
		log_warn(_("unknown language '%s'"), s->language);
	if (o.list)
		return lock_list(&o, s);
	return o.clean ? lock_clean(&o, s) : lock_take(&o, s);
}
