/* SPDX-License-Identifier: MIT */
/* mailer_keep: a report is composed into the spool.  Without sending, for
 * programs that need no SMTP library for it. */
#include "core/mailer.h"

#include <errno.h>
#include <stdlib.h>

#include "i18n.h"
#include "log.h"
#include "path.h"
#include "str.h"
#include "util.h"
#include "core/attach.h"
#include "core/mime.h"
#include "core/settings.h"
#include "core/spool.h"

static int add_all(struct strv *to, const struct strv *from)
{
	for (size_t i = 0; i < from->len; i++)
		if (!strv_has(to, from->items[i]) &&
		        strv_add(to, from->items[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* Without an address the report is kept all the same, for root to find. */
static int recipients(const struct settings *s, const struct mailer_message *m,
        struct strv *to)
{
	int r = add_all(to, &s->mail_sysop);

	if (r == 0 && m->disk)
		r = add_all(to, &m->disk->mail);
	if (r == 0 && to->len == 0)
		r = strv_add(to, "root@localhost");
	return r;
}

/* Where the spool is full or broken, in memory: it can be sent from there, and
 * that is when somebody has to hear of it. */
static int keep(const struct settings *s, const struct mime_message *mime,
        char **ret_path, struct err *err)
{
	_cleanup_free_ char *dir = path_join(s->runtime_directory, "spool");
	struct err second = ERR_INIT;
	int r = spool_put(s->spool_directory, mime, ret_path, err);

	if (r == 0 || !dir || str_is_empty(s->mail_server))
		return r;
	if (spool_put(dir, mime, ret_path, &second) < 0)
		return r;
	log_warn("%s", err->message);
	*err = ERR_INIT;
	return 0;
}

int mailer_keep(const struct settings *s, const struct mailer_message *m,
        char **ret_path, struct err *err)
{
	_cleanup_strv_ struct strv to = STRV_INIT;
	_cleanup_attach_ struct attach a = ATTACH_INIT;
	struct err attach_err = ERR_INIT;
	struct mime_message mime = {
	        .from = str_is_empty(s->mail_from) ? "root@localhost"
	                                           : s->mail_from,
	        .from_name = "asbackup",
	        .cc = s->mail_cc.items,
	        .subject = m->subject,
	        .body = m->body,
	        .language = i18n_language(),
	};

	if (recipients(s, m, &to) < 0)
		return err_nomem(err);
	if (attach_logs(&a, m->logs, m->logs_len, s->mail_attach_max_kb,
	            &attach_err) < 0)
		log_warn(_("a log cannot be attached: %s"), attach_err.message);
	mime.to = to.items;
	mime.attachments = a.items;
	mime.attachments_len = a.len;
	return keep(s, &mime, ret_path, err);
}
