/* SPDX-License-Identifier: MIT */
#include "sys/sshclient.h"

#include <errno.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "sig.h"
#include "text.h"
#include "sys/sshclient_internal.h"

/* Only what runs in hardware on most machines, then what is as good. */
#define CIPHERS                                          \
	"aes128-gcm@openssh.com,aes256-gcm@openssh.com," \
	"chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr"
#define SSH_PORT 22
/* A person may mistype. */
#define PASSWORDS_MAX 3

const char *sshclient_reason(const struct sshclient *s)
{
	static char text[300];

	return text_visible_str(text, sizeof text, ssh_get_error(s->session));
}

/* The line, not the host, ended it: only libssh's words tell. */
static bool is_cut(const struct sshclient *s)
{
	return str_starts(ssh_get_error(s->session), "Socket error");
}

static int lost(const struct sshclient *s, struct err *err)
{
	return err_set(err, -ENOTCONN, _("%s has closed the connection: %s"),
	        s->host, sshclient_reason(s));
}

/* --- life -------------------------------------------------------------------
 */

static void wipe(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

/* A socket that it was given libssh closes in some of its states and leaves
 * open in others, and it does not tell.  Unless it is the very same one, the
 * number is somebody else's by now. */
static void close_socket(struct sshclient *s)
{
	struct stat st;

	if (s->fd >= 0 && fstat(s->fd, &st) == 0 && st.st_ino == s->inode)
		close(s->fd);
}

void sshclient_close(struct sshclient *s)
{
	if (!s)
		return;
	/* By a handler: libssh is on the stack still. */
	s->doomed = s->pumping;
	if (s->doomed)
		return;
	sshclient_exec_free(s);
	if (s->event) {
		ssh_event_remove_session(s->event, s->session);
		ssh_event_free(s->event);
	}
	ssh_key_free(s->private_key);
	ssh_key_free(s->public_key);
	if (s->session) {
		ssh_disconnect(s->session);
		ssh_free(s->session);
	}
	close_socket(s);
	wipe(&s->password);
	strv_done(&s->known_hosts);
	strv_done(&s->identities);
	free(s->host);
	free(s->user);
	free(s);
}

void sshclient_closep(struct sshclient **s)
{
	sshclient_close(*s);
	*s = NULL;
}

static int copy_list(struct strv *dst, const char *const *src)
{
	for (; src && *src; src++)
		if (strv_add(dst, *src) < 0)
			return -ENOMEM;
	return 0;
}

static int copy_options(struct sshclient *s, const struct sshclient_options *o)
{
	s->host = strdup(o->host);
	s->port = o->port;
	s->user = strdup(o->user);
	s->accept_new = o->accept_new;
	s->agent = o->agent;
	s->ask = o->ask;
	s->ask_arg = o->ask_arg;
	if (!s->host || !s->user ||
	        copy_list(&s->known_hosts, o->known_hosts) < 0)
		return -ENOMEM;
	return copy_list(&s->identities, o->identities);
}

static int use_known_hosts(struct sshclient *s, const char *path)
{
	if (ssh_options_set(s->session, SSH_OPTIONS_KNOWNHOSTS, path) < 0 ||
	        ssh_options_set(
	                s->session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, path) < 0)
		return -ENOMEM;
	return 0;
}

/* Before the keys are exchanged: libssh asks for a key of a kind that it finds
 * there, so it must be the file that knows the host. */
static int choose_known_hosts(struct sshclient *s)
{
	for (size_t i = 0; i < s->known_hosts.len; i++) {
		if (access(s->known_hosts.items[i], R_OK) < 0)
			continue;
		if (use_known_hosts(s, s->known_hosts.items[i]) < 0)
			return -ENOMEM;
		if (ssh_session_has_known_hosts_entry(s->session) ==
		        SSH_KNOWN_HOSTS_OK)
			return 0;
	}
	return use_known_hosts(s, "/dev/null");
}

static int set_options(struct sshclient *s, int fd)
{
	socket_t sock = fd;
	long timeout_s = 10; /* of nothing, for nothing blocks */
	int on = 1, off = 0;
	ssh_session x = s->session;

	if (ssh_options_set(x, SSH_OPTIONS_PROCESS_CONFIG, &off) < 0 ||
	        ssh_options_set(x, SSH_OPTIONS_HOST, s->host) < 0 ||
	        ssh_options_set(x, SSH_OPTIONS_USER, s->user) < 0 ||
	        ssh_options_set(x, SSH_OPTIONS_PORT, &s->port) < 0 ||
	        ssh_options_set(x, SSH_OPTIONS_TIMEOUT, &timeout_s) < 0 ||
	        ssh_options_set(x, SSH_OPTIONS_NODELAY, &on) < 0 ||
	        ssh_options_set(x, SSH_OPTIONS_CIPHERS_C_S, CIPHERS) < 0 ||
	        ssh_options_set(x, SSH_OPTIONS_CIPHERS_S_C, CIPHERS) < 0)
		return -EINVAL;
	if (choose_known_hosts(s) < 0)
		return -EINVAL;
	if (ssh_options_set(x, SSH_OPTIONS_FD, &sock) < 0)
		return -EINVAL;
	ssh_set_blocking(x, 0);
	return 0;
}

int sshclient_open(struct sshclient **ret,
        const struct sshclient_options *options, int fd, struct err *err)
{
	_cleanup_close_ int owned = fd;
	_cleanup_sshclient_ struct sshclient *s = calloc(1, sizeof *s);
	struct stat st;
	int r;

	if (!s)
		return err_nomem(err);
	s->fd = -1;
	s->session = ssh_new();
	if (!s->session || copy_options(s, options) < 0)
		return err_nomem(err);
	r = set_options(s, fd);
	if (r < 0)
		return err_set(err, r, _("the SSH library refuses: %s"),
		        sshclient_reason(s));
	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, "%s", _("the connection"));
	s->inode = st.st_ino;
	s->fd = TAKE_FD(owned);
	*ret = TAKE_PTR(s);
	return 0;
}

int sshclient_fd(const struct sshclient *s)
{
	int fd = ssh_get_fd(s->session);

	/* It gets it with the first step only. */
	return s->phase == SSHCLIENT_KEX && fd < 0 ? s->fd : fd;
}

short sshclient_events(const struct sshclient *s)
{
	int flags = ssh_get_poll_flags(s->session);

	return (short)(POLLIN | ((flags & SSH_WRITE_PENDING) ? POLLOUT : 0));
}

const char *sshclient_host_key(const struct sshclient *s)
{
	return s->key;
}

/* --- the host's key ---------------------------------------------------------
 */

static int read_fingerprint(struct sshclient *s)
{
	ssh_key key = NULL;
	unsigned char *hash = NULL;
	char *text = NULL;
	size_t len;
	int r = -EPROTO;

	if (ssh_get_server_publickey(s->session, &key) == SSH_OK &&
	        ssh_get_publickey_hash(
	                key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) == 0)
		text = ssh_get_fingerprint_hash(
		        SSH_PUBLICKEY_HASH_SHA256, hash, len);
	if (text)
		r = str_copy(s->key, sizeof s->key, text);
	ssh_string_free_char(text);
	ssh_clean_pubkey_hash(&hash);
	ssh_key_free(key);
	return r;
}

/* The worst that one of the files says of the key, but a file that knows it
 * outweighs those that have never heard of the host. */
static enum ssh_known_hosts_e look_up(struct sshclient *s)
{
	enum ssh_known_hosts_e found = SSH_KNOWN_HOSTS_NOT_FOUND;

	for (size_t i = 0; i < s->known_hosts.len; i++) {
		enum ssh_known_hosts_e k;

		if (access(s->known_hosts.items[i], R_OK) < 0)
			continue;
		if (use_known_hosts(s, s->known_hosts.items[i]) < 0)
			return SSH_KNOWN_HOSTS_ERROR;
		k = ssh_session_is_known_server(s->session);
		if (k == SSH_KNOWN_HOSTS_CHANGED || k == SSH_KNOWN_HOSTS_ERROR)
			return k;
		if (k == SSH_KNOWN_HOSTS_OK ||
		        (k == SSH_KNOWN_HOSTS_OTHER &&
		                found != SSH_KNOWN_HOSTS_OK))
			found = k;
	}
	return found;
}

static int refuse_changed(const struct sshclient *s, struct err *err)
{
	err_set(err, -EKEYREJECTED,
	        _("the host key of %s has CHANGED: it is now %s"), s->host,
	        s->key);
	err_meaning(err, "%s",
	        _("Somebody may sit between you and the host and read along; "
	          "or the host was set up anew. Nothing was sent to it."));
	err_action(err,
	        _("Find out which on the host's own console (ssh-keygen -lf "
	          "/etc/ssh/ssh_host_ed25519_key.pub). Only then remove the "
	          "old key: ssh-keygen -R '[%s]:%u', for port 22 ssh-keygen -R "
	          "%s."),
	        s->host, s->port, s->host);
	return -EKEYREJECTED;
}

static int refuse_unknown(const struct sshclient *s, struct err *err)
{
	err_set(err, -EKEYREJECTED, _("the host key of %s is not known: %s"),
	        s->host, s->key);
	err_action(err,
	        _("Compare it with the host's own (ssh-keygen -lf "
	          "/etc/ssh/ssh_host_ed25519_key.pub there), then try again "
	          "with --accept-new. Host certificates are not understood: "
	          "%s must have the key itself."),
	        s->known_hosts.len > 0 ? s->known_hosts.items[0]
	                               : "known_hosts");
	return -EKEYREJECTED;
}

static int learn(struct sshclient *s, struct err *err)
{
	if (s->known_hosts.len == 0)
		return 0;
	if (use_known_hosts(s, s->known_hosts.items[0]) < 0)
		return err_nomem(err);
	if (ssh_session_update_known_hosts(s->session) != SSH_OK)
		return err_set(err, -EIO,
		        _("cannot keep the host key of %s in %s: %s"), s->host,
		        s->known_hosts.items[0], sshclient_reason(s));
	log_notice(_("%s: host key %s accepted and kept in %s"), s->host,
	        s->key, s->known_hosts.items[0]);
	return 0;
}

/* Does a line of known_hosts revoke this key for @host? */
static bool line_revokes(const char *line, const char *host, ssh_key key)
{
	static const char mark[] = "@revoked";
	struct ssh_knownhosts_entry *entry = NULL;
	bool same;

	if (!str_starts(line, mark))
		return false;
	line += sizeof mark - 1;
	line += strspn(line, " \t");
	if (ssh_known_hosts_parse_line(host, line, &entry) != SSH_OK)
		return false;
	same = ssh_key_cmp(entry->publickey, key, SSH_KEY_CMP_PUBLIC) == 0;
	ssh_knownhosts_entry_free(entry);
	return same;
}

static bool file_revokes(const char *path, const char *host, ssh_key key)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while (f && (n = getline(&line, &size, f)) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line_revokes(line, host, key))
			return true;
	}
	return false;
}

/* libssh does not know the mark, and would take the key from another line.
 * The file that says so, or NULL. */
static const char *find_revoked(const struct sshclient *s)
{
	_cleanup_free_ char *host =
	        s->port == SSH_PORT ? strdup(s->host)
	                            : str_printf("[%s]:%u", s->host, s->port);
	const char *found = NULL;
	ssh_key key = NULL;

	if (!host || ssh_get_server_publickey(s->session, &key) != SSH_OK)
		return "?"; /* never accepted for want of memory */
	for (size_t i = 0; !found && i < s->known_hosts.len; i++)
		if (file_revokes(s->known_hosts.items[i], host, key))
			found = s->known_hosts.items[i];
	ssh_key_free(key);
	return found;
}

static int refuse_revoked(
        const struct sshclient *s, const char *file, struct err *err)
{
	err_set(err, -EKEYREJECTED,
	        _("the host key of %s is REVOKED by %s: %s"), s->host, file,
	        s->key);
	err_meaning(err, "%s",
	        _("Somebody else may have this key and play the host. Nothing "
	          "was sent to it."));
	err_action(err, "%s",
	        _("Give the host a new key (ssh-keygen -A there, after the "
	          "old files are removed)."));
	return -EKEYREJECTED;
}

static int check_host_key(struct sshclient *s, struct err *err)
{
	const char *revoked;
	int r = read_fingerprint(s);

	if (r < 0)
		return err_set(err, -EPROTO,
		        _("%s shows no host key that can be read"), s->host);
	revoked = find_revoked(s);
	if (revoked)
		return refuse_revoked(s, revoked, err);
	switch (look_up(s)) {
	case SSH_KNOWN_HOSTS_OK:
		return 0;
	case SSH_KNOWN_HOSTS_CHANGED:
	case SSH_KNOWN_HOSTS_OTHER:
		return refuse_changed(s, err);
	case SSH_KNOWN_HOSTS_NOT_FOUND:
	case SSH_KNOWN_HOSTS_UNKNOWN:
		return s->accept_new ? learn(s, err) : refuse_unknown(s, err);
	case SSH_KNOWN_HOSTS_ERROR:
	default:
		return err_set(err, -EKEYREJECTED,
		        _("the known hosts cannot be read: %s"),
		        sshclient_reason(s));
	}
}

/* --- login ------------------------------------------------------------------
 */

/* What the host said when it hung up: "Too many authentication failures". */
static const char *last_words(const struct sshclient *s)
{
	static const char mark[] = "Received SSH_MSG_DISCONNECT: ";
	const char *words = sshclient_reason(s);

	if (!str_starts(words, mark))
		return NULL;
	words += sizeof mark - 1; /* a number, a colon, the words */
	return strchr(words, ':') ? strchr(words, ':') + 1 : words;
}

static int refuse_login(const struct sshclient *s, struct err *err)
{
	const char *words = last_words(s);

	/* It was not the host that refused. */
	if (sig_caught())
		return err_set(
		        err, -EINTR, "%s", _("the login was interrupted"));
	if (words) {
		err_set(err, -EACCES, _("%s refuses the login of %s: %s"),
		        s->host, s->user, words);
		err_action(err, "%s",
		        _("When it takes too few tries: name the right key "
		          "with -i and set \"IdentitiesOnly yes\" for the host "
		          "in ~/.ssh/config, so that no other is shown to "
		          "it."));
		return -EACCES;
	}
	err_set(err, -EACCES, _("%s refuses the login of %s"), s->host,
	        s->user);
	err_action(err, "%s",
	        _("Name the right key with -i, load it into ssh-agent, or "
	          "append its public half to ~/.ssh/authorized_keys on the "
	          "host; \"ssh -v\" tells which keys are tried. The host may "
	          "also forbid it (AllowUsers, PermitRootLogin, a locked "
	          "account): its own log tells."));
	return -EACCES;
}

static char *question(
        struct sshclient *s, enum sshclient_question what, const char *text)
{
	return s->ask ? s->ask(what, text, s->ask_arg) : NULL;
}

static char *ask_password(struct sshclient *s)
{
	_cleanup_free_ char *who = str_printf("%s@%s", s->user, s->host);

	return who ? question(s, SSHCLIENT_ASK_PASSWORD, who) : NULL;
}

static bool takes(const struct sshclient *s, int method)
{
	int methods = ssh_userauth_list(s->session, NULL);

	return methods & method;
}

static void add_certificate(struct sshclient *s, const char *path)
{
	_cleanup_free_ char *cert_path = str_printf("%s-cert.pub", path);
	ssh_key cert = NULL;

	if (cert_path && access(cert_path, R_OK) == 0 &&
	        ssh_pki_import_cert_file(cert_path, &cert) == SSH_OK)
		(void)ssh_pki_copy_cert_to_privkey(cert, s->private_key);
	ssh_key_free(cert);
}

/* The key of the file: 0, -EINTR, or -EINVAL: it cannot be used, or its
 * passphrase is another one. */
static int load_key(struct sshclient *s, const char *path, const char *phrase)
{
	if (ssh_pki_import_privkey_file(
	            path, phrase, NULL, NULL, &s->private_key) != SSH_OK)
		return -EINVAL;
	add_certificate(s, path);
	return 0;
}

static int unlock_key(struct sshclient *s, const char *path)
{
	char *phrase =
	        s->ask ? question(s, SSHCLIENT_ASK_PASSPHRASE, path) : NULL;
	int r = phrase ? load_key(s, path, phrase) : -EINVAL;

	wipe(&phrase);
	if (r < 0 && sig_caught())
		return -EINTR;
	if (r < 0)
		log_warn(_("the key %s cannot be read, or its passphrase is "
		           "wrong"),
		        path);
	return r;
}

/* What libssh answers, so that all ways of logging in read alike. */
enum answer { YES, NO, LATER, BROKEN };

static enum answer answer_of(int r)
{
	switch (r) {
	case SSH_AUTH_SUCCESS:
		return YES;
	case SSH_AUTH_AGAIN:
		return LATER;
	case SSH_AUTH_DENIED:
	case SSH_AUTH_PARTIAL:
	case SSH_AUTH_INFO:
		return NO;
	default:
		return BROKEN;
	}
}

static void forget_keys(struct sshclient *s)
{
	ssh_key_free(s->private_key);
	ssh_key_free(s->public_key);
	s->private_key = s->public_key = NULL;
}

/* Nobody is asked for the passphrase of a key that the host does not want. */
static enum answer offer(struct sshclient *s, const char *path)
{
	_cleanup_free_ char *pub = str_printf("%s.pub", path);

	if (!s->public_key && (!pub || ssh_pki_import_pubkey_file(
	                                       pub, &s->public_key) != SSH_OK))
		return YES;
	return answer_of(
	        ssh_userauth_try_publickey(s->session, NULL, s->public_key));
}

/* The next key that needs no passphrase, or one that does. */
static enum answer get_key(struct sshclient *s, const char *path, bool locked)
{
	enum answer a;

	if (access(path, R_OK) < 0)
		return NO;
	if (!s->public_key && load_key(s, path, "") == 0) {
		if (!locked)
			return YES;
		forget_keys(s); /* it had its turn */
		return NO;
	}
	a = locked ? offer(s, path) : NO;
	return a == YES && unlock_key(s, path) < 0 ? NO : a;
}

static enum answer login_key(struct sshclient *s, bool locked)
{
	while (s->identity < s->identities.len) {
		enum answer a = YES;

		if (!s->private_key)
			a = get_key(
			        s, s->identities.items[s->identity], locked);
		if (a == YES)
			a = answer_of(ssh_userauth_publickey(
			        s->session, NULL, s->private_key));
		if (a != NO)
			return a;
		forget_keys(s);
		s->identity++;
	}
	s->identity = 0;
	return NO;
}

static enum answer login_agent(struct sshclient *s)
{
	if (!s->agent || !(s->agent_answers || sshclient_agent_answers()))
		return NO;
	s->agent_answers = true;
	/* BROKEN is an agent that is not there: no reason to give up. */
	enum answer a = answer_of(ssh_userauth_agent(s->session, NULL));

	return a == BROKEN && ssh_is_connected(s->session) ? NO : a;
}

static enum answer login_password(struct sshclient *s)
{
	while (s->password || s->asked < PASSWORDS_MAX) {
		enum answer a;

		if (!s->password) {
			s->password = ask_password(s);
			s->asked++;
		}
		if (!s->password)
			return NO;
		a = answer_of(
		        ssh_userauth_password(s->session, NULL, s->password));
		if (a == LATER)
			return a;
		wipe(&s->password);
		if (a != NO)
			return a;
	}
	return NO;
}

static bool fill_in(struct sshclient *s)
{
	int n = ssh_userauth_kbdint_getnprompts(s->session);

	for (int i = 0; i < n; i++) {
		char echo;
		const char *prompt = ssh_userauth_kbdint_getprompt(
		        s->session, (unsigned)i, &echo);
		char *text =
		        question(s, SSHCLIENT_ASK_ANSWER, prompt ? prompt : "");
		int r = text ? ssh_userauth_kbdint_setanswer(
		                       s->session, (unsigned)i, text)
		             : -1;

		wipe(&text);
		if (r < 0)
			return false;
	}
	return true;
}

static enum answer login_answer(struct sshclient *s)
{
	int r = ssh_userauth_kbdint(s->session, NULL, NULL);

	while (r == SSH_AUTH_INFO) {
		if (s->asked++ >= PASSWORDS_MAX * 4 || !fill_in(s))
			return NO;
		r = ssh_userauth_kbdint(s->session, NULL, NULL);
	}
	return answer_of(r);
}

static enum answer login(struct sshclient *s)
{
	switch (s->phase) {
	case SSHCLIENT_LOGIN_NONE:
		return answer_of(ssh_userauth_none(s->session, NULL));
	case SSHCLIENT_LOGIN_KEY:
	case SSHCLIENT_LOGIN_LOCKED_KEY:
		return takes(s, SSH_AUTH_METHOD_PUBLICKEY)
		               ? login_key(s, s->phase != SSHCLIENT_LOGIN_KEY)
		               : NO;
	case SSHCLIENT_LOGIN_AGENT:
		return takes(s, SSH_AUTH_METHOD_PUBLICKEY) ? login_agent(s)
		                                           : NO;
	case SSHCLIENT_LOGIN_ANSWER:
		return s->ask && takes(s, SSH_AUTH_METHOD_INTERACTIVE)
		               ? login_answer(s)
		               : NO;
	case SSHCLIENT_LOGIN_PASSWORD:
		return s->ask && takes(s, SSH_AUTH_METHOD_PASSWORD)
		               ? login_password(s)
		               : NO;
	case SSHCLIENT_KEX:
	case SSHCLIENT_LOGGED_IN:
	default:
		return YES;
	}
}

static int logged_in(struct sshclient *s, struct err *err)
{
	s->event = ssh_event_new();
	if (!s->event || ssh_event_add_session(s->event, s->session) < 0)
		return err_nomem(err);
	forget_keys(s);
	s->phase = SSHCLIENT_LOGGED_IN;
	return SSHCLIENT_READY;
}

static int pump_login(struct sshclient *s, struct err *err)
{
	for (;;) {
		enum answer a = login(s);

		/* libssh waits for an answer even of who has hung up. */
		if (a == LATER && !ssh_is_connected(s->session))
			a = BROKEN;
		switch (a) {
		case YES:
			return logged_in(s, err);
		case LATER:
			return SSHCLIENT_CONNECTING;
		case BROKEN:
			/* Too many keys were tried, for example. */
			return s->phase == SSHCLIENT_LOGIN_NONE || is_cut(s)
			               ? lost(s, err)
			               : refuse_login(s, err);
		case NO:
		default:
			break;
		}
		if (s->phase == SSHCLIENT_LOGIN_PASSWORD)
			return refuse_login(s, err);
		s->phase++;
	}
}

static int pump_kex(struct sshclient *s, struct err *err)
{
	int r = ssh_connect(s->session);

	if (r == SSH_AGAIN)
		return SSHCLIENT_CONNECTING;
	if (r != SSH_OK && is_cut(s))
		return lost(s, err);
	if (r != SSH_OK)
		return err_set(err, -EPROTO,
		        _("%s and this program find no way to speak SSH: %s"),
		        s->host, sshclient_reason(s));
	r = check_host_key(s, err);
	if (r < 0)
		return r;
	s->phase = SSHCLIENT_LOGIN_NONE;
	return pump_login(s, err);
}

static int pump_program(struct sshclient *s, struct err *err)
{
	int r = ssh_event_dopoll(s->event, 0);

	if (r != SSH_OK && r != SSH_AGAIN)
		return lost(s, err);
	r = sshclient_exec_pump(s, err);
	if (r < 0)
		return r;
	if (!ssh_is_connected(s->session))
		return lost(s, err);
	return SSHCLIENT_READY;
}

int sshclient_pump(struct sshclient *s, struct err *err)
{
	int r;

	s->pumping = true;
	if (s->phase == SSHCLIENT_KEX)
		r = pump_kex(s, err);
	else if (s->phase != SSHCLIENT_LOGGED_IN)
		r = pump_login(s, err);
	else
		r = pump_program(s, err);
	s->pumping = false;
	if (!s->doomed)
		return r;
	sshclient_close(s);
	return err_set(err, -ECANCELED, "%s",
	        _("the connection was given up meanwhile"));
}
