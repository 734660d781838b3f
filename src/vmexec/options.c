/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "i18n.h"
#include "util.h"
#include "../common/usage.h"

#define PROGRAM "vmexec"
#define usage(...) usage_error(PROGRAM, __VA_ARGS__)
#define YEAR_S (366L * 86400)
/* A server's firmware may take ten minutes. */
#define RETRIES 5
#define RETRIES_REBOOT 120

enum opt {
	OPT_KNOWN_HOSTS = 256,
	OPT_ACCEPT_NEW,
	OPT_LOG,
	OPT_RETRIES,
	OPT_DELAY,
	OPT_CONNECT_TIMEOUT,
	OPT_HEARTBEAT_TIMEOUT,
	OPT_IDLE_TIMEOUT,
	OPT_TIMEOUT,
	OPT_SUDO,
	OPT_ENV,
	OPT_INTERPRETER,
	OPT_CWD,
	OPT_RERUN,
	OPT_EXPECT_REBOOT,
	OPT_JOB,
	OPT_METHOD,
	OPT_PREFIX,
	OPT_STRIP,
	OPT_JSON,
	OPT_LIST,
	OPT_ATTACH,
	OPT_CANCEL,
	OPT_CLEAN,
	OPT_KEEP_DAYS,
};

static const struct option long_options[] = {
        {"command", required_argument, NULL, 'c'},
        {"known-hosts", required_argument, NULL, OPT_KNOWN_HOSTS},
        {"accept-new", no_argument, NULL, OPT_ACCEPT_NEW},
        {"log", required_argument, NULL, OPT_LOG},
        {"retries", required_argument, NULL, OPT_RETRIES},
        {"delay", required_argument, NULL, OPT_DELAY},
        {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
        {"heartbeat-timeout", required_argument, NULL, OPT_HEARTBEAT_TIMEOUT},
        {"idle-timeout", required_argument, NULL, OPT_IDLE_TIMEOUT},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"sudo", no_argument, NULL, OPT_SUDO},
        {"env", required_argument, NULL, OPT_ENV},
        {"interpreter", required_argument, NULL, OPT_INTERPRETER},
        {"cwd", required_argument, NULL, OPT_CWD},
        {"rerun-after-reboot", no_argument, NULL, OPT_RERUN},
        {"expect-reboot", no_argument, NULL, OPT_EXPECT_REBOOT},
        {"job", required_argument, NULL, OPT_JOB},
        {"method", required_argument, NULL, OPT_METHOD},
        {"prefix", required_argument, NULL, OPT_PREFIX},
        {"strip-ansi", no_argument, NULL, OPT_STRIP},
        {"json", no_argument, NULL, OPT_JSON},
        {"list", no_argument, NULL, OPT_LIST},
        {"attach", required_argument, NULL, OPT_ATTACH},
        {"cancel", required_argument, NULL, OPT_CANCEL},
        {"clean", no_argument, NULL, OPT_CLEAN},
        {"keep-days", required_argument, NULL, OPT_KEEP_DAYS},
        USAGE_OPTIONS,
};

static void help_connection(void)
{
	printf("%s",
	        _("Usage: vmexec [OPTIONS] [USER@]HOST[:PORT] SCRIPT [ARG...]\n"
	          "       vmexec [OPTIONS] [USER@]HOST[:PORT] -c 'COMMAND'\n"
	          "       vmexec --list HOST | --attach JOB HOST |\n"
	          "              --cancel JOB HOST | --clean HOST\n"
	          "Runs a script on a host so that a dropped line loses "
	          "nothing.\n\n"
	          "Connection:\n"
	          "  -p PORT, -l USER, -i KEY, -F CONFIG  as in ssh\n"
	          "      --known-hosts FILE   instead of ssh's\n"
	          "      --accept-new         accept and keep a key that was "
	          "never seen\n"
	          "      --retries N          attempts before a host counts as "
	          "unreachable (5)\n"
	          "      --delay S            seconds between them (5)\n"
	          "      --connect-timeout S  for one of them (10)\n"
	          "      --heartbeat-timeout S  a host silent for so long is "
	          "connected anew (10)\n\n"));
}

static void help_script(void)
{
	printf("%s",
	        _("The script:\n"
	          "  -c, --command TEXT       instead of a file; \"-\" as the "
	          "file is standard input\n"
	          "      --env K=V            set a variable; may be given "
	          "often\n"
	          "      --interpreter PATH   instead of the script's first "
	          "line\n"
	          "      --cwd DIR            run it there\n"
	          "      --sudo               as root, by sudo without a "
	          "password\n"
	          "      --timeout S          end it after S seconds, on the "
	          "host\n"
	          "      --idle-timeout S     end it when it prints nothing "
	          "for "
	          "S seconds\n"
	          "      --job ID             its name; one that runs already "
	          "is "
	          "followed\n"
	          "      --method HOW         auto, systemd, tmux or setsid\n"
	          "      --expect-reboot      a reboot in the middle is its "
	          "success\n"
	          "      --rerun-after-reboot start it again then\n\n"));
}

static void help_output(void)
{
	printf("%s",
	        _("Output:\n"
	          "      --log FILE           everything it printed\n"
	          "      --prefix TEXT        before every line\n"
	          "      --strip-ansi         without control sequences\n"
	          "      --json               events, one object a line\n"
	          "  -q, --quiet              no notices\n"
	          "  -v, --verbose            say more\n\n"
	          "Jobs on a host:\n"
	          "      --list               which there are\n"
	          "      --attach JOB         follow one from its beginning\n"
	          "      --cancel JOB         end one with all its processes\n"
	          "      --clean              remove those that have ended\n"
	          "      --keep-days N        but not the last N days (14)\n\n"
	          "  -h, --help               this help\n"
	          "  -V, --version            the version\n\n"
	          "Ends with the script's status (0 to 250), or 124 a time "
	          "limit, 251 killed,\n252 the host rebooted, 253 it goes on "
	          "without us, 254 wrong usage or start\nfailed, 255 not "
	          "reached. See vmexec(8).\n"));
}

static void help(void)
{
	help_connection();
	help_script();
	help_output();
}

static enum jobtext_method method_of(const char *text)
{
	static const char *const names[] = {
	        [JOBTEXT_AUTO] = "auto",
	        [JOBTEXT_SYSTEMD] = "systemd",
	        [JOBTEXT_TMUX] = "tmux",
	        [JOBTEXT_SETSID] = "setsid",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(text, names[i]))
			return (enum jobtext_method)i;
	usage(_("'%s' is not auto, systemd, tmux or setsid"), text);
}

static const char *job_id(const char *text)
{
	if (!jobtext_id_is_valid(text))
		usage(_("'%s' is no name of a job: letters, digits, '.', '_', "
		        "'-', at most %d"),
		        text, JOBTEXT_ID_MAX);
	return text;
}

static void add(struct strv *v, const char *text)
{
	if (strv_add(v, text) < 0)
		usage("%s", _("out of memory"));
}

static void act(struct options *o, enum action action, const char *job)
{
	if (o->action != ACTION_RUN)
		usage("%s", _("only one of --list, --attach, --cancel, "
		              "--clean"));
	o->action = action;
	if (job)
		o->job = job_id(job);
}

static int64_t seconds(const char *text)
{
	return usage_number(PROGRAM, text, 1, YEAR_S);
}

static void set_connection(struct options *o, int c)
{
	switch (c) {
	case 'p':
		o->port = optarg;
		break;
	case 'l':
		o->user = optarg;
		break;
	case 'i':
		add(&o->identities, optarg);
		break;
	case 'F':
		o->ssh_config = optarg;
		break;
	case OPT_KNOWN_HOSTS:
		o->known_hosts = optarg;
		break;
	case OPT_ACCEPT_NEW:
		o->accept_new = true;
		break;
	case OPT_RETRIES:
		o->retries = usage_number(PROGRAM, optarg, 0, 1000000);
		break;
	case OPT_DELAY:
		o->delay_s = usage_number(PROGRAM, optarg, 0, 86400);
		break;
	case OPT_CONNECT_TIMEOUT:
		o->connect_timeout_s = usage_number(PROGRAM, optarg, 1, 3600);
		break;
	case OPT_HEARTBEAT_TIMEOUT:
		/* It speaks every two seconds. */
		o->heartbeat_timeout_s = usage_number(PROGRAM, optarg, 3, 3600);
		break;
	default:
		break;
	}
}

static void set_script(struct options *o, int c)
{
	switch (c) {
	case 'c':
		o->command = optarg;
		break;
	case OPT_IDLE_TIMEOUT:
		o->idle_timeout_s = seconds(optarg);
		break;
	case OPT_TIMEOUT:
		o->timeout_s = seconds(optarg);
		break;
	case OPT_SUDO:
		o->sudo = true;
		break;
	case OPT_ENV:
		if (!jobtext_env_is_valid(optarg))
			usage("%s", _("--env wants NAME=VALUE"));
		add(&o->env, optarg);
		break;
	case OPT_INTERPRETER:
		o->interpreter = optarg;
		break;
	case OPT_CWD:
		o->dir = optarg;
		break;
	case OPT_RERUN:
		o->on_reboot = REBOOT_RERUNS;
		break;
	case OPT_EXPECT_REBOOT:
		o->on_reboot = REBOOT_EXPECTED;
		break;
	case OPT_JOB:
		o->job = job_id(optarg);
		break;
	case OPT_METHOD:
		o->method = method_of(optarg);
		break;
	default:
		break;
	}
}

static void set_rest(struct options *o, int c)
{
	switch (c) {
	case OPT_LOG:
		o->log = optarg;
		break;
	case OPT_PREFIX:
		o->prefix = optarg;
		break;
	case OPT_STRIP:
		o->strip = true;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_LIST:
		act(o, ACTION_LIST, NULL);
		break;
	case OPT_ATTACH:
		act(o, ACTION_ATTACH, optarg);
		break;
	case OPT_CANCEL:
		act(o, ACTION_CANCEL, optarg);
		break;
	case OPT_CLEAN:
		act(o, ACTION_CLEAN, NULL);
		break;
	case OPT_KEEP_DAYS:
		o->keep_days = usage_number(PROGRAM, optarg, 0, 36500);
		break;
	default:
		(void)usage_option(PROGRAM, help, c);
		break;
	}
}

static void check(struct options *o, int argc, char **argv)
{
	if (optind >= argc)
		usage("%s", _("no host was named"));
	o->host = argv[optind++];
	/* "vmexec HOST -c COMMAND": getopt stops at the host, so that the
	 * script's own options stay its own. */
	if (o->action == ACTION_RUN && !o->command && optind + 1 < argc &&
	        (str_eq(argv[optind], "-c") ||
	                str_eq(argv[optind], "--command"))) {
		o->command = argv[optind + 1];
		optind += 2;
	}
	if (o->action == ACTION_RUN && !o->command) {
		if (optind >= argc)
			usage("%s", _("neither a script nor -c was given"));
		o->script = argv[optind++];
	} else if (o->action != ACTION_RUN && optind < argc) {
		usage(_("too many arguments: '%s'"), argv[optind]);
	}
	if (o->command && o->action != ACTION_RUN)
		usage("%s", _("-c only goes with running a script"));
	o->args = (const char *const *)argv + optind;
}

void options_parse(struct options *o, int argc, char **argv)
{
	int c;

	usage_set_exitcode(VMEXEC_FAILED);
	*o = (struct options){
	        .retries = -1,
	        .delay_s = 5,
	        .connect_timeout_s = 10,
	        .heartbeat_timeout_s = 10,
	        .keep_days = 14,
	};
	while ((c = getopt_long(argc, argv, "+p:l:i:F:c:" USAGE_LETTERS,
	                long_options, NULL)) != -1) {
		set_connection(o, c);
		set_script(o, c);
		set_rest(o, c);
	}
	check(o, argc, argv);
	if (o->retries < 0)
		o->retries =
		        o->on_reboot == REBOOT_FAILS ? RETRIES : RETRIES_REBOOT;
}

static void add_quoted(struct buf *b, const char *option, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "abcdefghijklmnopqrstuvwxyz"
	                            "0123456789@%+=:,./_-";

	if (!value)
		return;
	buf_printf(b, " %s ", option);
	if (*value && value[strspn(value, plain)] == '\0') {
		buf_adds(b, value);
		return;
	}
	buf_addc(b, '\'');
	for (; *value; value++)
		if (*value == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *value);
	buf_addc(b, '\'');
}

char *options_connection(const struct options *o)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "");
	add_quoted(&b, "-p", o->port);
	add_quoted(&b, "-l", o->user);
	for (size_t i = 0; i < o->identities.len; i++)
		add_quoted(&b, "-i", o->identities.items[i]);
	add_quoted(&b, "-F", o->ssh_config);
	add_quoted(&b, "--known-hosts", o->known_hosts);
	if (o->sudo)
		buf_adds(&b, " --sudo");
	return buf_take(&b);
}

void options_done(struct options *o)
{
	strv_done(&o->env);
	strv_done(&o->identities);
}
