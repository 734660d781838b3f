/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "path.h"
#include "text.h"
#include "util.h"

#define ANSWER_MAX 1024

static char *from_file(const char *path)
{
	struct err err = ERR_INIT;
	char *secret;

	if (path_read_secret(path, ANSWER_MAX, &secret, &err) == 0)
		return secret;
	log_show_err(LOG_LEVEL_ERR, &err);
	return NULL;
}

/* Without echo; whatever happens, the terminal is as before. */
static char *from_terminal(int fd, const char *prompt)
{
	struct termios before, quiet;
	char line[ANSWER_MAX];
	ssize_t n;

	if (tcgetattr(fd, &before) < 0)
		return NULL;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	dprintf(fd, "%s", prompt);
	(void)tcsetattr(fd, TCSAFLUSH, &quiet);
	n = read(fd, line, sizeof line - 1);
	(void)tcsetattr(fd, TCSAFLUSH, &before);
	dprintf(fd, "\n");
	if (n <= 0)
		return NULL;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	char *copy = strdup(line);

	explicit_bzero(line, sizeof line);
	return copy;
}

char *ask(enum sshclient_question what, const char *text, void *unused)
{
	const char *file = getenv("VMEXEC_PASSWORD_FILE");
	char shown[300], prompt[400];
	_cleanup_close_ int fd = -1;

	(void)unused;
	if (file)
		return from_file(file);
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return NULL;
	text_visible_str(shown, sizeof shown, text);
	switch (what) {
	case SSHCLIENT_ASK_PASSPHRASE:
		snprintf(prompt, sizeof prompt, _("Passphrase of %s: "), shown);
		break;
	case SSHCLIENT_ASK_PASSWORD:
		snprintf(prompt, sizeof prompt, _("Password of %s: "), shown);
		break;
	case SSHCLIENT_ASK_ANSWER:
	default:
		snprintf(prompt, sizeof prompt, "%s", shown);
		break;
	}
	return from_terminal(fd, prompt);
}
