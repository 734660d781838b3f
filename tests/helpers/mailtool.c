/* SPDX-License-Identifier: MIT */
/*
 * mailtool: drives mime, attach, spool and mail from the command line.
 *
 *	mailtool write --out FILE MESSAGE...    composes into a file
 *	mailtool put --spool DIR MESSAGE...     prints the path of the .eml
 *	mailtool send --eml FILE --from A --to A SERVER...
 *	mailtool try --eml PATH SERVER...       spool_send()
 *	mailtool flush --spool DIR SERVER...    spool_flush()
 *
 * MESSAGE: --from A --from-name N --to A --cc A --subject S --body-file F
 *          --language L --host-name H --attach NAME=TYPE=FILE --log FILE
 *          --max-kb N --secret WORD
 * SERVER:  --host H --port N --starttls --ca FILE --user U --password P
 *          --timeout-ms N --limit-ms N --max N --force
 *
 * Prints a first line for machines, then the error. The exit code is the
 * verdict, or what the function returned, or 9.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/attach.h"
#include "core/mime.h"
#include "core/spool.h"
#include "i18n.h"
#include "log.h"
#include "num.h"
#include "path.h"
#include "sig.h"
#include "str.h"
#include "sys/mail.h"

static struct mail_server arg_server = {.port = 25, .timeout_ms = 20000};
static struct mime_message arg_message;
static struct strv arg_to, arg_cc;
static struct mime_attachment arg_items[ATTACH_MAX];
static struct attach_log arg_logs[ATTACH_MAX];
static size_t arg_logs_len;
static int64_t arg_max_kb = 1000, arg_limit_ms = 60000, arg_max;
static const char *arg_out, *arg_spool, *arg_eml;
static bool arg_force;

enum {
	OUT = 256,
	SPOOL,
	EML,
	FROM,
	FROM_NAME,
	TO,
	CC,
	SUBJECT,
	BODY,
	LANGUAGE,
	HOST_NAME,
	ATTACH,
	LOG,
	MAX_KB,
	SECRET,
	HOST,
	PORT,
	STARTTLS,
	CA,
	USER,
	PASSWORD,
	TIMEOUT,
	LIMIT,
	MAX,
	FORCE
};

static const struct option options[] = {
        {"out", 1, NULL, OUT},
        {"spool", 1, NULL, SPOOL},
        {"eml", 1, NULL, EML},
        {"from", 1, NULL, FROM},
        {"from-name", 1, NULL, FROM_NAME},
        {"to", 1, NULL, TO},
        {"cc", 1, NULL, CC},
        {"subject", 1, NULL, SUBJECT},
        {"body-file", 1, NULL, BODY},
        {"language", 1, NULL, LANGUAGE},
        {"host-name", 1, NULL, HOST_NAME},
        {"attach", 1, NULL, ATTACH},
        {"log", 1, NULL, LOG},
        {"max-kb", 1, NULL, MAX_KB},
        {"secret", 1, NULL, SECRET},
        {"host", 1, NULL, HOST},
        {"port", 1, NULL, PORT},
        {"starttls", 0, NULL, STARTTLS},
        {"ca", 1, NULL, CA},
        {"user", 1, NULL, USER},
        {"password", 1, NULL, PASSWORD},
        {"timeout-ms", 1, NULL, TIMEOUT},
        {"limit-ms", 1, NULL, LIMIT},
        {"max", 1, NULL, MAX},
        {"force", 0, NULL, FORCE},
        {NULL, 0, NULL, 0},
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "mailtool: %s\n", what);
	exit(9);
}

static int64_t number(const char *s)
{
	int64_t n;

	if (num_parse_i64(s, 0, 1000000000, &n) < 0)
		die("not a number");
	return n;
}

static void add(struct strv *list, const char *s)
{
	if (strv_add(list, s) < 0)
		die("out of memory");
}

static const char *read_body(const char *path)
{
	char *text;
	size_t len;

	if (path_read_file(path, 16 << 20, &text, &len) < 0)
		die("cannot read the body");
	return text;
}

/* NAME=TYPE=FILE */
static void add_attachment(char *s)
{
	struct mime_attachment *a = &arg_items[arg_message.attachments_len++];
	char *type = strchr(s, '=');
	char *file = type != NULL ? strchr(type + 1, '=') : NULL;

	if (file == NULL)
		die("attach: NAME=TYPE=FILE");
	*type++ = '\0';
	*file++ = '\0';
	*a = (struct mime_attachment){.name = s, .type = type};
	a->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (a->fd < 0)
		die("cannot open an attachment");
}

static void message_option(int c)
{
	struct mime_message *m = &arg_message;

	switch (c) {
	case FROM:
		m->from = optarg;
		break;
	case FROM_NAME:
		m->from_name = optarg;
		break;
	case TO:
		add(&arg_to, optarg);
		break;
	case CC:
		add(&arg_cc, optarg);
		break;
	case SUBJECT:
		m->subject = optarg;
		break;
	case BODY:
		m->body = read_body(optarg);
		break;
	case LANGUAGE:
		m->language = optarg;
		break;
	case HOST_NAME:
		m->host = optarg;
		break;
	case ATTACH:
		add_attachment(optarg);
		break;
	case LOG:
		arg_logs[arg_logs_len++].path = optarg;
		break;
	case MAX_KB:
		arg_max_kb = number(optarg);
		break;
	case SECRET:
		log_add_secret(optarg);
		break;
	default:
		die("usage");
	}
}

static void option(int c)
{
	struct mail_server *s = &arg_server;

	switch (c) {
	case OUT:
		arg_out = optarg;
		break;
	case SPOOL:
		arg_spool = optarg;
		break;
	case EML:
		arg_eml = optarg;
		break;
	case HOST:
		s->host = optarg;
		break;
	case PORT:
		s->port = (int)number(optarg);
		break;
	case STARTTLS:
		s->starttls = true;
		break;
	case CA:
		s->ca_file = optarg;
		break;
	case USER:
		s->username = optarg;
		break;
	case PASSWORD:
		s->password = optarg;
		break;
	case TIMEOUT:
		s->timeout_ms = number(optarg);
		break;
	case LIMIT:
		arg_limit_ms = number(optarg);
		break;
	case MAX:
		arg_max = number(optarg);
		break;
	case FORCE:
		arg_force = true;
		break;
	default:
		message_option(c);
		break;
	}
}

static void show(const struct err *err)
{
	if (err->code == 0)
		return;
	printf("%s\n", err->message);
	if (err->meaning[0] != '\0')
		printf("meaning: %s\n", err->meaning);
	if (err->action[0] != '\0')
		printf("action: %s\n", err->action);
}

static int finish(int r, const struct err *err)
{
	show(err);
	return r < 0 ? 9 : r;
}

static int do_write(struct err *err)
{
	int fd = open(arg_out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		die("cannot create the output");
	r = mime_write(&arg_message, fd, err);
	close(fd);
	return finish(r, err);
}

static int do_put(struct err *err)
{
	char *path = NULL;
	int r = spool_put(arg_spool, &arg_message, &path, err);

	if (r == 0)
		printf("%s\n", path);
	free(path);
	return finish(r, err);
}

static int do_send(struct err *err)
{
	static const char *const names[] = {
	        "sent", "partly", "temporary", "permanent", "setup"};
	int fd = open(arg_eml, O_RDONLY | O_CLOEXEC);
	enum mail_verdict v;

	if (fd < 0)
		die("cannot open the message");
	v = mail_send(&arg_server, arg_message.from, arg_to.items, fd, err);
	close(fd);
	printf("%s\n", names[v]);
	return finish((int)v, err);
}

static int do_try(struct err *err)
{
	int r = spool_send(arg_eml, &arg_server, err);

	printf("%d\n", r);
	return finish(r, err);
}

static int do_flush(struct err *err)
{
	struct spool_flush f = {
	        .dir = arg_spool,
	        .server = &arg_server,
	        .max = (int)arg_max,
	        .limit_ms = arg_limit_ms,
	        .force = arg_force,
	};
	struct spool_result res;
	int r = spool_flush(&f, &res, err);

	printf("sent %d waiting %d failed %d not-due %d refused %d\n", res.sent,
	        res.waiting, res.failed, res.not_due, res.refused);
	return finish(r, r < 0 ? err : &res.err);
}

static int run(const char *command, struct err *err)
{
	if (str_eq(command, "write"))
		return do_write(err);
	if (str_eq(command, "put"))
		return do_put(err);
	if (str_eq(command, "send"))
		return do_send(err);
	if (str_eq(command, "try"))
		return do_try(err);
	if (str_eq(command, "flush"))
		return do_flush(err);
	die("unknown command");
}

int main(int argc, char **argv)
{
	_cleanup_attach_ struct attach logs = ATTACH_INIT;
	struct err err = ERR_INIT;
	int c, r;

	log_init(LOG_LEVEL_WARNING);
	i18n_init();
	if (argc < 2 || sig_init(&err) < 0)
		die("usage");
	while ((c = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1)
		option(c);
	arg_message.to = arg_to.items;
	arg_message.cc = arg_cc.items;
	arg_message.attachments = arg_items;
	if (arg_logs_len > 0) {
		if (attach_logs(&logs, arg_logs, arg_logs_len, arg_max_kb,
		            &err) < 0) {
			show(&err);
			err = ERR_INIT;
		}
		arg_message.attachments = logs.items;
		arg_message.attachments_len = logs.len;
	}
	r = run(argv[1], &err);
	strv_done(&arg_to);
	strv_done(&arg_cc);
	return r;
}
