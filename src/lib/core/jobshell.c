/* SPDX-License-Identifier: MIT */
#include "core/jobshell.h"

#include <errno.h>

#include "buf.h"
#include "i18n.h"
#include "str.h"
#include "text.h"
#include "core/jobtext.h"
#include "sys/sshclient.h"

#define WORDS_MAX 600

void jobshell_hear(struct buf *words, const char *data, size_t len)
{
	buf_add(words, data, len);
	buf_cut(words, WORDS_MAX);
}

/* What may be lines becomes one. */
static void add_line(struct buf *b, const char *s, size_t len)
{
	bool gap = false;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n' || s[i] == '\r') {
			gap = b->len > 0;
			continue;
		}
		if (gap)
			buf_addc(b, ' ');
		gap = false;
		buf_addc(b, s[i]);
	}
}

static int ran_something_else(
        const struct sshclient_end *end, const char *words, struct err *err)
{
	err_set(err, -ENOEXEC,
	        _("the host runs no shell for this user (exit %d)%s%s"),
	        end->status, words[0] ? ": " : "", words);
	err_action(err, "%s",
	        _("The login shell must be a shell (getent passwd USER there), "
	          "not nologin, and neither ForceCommand of sshd_config nor "
	          "command= in authorized_keys may stand in its place."));
	return -ENOEXEC;
}

static int sudo_refused(
        const struct sshclient_end *end, const char *words, struct err *err)
{
	err_set(err, -ENOEXEC,
	        _("sudo on the host runs nothing for this user (exit %d)%s%s"),
	        end->status, words[0] ? ": " : "", words);
	err_action(err, "%s",
	        _("--sudo wants sudo to be there, and the right to run sh "
	          "without a password (NOPASSWD in sudoers); \"sudo -n -l\" "
	          "on the host shows what is allowed."));
	return -ENOEXEC;
}

static int ran_a_part(const char *words, struct err *err)
{
	err_set(err, -EAGAIN,
	        _("the host's shell has got only a part of what was sent%s%s"),
	        words[0] ? ": " : "", words);
	err_action(err, "%s",
	        _("If it is so every time, something that it runs before "
	          "(~/.bashrc, ~/.zshenv, ~/.cshrc) reads standard input."));
	return -EAGAIN;
}

int jobshell_ended(const struct sshclient_end *end, bool answered, bool sudo,
        const struct buf *words, struct err *err)
{
	_cleanup_buf_ struct buf line = BUF_INIT, safe = BUF_INIT;
	char shown[WORDS_MAX];

	add_line(&line, words->data, words->len);
	text_visible(&safe, line.data, line.len);
	(void)str_copy(shown, sizeof shown, safe.data);
	if (!answered && end->status == JOBTEXT_CUT_OFF)
		return ran_a_part(shown, err);
	if (!answered && end->status >= 0)
		return sudo ? sudo_refused(end, shown, err)
		            : ran_something_else(end, shown, err);
	return err_set(err, -EIO,
	        _("the shell on the host has ended with %d%s%s%s%s"),
	        end->status, end->signal[0] ? " " : "", end->signal,
	        shown[0] ? ": " : "", shown);
}
