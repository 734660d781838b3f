/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "path.h"
#include "sig.h"
#include "str.h"
#include "text.h"
#include "util.h"

#define ANSWER_MAX 1024

static char *from_file(const char *path)
{
	struct err err = ERR_INIT;
	char *secret;

	if (path_read_secret(path, ANSWER_MAX, &secret, &err) == 0) {
		/* The first line, as an editor leaves it. */
		secret[strcspn(secret, "\n")] = '\0';
		return secret;
	}
	log_show_err(LOG_LEVEL_ERR, &err);
	return NULL;
}

/* A line, or none when Ctrl-C comes first. */
static ssize_t read_line(int fd, char *line, size_t size)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
	        {.fd = sig_fd(), .events = POLLIN}};

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return -1;
	return p[1].revents ? -1 : read(fd, line, size);
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
	n = read_line(fd, line, sizeof line - 1);
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

static char *from_person(enum sshclient_question what, const char *text)
{
	char shown[300], prompt[400];
	_cleanup_close_ int fd = -1;

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

/* A lost connection must not wait for somebody to type it again; that the
 * answer was wrong shows when the same is asked twice while logging in. */
char *ask(enum sshclient_question what, const char *text, void *arg)
{
	struct ask_memory *m = arg;
	const char *file = getenv("VMEXEC_PASSWORD_FILE");
	bool known = m->answer && m->what == what && str_eq(m->text, text);

	if (file)
		return from_file(file);
	if (known && !m->used) {
		m->used = true;
		return strdup(m->answer);
	}
	ask_forget(m);
	m->what = what;
	m->text = strdup(text);
	m->answer = from_person(what, text);
	m->used = true;
	return m->answer ? strdup(m->answer) : NULL;
}

void ask_again(struct ask_memory *m)
{
	m->used = false;
}

void ask_forget(struct ask_memory *m)
{
	if (m->answer)
		explicit_bzero(m->answer, strlen(m->answer));
	free(m->answer);
	free(m->text);
	*m = (struct ask_memory){.answer = NULL};
}
