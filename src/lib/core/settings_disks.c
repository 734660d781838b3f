/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "i18n.h"
#include "str.h"

#include "sys/conf.h"

#include "core/settings_disks.h"
#include "core/settings_value.h"

/* --- UUIDs -----------------------------------------------------------------*/

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* 'x' stands for a hexadecimal digit. */
static bool has_shape(const char *s, const char *shape)
{
	for (; *s && *shape; s++, shape++)
		if (*shape == 'x' ? !is_hex(*s) : *s != *shape)
			return false;
	return *s == *shape;
}

bool settings_is_uuid(const char *s)
{
	return s && (has_shape(s, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") ||
	                    has_shape(s, "xxxx-xxxx") ||
	                    has_shape(s, "xxxxxxxxxxxxxxxx"));
}

/* Nothing but what a UUID is made of. */
static bool is_like_uuid(const char *s)
{
	for (; *s; s++)
		if (!is_hex(*s) && *s != '-')
			return false;
	return true;
}

static int bad_uuid(const char *text, struct err *err)
{
	char shown[64];

	settings_value_shown(shown, text);
	if (strchr(text, '=') || strchr(text, '/'))
		(void)err_set(err, -EINVAL,
		        _("\"%s\" is not a UUID; only what blkid shows in "
		          "quotes behind UUID= belongs here"),
		        shown);
	else if (is_like_uuid(text))
		(void)err_set(err, -EINVAL,
		        _("\"%s\" is not a UUID: it does not have the length "
		          "of one"),
		        shown);
	else
		(void)err_set(err, -EINVAL,
		        _("\"%s\" is neither a UUID nor a mail address"),
		        shown);
	err_action(err,
	        _("Plug the disk in, run \"lsblk -o NAME,LABEL,UUID\" and copy "
	          "the UUID of its file system (8-4-4-4-12, 4-4 or 16 "
	          "hexadecimal digits)."));
	return -EINVAL;
}

/* --- the list of disks -----------------------------------------------------*/

static struct settings_disk *find(struct settings *s, const char *uuid)
{
	for (size_t i = 0; i < s->disks_len; i++)
		if (str_eq_nocase(s->disks[i].uuid, uuid))
			return &s->disks[i];
	return NULL;
}

const struct settings_disk *settings_find_disk(
        const struct settings *s, const char *uuid)
{
	for (size_t i = 0; i < s->disks_len; i++)
		if (str_eq_nocase(s->disks[i].uuid, uuid))
			return &s->disks[i];
	return NULL;
}

const char *settings_disk_title(const struct settings_disk *disk)
{
	if (!str_is_empty(disk->label))
		return disk->label;
	if (!str_is_empty(disk->name))
		return disk->name;
	return disk->uuid;
}

/* The new last disk; NULL = out of memory. */
static struct settings_disk *append(
        struct settings *s, const char *uuid, unsigned line)
{
	struct settings_disk *disks, *disk;

	disks = reallocarray(s->disks, s->disks_len + 1, sizeof(*disks));
	if (!disks)
		return NULL;
	s->disks = disks;
	disk = &disks[s->disks_len];
	*disk = (struct settings_disk){
	        .uuid = strdup(uuid),
	        .mail = STRV_INIT,
	        .line = line,
	};
	if (!disk->uuid)
		return NULL;
	s->disks_len++;
	return disk;
}

void settings_disks_done(struct settings *s)
{
	for (size_t i = 0; i < s->disks_len; i++) {
		free(s->disks[i].uuid);
		free(s->disks[i].name);
		free(s->disks[i].label);
		strv_done(&s->disks[i].mail);
	}
	free(s->disks);
	s->disks = NULL;
	s->disks_len = 0;
}

/* --- the old key -----------------------------------------------------------*/

struct list {
	struct settings *s;
	unsigned line;
	struct strv seen;              /* UUIDs of this list, lower case */
	struct settings_disk *current; /* addresses belong to it; or NULL */
	bool lost; /* the UUID before the addresses was wrong: said once */
};

static int list_uuid(struct list *l, const char *text, struct err *err)
{
	_cleanup_free_ char *lower = strdup(text);

	l->current = NULL;
	l->lost = true;
	if (!lower)
		return err_nomem(err);
	str_lower(lower);
	if (!settings_is_uuid(text))
		return bad_uuid(text, err);
	if (strv_has(&l->seen, lower)) {
		(void)err_set(
		        err, -EINVAL, _("the UUID %s stands here twice"), text);
		err_action(err, _("Remove one of them; several addresses may "
		                  "follow one UUID."));
		return -EINVAL;
	}
	if (strv_add(&l->seen, lower) < 0)
		return err_nomem(err);

	l->current = find(l->s, text);
	if (!l->current)
		l->current = append(l->s, text, l->line);
	l->lost = false;
	return l->current ? 0 : err_nomem(err);
}

static int list_address(struct list *l, const char *text, struct err *err)
{
	char shown[64];

	if (l->current)
		return settings_value_addresses(text, &l->current->mail, err);
	if (l->lost)
		return 0;
	(void)err_set(err, -EINVAL,
	        _("the address \"%s\" stands before the first UUID, so it "
	          "belongs to no disk"),
	        settings_value_shown(shown, text));
	err_action(err, _("Write the UUID first, then the addresses that hear "
	                  "of this disk."));
	return -EINVAL;
}

int settings_disks_add_list(struct settings *s, const struct conf_entry *entry,
        bool lenient, struct err *err)
{
	_cleanup_strv_ struct strv parts = STRV_INIT;
	struct list l = {.s = s, .line = entry->line};
	int result = 0;

	if (strv_split(&parts, entry->value, ",;\n") < 0)
		return err_nomem(err);
	for (size_t i = 0; i < parts.len; i++) {
		const char *part = parts.items[i];
		struct err problem = ERR_INIT;
		int r;

		if (strchr(part, '@'))
			r = list_address(&l, part, &problem);
		else
			r = list_uuid(&l, part, &problem);
		if (r < 0 && result == 0) {
			result = r;
			if (err)
				*err = problem;
		}
		if (r == -ENOMEM || (r < 0 && !lenient))
			break;
	}
	strv_done(&l.seen);
	return result;
}

char *settings_disks_list(const struct settings *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < s->disks_len; i++) {
		const struct settings_disk *disk = &s->disks[i];

		if (disk->name)
			continue;
		if (b.len > 0)
			buf_adds(&b, ", ");
		buf_adds(&b, disk->uuid);
		for (size_t j = 0; j < disk->mail.len; j++)
			buf_printf(&b, ", %s", disk->mail.items[j]);
	}
	return buf_take(&b);
}

/* --- [disk NAME] -----------------------------------------------------------*/

/* Behind "disk"; caller frees. */
static char *section_name(const char *section)
{
	_cleanup_free_ char *copy = strdup(section + strlen("disk"));

	return copy ? strdup(str_trim(copy)) : NULL;
}

static const struct conf_entry *get_line(
        const struct conf *conf, const char *section, const char *key)
{
	const struct conf_entry *e = conf_get(conf, section, key);

	return e && *e->value ? e : NULL;
}

static int section_uuid(struct settings *s, const struct conf_entry *entry,
        const struct conf_entry *uuid, struct settings_disk **ret,
        struct err *err)
{
	struct settings_disk *disk;

	if (!uuid) {
		(void)err_set(err, -EINVAL, _("the section has no uuid"));
		err_action(err,
		        _("Write uuid = and the UUID of the disk's "
		          "file system into [%s]."),
		        entry->section);
		return -EINVAL;
	}
	if (!settings_is_uuid(uuid->value))
		return bad_uuid(uuid->value, err);
	disk = find(s, uuid->value);
	if (disk && disk->name) {
		(void)err_set(err, -EINVAL,
		        _("the UUID %s stands in [disk %s] already"),
		        uuid->value, disk->name);
		err_action(err, _("Remove one of the two sections."));
		return -EINVAL;
	}
	if (!disk)
		disk = append(s, uuid->value, uuid->line);
	if (!disk)
		return err_nomem(err);
	*ret = disk;
	return 0;
}

static int section_label(struct settings_disk *disk,
        const struct conf_entry *label, struct err *err)
{
	int r = settings_value_check_line(label->value, err);

	if (r < 0)
		return r;
	disk->label = strdup(label->value);
	return disk->label ? 0 : err_nomem(err);
}

int settings_disks_add_section(struct settings *s, const struct conf *conf,
        const struct conf_entry *entry, const struct conf_entry **ret_at,
        struct err *err)
{
	_cleanup_free_ char *name = section_name(entry->section);
	const struct conf_entry *uuid, *mail, *label;
	struct settings_disk *disk = NULL;
	int r;

	uuid = get_line(conf, entry->section, "uuid");
	mail = get_line(conf, entry->section, "mail");
	label = get_line(conf, entry->section, "label");

	*ret_at = entry;
	if (!name)
		return err_nomem(err);
	if (!*name) {
		(void)err_set(err, -EINVAL, _("the section has no name"));
		err_action(err, _("Write [disk NAME], with a name that people "
		                  "know the disk by."));
		return -EINVAL;
	}

	*ret_at = uuid ? uuid : entry;
	r = section_uuid(s, entry, uuid, &disk, err);
	if (r < 0 || !disk)
		return r;
	disk->name = TAKE_PTR(name);

	if (mail) {
		*ret_at = mail;
		r = settings_value_addresses(mail->value, &disk->mail, err);
		if (r < 0)
			return r;
	}
	if (label) {
		*ret_at = label;
		return section_label(disk, label, err);
	}
	return 0;
}
