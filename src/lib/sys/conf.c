/* SPDX-License-Identifier: MIT */
/*
 * iniparser 4.1 refuses a whole file for one line over 1022 bytes, cuts values
 * at ';' and '#', joins lines at backslashes and keeps no line numbers.  So
 * conf_scan reads the lines, and iniparser is given the result in a form that
 * no version of it can read differently: a memory file with one section, keys
 * "E.C" (entry, chunk) and values of letters, digits and %XX in quotes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iniparser.h>

#include "buf.h"
#include "i18n.h"
#include "str.h"

#include "sys/conf.h"
#include "sys/conf_scan.h"

/* A value in the memory file: 250 * 3 bytes are below every limit. */
#define CHUNK 250
#define FILE_MAX ((off_t)4 * 1024 * 1024)

struct conf {
	char *path;
	struct conf_scan scan;      /* owns the strings of the entries */
	struct conf_entry *entries; /* scan.len of them */
	mode_t mode;
	uid_t owner;
	bool is_link;
};

/* --- the file --------------------------------------------------------------*/

static int open_file(struct conf *conf, struct err *err)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd, r;

	/* O_NONBLOCK: a FIFO must not block us before fstat() finds it out */
	fd = open(conf->path, flags | O_NOFOLLOW);
	if (fd < 0 && errno == ELOOP) {
		conf->is_link = true;
		fd = open(conf->path, flags);
	}
	if (fd >= 0)
		return fd;

	r = -errno;
	(void)err_sys(err, r, _("the configuration file %s cannot be opened"),
	        conf->path);
	if (r == -ENOENT)
		err_action(err, _("Make it from the commented sample, or name "
		                  "another file with --config."));
	else if (r == -EACCES)
		err_action(err, _("Run the command as root (sudo)."));
	return r;
}

/* Is it a file that may be believed at all? Keeps owner and mode. */
static int check_file(
        struct conf *conf, int fd, off_t *ret_size, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(
		        err, -errno, _("%s cannot be examined"), conf->path);
	if (!S_ISREG(st.st_mode)) {
		(void)err_set(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
		        _("%s is not a regular file"), conf->path);
		err_action(err, _("Give the path of the configuration file "
		                  "itself."));
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	}
	if (st.st_mode & S_IWOTH) {
		(void)err_set(err, -EPERM,
		        _("every user may change the configuration file %s"),
		        conf->path);
		err_action(err,
		        _("Look at what it says, then run: "
		          "chmod o-w %s"),
		        conf->path);
		return -EPERM;
	}
	if (st.st_size > FILE_MAX) {
		(void)err_set(err, -EFBIG,
		        _("%s is larger than %d MiB; it is hardly a "
		          "configuration file"),
		        conf->path, (int)(FILE_MAX / 1024 / 1024));
		err_action(err, _("Give the path of the right file."));
		return -EFBIG;
	}
	conf->mode = st.st_mode;
	conf->owner = st.st_uid;
	*ret_size = st.st_size;
	return 0;
}

static int read_file(struct conf *conf, struct buf *b, struct err *err)
{
	_cleanup_close_ int fd = -1;
	off_t size;
	int r;

	fd = open_file(conf, err);
	if (fd < 0)
		return fd;
	r = check_file(conf, fd, &size, err);
	if (r < 0)
		return r;

	for (;;) {
		char block[16384];
		ssize_t n = read(fd, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, -errno, _("%s cannot be read"),
			        conf->path);
		if (n == 0)
			break;
		buf_add(b, block, (size_t)n);
		explicit_bzero(block, (size_t)n);
		/* it may be growing while we read */
		if (buf_failed(b) || b->len > (size_t)FILE_MAX)
			break;
	}
	return buf_failed(b) ? err_nomem(err) : 0;
}

/* --- iniparser -------------------------------------------------------------*/

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* The leading "v" keeps the value from being empty. */
static void add_chunk(
        struct buf *b, size_t entry, size_t chunk, const char *data, size_t len)
{
	buf_printf(b, "%zu.%zu = \"v", entry, chunk);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (is_plain(c))
			buf_addc(b, (char)c);
		else
			buf_printf(b, "%%%02x", c);
	}
	buf_adds(b, "\"\n");
}

static void write_form(struct buf *b, const struct conf_scan *scan)
{
	buf_adds(b, "[e]\n");
	for (size_t i = 0; i < scan->len; i++) {
		const char *value = scan->entries[i].value;
		size_t len = strlen(value);

		for (size_t at = 0; at == 0 || at < len; at += CHUNK)
			add_chunk(b, i, at / CHUNK, value + at,
			        len - at < CHUNK ? len - at : CHUNK);
	}
}

/* The library's callback is for messages with raw lines in them; the form is
 * ours, so a message is a bug and the value that is missing says it. */
static int ignore_message(_unused_ const char *fmt, ...)
{
	return 0;
}

static dictionary *load_form(const struct buf *form)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	dictionary *dict;
	size_t done = 0;

	fd = memfd_create("asbackup-conf", MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	while (done < form->len) {
		ssize_t n = write(fd, form->data + done, form->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		done += (size_t)n;
	}
	/* 4.1 loads from a path only */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	iniparser_set_error_callback(ignore_message);
	dict = iniparser_load(path);
	iniparser_set_error_callback(NULL);
	return dict;
}

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static int read_value(const dictionary *dict, size_t entry, struct buf *b)
{
	buf_reset(b);
	for (size_t chunk = 0;; chunk++) {
		char name[64];
		const char *s;

		(void)snprintf(name, sizeof(name), "e:%zu.%zu", entry, chunk);
		s = iniparser_getstring(dict, name, NULL);
		if (!s)
			return chunk > 0 ? 0 : -EIO;
		if (*s != 'v')
			return -EIO;
		for (s++; *s; s++) {
			if (*s == '%' && s[1] && s[2]) {
				buf_addc(b, (char)(hex_digit(s[1]) * 16 +
				                    hex_digit(s[2])));
				s += 2;
			} else {
				buf_addc(b, *s);
			}
		}
	}
}

/* Every value goes through iniparser; what it gives back is what counts. */
static int take_values(struct conf *conf, const dictionary *dict)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < conf->scan.len; i++) {
		struct conf_scan_entry *from = &conf->scan.entries[i];
		int r = read_value(dict, i, &b);

		if (r < 0)
			return r;
		if (buf_failed(&b))
			return -ENOMEM;
		if (strcmp(b.data, from->value) != 0)
			return -EIO;
		conf->entries[i] = (struct conf_entry){
		        .section = from->section,
		        .key = from->key,
		        .value = from->value,
		        .line = from->line,
		};
	}
	if (b.len > 0)
		explicit_bzero(b.data, b.len);
	return 0;
}

static int through_iniparser(struct conf *conf, struct err *err)
{
	_cleanup_buf_ struct buf form = BUF_INIT;
	dictionary *dict;
	int r;

	conf->entries = calloc(conf->scan.len + 1, sizeof(*conf->entries));
	write_form(&form, &conf->scan);
	if (!conf->entries || buf_failed(&form))
		return err_nomem(err);

	dict = load_form(&form);
	explicit_bzero(form.data, form.len);
	r = dict ? take_values(conf, dict) : -EIO;
	if (dict)
		iniparser_freedict(dict);
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r < 0)
		return err_set(err, r,
		        _("%s cannot be handed to iniparser (is /proc "
		          "mounted?)"),
		        conf->path);
	return 0;
}

/* --- the interface ---------------------------------------------------------*/

/* "FILE:LINE: what (and N more)" */
static int report(const struct conf *conf, struct err *err)
{
	const struct conf_scan *scan = &conf->scan;
	unsigned more = scan->problems - 1;

	if (more == 0)
		(void)err_set(err, -EINVAL, "%s:%u: %s", conf->path,
		        scan->first_line, scan->first.message);
	else
		(void)err_set(err, -EINVAL,
		        P_("%s:%u: %s (and %u more error)",
		                "%s:%u: %s (and %u more errors)", more),
		        conf->path, scan->first_line, scan->first.message,
		        more);
	err_action(err, "%s", scan->first.action);
	return -EINVAL;
}

static int load(
        const char *path, bool lenient, struct conf **ret, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_(conf_freep) struct conf *conf = NULL;
	int r;

	conf = calloc(1, sizeof(*conf));
	if (conf)
		conf->path = strdup(path);
	if (!conf || !conf->path)
		return err_nomem(err);

	r = read_file(conf, &text, err);
	if (r == 0 && conf_scan_run(&conf->scan, text.data, text.len) < 0)
		r = err_nomem(err);
	if (text.len > 0)
		explicit_bzero(text.data, text.len);
	if (r < 0)
		return r;
	if (conf->scan.problems > 0 && !lenient)
		return report(conf, err);

	r = through_iniparser(conf, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(conf);
	return 0;
}

int conf_load(const char *path, struct conf **ret, struct err *err)
{
	return load(path, false, ret, err);
}

int conf_load_lenient(const char *path, struct conf **ret, struct err *err)
{
	return load(path, true, ret, err);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	conf_scan_done(&conf->scan);
	free(conf->entries);
	free(conf->path);
	free(conf);
}

void conf_freep(struct conf **conf)
{
	conf_free(*conf);
	*conf = NULL;
}

size_t conf_count(const struct conf *conf)
{
	return conf->scan.len;
}

const struct conf_entry *conf_at(const struct conf *conf, size_t i)
{
	return i < conf->scan.len ? &conf->entries[i] : NULL;
}

const struct conf_entry *conf_get(
        const struct conf *conf, const char *section, const char *key)
{
	for (size_t i = 0; i < conf->scan.len; i++) {
		const struct conf_entry *e = &conf->entries[i];

		if (str_eq_nocase(e->key, key) &&
		        str_eq_nocase(e->section, section))
			return e;
	}
	return NULL;
}

bool conf_is_exposed(const struct conf *conf)
{
	return (conf->mode & (S_IRGRP | S_IROTH)) != 0;
}

static bool is_foreign(const struct conf *conf)
{
	return conf->owner != 0 && conf->owner != geteuid();
}

/* Somebody else than root or us owns the file. */
static int refuse_owner(const struct conf *conf, struct err *err)
{
	(void)err_set(err, -EPERM,
	        _("the file belongs to another user, who could read and "
	          "change this"));
	err_action(err, _("Run: chown %u %s"), (unsigned)geteuid(), conf->path);
	return -EPERM;
}

/* systemd made it readable for this service alone; where it uses an ACL for
 * that, the mode looks as if the group could read it. */
static bool is_credential(const struct conf *conf)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	return dir && dir[0] == '/' && str_starts(conf->path, dir) &&
	       conf->path[strlen(dir)] == '/' && !strstr(conf->path, "/../");
}

int conf_check_secret(const struct conf *conf, struct err *err)
{
	if (conf->is_link) {
		(void)err_set(err, -EPERM,
		        _("a file with a password must not be reached through "
		          "a symbolic link"));
		err_action(err, _("Put the file itself there, or name the "
		                  "real file with --config."));
		return -EPERM;
	}
	if (is_foreign(conf))
		return refuse_owner(conf, err);
	if (conf->mode & (S_IRWXG | S_IRWXO) && !is_credential(conf)) {
		(void)err_set(err, -EPERM,
		        _("others can read this password, the file has mode "
		          "%04o"),
		        (unsigned)(conf->mode & 07777));
		err_action(err, _("Run: chmod 600 %s"), conf->path);
		return -EPERM;
	}
	return 0;
}

int conf_check_trusted(const struct conf *conf, struct err *err)
{
	if (is_foreign(conf))
		return refuse_owner(conf, err);
	if (conf->mode & (S_IWGRP | S_IWOTH)) {
		(void)err_set(err, -EPERM,
		        _("others can change this program, the file has mode "
		          "%04o"),
		        (unsigned)(conf->mode & 07777));
		err_action(err, _("Run: chmod go-w %s"), conf->path);
		return -EPERM;
	}
	return 0;
}

const char *conf_path(const struct conf *conf)
{
	return conf->path;
}
