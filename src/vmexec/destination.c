/* SPDX-License-Identifier: MIT */
#include "destination.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "i18n.h"
#include "num.h"
#include "path.h"
#include "proc.h"
#include "text.h"

#define ANSWER_MAX (256U * 1024)
#define SSH_PORT 22

static const char *const default_keys[] = {
        "~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"};
static const char *const default_known[] = {
        "~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"};

void destination_done(struct destination *d)
{
	free(d->name);
	free(d->typed);
	free(d->address);
	free(d->host);
	free(d->user);
	free(d->proxy);
	strv_done(&d->identities);
	strv_done(&d->known_hosts);
	strv_done(&d->known_global);
	*d = (struct destination){.name = NULL};
}

/* --- what was typed ---------------------------------------------------------
 */

/* It becomes an argument of ssh and goes into a proxy's command. */
static bool is_host(const char *s)
{
	if (!*s || *s == '-' || strlen(s) > 255)
		return false;
	return s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                   "abcdefghijklmnopqrstuvwxyz0123456789._:%-")] ==
	       '\0';
}

static bool is_user(const char *s)
{
	if (!*s || *s == '-' || strlen(s) > 255)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f ||
		        strchr("'\"`$\\;&|<>(){}", *s))
			return false;
	return true;
}

static int set(char **dst, const char *value, size_t len)
{
	char *copy = strndup(value, len);

	if (!copy)
		return -ENOMEM;
	free(*dst);
	*dst = copy;
	return 0;
}

static int sets(char **dst, const char *value)
{
	return set(dst, value, strlen(value));
}

static int set_port(struct destination *d, const char *text)
{
	uint64_t n;

	if (num_parse_u64(text, 65535, &n) < 0 || n == 0)
		return -EINVAL;
	d->port = (unsigned)n;
	return 0;
}

/* "[::1]:22", "host:22", "::1", "host". */
static int split_host(struct destination *d, const char *text)
{
	const char *end, *colon = strrchr(text, ':');
	int r;

	if (text[0] == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		r = set(&d->address, text + 1, (size_t)(end - text - 1));
		return r == 0 && end[1] ? set_port(d, end + 2) : r;
	}
	if (!colon || strchr(text, ':') != colon)
		return sets(&d->address, text);
	r = set(&d->address, text, (size_t)(colon - text));
	return r == 0 ? set_port(d, colon + 1) : r;
}

static int parse(struct destination *d, const struct destination_request *q,
        struct err *err)
{
	const char *at = strrchr(q->text, '@');
	char shown[200];
	int r = sets(&d->name, q->text);

	if (r == 0 && at)
		r = set(&d->user, q->text, (size_t)(at - q->text));
	if (r == 0)
		r = split_host(d, at ? at + 1 : q->text);
	if (r == 0 && q->user)
		r = sets(&d->user, q->user);
	if (r == 0 && q->port)
		r = set_port(d, q->port);
	if (r == 0)
		r = sets(&d->typed, d->address);
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r < 0 || !is_host(d->address) || (d->user && !is_user(d->user)))
		return err_set(err, -EINVAL,
		        _("\"%s\" is not [USER@]HOST[:PORT]"),
		        text_visible_str(shown, sizeof shown, q->text));
	return 0;
}

/* --- what ssh knows ---------------------------------------------------------
 */

static const char *home_of(const struct passwd *pw)
{
	const char *home = getenv("HOME");

	return home && *home ? home : pw ? pw->pw_dir : "/";
}

static int add_path(struct strv *v, const char *path)
{
	if (str_starts(path, "~/"))
		return strv_addf(
		        v, "%s/%s", home_of(getpwuid(getuid())), path + 2);
	return strv_add(v, path);
}

static int add_paths(struct strv *v, const char *paths)
{
	_cleanup_strv_ struct strv list = STRV_INIT;
	int r = strv_split(&list, paths, " ");

	for (size_t i = 0; r == 0 && i < list.len; i++)
		r = add_path(v, list.items[i]);
	return r;
}

/* The proxy makes one of two. */
static void add_percents(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '%')
			buf_addc(b, '%');
		buf_addc(b, *text);
	}
}

/* One word for the shell. There is no quote in it. */
static void add_word(struct buf *b, const char *option, const char *text)
{
	buf_printf(b, "%s'", option);
	add_percents(b, text);
	buf_addc(b, '\'');
}

/* %n is the name as it was typed; the others are the proxy's. */
static int set_command(struct destination *d, const char *value)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (; *value; value++) {
		if (*value == '%' && value[1] == 'n') {
			add_percents(&b, d->typed);
			value++;
			continue;
		}
		buf_addc(&b, *value);
		if (*value == '%' && value[1] == '%')
			buf_addc(&b, *++value);
	}
	return buf_failed(&b) ? -ENOMEM : sets(&d->proxy, b.data);
}

/* As ssh itself does it: the last one by -W, the others are its own jumps.
 * Nobody can type there, for the terminal is not its own; what its keys and
 * settings are is ssh's business. */
static int set_jump(
        struct destination *d, char *jump, const char *config, struct err *err)
{
	char *comma = strrchr(jump, ',');
	struct destination_request q = {.text = comma ? comma + 1 : jump};
	struct destination last = {.name = NULL};
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	if (strchr(jump, '\'') || (config && strchr(config, '\'')))
		return err_set(err, -EINVAL, "%s",
		        _("a quote in ProxyJump or in the name of the "
		          "configuration"));
	r = parse(&last, &q, err);
	if (r < 0)
		goto out;
	buf_adds(&b, "exec ssh -o BatchMode=yes");
	if (config)
		add_word(&b, " -F ", config);
	if (last.user)
		add_word(&b, " -l ", last.user);
	if (last.port > 0)
		buf_printf(&b, " -p %u", last.port);
	if (comma) {
		*comma = '\0';
		add_word(&b, " -J ", jump);
	}
	add_word(&b, " -W '[%h]:%p' ", last.address);
	r = buf_failed(&b) ? -ENOMEM : sets(&d->proxy, b.data);
out:
	destination_done(&last);
	return r;
}

static int take(struct destination *d, const char *key, const char *value)
{
	if (str_eq(key, "hostname"))
		return sets(&d->address, value);
	if (str_eq(key, "port"))
		return set_port(d, value);
	if (str_eq(key, "user"))
		return sets(&d->user, value);
	if (str_eq(key, "hostkeyalias")) {
		d->known_port = SSH_PORT; /* known without a port */
		return sets(&d->host, value);
	}
	if (str_eq(key, "identityfile"))
		return add_path(&d->identities, value);
	if (str_eq(key, "identitiesonly"))
		d->identities_only = str_eq(value, "yes");
	if (str_eq(key, "userknownhostsfile"))
		return add_paths(&d->known_hosts, value);
	if (str_eq(key, "globalknownhostsfile"))
		return add_paths(&d->known_global, value);
	if (str_eq(key, "proxycommand") && !str_eq(value, "none"))
		return set_command(d, value);
	return 0;
}

static int read_answer(struct destination *d, char *answer, const char *config,
        struct err *err)
{
	char *jump = NULL;
	char *line, *rest = answer;
	int r = 0;

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		char *value = strchr(line, ' ');

		if (!value)
			continue;
		*value++ = '\0';
		if (str_eq(line, "proxyjump") && !str_eq(value, "none"))
			jump = value;
		else
			r = take(d, line, value);
	}
	/* The user's come first: that is where a new key goes. */
	for (size_t i = 0; r == 0 && i < d->known_global.len; i++)
		r = strv_add(&d->known_hosts, d->known_global.items[i]);
	if (r == 0 && jump)
		r = set_jump(d, jump, config, err);
	return r == -ENOMEM ? err_nomem(err) : r;
}

static int collect(
        enum proc_stream stream, const char *data, size_t len, void *arg)
{
	struct buf *b = arg;

	if (b[stream == PROC_STDERR].len < ANSWER_MAX)
		buf_add(&b[stream == PROC_STDERR], data, len);
	return 0;
}

static int add_option(struct strv *argv, const char *option, const char *value)
{
	return value ? strv_addf(argv, "%s%s", option, value) : 0;
}

static int compose(struct strv *argv, const struct destination *d,
        const struct destination_request *q, const char *ssh)
{
	int r = strv_add(argv, ssh);

	if (r == 0)
		r = strv_add(argv, "-G");
	if (r == 0)
		r = add_option(argv, "-F", q->config);
	if (r == 0)
		r = add_option(argv, "-l", d->user);
	if (r == 0 && d->port > 0)
		r = strv_addf(argv, "-p%u", d->port);
	for (size_t i = 0; r == 0 && i < q->identities->len; i++)
		r = add_option(argv, "-i", q->identities->items[i]);
	return r == 0 ? strv_add(argv, d->address) : r;
}

static int ask_ssh(struct destination *d, const struct destination_request *q,
        const char *ssh, struct err *err)
{
	_cleanup_strv_ struct strv argv = STRV_INIT;
	struct buf out[2] = {BUF_INIT, BUF_INIT};
	_cleanup_free_ char *home =
	        str_printf("HOME=%s", home_of(getpwuid(getuid())));
	const char *env[] = {home, NULL};
	char shown[400];
	struct proc_result res;
	int r;

	if (!home || compose(&argv, d, q, ssh) < 0)
		return err_nomem(err);
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "ssh",
	        .argv = argv.items, .env = env, .on_output = collect,
	        .cb_arg = out, .timeout_ms = 10000};
	r = proc_run(&spec, &res, err);
	if (r == 0 && res.exit_code != 0)
		r = err_set(err, -EINVAL, _("ssh's configuration: %s"),
		        text_visible_str(shown, sizeof shown, out[1].data));
	if (r == 0)
		r = read_answer(d, out[0].data, q->config, err);
	buf_done(&out[0]);
	buf_done(&out[1]);
	return r;
}

static int use_defaults(struct destination *d)
{
	struct passwd *pw = getpwuid(getuid());
	int r = 0;

	if (!d->user)
		r = sets(&d->user, pw ? pw->pw_name : "root");
	if (d->port == 0)
		d->port = SSH_PORT;
	for (size_t i = 0;
	        r == 0 && d->identities.len < 3 && i < ARRAY_SIZE(default_keys);
	        i++)
		r = add_path(&d->identities, default_keys[i]);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(default_known); i++)
		r = add_path(&d->known_hosts, default_known[i]);
	return r;
}

int destination_find(struct destination *d, const struct destination_request *q,
        struct err *err)
{
	_cleanup_free_ char *ssh = path_find_program("ssh");
	int r = parse(d, q, err);

	if (r < 0)
		return r;
	if (ssh)
		r = ask_ssh(d, q, ssh, err);
	else if (q->config)
		return err_set(err, -ENOENT, "%s",
		        _("-F needs the program ssh (package "
		          "openssh-client)"));
	else
		r = use_defaults(d);
	if (r == 0 && !d->host) {
		d->known_port = d->port;
		r = sets(&d->host, d->address);
	}
	if (r == 0 && q->known_hosts) {
		strv_done(&d->known_hosts);
		d->known_hosts = STRV_INIT;
		r = strv_add(&d->known_hosts, q->known_hosts);
	}
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r == 0 && (!is_host(d->address) || !d->user || !is_user(d->user)))
		return err_set(err, -EINVAL, "%s",
		        _("ssh's configuration names a host or user that "
		          "cannot be"));
	return r;
}
