/* SPDX-License-Identifier: MIT */
#include "core/copies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "atomicfile.h"
#include "clock.h"
#include "i18n.h"
#include "path.h"
#include "str.h"
#include "util.h"
#include "core/ledger.h"
#include "sys/jsondoc.h"

#define DIRECTORY "public"
#define NAME "copies.json"
#define FILE_MAX_BYTES (4 << 20)

/* Just the parsed document: it is read a few times at most. */
struct copies {
	struct jsondoc *root;
};

static int add_disk(const struct ledger_disk *disk, void *arg)
{
	struct jsondoc *o = jsondoc_append_object(arg);

	jsondoc_set_string(o, "uuid", disk->uuid);
	jsondoc_set_time(o, "last_good", disk->last_good);
	return 0;
}

int copies_publish(
        const char *state_directory, struct ledger *ledger, struct err *err)
{
	_cleanup_(jsondoc_freep) struct jsondoc *root = jsondoc_new_object();
	_cleanup_free_ char *dir = path_join(state_directory, DIRECTORY);
	_cleanup_free_ char *path = path_join(dir ? dir : "", NAME);
	_cleanup_free_ char *text = NULL;
	int r;

	jsondoc_set_int(root, "version", 1);
	r = ledger_disk_list(
	        ledger, add_disk, jsondoc_add_array(root, "disks"), err);
	if (r < 0)
		return r;
	text = jsondoc_print(root);
	if (!text || !dir || !path)
		return err_nomem(err);
	r = path_mkdirs(dir, 0755, err);
	if (r < 0)
		return r;
	return atomicfile_write(
	        AT_FDCWD, path, text, strlen(text), 0644, true, err);
}

int copies_read(
        const char *state_directory, struct copies **ret, struct err *err)
{
	_cleanup_free_ char *path =
	        path_join(state_directory, DIRECTORY "/" NAME);
	_cleanup_(copies_freep) struct copies *c = calloc(1, sizeof *c);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	if (!path || !c)
		return err_nomem(err);
	r = path_read_file(path, FILE_MAX_BYTES, &text, &len);
	if (r < 0)
		return err_sys(err, r, _("cannot read %s"), path);
	r = jsondoc_parse(text, len, &c->root, err);
	if (r < 0) {
		err_prefix(err, "%s", path);
		return r;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

void copies_free(struct copies *c)
{
	if (!c)
		return;
	jsondoc_free(c->root);
	free(c);
}

void copies_freep(struct copies **c)
{
	copies_free(*c);
}

int64_t copies_last_good(const struct copies *c, const char *uuid)
{
	const struct jsondoc *disks = jsondoc_get(c->root, "disks");
	int64_t when = 0;

	for (size_t i = 0; i < jsondoc_len(disks); i++) {
		const struct jsondoc *o = jsondoc_at(disks, i);

		if (str_eq_nocase(jsondoc_string(o, "uuid", ""), uuid) &&
		        clock_parse_utc(
		                jsondoc_string(o, "last_good", ""), &when) < 0)
			when = 0;
	}
	return when;
}
