/* SPDX-License-Identifier: MIT */
/* asbackup: parses the command line, starts a command, hands on its exit code.
 * The work is elsewhere. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "i18n.h"
#include "log.h"
#include "num.h"
#include "sig.h"
#include "startup.h"
#include "str.h"
#include "util.h"
#include "version.h"
#include "../common/usage.h"
#include "core/exitcode.h"

enum opt {
	OPT_UUID = 256,
	OPT_DEVICE,
	OPT_DRY_RUN,
	OPT_NO_MAIL,
	OPT_NO_WAIT,
	OPT_FORCE,
	OPT_NEW_DISK,
	OPT_QUEUE,
	OPT_JSON,
	OPT_FOLLOW,
	OPT_ADD,
	OPT_ADOPT,
	OPT_FORGET,
	OPT_PART,
	OPT_ALL,
	OPT_MAIL,
	OPT_DEBUG,
	OPT_PRINT_CONFIG,
};

static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"uuid", required_argument, NULL, OPT_UUID},
        {"device", required_argument, NULL, OPT_DEVICE},
        {"dry-run", no_argument, NULL, OPT_DRY_RUN},
        {"no-mail", no_argument, NULL, OPT_NO_MAIL},
        {"no-wait", no_argument, NULL, OPT_NO_WAIT},
        {"force", no_argument, NULL, OPT_FORCE},
        {"new-disk", no_argument, NULL, OPT_NEW_DISK},
        {"queue", no_argument, NULL, OPT_QUEUE},
        {"json", no_argument, NULL, OPT_JSON},
        {"follow", no_argument, NULL, OPT_FOLLOW},
        {"add", no_argument, NULL, OPT_ADD},
        {"adopt", required_argument, NULL, OPT_ADOPT},
        {"forget", required_argument, NULL, OPT_FORGET},
        {"part", required_argument, NULL, OPT_PART},
        {"all", no_argument, NULL, OPT_ALL},
        {"mail", no_argument, NULL, OPT_MAIL},
        {"lines", required_argument, NULL, 'n'},
        {"verbose", no_argument, NULL, 'v'},
        {"quiet", no_argument, NULL, 'q'},
        {"debug", no_argument, NULL, OPT_DEBUG},
        {"print-config", no_argument, NULL, OPT_PRINT_CONFIG},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
};

/* The options that each command understands besides the general ones. */
static const struct command {
	const char *name;
	int (*fn)(const struct cli *cli);
	int options[12];
} commands[] = {
        {"run", cmd_run,
                {OPT_UUID, OPT_DEVICE, OPT_DRY_RUN, OPT_NO_MAIL, OPT_NO_WAIT,
                        OPT_FORCE, OPT_NEW_DISK, OPT_QUEUE, OPT_JSON}},
        {"disks", cmd_disks, {OPT_JSON, OPT_ADD, OPT_ADOPT, OPT_FORGET}},
        {"status", cmd_status, {OPT_JSON, OPT_FOLLOW}},
        {"history", cmd_history, {OPT_JSON, 'n'}},
        {"check", cmd_check, {OPT_JSON, OPT_MAIL}},
        {"match", cmd_match, {OPT_UUID, OPT_DEVICE}},
        {"verify", cmd_verify,
                {OPT_UUID, OPT_DEVICE, OPT_PART, OPT_ALL, OPT_JSON}},
        {"restore-check", cmd_restore_check, {OPT_UUID, OPT_DEVICE, OPT_JSON}},
        {"mail-retry", cmd_mail_retry, {0}},
        {"overdue", cmd_overdue, {OPT_NO_MAIL, OPT_JSON}},
};

static void help(void)
{
	printf(_("Usage: asbackup [COMMAND] [OPTIONS]\n"
	         "Copies the Veeam repository to a removable disk.\n\n"));
	printf(_("Commands:\n"
	         "  run             copy (what asbackup does without a "
	         "command)\n"
	         "  disks           the configured disks and the age of their "
	         "copies\n"
	         "  status          the running copy, or how the last one "
	         "ended\n"
	         "  history         past runs\n"
	         "  check           find what would make a run fail\n"
	         "  match           exit 0 when the disk is configured\n"
	         "  verify          read the disk back and compare\n"
	         "  restore-check   which backup chains on the disk are "
	         "complete\n"
	         "  mail-retry      send the mails that wait in the spool\n"
	         "  overdue         warn by mail when the last good copy is "
	         "too old\n\n"));
	printf(_("Options of run:\n"
	         "      --uuid UUID      the disk with this UUID\n"
	         "      --device PATH    the disk behind this device\n"
	         "      --dry-run        only say what would be done\n"
	         "      --no-mail        no mails\n"
	         "      --no-wait        do not wait for Veeam jobs\n"
	         "      --force          allow more deletes than "
	         "max-delete-percent\n"
	         "      --new-disk       accept a new disk with a known UUID, "
	         "once\n"
	         "      --queue          wait for another copy to end\n"));
	printf(_("Options of other commands:\n"
	         "      --add            disks: configure an attached disk\n"
	         "      --adopt UUID     disks: this disk is ours from now on\n"
	         "      --forget UUID    disks: it is no longer ours\n"
	         "      --follow         status: until the run has ended\n"
	         "  -n, --lines N        history: only the last N runs\n"
	         "      --mail           check: send a test mail\n"
	         "      --part N/T       verify: the N-th of T parts\n"
	         "      --all            verify: everything\n\n"));
	printf(_("General options:\n"
	         "  -c, --config FILE    instead of the installed "
	         "configuration\n"
	         "      --json           facts for programs\n"
	         "  -v, --verbose        a line per step\n"
	         "  -q, --quiet          only warnings and errors\n"
	         "      --debug          everything\n"
	         "      --print-config   show every setting and stop\n"
	         "  -h, --help           this help\n"
	         "  -V, --version        the version\n\n"
	         "See asbackup(8), asbackup.conf(5).\n"));
}

#define PROGRAM "asbackup"
#define usage(...) usage_error(PROGRAM, __VA_ARGS__)

static void parse_part(struct cli *cli, const char *text)
{
	char copy[64];
	char *slash;
	int64_t n, t;

	if (str_copy(copy, sizeof copy, text) < 0 ||
	        !(slash = strchr(copy, '/')))
		usage(_("--part wants N/T, as in 1/4, not '%s'"), text);
	*slash = '\0';
	if (num_parse_i64(slash + 1, 1, 10000, &t) < 0 ||
	        num_parse_i64(copy, 1, t, &n) < 0)
		usage(_("--part wants N/T, as in 1/4, not '%s'"), text);
	cli->part = (unsigned)n;
	cli->parts = (unsigned)t;
}

static void set_option(struct cli *cli, int c)
{
	switch (c) {
	case 'c':
		cli->config = optarg;
		break;
	case 'n':
		if (num_parse_i64(optarg, 1, 1000000, &cli->count) < 0)
			usage(_("'%s' is not a number of lines"), optarg);
		break;
	case 'v':
		log_set_level(LOG_LEVEL_INFO);
		break;
	case 'q':
		log_set_level(LOG_LEVEL_WARNING);
		break;
	case OPT_UUID:
		cli->run.uuid = optarg;
		break;
	case OPT_DEVICE:
		cli->run.device = optarg;
		break;
	case OPT_DRY_RUN:
		cli->run.dry_run = true;
		break;
	case OPT_NO_MAIL:
		cli->run.no_mail = true;
		break;
	case OPT_NO_WAIT:
		cli->run.no_wait = true;
		break;
	case OPT_FORCE:
		cli->run.force = true;
		break;
	case OPT_NEW_DISK:
		cli->run.new_disk = true;
		break;
	case OPT_QUEUE:
		cli->run.queue = true;
		break;
	case OPT_JSON:
		cli->json = true;
		break;
	case OPT_FOLLOW:
		cli->follow = true;
		break;
	case OPT_ADD:
		cli->add = true;
		break;
	case OPT_ADOPT:
		cli->adopt = optarg;
		break;
	case OPT_FORGET:
		cli->forget = optarg;
		break;
	case OPT_PART:
		parse_part(cli, optarg);
		break;
	case OPT_ALL:
		cli->all = true;
		break;
	case OPT_MAIL:
		cli->mail = true;
		break;
	case OPT_DEBUG:
		log_set_level(LOG_LEVEL_DEBUG);
		break;
	default:
		exit(EXITCODE_USAGE);
	}
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(name, commands[i].name))
			return &commands[i];
	usage(_("there is no command '%s'"), name);
}

static bool is_general(int c)
{
	return c == 'c' || c == 'v' || c == 'q' || c == OPT_DEBUG;
}

static const char *long_name(int c)
{
	for (size_t i = 0; long_options[i].name; i++)
		if (long_options[i].val == c)
			return long_options[i].name;
	return "?";
}

static void check_option(const struct command *cmd, int c)
{
	char text[128];

	if (is_general(c))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(cmd->options); i++)
		if (cmd->options[i] == c)
			return;
	(void)snprintf(text, sizeof text, "%s --%s", cmd->name, long_name(c));
	usage(_("there is no '%s'"), text);
}

struct parsed {
	int given[64];
	size_t len;
	bool print_config;
};

static void parse(int argc, char **argv, struct cli *cli, struct parsed *p)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:n:vqhV", long_options, NULL)) !=
	        -1) {
		if (c == 'h') {
			help();
			exit(EXITCODE_DONE);
		}
		if (c == 'V') {
			printf(PROGRAM " %s\n", VERSION);
			exit(EXITCODE_DONE);
		}
		if (c == '?')
			usage_try_help(PROGRAM);
		if (c == OPT_PRINT_CONFIG) {
			p->print_config = true;
			continue;
		}
		set_option(cli, c);
		if (p->len == ARRAY_SIZE(p->given))
			usage("%s", _("too many options"));
		p->given[p->len++] = c;
	}
}

int main(int argc, char **argv)
{
	struct cli cli = {.config = NULL};
	struct parsed p = {.len = 0};
	const struct command *cmd;
	struct err err = ERR_INIT;

	startup();
	parse(argc, argv, &cli, &p);
	if (argc - optind > 1)
		usage(_("too many arguments: '%s'"), argv[optind + 1]);
	cmd = find_command(optind < argc ? argv[optind] : "run");
	for (size_t i = 0; i < p.len; i++)
		check_option(cmd, p.given[i]);
	if (p.print_config)
		return cmd_print_config(&cli);
	if (sig_init(&err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_FAILED;
	}
	return cmd->fn(&cli);
}
