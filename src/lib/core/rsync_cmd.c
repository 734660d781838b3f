/* SPDX-License-Identifier: MIT */
#include "core/rsync_cmd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "i18n.h"
#include "path.h"
#include "proc.h"
#include "util.h"
#include "core/rsync_out.h"
#include "core/settings.h"
#include "sys/mount.h"

#define EXCLUDES_MAX ((size_t)4 << 20)
#define VERSION_OUTPUT_MAX ((size_t)64 << 10)
#define VERSION_TIMEOUT_MS 30000

/* Made by file systems and by Windows; never copied, not ours to delete. */
static const char *const foreign[] = {
        "lost+found",
        "System Volume Information",
        "$RECYCLE.BIN",
};

/*
 * A pattern for exactly @name.  rsync takes a backslash for itself unless the
 * pattern has a wildcard, so it may be doubled only then.
 */
static int add_pattern(
        struct strv *argv, const char *option, const char *name, size_t len)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	bool wild = false;

	for (size_t i = 0; i < len; i++)
		wild = wild || strchr("*?[", name[i]);
	buf_adds(&b, option);
	buf_addc(&b, '/');
	for (size_t i = 0; i < len; i++) {
		if (wild && strchr("*?[]\\", name[i]))
			buf_addc(&b, '\\');
		buf_addc(&b, name[i]);
	}
	return buf_failed(&b) ? -ENOMEM : strv_add(argv, b.data);
}

/*
 * Excluded on both sides: not sent, not deleted.  The directories on the way
 * are protected as well: rsync would try to delete them and tell that they
 * are not empty, in every run.
 */
static int keep_one(struct strv *argv, const char *name)
{
	size_t len;
	int r;

	name += strspn(name, "/");
	while (str_starts(name, "./"))
		name += 1 + strspn(name + 1, "/");
	len = strlen(name);
	while (len > 0 && name[len - 1] == '/')
		len--;
	if (len == 0)
		return 0;
	r = add_pattern(argv, "--exclude=", name, len);
	for (size_t i = 1; r == 0 && i < len; i++)
		if (name[i] == '/' && name[i - 1] != '/')
			r = add_pattern(argv, "--filter=P ", name, i);
	return r;
}

static int keep(const struct rsync_cmd *cmd, struct strv *argv)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < cmd->keep.len; i++)
		r = keep_one(argv, cmd->keep.items[i]);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(foreign); i++)
		r = add_pattern(
		        argv, "--filter=P ", foreign[i], strlen(foreign[i]));
	return r;
}

/* A line "!" would make rsync forget our own rules. */
static bool clears_rules(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\r\n");
		const char *p = text + strspn(text, " \t");

		if (*p == '!' && p + 1 + strspn(p + 1, " \t") >= text + len)
			return true;
		text += len;
		text += strspn(text, "\r\n");
	}
	return false;
}

static int check_excludes(const char *path, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	if (path[0] != '/')
		return err_set(err, -EINVAL,
		        _("rsync-excludes must be an absolute path, not %s"),
		        path);
	r = path_read_file(path, EXCLUDES_MAX, &text, &len);
	if (r < 0) {
		err_sys(err, r, _("cannot read the file of rsync-excludes %s"),
		        path);
		err_action(err, "%s",
		        _("Correct rsync-excludes in the configuration, or "
		          "create the file."));
		return r;
	}
	if (!clears_rules(text))
		return 0;
	err_set(err, -EINVAL,
	        _("%s has a line \"!\", which makes rsync forget what it must "
	          "not delete"),
	        path);
	err_action(err, "%s", _("Take that line out of the file."));
	return -EINVAL;
}

static int excludes(const char *path, struct strv *argv, struct err *err)
{
	int r;

	if (str_is_empty(path))
		return 0;
	r = check_excludes(path, err);
	if (r < 0)
		return r;
	if (strv_addf(argv, "--exclude-from=%s", path) < 0)
		return err_nomem(err);
	return 0;
}

/*
 * A dry run deletes nothing and may look at deletes on its way.  The copy
 * wants --delete-after and not -delay: only that looks, before it deletes,
 * whether the source could be read to its end.  But that needs the whole list
 * before the first byte, so it is left out when there is nothing to delete.
 */
static const char *delete_option(
        const struct rsync_cmd *cmd, const struct settings *s)
{
	if (cmd->delete_before || s->rsync_options == SETTINGS_RSYNC_CLASSIC)
		return "--delete-before";
	if (cmd->purpose != RSYNC_COPY)
		return "--delete-delay";
	return cmd->no_deletes ? NULL : "--delete-after";
}

/* How files are compared and written: the same in plan, copy and check. */
static int method(const struct rsync_cmd *cmd, const struct settings *s,
        struct strv *argv)
{
	const char *deletes = delete_option(cmd, s);
	int r;

	if (s->rsync_options == SETTINGS_RSYNC_CLASSIC) {
		r = strv_add(argv, "-rtv");
		if (r == 0)
			r = strv_add(argv, "--size-only");
		if (r == 0)
			r = strv_add(argv, "--inplace");
	} else if (mount_is_posix(cmd->fstype)) {
		r = strv_add(argv, "-a");
		if (r == 0)
			r = strv_add(argv, "--numeric-ids");
		if (r == 0)
			r = strv_add(argv, "--no-devices");
	} else {
		r = strv_add(argv, "-rt");
		if (r == 0)
			r = strv_addf(argv, "--modify-window=%d",
			        mount_time_window(cmd->fstype));
	}
	if (r == 0 && deletes)
		r = strv_add(argv, deletes);
	if (r == 0 && cmd->program->has_xxh128)
		r = strv_add(argv, "--checksum-choice=xxh128");
	return r;
}

/* What rsync prints, see rsync_out.h. */
static int output(const struct rsync_cmd *cmd, struct strv *argv)
{
	int r = strv_add(argv, "--no-human-readable");

	if (r == 0)
		r = strv_add(argv, "--stats");
	if (r == 0)
		r = strv_add(argv, cmd->program->has_xxh128
		                           ? "--out-format=" RSYNC_OUT_FORMAT
		                           : "--out-format=" RSYNC_OUT_NO_HASH);
	if (r == 0 && cmd->purpose != RSYNC_COPY)
		return strv_add(argv, "--dry-run");
	/* Progress comes with a flush for every file; without it lines come
	 * by the 4 KiB, which for small files is often enough. */
	if (r == 0 && !cmd->small_files)
		r = strv_add(argv, "--info=progress2");
	return r;
}

static int check(
        const struct rsync_cmd *cmd, const struct settings *s, struct err *err)
{
	if (str_is_empty(cmd->program->path) || cmd->program->path[0] != '/')
		return err_set(err, -EINVAL, "%s",
		        _("the program rsync is not named with its full path"));
	/* Without the slash "a:b" would be a directory on host a. */
	if (str_is_empty(s->source) || s->source[0] != '/')
		return err_set(err, -EINVAL,
		        _("backup-source must be an absolute path, not %s"),
		        s->source ? s->source : "\"\"");
	return 0;
}

int rsync_cmd_build(const struct rsync_cmd *cmd, const struct settings *s,
        struct strv *argv, struct err *err)
{
	int r = check(cmd, s, err);

	if (r < 0)
		return r;
	r = strv_add(argv, cmd->program->path);
	if (r == 0)
		r = method(cmd, s, argv);
	if (r == 0)
		r = output(cmd, argv);
	/* A dry run would crawl: the list of files counts as well. */
	if (r == 0 && cmd->purpose == RSYNC_COPY && s->bandwidth_limit_kib > 0)
		r = strv_addf(argv, "--bwlimit=%lld",
		        (long long)s->bandwidth_limit_kib);
	/* The first rule that fits wins, so ours come first. */
	if (r == 0)
		r = keep(cmd, argv);
	if (r < 0)
		return err_nomem(err);
	r = excludes(s->rsync_excludes, argv, err);
	if (r < 0)
		return r;
	if (strv_add(argv, "--") < 0 || strv_add(argv, s->source) < 0 ||
	        strv_add(argv, "./") < 0)
		return err_nomem(err);
	return 0;
}

static int collect(
        enum proc_stream stream, const char *data, size_t len, void *arg)
{
	struct buf *b = arg;

	if (stream == PROC_STDOUT && b->len + len <= VERSION_OUTPUT_MAX)
		buf_add(b, data, len);
	return 0;
}

static int ask_version(const char *program, struct buf *out, struct err *err)
{
	_cleanup_strv_ struct strv argv = STRV_INIT;
	struct proc_spec spec = {
	        PROC_SPEC_INIT,
	        .name = "rsync",
	        .on_output = collect,
	        .cb_arg = out,
	        .timeout_ms = VERSION_TIMEOUT_MS,
	};
	struct proc_result res;
	char how[200];
	int r;

	if (strv_add(&argv, program) < 0 || strv_add(&argv, "--version") < 0)
		return err_nomem(err);
	spec.argv = argv.items;
	r = proc_run(&spec, &res, err);
	if (r < 0)
		return r;
	if (buf_failed(out))
		return err_nomem(err);
	if (res.exit_code == 0)
		return 0;
	err_set(err, -ENOEXEC, _("%s --version %s"), program,
	        proc_describe(how, sizeof how, &res));
	err_action(err, "%s", _("Install rsync anew: apt install rsync"));
	return -ENOEXEC;
}

struct version {
	int major, minor, patch;
};

static bool is_older(const struct version *v, int major, int minor)
{
	return v->major < major || (v->major == major && v->minor < minor);
}

/* "rsync  version 3.2.7  protocol version 31"; git builds say "v3.2.7dev". */
static bool parse_version(
        const char *text, struct version *ret, char *dst, size_t size)
{
	const char *p;
	char word[64];
	size_t len;

	if (!str_starts(text, "rsync "))
		return false;
	p = strstr(text, "version ");
	if (!p)
		return false;
	p += strlen("version ");
	p += *p == 'v';
	len = strcspn(p, " \t\r\n");
	if (len == 0 || len >= sizeof word)
		return false;
	memcpy(word, p, len);
	word[len] = '\0';
	*ret = (struct version){.major = 0};
	if (sscanf(word, "%4d.%4d.%4d", &ret->major, &ret->minor, &ret->patch) <
	        2)
		return false;
	(void)str_copy(dst, size, word);
	return true;
}

int rsync_cmd_judge_version(
        struct rsync_program *ret, const char *output, struct err *err)
{
	struct version v;

	if (!parse_version(output, &v, ret->version, sizeof ret->version)) {
		err_set(err, -EPROTO, _("%s does not say which rsync it is"),
		        ret->path);
		err_action(err, "%s",
		        _("Is another program called rsync? Install the real "
		          "one: apt install rsync"));
		return -EPROTO;
	}
	if (is_older(&v, 3, 1)) {
		err_set(err, -EOPNOTSUPP,
		        _("rsync %s is too old: 3.1.0 or newer is needed"),
		        ret->version);
		err_action(
		        err, "%s", _("Install a newer one: apt install rsync"));
		return -EOPNOTSUPP;
	}
	if (is_older(&v, 3, 5))
		(void)snprintf(ret->note, sizeof ret->note,
		        _("rsync %s is older than 3.5.0, which closes 33 "
		          "security holes; install a newer one when there is "
		          "one"),
		        ret->version);
	ret->has_xxh128 = !is_older(&v, 3, 2) && strstr(output, "xxh128");
	return 0;
}

int rsync_cmd_find(struct rsync_program *ret, struct err *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	int r;

	*ret = (struct rsync_program){.path = path_find_program("rsync")};
	if (!ret->path) {
		err_set(err, -ENOENT, "%s", _("rsync is not installed"));
		err_meaning(err, "%s", _("Nothing can be copied."));
		err_action(err, "%s", _("Run: apt install rsync"));
		return -ENOENT;
	}
	r = path_check_program(ret->path, err);
	if (r == 0)
		r = ask_version(ret->path, &out, err);
	if (r == 0)
		r = rsync_cmd_judge_version(ret, out.data, err);
	if (r < 0)
		rsync_program_done(ret);
	return r;
}

void rsync_program_done(struct rsync_program *p)
{
	free(p->path);
	p->path = NULL;
}
