/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "text.h"
#include "util.h"
#include "../common/load_settings.h"
#include "core/exitcode.h"
#include "core/mailer.h"
#include "core/settings.h"
#include "sys/jsondoc.h"

bool cli_is_overdue(const struct settings *s, int64_t last_good)
{
	return clock_real_s() - last_good > s->overdue_days * 86400;
}

char *cli_age(char *dst, int64_t then)
{
	int64_t s = clock_real_s() - then;

	if (then == 0)
		(void)snprintf(dst, 32, "%s", _("never"));
	else if (s < 2 * 3600)
		(void)snprintf(dst, 32, _("%lld min"),
		        (long long)(s < 0 ? 0 : s / 60));
	else if (s < 48 * 3600)
		(void)snprintf(dst, 32, _("%lld h"), (long long)(s / 3600));
	else
		(void)snprintf(dst, 32, _("%lld days"), (long long)(s / 86400));
	return dst;
}

/* printf's field width counts bytes; an umlaut has two. */
static int columns(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void cli_print_safe(const char *text, int width)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int missing;

	text_visible(&b, text, strlen(text));
	missing = width - columns(b.data);
	printf("%s%*s", b.data, missing > 0 ? missing : 0, "");
}

int cmd_print_config(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_free_ char *text = NULL;
	int code = load_settings(cli->config, &s);

	if (code)
		return code;
	text = settings_print(s);
	if (!text)
		return EXITCODE_FAILED;
	fputs(text, stdout);
	return EXITCODE_DONE;
}

int cmd_mail_retry(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	struct err err = ERR_INIT;
	int code = load_settings(cli->config, &s), r;

	if (code)
		return code;
	r = mailer_flush(s, &err);
	if (r < 0 || err.code < 0)
		log_show_err(LOG_LEVEL_ERR, &err);
	if (r > 0)
		log_notice(_("%d mails wait in %s"), r, s->spool_directory);
	if (r < 0)
		return EXITCODE_FAILED;
	return r > 0 ? EXITCODE_BUSY : EXITCODE_DONE;
}
