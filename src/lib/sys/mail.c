/* SPDX-License-Identifier: MIT */
#include "sys/mail.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "proc.h"
#include "str.h"
#include "sys/mail_internal.h"
#include "text.h"

#define LINE_BYTES_MAX 998

/* --- before anything is sent ---------------------------------------------- */

static bool is_host(const char *host)
{
	return host != NULL && host[0] != '\0' && strlen(host) <= 253 &&
	       host[0] != '-' && host[0] != '.' &&
	       strspn(host, "abcdefghijklmnopqrstuvwxyz"
	                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                    "0123456789.-_") == strlen(host);
}

static enum mail_verdict check_server(
        const struct mail_server *server, struct err *err)
{
	if (!is_host(server->host)) {
		err_set(err, -EINVAL,
		        _("\"%s\" is not the name or the IPv4 address of a "
		          "mail server"),
		        server->host != NULL ? server->host : "");
		err_action(err, _("correct the key server in section [Mail]"));
		return MAIL_SETUP;
	}
	if (server->port == 465) {
		err_set(err, -EOPNOTSUPP,
		        _("port 465 (TLS from the first byte) is not "
		          "supported"));
		err_action(
		        err, _("set port = 587 in section [Mail]; nearly every "
		               "server offers STARTTLS there"));
		return MAIL_SETUP;
	}
	if (server->port < 1 || server->port > 65535) {
		err_set(err, -EINVAL, _("%d is not a port number"),
		        server->port);
		return MAIL_SETUP;
	}
	if (!server->starttls && !str_is_empty(server->username)) {
		err_set(err, -EPERM,
		        _("the password is never sent without encryption"));
		err_action(err,
		        _("set encryption = starttls in section [Mail], or "
		          "remove username and password"));
		return MAIL_SETUP;
	}
	return MAIL_SENT;
}

static enum mail_verdict check_ca_file(
        const struct mail_server *server, struct err *err)
{
	if (!server->starttls || server->ca_file[0] == '\0' ||
	        access(server->ca_file, R_OK) == 0)
		return MAIL_SENT;
	err_sys(err, -errno, _("cannot read the certificates in %s"),
	        server->ca_file);
	err_action(err, _("correct the key ca-file in section [Mail]"));
	return MAIL_SETUP;
}

static enum mail_verdict check_addresses(
        const char *from, char *const *to, struct err *err)
{
	size_t n = 0;

	if (!text_is_mail_address(from)) {
		err_set(err, -EINVAL, _("\"%s\" is not an e-mail address"),
		        from);
		return MAIL_PERMANENT;
	}
	for (; to[n] != NULL; n++)
		if (!text_is_mail_address(to[n])) {
			err_set(err, -EINVAL,
			        _("\"%s\" is not an e-mail address"), to[n]);
			return MAIL_PERMANENT;
		}
	if (n == 0 || n > MAIL_TO_MAX) {
		err_set(err, -EINVAL,
		        _("the e-mail has %zu recipients; 1 to %d are "
		          "possible"),
		        n, MAIL_TO_MAX);
		return MAIL_PERMANENT;
	}
	return MAIL_SENT;
}

struct line_check {
	size_t column;
	char last;
};

/* CRLF and nothing else ends a line, no NUL, no long line: the library passes
 * on everything as it is, or puts headers behind the body. */
static bool lines_are_good(struct line_check *c, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool cr = c->last == '\r';

		if (data[i] == '\0' || cr != (data[i] == '\n'))
			return false;
		c->column = data[i] == '\n' ? 0 : c->column + 1;
		if (c->column > LINE_BYTES_MAX + 1) /* 1: the CR */
			return false;
		c->last = data[i];
	}
	return true;
}

static enum mail_verdict check_message(
        int fd, int64_t *ret_size, struct err *err)
{
	struct line_check c = {.column = 0};
	char chunk[16 * 1024];
	struct stat st;
	off_t pos = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
		err_set(err, -EINVAL, _("the e-mail is not a regular file"));
		return MAIL_PERMANENT;
	}
	while (pos < st.st_size) {
		ssize_t n = pread(fd, chunk, sizeof(chunk), pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err_sys(err, n < 0 ? -errno : -EIO,
			        _("cannot read the e-mail"));
			return MAIL_TEMPORARY;
		}
		if (!lines_are_good(&c, chunk, (size_t)n)) {
			err_set(err, -EBADMSG,
			        _("the file is not an e-mail: bad line ends, a "
			          "NUL or a line over %d bytes"),
			        LINE_BYTES_MAX);
			return MAIL_PERMANENT;
		}
		pos += n;
	}
	if (c.last != '\n') {
		err_set(err, -EBADMSG,
		        _("the file is not an e-mail: it is cut off"));
		return MAIL_PERMANENT;
	}
	*ret_size = st.st_size;
	return MAIL_SENT;
}

/* --- judging the facts -----------------------------------------------------
 */

static const char *phase_name(enum mail_phase phase)
{
	switch (phase) {
	case MAIL_PHASE_CONNECT:
		return _("connecting");
	case MAIL_PHASE_GREETING:
		return _("its greeting");
	case MAIL_PHASE_HELLO:
		return "EHLO";
	case MAIL_PHASE_STARTTLS:
		return "STARTTLS";
	case MAIL_PHASE_AUTH:
		return _("the login (AUTH)");
	case MAIL_PHASE_ENVELOPE:
		return _("the addresses (MAIL, RCPT)");
	case MAIL_PHASE_BODY:
		return _("the message (DATA)");
	case MAIL_PHASE_QUIT:
	case MAIL_PHASES:
	default:
		return "QUIT";
	}
}

/* "…answered 554 5.7.1 no"; the verdict is @bad, or later for 4xx. */
static enum mail_verdict refused(const struct mail_job *job,
        const struct mail_reply *reply, const char *what, enum mail_verdict bad,
        struct err *err)
{
	err_set(err, -EPROTO, _("the mail server %s refused %s: %d %s"),
	        job->server->host, what, reply->code, reply->text);
	if (err != NULL)
		log_mask(err->message);
	return reply->code < 500 ? MAIL_TEMPORARY : bad;
}

static enum mail_verdict judge_tls(const struct mail_job *job, struct err *err)
{
	const struct mail_facts *f = job->facts;

	err_set(err, -EPROTO,
	        _("no encrypted connection to the mail server %s:%d: %s"),
	        job->server->host, job->server->port, f->tls_error);
	if (f->tls_broken_off)
		return MAIL_TEMPORARY;
	err_action(err,
	        _("check the name of the server and its certificate; for a "
	          "certificate of your own set ca-file in section [Mail]"));
	return MAIL_SETUP;
}

static enum mail_verdict judge_starttls(
        const struct mail_job *job, struct err *err)
{
	const struct mail_reply *r = &job->facts->refused[MAIL_PHASE_STARTTLS];

	if (r->code != 0)
		return refused(job, r, "STARTTLS", MAIL_SETUP, err);
	err_set(err, -EPROTO,
	        _("the mail server %s:%d does not offer STARTTLS; nothing was "
	          "sent"),
	        job->server->host, job->server->port);
	err_action(err,
	        _("check server and port in section [Mail] (587 is usual); if "
	          "it worked before, somebody in between may suppress the "
	          "encryption"));
	return MAIL_SETUP;
}

static enum mail_verdict judge_login(
        const struct mail_job *job, struct err *err)
{
	const struct mail_reply *r = &job->facts->refused[MAIL_PHASE_AUTH];

	if (r->code != 0) {
		enum mail_verdict v = refused(
		        job, r, phase_name(MAIL_PHASE_AUTH), MAIL_SETUP, err);

		if (v == MAIL_SETUP)
			err_action(
			        err, _("check username and password in section "
			               "[Mail]"));
		return v;
	}
	err_set(err, -EPROTO,
	        _("the mail server %s offers no login that is known here"),
	        job->server->host);
	err_action(err,
	        _("check server and port in section [Mail], or remove username "
	          "and password"));
	return MAIL_SETUP;
}

/* The connection is gone or was given up, and no answer explains it. */
static enum mail_verdict judge_silence(
        const struct mail_job *job, bool timed, struct err *err)
{
	const struct mail_facts *f = job->facts;
	const char *host = job->server->host;
	int port = job->server->port;

	if (f->phase == MAIL_PHASE_CONNECT && !timed)
		err_set(err, -EHOSTUNREACH,
		        _("cannot reach the mail server %s:%d: %s"), host, port,
		        f->lib_error);
	else if (timed)
		err_set(err, -ETIMEDOUT,
		        _("the mail server %s:%d did not finish within %lld s; "
		          "it hung at %s"),
		        host, port,
		        (long long)(job->server->timeout_ms + 999) / 1000,
		        phase_name(f->phase));
	else
		err_set(err, -ECONNRESET,
		        _("the mail server %s:%d broke off at %s"), host, port,
		        phase_name(f->phase));
	if (f->phase == MAIL_PHASE_CONNECT)
		err_action(err, _("check server and port in section [Mail], "
		                  "the network "
		                  "and the name service"));
	if (f->phase == MAIL_PHASE_BODY)
		err_meaning(err,
		        _("the server may have taken the message all the same; "
		          "then it arrives twice"));
	return MAIL_TEMPORARY;
}

static enum mail_verdict judge_broken(
        const struct mail_job *job, struct err *err)
{
	const struct mail_facts *f = job->facts;

	if (f->read_failed) {
		err_set(err, -EIO, _("cannot read the e-mail"));
		return MAIL_TEMPORARY;
	}
	if (f->flooded) {
		err_set(err, -EPROTO, _("the mail server %s talks without end"),
		        job->server->host);
		return MAIL_SETUP;
	}
	err_set(err, -EPROTO,
	        _("somebody puts plain text into the encrypted connection to "
	          "the mail server %s; nothing was sent"),
	        job->server->host);
	err_action(err,
	        _("have the network between here and the mail server looked "
	          "at; it may be an attack, or a broken mail server"));
	return MAIL_SETUP;
}

/* The server has answered the message itself. */
static enum mail_verdict judge_accepted(
        const struct mail_job *job, enum mail_rcpt *rcpt, struct err *err)
{
	const struct mail_facts *f = job->facts;
	const struct mail_refusal *who;
	bool all = true;

	for (size_t i = 0; job->to[i] != NULL; i++) {
		if (f->rcpt_code[i] / 100 == 2)
			rcpt[i] = MAIL_RCPT_ACCEPTED;
		else
			all = false;
	}
	if (all)
		return MAIL_SENT;
	who = f->refused_to.reply.code != 0 ? &f->refused_to : &f->later_to;
	(void)refused(job, &who->reply, who->to, MAIL_PARTLY, err);
	return MAIL_PARTLY;
}

static enum mail_verdict judge_envelope(const struct mail_job *job, bool timed,
        const enum mail_rcpt *rcpt, struct err *err)
{
	const struct mail_facts *f = job->facts;
	const struct mail_refusal *who;
	bool later = false, open = false;

	if (f->sender.code >= 400)
		return refused(job, &f->sender, _("the sender's address"),
		        f->sender.code == 530 || f->sender.code == 535
		                ? MAIL_SETUP
		                : MAIL_PERMANENT,
		        err);
	for (size_t i = 0; job->to[i] != NULL; i++) {
		later = later || rcpt[i] == MAIL_RCPT_LATER;
		open = open || rcpt[i] == MAIL_RCPT_OPEN;
	}
	who = later ? &f->later_to : &f->refused_to;
	if (who->reply.code != 0 && !open)
		return refused(job, &who->reply, who->to, MAIL_PERMANENT, err);
	if (f->transfer.code >= 400)
		return refused(job, &f->transfer, _("the message"),
		        MAIL_PERMANENT, err);
	return judge_silence(job, timed, err);
}

static enum mail_verdict judge(const struct mail_job *job, int task,
        enum mail_rcpt *rcpt, struct err *err)
{
	const struct mail_server *server = job->server;
	const struct mail_facts *f = job->facts;
	bool timed = task == -ETIMEDOUT;
	const struct mail_reply *r;

	for (size_t i = 0; job->to[i] != NULL; i++)
		if (f->rcpt_code[i] >= 400)
			rcpt[i] = f->rcpt_code[i] < 500 ? MAIL_RCPT_LATER
			                                : MAIL_RCPT_REFUSED;
	if (__atomic_load_n(&f->answered, __ATOMIC_ACQUIRE) != 0 &&
	        f->transfer.code / 100 == 2)
		return judge_accepted(job, rcpt, err);
	if (f->injected || f->flooded || f->read_failed)
		return judge_broken(job, err);
	if (f->tls_error[0] != '\0' && !f->tls_done)
		return judge_tls(job, err);
	if (f->nomem) {
		err_set(err, -ENOMEM, _("the SMTP session cannot be set up"));
		return MAIL_TEMPORARY;
	}
	for (int p = MAIL_PHASE_GREETING; p <= MAIL_PHASE_HELLO; p++) {
		r = &f->refused[p];
		if (r->code != 0)
			return refused(job, r, phase_name((enum mail_phase)p),
			        MAIL_SETUP, err);
	}
	if (server->starttls && !f->tls_done &&
	        (f->no_starttls || f->refused[MAIL_PHASE_STARTTLS].code != 0))
		return judge_starttls(job, err);
	if (f->no_login || f->refused[MAIL_PHASE_AUTH].code != 0)
		return judge_login(job, err);
	return judge_envelope(job, timed, rcpt, err);
}

/* --- sending ---------------------------------------------------------------
 */

static enum mail_verdict run(
        const struct mail_job *job, enum mail_rcpt *rcpt, struct err *err)
{
	struct proc_task task = {
	        .name = "SMTP",
	        .fn = mail_esmtp_session,
	        .arg = (void *)(uintptr_t)job,
	        .timeout_ms = job->server->timeout_ms,
	};
	struct err why = ERR_INIT;
	int r = proc_task(&task, &why);

	/* -EIO: the child ended itself, the facts say why. */
	if (r < 0 && r != -ETIMEDOUT && r != -EIO &&
	        __atomic_load_n(&job->facts->answered, __ATOMIC_ACQUIRE) == 0) {
		if (err != NULL)
			*err = why;
		return MAIL_TEMPORARY;
	}
	return judge(job, r, rcpt, err);
}

enum mail_verdict mail_send_each(const struct mail_server *server,
        const char *from, char *const *to, int fd, enum mail_rcpt *ret_rcpt,
        struct err *err)
{
	struct mail_server full = *server;
	struct mail_job job = {
	        .server = &full, .from = from, .to = to, .fd = fd};
	enum mail_verdict v;

	for (size_t i = 0; to[i] != NULL; i++)
		ret_rcpt[i] = MAIL_RCPT_OPEN;
	full.username = server->username != NULL ? server->username : "";
	full.password = server->password != NULL ? server->password : "";
	full.ca_file = server->ca_file != NULL ? server->ca_file : "";
	if (full.timeout_ms < 1000)
		full.timeout_ms = 1000;
	v = check_server(&full, err);
	if (v == MAIL_SENT)
		v = check_ca_file(&full, err);
	if (v == MAIL_SENT)
		v = check_addresses(from, to, err);
	if (v == MAIL_SENT)
		v = check_message(fd, &job.size, err);
	if (v != MAIL_SENT)
		return v;

	job.facts = mmap(NULL, sizeof(*job.facts), PROT_READ | PROT_WRITE,
	        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job.facts == MAP_FAILED) {
		err_nomem(err);
		return MAIL_TEMPORARY;
	}
	v = run(&job, ret_rcpt, err);
	(void)munmap(job.facts, sizeof(*job.facts));
	return v;
}

enum mail_verdict mail_send(const struct mail_server *server, const char *from,
        char *const *to, int fd, struct err *err)
{
	enum mail_rcpt rcpt[MAIL_TO_MAX + 1];
	size_t n = 0;

	while (to[n] != NULL)
		n++;
	if (n > MAIL_TO_MAX)
		return check_addresses(from, to, err);
	return mail_send_each(server, from, to, fd, rcpt, err);
}
