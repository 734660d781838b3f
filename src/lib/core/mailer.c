/* SPDX-License-Identifier: MIT */
#include "core/mailer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "path.h"
#include "str.h"
#include "util.h"
#include "core/attach.h"
#include "core/mime.h"
#include "core/settings.h"
#include "core/spool.h"
#include "sys/mail.h"

/* How many waiting mails a run tries besides its own. */
#define FLUSH_MAX 10

static struct mail_server server_of(const struct settings *s)
{
	return (struct mail_server){
	        .host = s->mail_server,
	        .port = (int)s->mail_port,
	        .starttls = s->mail_encryption == SETTINGS_CRYPT_STARTTLS,
	        .username = s->mail_username,
	        .password = s->mail_password,
	        .ca_file = s->mail_ca_file,
	        .timeout_ms = s->mail_timeout_seconds * 1000,
	};
}

/* The mail at the start lies beside the one at the end: told once. */
static int no_server(const struct mailer_message *m, const char *path)
{
	log_write(m->timeout_ms > 0 ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE,
	        _("no mail server is configured; the report lies in %s"), path);
	return 0;
}

static void flush_others(
        const struct settings *s, const struct mail_server *server)
{
	struct spool_flush f = {
	        .dir = s->spool_directory,
	        .server = server,
	        .max = FLUSH_MAX,
	        .limit_ms = server->timeout_ms,
	};
	struct spool_result res;
	struct err err = ERR_INIT;

	if (spool_flush(&f, &res, &err) < 0)
		log_warn("%s", err.message);
	else if (res.sent > 0)
		log_info(_("%d waiting mails were sent"), res.sent);
}

int mailer_send(const struct settings *s, const struct mailer_message *m,
        struct err *err)
{
	struct mail_server server = server_of(s);
	_cleanup_free_ char *path = NULL;
	int r;

	r = mailer_keep(s, m, &path, err);
	if (r < 0) {
		err_prefix(err, "%s", _("the report could not be kept"));
		return r;
	}
	if (str_is_empty(s->mail_server))
		return no_server(m, path);
	if (m->timeout_ms > 0 && m->timeout_ms < server.timeout_ms)
		server.timeout_ms = m->timeout_ms;
	r = spool_send(path, &server, err);
	if (r == 0) {
		log_info("%s", _("mail sent"));
		if (m->timeout_ms == 0)
			flush_others(s, &server);
		return 0;
	}
	if (r == -ENOENT)
		return 0;
	err_prefix(err, "%s",
	        r == 2 ? _("the mail was refused for good and lies in "
	                   "the spool's directory failed")
	               : _("the mail could not be sent and waits in "
	                   "the spool"));
	return r < 0 ? r : -EAGAIN;
}

int mailer_test(const struct settings *s, const struct settings_disk *disk,
        struct err *err)
{
	struct mailer_message m = {
	        .disk = disk,
	        .subject = _("asbackup: test mail"),
	        .body = _("This is a test. asbackup's mails arrive.\n"),
	};

	return mailer_send(s, &m, err);
}

int mailer_flush(const struct settings *s, struct err *err)
{
	struct mail_server server = server_of(s);
	struct spool_flush f = {
	        .dir = s->spool_directory,
	        .server = &server,
	        .limit_ms = 10 * 60 * 1000,
	};
	struct spool_result res;
	int r;

	r = spool_flush(&f, &res, err);
	if (r < 0)
		return r;
	if (res.waiting + res.failed > 0)
		*err = res.err;
	return res.waiting + res.not_due;
}
