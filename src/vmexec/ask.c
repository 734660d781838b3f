/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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

/* --- the terminal -----------------------------------------------------------
 */

struct prompt {
	int fd;
	const char *text;
	struct termios before, quiet;
	sigset_t mask; /* of signals, before */
};

/* Stop us or end us, and would leave the terminal without echo. */
static const int mended[] = {SIGTSTP, SIGQUIT};
static volatile sig_atomic_t came;

static void on_signal(int sig)
{
	came = sig;
}

static void show(const struct prompt *p)
{
	(void)tcsetattr(p->fd, TCSAFLUSH, &p->quiet);
	dprintf(p->fd, "%s", p->text);
}

static void hide(const struct prompt *p)
{
	(void)tcsetattr(p->fd, TCSAFLUSH, &p->before);
	dprintf(p->fd, "\n");
}

/* The terminal is as before while @sig does what it does to everybody. */
static void step_aside(const struct prompt *p, int sig)
{
	struct sigaction own;
	sigset_t blocked;

	hide(p);
	(void)sigaction(sig, &(struct sigaction){.sa_handler = SIG_DFL}, &own);
	(void)raise(sig);
	(void)sigprocmask(SIG_SETMASK, &p->mask, &blocked);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
	(void)sigaction(sig, &own, NULL);
	show(p);
}

/* A line, or none when Ctrl-C comes first. */
static ssize_t read_line(const struct prompt *p, char *line, size_t size)
{
	struct pollfd f[2] = {{.fd = p->fd, .events = POLLIN},
	        {.fd = sig_fd(), .events = POLLIN}};

	came = 0;
	while (ppoll(f, 2, NULL, &p->mask) < 0) {
		if (errno != EINTR)
			return -1;
		if (came != 0)
			step_aside(p, came);
		came = 0;
	}
	return f[1].revents ? -1 : read(p->fd, line, size);
}

/* They come only where read_line() waits. */
static ssize_t read_unseen(struct prompt *p, char *line, size_t size)
{
	struct sigaction on = {.sa_handler = on_signal};
	struct sigaction old[ARRAY_SIZE(mended)];
	sigset_t blocked;
	ssize_t n;

	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(mended); i++)
		(void)sigaddset(&blocked, mended[i]);
	(void)sigprocmask(SIG_BLOCK, &blocked, &p->mask);
	for (size_t i = 0; i < ARRAY_SIZE(mended); i++) {
		(void)sigaction(mended[i], NULL, &old[i]);
		if (old[i].sa_handler != SIG_IGN)
			(void)sigaction(mended[i], &on, NULL);
	}
	show(p);
	n = read_line(p, line, size);
	hide(p);
	for (size_t i = 0; i < ARRAY_SIZE(mended); i++)
		(void)sigaction(mended[i], &old[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &p->mask, NULL);
	return n;
}

/* Without echo; whatever happens, the terminal is as before. */
static char *from_terminal(int fd, const char *text)
{
	struct prompt p = {.fd = fd, .text = text};
	char line[ANSWER_MAX];
	ssize_t n;

	if (tcgetattr(fd, &p.before) < 0)
		return NULL;
	p.quiet = p.before;
	p.quiet.c_lflag &= ~(tcflag_t)ECHO;
	n = read_unseen(&p, line, sizeof line - 1);
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

static void remember(
        struct ask_memory *m, enum sshclient_question what, const char *text)
{
	ask_forget(m);
	m->what = what;
	m->text = strdup(text);
	m->used = true;
}

/* A lost connection must not wait for somebody to type it again; that the
 * answer was wrong shows when the same is asked twice while logging in. */
char *ask(enum sshclient_question what, const char *text, void *arg)
{
	struct ask_memory *m = arg;
	const char *file = getenv("VMEXEC_PASSWORD_FILE");
	bool known = m->answer && m->what == what && str_eq(m->text, text);

	/* Ctrl-C was the answer to an earlier question. */
	if (sig_caught())
		return NULL;
	if (file) {
		/* What was wrong once would be so again, and lock the account.
		 */
		if (m->used && m->what == what && m->text &&
		        str_eq(m->text, text))
			return NULL;
		remember(m, what, text);
		return from_file(file);
	}
	if (known && !m->used) {
		m->used = true;
		return strdup(m->answer);
	}
	remember(m, what, text);
	m->answer = from_person(what, text);
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
