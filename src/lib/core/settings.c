/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "i18n.h"
#include "path.h"
#include "paths.h"
#include "str.h"

#include "sys/conf.h"

#include "core/settings_disks.h"
#include "core/settings_mail.h"
#include "core/settings_table.h"
#include "core/settings_value.h"

/* --- life ------------------------------------------------------------------*/

static bool has_member(const struct settings_spec *spec)
{
	return spec->type != SETTINGS_DISKS && spec->type != SETTINGS_SECRET;
}

/* Is the member a char *? */
static bool is_text(const struct settings_spec *spec)
{
	switch ((int)spec->type) {
	case SETTINGS_WORD:
		return true;
	default:
		return spec->type <= SETTINGS_PASSWORD ||
		       spec->type == SETTINGS_ADDRESS;
	}
}

static void *member(struct settings *s, const struct settings_spec *spec)
{
	return (char *)s + spec->offset;
}

void settings_free(struct settings *s)
{
	const struct settings_spec *spec;

	if (!s)
		return;
	for (size_t i = 0; (spec = settings_table_at(i)) != NULL; i++) {
		if (!has_member(spec))
			continue;
		if (is_text(spec))
			free(*(char **)member(s, spec));
		else if (spec->type == SETTINGS_ADDRESSES)
			strv_done(member(s, spec));
	}
	settings_disks_done(s);
	if (s->mail_password)
		explicit_bzero(s->mail_password, strlen(s->mail_password));
	free(s->mail_password);
	free(s->path);
	free(s);
}

void settings_freep(struct settings **s)
{
	settings_free(*s);
	*s = NULL;
}

/* Every member as its default in the table says, derived ones empty. */
static struct settings *new_raw(void)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	const struct settings_spec *spec;

	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->path = strdup("");
	s->mail_password = strdup("");
	if (!s->path || !s->mail_password)
		return NULL;
	for (size_t i = 0; (spec = settings_table_at(i)) != NULL; i++) {
		char **text = member(s, spec);

		if (!has_member(spec))
			continue;
		if (is_text(spec) && !(*text = strdup("")))
			return NULL;
		if (spec->derived || !*spec->pub.fallback)
			continue;
		if (settings_value_set(s, spec, spec->pub.fallback, NULL) < 0)
			return NULL;
	}
	return TAKE_PTR(s);
}

/* --- defaults that depend on others ----------------------------------------*/

/* The first directory of a variable that systemd sets, when it is one. */
static char *from_environment(const char *variable)
{
	const char *value = getenv(variable);
	char *path;

	if (!value)
		return NULL;
	path = strndup(value, strcspn(value, ":"));
	if (path && !path_is_clean_absolute(path)) {
		free(path);
		path = NULL;
	}
	return path;
}

/* An empty *@path becomes the variable's value, else @fallback. */
static int derive_root(char **path, const char *variable, const char *fallback)
{
	char *text;

	if (**path)
		return 0;
	text = from_environment(variable);
	if (!text)
		text = strdup(fallback);
	if (!text)
		return -ENOMEM;
	free(*path);
	*path = text;
	return 0;
}

static int derive_below(char **path, const char *directory, const char *name)
{
	char *text;

	if (**path)
		return 0;
	text = path_join(directory, name);
	if (!text)
		return -ENOMEM;
	free(*path);
	*path = text;
	return 0;
}

static int derive_paths(struct settings *s)
{
	if (derive_root(&s->state_directory, "STATE_DIRECTORY", PATH_STATE) ||
	        derive_root(&s->runtime_directory, "RUNTIME_DIRECTORY",
	                PATH_RUNTIME) ||
	        derive_root(&s->log_directory, "LOGS_DIRECTORY", PATH_LOG))
		return -ENOMEM;
	if (derive_below(&s->spool_directory, s->state_directory, "spool") ||
	        derive_below(
	                &s->mount_directory, s->runtime_directory, "mnt") ||
	        derive_below(&s->log_file, s->log_directory, "asbackup.log") ||
	        derive_below(&s->rsync_log_file, s->log_directory, "rsync.log"))
		return -ENOMEM;
	return 0;
}

struct settings *settings_new(void)
{
	_cleanup_(settings_freep) struct settings *s = new_raw();
	const struct conf_entry *at;

	if (!s || derive_paths(s) < 0 ||
	        settings_mail_derive(s, NULL, &at, NULL) < 0)
		return NULL;
	return TAKE_PTR(s);
}

/* --- problems --------------------------------------------------------------*/

/* All mistakes of a file are counted, the first is told. */
struct problems {
	struct err first;
	unsigned count;
};

/* Returns -ENOMEM when that is the mistake: nobody goes on then; else 0. */
static int note(struct problems *p, const struct err *err)
{
	if (err->code == -ENOMEM)
		p->count = 0;
	if (p->count++ == 0)
		p->first = *err;
	return err->code == -ENOMEM ? -ENOMEM : 0;
}

/* The same, with the place in front. */
static int note_at(struct problems *p, const struct conf *conf,
        const struct conf_entry *entry, struct err *err)
{
	if (entry)
		err_prefix(err, "%s:%u: [%s] %s", conf_path(conf), entry->line,
		        entry->section, entry->key);
	return note(p, err);
}

/* Hands the first problem to the caller, with the number of the others. */
static int tell(const struct problems *p, struct err *err)
{
	unsigned more = p->count - 1;

	if (p->count == 0)
		return 0;
	if (p->first.code == -ENOMEM)
		return err_nomem(err);
	if (more == 0)
		(void)err_set(err, p->first.code, "%s", p->first.message);
	else
		(void)err_set(err, p->first.code,
		        P_("%s (and %u more error)", "%s (and %u more errors)",
		                more),
		        p->first.message, more);
	err_meaning(err, _("Nothing is copied until the configuration is "
	                   "right."));
	err_action(err, "%s", p->first.action);
	return p->first.code;
}

/* --- entries ---------------------------------------------------------------*/

static void unknown_section(const struct conf_entry *entry, struct err *err)
{
	const char *near = settings_table_near_section(entry->section);

	if (near)
		(void)err_set(err, -EINVAL,
		        _("the section [%s] is not known; did you mean [%s]?"),
		        entry->section, near);
	else
		(void)err_set(err, -EINVAL, _("the section [%s] is not known"),
		        entry->section);
	err_action(err, _("Correct the section's name, or put '#' before its "
	                  "lines. asbackup.conf(5) lists all sections."));
}

static void unknown_key(const struct conf_entry *entry, struct err *err)
{
	const char *near, *section;

	near = settings_table_near_key(entry->section, entry->key);
	section = settings_table_section_of(entry->key);
	if (near) {
		(void)err_set(err, -EINVAL,
		        _("the key is not known; did you mean \"%s\"?"), near);
		err_action(err, _("Write \"%s\", or put '#' before the line."),
		        near);
	} else if (section) {
		(void)err_set(err, -EINVAL,
		        _("the key belongs to section [%s]"), section);
		err_action(
		        err, _("Move the line below the line [%s]."), section);
	} else {
		(void)err_set(err, -EINVAL, _("the key is not known"));
		err_action(err, _("Remove the line, or put '#' before it. "
		                  "asbackup.conf(5) lists all keys."));
	}
}

/* Is @i the first entry of its section? Each disk is read once. */
static bool begins_section(const struct conf *conf, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (str_eq_nocase(conf_at(conf, j)->section,
		            conf_at(conf, i)->section))
			return false;
	return true;
}

/* What is about disks. 0 or -ENOMEM. */
static int take_disk(struct settings *s, const struct conf *conf, size_t i,
        bool lenient, struct problems *p)
{
	const struct conf_entry *entry = conf_at(conf, i);
	struct err err = ERR_INIT;
	int r;

	if (!settings_table_is_disk(entry->section))
		r = settings_disks_add_list(s, entry, lenient, &err);
	else if (begins_section(conf, i))
		r = settings_disks_add_section(s, conf, entry, &entry, &err);
	else
		return 0;
	return r < 0 ? note_at(p, conf, entry, &err) : 0;
}

static int take_entry(struct settings *s, const struct conf *conf, size_t i,
        struct problems *p)
{
	const struct conf_entry *entry = conf_at(conf, i);
	const struct settings_spec *spec;
	struct err err = ERR_INIT;
	int r = 0;

	spec = settings_table_find(entry->section, entry->key);
	if (!spec) {
		if (settings_table_has_section(entry->section))
			unknown_key(entry, &err);
		else
			unknown_section(entry, &err);
		r = note_at(p, conf, entry, &err);
		/* go on: the first key of a disk's section stands for it */
		if (r < 0 || !settings_table_is_disk(entry->section))
			return r;
		return take_disk(s, conf, i, false, p);
	}
	if (spec->type == SETTINGS_DISKS)
		return take_disk(s, conf, i, false, p);
	/* "key =" is what some write for "as usual" */
	if (spec->type == SETTINGS_SECRET || !*entry->value)
		return 0;

	if (spec->type == SETTINGS_PROGRAM)
		r = conf_check_trusted(conf, &err);
	if (r == 0)
		r = settings_value_set(s, spec, entry->value, &err);
	return r < 0 ? note_at(p, conf, entry, &err) : 0;
}

/* --- loading ---------------------------------------------------------------*/

static int check_source(const struct settings *s, struct problems *p)
{
	struct err err = ERR_INIT;

	if (*s->source)
		return 0;
	(void)err_set(&err, -EINVAL, _("%s: [Backup] backup-source is missing"),
	        s->path);
	err_action(
	        &err, _("Write into section [Backup]: backup-source = and the "
	                "directory of the Veeam repository."));
	return note(p, &err);
}

static int read_all(
        struct settings *s, const struct conf *conf, struct problems *p)
{
	const struct conf_entry *at = NULL;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < conf_count(conf); i++)
		if (take_entry(s, conf, i, p) < 0)
			return -ENOMEM;
	/* What is derived from wrong values would be wrong again. */
	if (p->count == 0 && settings_mail_derive(s, conf, &at, &err) < 0 &&
	        note_at(p, conf, at, &err) < 0)
		return -ENOMEM;
	err = ERR_INIT;
	if (settings_mail_read_password(s, conf, &at, &err) < 0 &&
	        note_at(p, conf, at, &err) < 0)
		return -ENOMEM;
	return check_source(s, p);
}

static int read_disks(
        struct settings *s, const struct conf *conf, struct problems *p)
{
	for (size_t i = 0; i < conf_count(conf); i++) {
		const struct conf_entry *e = conf_at(conf, i);
		const struct settings_spec *spec;

		spec = settings_table_find(e->section, e->key);
		if (!settings_table_is_disk(e->section) &&
		        (!spec || spec->type != SETTINGS_DISKS))
			continue;
		if (take_disk(s, conf, i, true, p) < 0)
			return -ENOMEM;
	}
	if (s->disks_len > 0)
		p->count = 0;
	return 0;
}

/* The defaults, and the path of the file. */
static int begin(const char *path, struct settings **ret, struct err *err)
{
	_cleanup_(settings_freep) struct settings *s = new_raw();

	if (!s)
		return err_nomem(err);
	free(s->path);
	s->path = strdup(path ? path : PATH_CONFIG);
	if (!s->path)
		return err_nomem(err);
	*ret = TAKE_PTR(s);
	return 0;
}

int settings_load(const char *path, struct settings **ret, struct err *err)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_(conf_freep) struct conf *conf = NULL;
	struct problems problems = {.count = 0};
	int r;

	r = begin(path, &s, err);
	if (r < 0)
		return r;
	r = conf_load(s->path, &conf, err);
	if (r < 0) {
		err_meaning_default(err, _("Nothing is copied until the "
		                           "configuration is right."));
		return r;
	}
	if (read_all(s, conf, &problems) < 0 || derive_paths(s) < 0)
		return err_nomem(err);
	r = tell(&problems, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

int settings_load_disks(
        const char *path, struct settings **ret, struct err *err)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_(conf_freep) struct conf *conf = NULL;
	struct problems problems = {.count = 0};
	int r;

	r = begin(path, &s, err);
	if (r < 0)
		return r;
	r = conf_load_lenient(s->path, &conf, err);
	if (r < 0)
		return r;
	if (read_disks(s, conf, &problems) < 0 || derive_paths(s) < 0)
		return err_nomem(err);
	r = tell(&problems, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

/* --- Veeam's directories ---------------------------------------------------*/

/* @path when it is a directory, else the one it is in; caller frees. */
static char *lock_directory(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? strdup(path) : path_dirname(path);
	return str_ends(path, ".lock") ? path_dirname(path) : strdup(path);
}

int settings_veeam_lock_dirs(const struct settings *s, struct strv *ret)
{
	const char *const paths[] = {
	        s->veeam_lock_path,
	        s->veeam_lock_dir,
	        s->veeam_lockfiles,
	};
	struct strv v = STRV_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *directory = NULL;

		if (!*paths[i])
			continue;
		directory = lock_directory(paths[i]);
		if (!directory || (!strv_has(&v, directory) &&
		                          strv_add(&v, directory) < 0)) {
			strv_done(&v);
			return -ENOMEM;
		}
	}
	strv_done(ret);
	*ret = v;
	return 0;
}

char *settings_lock_dir(const struct settings *s)
{
	return *s->veeam_lockfiles ? lock_directory(s->veeam_lockfiles)
	                           : path_join(s->state_directory, "lock");
}
