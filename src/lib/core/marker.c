/* SPDX-License-Identifier: MIT */
#include "core/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomicfile.h"
#include "buf.h"
#include "i18n.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "core/target.h"
#include "sys/crypto.h"
#include "sys/jsondoc.h"

#define MARKER_NAME "marker.json"
#define MARKER_MAX 65536

static const char *const state_names[] = {
        [MARKER_COPYING] = "copying",
        [MARKER_INCOMPLETE] = "incomplete",
        [MARKER_COMPLETE] = "complete",
};

/* Makes the key on first use; losing it means adopting every disk anew. */
static int make_key(const char *path, unsigned char *key, struct err *err)
{
	int r;

	r = crypto_random(key, CRYPTO_KEY_SIZE);
	if (r < 0)
		return err_sys(err, r, "%s", _("no random numbers"));
	r = atomicfile_write(
	        AT_FDCWD, path, key, CRYPTO_KEY_SIZE, 0600, true, err);
	if (r < 0)
		err_prefix(err, "%s", _("cannot make the key of this server"));
	return r;
}

static int load_key(
        const char *state_directory, unsigned char *key, struct err *err)
{
	_cleanup_free_ char *path = path_join(state_directory, "server.key");
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!path)
		return err_nomem(err);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return make_key(path, key, err);
	if (fd < 0)
		return err_sys(err, -errno, _("cannot read %s"), path);
	if (fstat(fd, &st) < 0 || (st.st_mode & 077) != 0 ||
	        (st.st_uid != 0 && st.st_uid != geteuid()) ||
	        read(fd, key, CRYPTO_KEY_SIZE) != CRYPTO_KEY_SIZE) {
		err_set(err, -EPERM,
		        _("the key of this server %s is damaged or readable by "
		          "others"),
		        path);
		err_action(err,
		        _("Run \"chmod 600 %s\"; if the file is damaged, "
		          "remove "
		          "it and adopt the disks anew (asbackup disks "
		          "--adopt UUID)."),
		        path);
		return -EPERM;
	}
	return 0;
}

struct signing {
	const unsigned char *key;
	const struct buf *text;
};

static int sign_task(void *arg, void *reply, struct err *err)
{
	const struct signing *s = arg;

	(void)err;
	return crypto_hmac_hex(s->key, s->text->data, s->text->len, reply);
}

/*
 * What is signed: what a clone or another disk cannot have alike, and the run,
 * so that an older clone cannot be made to look new.  In a child: libcrypto
 * would keep some 3 MB of a process that runs for hours.
 */
static int sign(const unsigned char *key, const struct marker *m,
        char mac[CRYPTO_MAC_HEX_SIZE])
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct signing s = {.key = key, .text = &b};
	struct proc_task task = {
	        .name = "marker",
	        .fn = sign_task,
	        .arg = &s,
	        .reply = mac,
	        .reply_size = CRYPTO_MAC_HEX_SIZE,
	        .ignore_signals = true,
	};

	buf_printf(&b, "asbackup marker 1%c%s%c%s%c%llu%c%lld", 0, m->uuid, 0,
	        m->serial, 0, (unsigned long long)m->size_bytes, 0,
	        (long long)m->run);
	if (buf_failed(&b))
		return -ENOMEM;
	return proc_task(&task, NULL);
}

static int parse(const char *text, size_t len, struct marker *m)
{
	_cleanup_(jsondoc_freep) struct jsondoc *doc = NULL;
	const char *state;

	if (jsondoc_parse(text, len, &doc, NULL) < 0)
		return -EINVAL;
	(void)str_copy(
	        m->uuid, sizeof m->uuid, jsondoc_string(doc, "uuid", ""));
	(void)str_copy(
	        m->serial, sizeof m->serial, jsondoc_string(doc, "serial", ""));
	(void)str_copy(
	        m->title, sizeof m->title, jsondoc_string(doc, "title", ""));
	(void)str_copy(
	        m->server, sizeof m->server, jsondoc_string(doc, "server", ""));
	(void)str_copy(m->mac, sizeof m->mac, jsondoc_string(doc, "mac", ""));
	m->size_bytes = (uint64_t)jsondoc_int(doc, "size_bytes", 0);
	m->run = jsondoc_int(doc, "run", 0);
	m->started = jsondoc_int(doc, "started_unix", 0);
	m->ended = jsondoc_int(doc, "ended_unix", 0);
	state = jsondoc_string(doc, "state", "");
	m->state = MARKER_INCOMPLETE;
	for (size_t i = 0; i < ARRAY_SIZE(state_names); i++)
		if (str_eq(state, state_names[i]))
			m->state = (enum marker_state)i;
	return 0;
}

/* Reads at most @max bytes of the file on the disk; a link is -ELOOP. */
static int read_on_disk(const struct target *t, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;

	fd = path_open_beneath(t->root_fd, MARKER_DIR "/" MARKER_NAME,
	        O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > MARKER_MAX)
		return -EINVAL;
	text = malloc(MARKER_MAX + 1);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, MARKER_MAX);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	*ret_len = (size_t)n;
	*ret = TAKE_PTR(text);
	return 0;
}

/* As it comes back from JSON: what firmware calls a serial number need not be
 * UTF-8. */
static void plain_serial(const struct target *t, char *dst, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	text_utf8_repair(&b, t->disk.serial, strlen(t->disk.serial));
	(void)str_copy(dst, size, b.data);
}

static enum marker_verdict judge(const struct target *t, const struct marker *m,
        const unsigned char *key)
{
	char mac[CRYPTO_MAC_HEX_SIZE], serial[sizeof m->serial];

	plain_serial(t, serial, sizeof serial);
	if (sign(key, m, mac) < 0 || !crypto_equal(mac, m->mac))
		return MARKER_FOREIGN;
	if (!str_eq_nocase(m->uuid, t->disk.uuid) ||
	        !str_eq(m->serial, serial) ||
	        m->size_bytes != t->disk.size_bytes)
		return MARKER_MOVED;
	return MARKER_OURS;
}

int marker_read(const struct target *t, const char *state_directory,
        struct marker *ret, enum marker_verdict *verdict, struct err *err)
{
	unsigned char key[CRYPTO_KEY_SIZE];
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	memset(ret, 0, sizeof *ret);
	*verdict = MARKER_NONE;
	r = load_key(state_directory, key, err);
	if (r < 0)
		return r;
	r = read_on_disk(t, &text, &len);
	if (r == -ENOENT)
		return 0;
	if (r == -ELOOP || r == -EXDEV || r == -ENOTDIR) {
		err_set(err, -ELOOP,
		        _("%s on the disk is not a plain directory"),
		        MARKER_DIR);
		err_meaning(err, "%s",
		        _("Somebody may have prepared this disk to do harm; "
		          "nothing was written to it."));
		err_action(err, "%s",
		        _("Look at the disk on another machine, or format "
		          "it."));
		return -ELOOP;
	}
	if (r == -EINVAL || (r == 0 && parse(text, len, ret) < 0)) {
		*verdict = MARKER_FOREIGN;
		return 0;
	}
	if (r < 0)
		return err_sys(
		        err, r, "%s", _("cannot read the marker on the disk"));

	*verdict = judge(t, ret, key);
	return 0;
}

static char *print(const struct marker *m)
{
	_cleanup_(jsondoc_freep) struct jsondoc *doc = jsondoc_new_object();

	jsondoc_set_int(doc, "version", 1);
	jsondoc_set_string(doc, "about",
	        "This disk belongs to asbackup; do not edit this file.");
	jsondoc_set_string(doc, "uuid", m->uuid);
	jsondoc_set_string(doc, "serial", m->serial);
	jsondoc_set_int(doc, "size_bytes", (int64_t)m->size_bytes);
	jsondoc_set_string(doc, "title", m->title);
	jsondoc_set_string(doc, "server", m->server);
	jsondoc_set_int(doc, "run", m->run);
	jsondoc_set_string(doc, "state", state_names[m->state]);
	jsondoc_set_time(doc, "started", m->started);
	jsondoc_set_int(doc, "started_unix", m->started);
	jsondoc_set_time(doc, "ended", m->ended);
	jsondoc_set_int(doc, "ended_unix", m->ended);
	jsondoc_set_string(doc, "mac", m->mac);
	return jsondoc_print(doc);
}

static int fill(const struct target *t, const char *state_directory,
        struct marker *m, struct err *err)
{
	unsigned char key[CRYPTO_KEY_SIZE];
	int r;

	(void)str_copy(m->uuid, sizeof m->uuid, t->disk.uuid);
	plain_serial(t, m->serial, sizeof m->serial);
	m->size_bytes = t->disk.size_bytes;
	if (gethostname(m->server, sizeof m->server) < 0)
		m->server[0] = '\0';
	m->server[sizeof m->server - 1] = '\0';
	r = load_key(state_directory, key, err);
	if (r < 0)
		return r;
	r = sign(key, m, m->mac);
	return r < 0 ? err_sys(err, r, "%s", _("cannot sign the marker")) : 0;
}

int marker_write(const struct target *t, const char *state_directory,
        struct marker *m, struct err *err)
{
	_cleanup_close_ int dir = -1;
	_cleanup_free_ char *text = NULL;
	int r;

	r = fill(t, state_directory, m, err);
	if (r < 0)
		return r;
	text = print(m);
	if (!text)
		return err_nomem(err);
	if (mkdirat(t->root_fd, MARKER_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(err, -errno, _("cannot create %s on the disk"),
		        MARKER_DIR);
	dir = path_open_beneath(
	        t->root_fd, MARKER_DIR, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_sys(
		        err, dir, _("cannot open %s on the disk"), MARKER_DIR);
	r = atomicfile_write(
	        dir, MARKER_NAME, text, strlen(text), 0600, true, err);
	if (r < 0)
		err_prefix(err, "%s", _("cannot write the marker"));
	return r;
}
