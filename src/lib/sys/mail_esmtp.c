/* SPDX-License-Identifier: MIT */
/*
 * mail_esmtp: one SMTP session with libesmtp, in a process of its own.
 *
 * What the library is not trusted with is done here:
 *   - it reports success for nearly everything, so the answers are collected
 *     one by one, and those it hides (greeting, EHLO, STARTTLS, AUTH) are read
 *     along in the monitor callback;
 *   - it keeps plain text that came behind the STARTTLS reply and takes it for
 *     answers inside TLS, so the monitor callback looks for that;
 *   - it compares the certificate with the name that DNS returned, so OpenSSL
 *     compares it with the configured one; it sends no SNI;
 *   - with TLS 1.3 it can wait for ever (tickets after the handshake), so
 *     TLS is 1.2;
 *   - after a refused login it goes on without one, so MAIL is not let out.
 * Where the session must end at once the process ends: _exit().
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <auth-client.h>
#include <libesmtp.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "num.h"
#include "str.h"
#include "sys/mail_internal.h"

/* For one address; the server's name can have several. */
#define CONNECT_MAX_MS 10000
/* Waiting for the good-bye, once the message is accepted. */
#define QUIT_MAX_MS 3000
/* All that a server says in one session. */
#define REPLIES_MAX (256 * 1024)

/* There is one session per process, and not all callbacks have an argument. */
static struct {
	const struct mail_job *job;
	struct mail_facts *facts;
	smtp_session_t session;
	smtp_message_t message;
	smtp_recipient_t rcpt[MAIL_TO_MAX];
	size_t rcpt_len;
	char line[MAIL_TEXT_SIZE]; /* of the server, not complete yet */
	size_t line_len;
	size_t heard;    /* bytes from the server */
	bool greeted;    /* EHLO or HELO was answered with 250 */
	bool expect_tls; /* 220 to STARTTLS was read */
	char said[1024]; /* last line of a login, encoded */
	int64_t pos;     /* in the message */
} s;

/* --- what the server says ------------------------------------------------- */

static void keep_text(struct mail_reply *r, int code, const char *text)
{
	size_t n = 0;

	r->code = code;
	(void)str_copy(r->text, sizeof(r->text), text);
	/* Several lines become one. */
	for (const char *p = r->text; *p != '\0'; p++)
		if (*p != '\r')
			r->text[n++] = *p == '\n' ? ' ' : *p;
	while (n > 0 && r->text[n - 1] == ' ')
		n--;
	r->text[n] = '\0';
}

/* Some servers repeat what they could not read. */
static bool repeats_login(const char *text)
{
	return strlen(s.said) >= 4 && strstr(text, s.said) != NULL;
}

static void take_reply(int code, const char *text)
{
	enum mail_phase phase = s.facts->phase;

	if (phase == MAIL_PHASE_HELLO && code == 250)
		s.greeted = true;
	if (phase == MAIL_PHASE_STARTTLS && code == 220)
		s.expect_tls = true;
	if (phase == MAIL_PHASE_AUTH && code == 235)
		s.facts->auth_done = true;
	if (phase == MAIL_PHASE_AUTH && repeats_login(text))
		text = "";
	if (code >= 400)
		keep_text(&s.facts->refused[phase], code, text);
}

static void take_line(void)
{
	int64_t code;
	char number[4];

	while (s.line_len > 0 && strchr("\r\n", s.line[s.line_len - 1]))
		s.line_len--;
	s.line[s.line_len] = '\0';
	(void)str_copy(number, sizeof(number), s.line);
	/* "250-" has more lines to come. */
	if (s.line_len >= 3 && s.line[3] != '-' &&
	        num_parse_i64(number, 100, 999, &code) == 0)
		take_reply((int)code, s.line_len > 4 ? s.line + 4 : "");
	s.line_len = 0;
}

static void heard(const char *data, size_t len)
{
	s.heard += len;
	if (s.heard > REPLIES_MAX) {
		s.facts->flooded = true;
		_exit(0);
	}
	for (size_t i = 0; i < len; i++) {
		if (s.expect_tls) {
			s.facts->injected = true;
			_exit(0);
		}
		if (s.line_len < sizeof(s.line) - 1)
			s.line[s.line_len++] = data[i];
		if (data[i] == '\n')
			take_line();
	}
}

/* --- what we say ---------------------------------------------------------- */

static const struct {
	const char *verb;
	enum mail_phase phase;
} verbs[] = {
        {"EHLO", MAIL_PHASE_HELLO},
        {"HELO", MAIL_PHASE_HELLO},
        {"STARTTLS", MAIL_PHASE_STARTTLS},
        {"AUTH", MAIL_PHASE_AUTH},
        {"MAIL", MAIL_PHASE_ENVELOPE},
        {"QUIT", MAIL_PHASE_QUIT},
};

/* Nothing of value leaves before what was asked for has been reached. The
 * library goes on to MAIL without login, and even on a line that is gone. */
static void check_order(enum mail_phase next)
{
	const struct mail_server *server = s.job->server;
	struct mail_facts *f = s.facts;

	if (next != MAIL_PHASE_AUTH && next != MAIL_PHASE_ENVELOPE)
		return;
	if ((server->starttls || next == MAIL_PHASE_AUTH) && !f->tls_done)
		_exit(0);
	if (next == MAIL_PHASE_AUTH || server->username[0] == '\0' ||
	        f->auth_done)
		return;
	f->no_login = s.greeted && f->phase == MAIL_PHASE_HELLO;
	_exit(0);
}

/* The answers of a login are lines of base64, which may look like a verb. */
static bool is_login_answer(const char *data, size_t len)
{
	return s.facts->phase == MAIL_PHASE_AUTH && !s.facts->auth_done &&
	       s.facts->refused[MAIL_PHASE_AUTH].code == 0 &&
	       memchr(data, ' ', len) == NULL;
}

static void keep_login(const char *data, size_t len)
{
	size_t start = len;

	while (len > 0 && strchr("\r\n", data[len - 1]))
		len--;
	start = len;
	while (start > 0 && data[start - 1] != ' ')
		start--;
	if (len - start < sizeof(s.said)) {
		memcpy(s.said, data + start, len - start);
		s.said[len - start] = '\0';
	}
}

static void said(const char *data, size_t len)
{
	if (s.facts->phase == MAIL_PHASE_BODY && s.facts->transfer.code == 0)
		return;
	if (is_login_answer(data, len)) {
		keep_login(data, len);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		size_t n = strlen(verbs[i].verb);

		if (len < n || strncasecmp(data, verbs[i].verb, n) != 0)
			continue;
		check_order(verbs[i].phase);
		if (verbs[i].phase == MAIL_PHASE_HELLO)
			s.greeted = false;
		s.facts->phase = verbs[i].phase;
		s.facts->refused[verbs[i].phase].code = 0;
		if (verbs[i].phase == MAIL_PHASE_AUTH)
			keep_login(data, len);
		return;
	}
}

static void on_traffic(const char *data, int len, int writing, void *arg)
{
	(void)arg;
	if (len <= 0)
		return;
	if (writing == 0)
		heard(data, (size_t)len);
	else if (writing == 1)
		said(data, (size_t)len);
}

/* --- answers to the message ---------------------------------------------- */

static void keep_status(struct mail_reply *r, const smtp_status_t *st)
{
	if (st != NULL && st->code > 0)
		keep_text(r, st->code, st->text != NULL ? st->text : "");
}

static void keep_refusal(
        struct mail_refusal *r, const char *to, const smtp_status_t *st)
{
	if (r->reply.code != 0)
		return;
	keep_status(&r->reply, st);
	(void)str_copy(r->to, sizeof(r->to), to);
}

static void keep_answers(void)
{
	struct mail_facts *f = s.facts;

	keep_status(&f->sender, smtp_reverse_path_status(s.message));
	for (size_t i = 0; i < s.rcpt_len; i++) {
		const smtp_status_t *st = smtp_recipient_status(s.rcpt[i]);

		f->rcpt_code[i] = st != NULL ? st->code : 0;
		if (f->rcpt_code[i] >= 500)
			keep_refusal(&f->refused_to, s.job->to[i], st);
		else if (f->rcpt_code[i] >= 400)
			keep_refusal(&f->later_to, s.job->to[i], st);
	}
	keep_status(&f->transfer, smtp_message_transfer_status(s.message));
}

static void message_answered(void)
{
	keep_answers();
	__atomic_store_n(&s.facts->answered, 1, __ATOMIC_RELEASE);
	/* Whether QUIT is answered does not matter any more. */
	smtp_set_timeout(s.session,
	        Timeout_ENVELOPE | Timeout_OVERRIDE_RFC2822_MINIMUM,
	        QUIT_MAX_MS);
}

/* --- TLS ------------------------------------------------------------------ */

static int on_verify(int ok, X509_STORE_CTX *ctx)
{
	int code = X509_STORE_CTX_get_error(ctx);

	if (!ok && s.facts->tls_error[0] == '\0')
		(void)str_copy(s.facts->tls_error, sizeof(s.facts->tls_error),
		        X509_verify_cert_error_string(code));
	return ok;
}

static bool is_ipv4(const char *host)
{
	return host[strspn(host, "0123456789.")] == '\0';
}

/* The library makes the SSL object itself; this is the first moment at which
 * it can be reached. */
static void on_tls_progress(const SSL *ssl, int where, int ret)
{
	const char *host = s.job->server->host;

	(void)ret;
	if ((where & SSL_CB_HANDSHAKE_START) == 0)
		return;
	s.expect_tls = false;
	/* The callback's type says const, the object is not. */
	if (!is_ipv4(host))
		SSL_set_tlsext_host_name(
		        (SSL *)(uintptr_t)ssl, (char *)(uintptr_t)host);
}

static SSL_CTX *tls_new(const struct mail_server *server)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	X509_VERIFY_PARAM *param;
	bool good;

	if (ctx == NULL)
		return NULL;
	param = SSL_CTX_get0_param(ctx);
	good = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) == 1;
	if (server->ca_file[0] != '\0') {
		good = good &&
		       SSL_CTX_load_verify_file(ctx, server->ca_file) == 1;
		/* The file may hold just the server's own certificate. */
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	} else {
		good = good && SSL_CTX_set_default_verify_paths(ctx) == 1;
	}
	X509_VERIFY_PARAM_set_hostflags(
	        param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	good = good &&
	       (is_ipv4(server->host) ? X509_VERIFY_PARAM_set1_ip_asc(
	                                        param, server->host)
	                              : X509_VERIFY_PARAM_set1_host(
	                                        param, server->host, 0)) == 1;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_info_callback(ctx, on_tls_progress);
	if (good)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static void keep_tls_error(void)
{
	unsigned long code = ERR_peek_last_error();
	struct mail_facts *f = s.facts;

	if (code == 0 || f->tls_error[0] != '\0')
		return;
	ERR_error_string_n(code, f->tls_error, sizeof(f->tls_error));
	f->tls_broken_off =
	        ERR_GET_LIB(code) == ERR_LIB_SSL &&
	        ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* The library compares the certificate with a name out of DNS; OpenSSL has
 * compared it with ours, and that counts. */
static int name_is_good(const SSL *ssl)
{
	return SSL_get0_peer_certificate(ssl) != NULL &&
	       SSL_get_verify_result(ssl) == X509_V_OK;
}

/* --- events --------------------------------------------------------------- */

static void connect_timer(int64_t ms)
{
	struct itimerval t = {
	        .it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000},
	};

	t.it_interval = t.it_value;
	(void)setitimer(ITIMER_REAL, &t, NULL);
}

static void on_event(smtp_session_t session, int event, void *arg, ...)
{
	va_list ap;

	(void)session;
	(void)arg;
	va_start(ap, arg);
	switch (event) {
	case SMTP_EV_CONNECT:
		connect_timer(0);
		s.facts->phase = MAIL_PHASE_GREETING;
		break;
	case SMTP_EV_EXTNA_STARTTLS:
		/* The library also says so when the line is gone. */
		s.facts->no_starttls =
		        s.greeted && s.facts->phase == MAIL_PHASE_HELLO;
		break;
	case SMTP_EV_STARTTLS_OK:
		s.facts->tls_done = true;
		break;
	case SMTP_EV_WRONG_PEER_CERTIFICATE: {
		int *ok = va_arg(ap, int *);
		const char *name = va_arg(ap, char *);

		(void)name;
		*ok = name_is_good(va_arg(ap, SSL *));
		break;
	}
	case SMTP_EV_MESSAGEDATA:
		s.facts->phase = MAIL_PHASE_BODY;
		break;
	case SMTP_EV_MESSAGESENT:
		message_answered();
		break;
	default:
		break;
	}
	va_end(ap);
}

static int on_login(
        auth_client_request_t request, char **result, int fields, void *arg)
{
	const struct mail_server *server = arg;

	for (int i = 0; i < fields; i++) {
		const char *value = NULL;

		if (request[i].flags & AUTH_PASS)
			value = server->password;
		else if (request[i].flags & AUTH_USER)
			value = server->username;
		/* The library's type is not const; it only reads. */
		result[i] = (char *)(uintptr_t)value;
	}
	return 1;
}

/* --- the message ---------------------------------------------------------- */

static const char *on_read(void **ctx, int *len, void *arg)
{
	static char chunk[16 * 1024];
	ssize_t n;

	(void)ctx;
	(void)arg;
	if (len == NULL) {
		s.pos = 0;
		return NULL;
	}
	do
		n = pread(s.job->fd, chunk, sizeof(chunk), s.pos);
	while (n < 0 && errno == EINTR);
	/* The library cannot be told of an error: it would finish the message
	 * as if this were all of it. */
	if (n < 0 || (n == 0 && s.pos != s.job->size)) {
		s.facts->read_failed = true;
		_exit(0);
	}
	s.pos += n;
	*len = (int)n;
	return n > 0 ? chunk : NULL;
}

/* --- the session ---------------------------------------------------------- */

static void on_alarm(int sig)
{
	(void)sig; /* interrupts connect(2) */
}

static void prepare_process(void)
{
	struct sigaction sa = {.sa_handler = on_alarm}; /* no SA_RESTART */
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct rlimit none = {0, 0};

	(void)sigaction(SIGPIPE, &ignore, NULL); /* the library does not look */
	(void)sigaction(SIGALRM, &sa, NULL);
	/* The password is in this memory. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	/* The library looks for certificates and keys in $HOME, and gives up
	 * when they have the wrong mode. /proc has no such directory, ever. */
	(void)setenv("HOME", "/proc/none", 1);
	(void)unsetenv("XDG_CONFIG_HOME");
	(void)unsetenv("XDG_CONFIG_DIR");
}

/* What we call ourselves; sethostname(2) does not look at the characters. */
static void set_hostname(smtp_session_t session)
{
	struct utsname u;
	char name[sizeof(u.nodename)] = "";
	size_t n = 0;

	if (uname(&u) == 0)
		for (const char *p = u.nodename; *p != '\0'; p++)
			if (strspn(p, "abcdefghijklmnopqrstuvwxyz"
			              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			              "0123456789.-") > 0)
				name[n++] = *p;
	name[n] = '\0';
	smtp_set_hostname(session, n > 0 ? name : "localhost");
}

static void set_timeouts(smtp_session_t session, int64_t ms)
{
	static const int which[] = {Timeout_GREETING, Timeout_ENVELOPE,
	        Timeout_DATA, Timeout_TRANSFER, Timeout_DATA2};

	/* Milliseconds, whatever the library's documentation says. */
	for (size_t i = 0; i < ARRAY_SIZE(which); i++)
		smtp_set_timeout(session,
		        which[i] | Timeout_OVERRIDE_RFC2822_MINIMUM, (long)ms);
}

static bool set_server(const struct mail_server *server)
{
	char address[300];
	SSL_CTX *tls;

	(void)snprintf(
	        address, sizeof(address), "%s:%d", server->host, server->port);
	if (!smtp_set_server(s.session, address))
		return false;
	set_hostname(s.session);
	set_timeouts(s.session, server->timeout_ms);
	if (!server->starttls)
		return smtp_starttls_enable(s.session, Starttls_DISABLED);
	tls = tls_new(server);
	if (tls == NULL) {
		keep_tls_error();
		return false;
	}
	return smtp_starttls_enable(s.session, Starttls_REQUIRED) &&
	       smtp_starttls_set_ctx(s.session, tls);
}

static bool set_login(const struct mail_server *server)
{
	auth_context_t auth;

	if (server->username[0] == '\0')
		return true;
	auth_client_init();
	auth = auth_create_context();
	if (auth == NULL)
		return false;
	auth_set_mechanism_flags(auth, AUTH_PLUGIN_PLAIN, 0);
	auth_set_interact_cb(auth, on_login, (void *)(uintptr_t)server);
	return smtp_auth_set_context(s.session, auth);
}

static bool set_message(const struct mail_job *job)
{
	s.message = smtp_add_message(s.session);
	if (s.message == NULL || !smtp_set_reverse_path(s.message, job->from) ||
	        !smtp_set_messagecb(s.message, on_read, NULL) ||
	        !smtp_size_set_estimate(s.message, (unsigned long)job->size))
		return false;
	for (size_t i = 0; job->to[i] != NULL; i++) {
		s.rcpt[i] = smtp_add_recipient(s.message, job->to[i]);
		if (s.rcpt[i] == NULL)
			return false;
		s.rcpt_len++;
	}
	return true;
}

int mail_esmtp_session(void *arg, void *reply, struct err *err)
{
	const struct mail_job *job = arg;
	const struct mail_server *server = job->server;
	int64_t limit = server->timeout_ms / 2;

	(void)reply;
	(void)err;
	s.job = job;
	s.facts = job->facts;
	prepare_process();
	s.session = smtp_create_session();
	if (s.session == NULL || !set_server(server) || !set_login(server) ||
	        !set_message(job)) {
		s.facts->nomem = true;
		return 0;
	}
	smtp_set_eventcb(s.session, on_event, NULL);
	smtp_set_monitorcb(s.session, on_traffic, NULL, 0);
	connect_timer(limit < CONNECT_MAX_MS ? limit : CONNECT_MAX_MS);

	(void)smtp_start_session(s.session);

	if (s.facts->answered == 0) {
		keep_answers();
		keep_tls_error();
		smtp_strerror(smtp_errno(), s.facts->lib_error,
		        sizeof(s.facts->lib_error));
	}
	/* Nothing is destroyed: the process ends, and the library's way of
	 * doing it is one of its traps. */
	return 0;
}
