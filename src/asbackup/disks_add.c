/* SPDX-License-Identifier: MIT */
#include "disks_add.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomicfile.h"
#include "buf.h"
#include "cli.h"
#include "disks_adopt.h"
#include "i18n.h"
#include "log.h"
#include "num.h"
#include "path.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "../common/load_settings.h"
#include "core/exitcode.h"
#include "core/mailer.h"
#include "core/settings.h"
#include "sys/disk.h"
#include "sys/mount.h"

#define CONFIG_MAX (1 << 20)

/* What may be offered: not configured, not mounted, a file system. */
static bool is_candidate(const struct settings *s, const struct disk *d)
{
	char where[1024];

	if (!settings_is_uuid(d->uuid) || settings_find_disk(s, d->uuid))
		return false;
	if (str_eq(d->fstype, "swap") || str_eq(d->fstype, "crypto_LUKS"))
		return false;
	return mount_find(d->device, d->devno, where, sizeof where) == 0;
}

static size_t offer(const struct settings *s, struct disk *list, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char size[32];

		if (!is_candidate(s, &list[i]))
			continue;
		list[n] = list[i];
		printf("%3zu  %-14s %-6s %10s  %s  ", n + 1, list[n].device,
		        list[n].fstype, text_bytes(size, list[n].size_bytes),
		        list[n].uuid);
		cli_print_safe(list[n].label, 0);
		putchar(' ');
		cli_print_safe(list[n].model, 0);
		putchar('\n');
		n++;
	}
	return n;
}

/* One trimmed line into dst; false at the end of the input. */
static bool ask(const char *question, char *dst, size_t size)
{
	char line[512];

	printf("%s ", question);
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		return false;
	(void)str_copy(dst, size, str_trim(line));
	return true;
}

static bool is_name(const char *s)
{
	if (!s[0] || strlen(s) > 60)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("-_. ", *s))
			return false;
	return true;
}

static bool is_taken(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->disks_len; i++)
		if (str_eq_nocase(s->disks[i].name, name))
			return true;
	return false;
}

static bool ask_name(const struct settings *s, char *dst, size_t size)
{
	do {
		if (!ask(_("What is the disk called (letters, digits, "
		           "dashes)?"),
		            dst, size))
			return false;
	} while (!is_name(dst) || is_taken(s, dst));
	return true;
}

static bool ask_mail(char *dst, size_t size)
{
	do {
		if (!ask(_("A mail address that hears of this disk (empty: "
		           "none)?"),
		            dst, size))
			return false;
	} while (dst[0] && !text_is_mail_address(dst));
	return true;
}

static const struct disk *choose(const struct disk *list, size_t n)
{
	char answer[32];
	int64_t i;

	if (!ask(_("Which one (number)?"), answer, sizeof answer) ||
	        num_parse_i64(answer, 1, (int64_t)n, &i) < 0)
		return NULL;
	return &list[i - 1];
}

/* Written aside and renamed, with the mode it had: it may hold a password. */
static int append(const char *path, const char *section, struct err *err)
{
	_cleanup_free_ char *old = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct stat st;
	size_t len;
	int r;

	r = path_read_file(path, CONFIG_MAX, &old, &len);
	if (r < 0 || stat(path, &st) < 0)
		return err_sys(
		        err, r < 0 ? r : -errno, _("cannot read %s"), path);
	buf_add(&b, old, len);
	if (len > 0 && old[len - 1] != '\n')
		buf_addc(&b, '\n');
	buf_adds(&b, section);
	if (buf_failed(&b))
		return err_nomem(err);
	return atomicfile_write(
	        AT_FDCWD, path, b.data, b.len, st.st_mode & 07777, true, err);
}

static int write_section(const struct settings *s, const struct disk *d,
        const char *name, const char *mail)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	buf_printf(&b, "\n[disk %s]\nuuid = %s\n", name, d->uuid);
	if (mail[0])
		buf_printf(&b, "mail = %s\n", mail);
	if (append(s->path, b.data, &err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_FAILED;
	}
	printf(_("Added to %s.\n"), s->path);
	return EXITCODE_DONE;
}

static int send_test_mail(
        const struct settings *s, const struct settings_disk *disk)
{
	struct err err = ERR_INIT;

	if (str_is_empty(s->mail_server)) {
		printf("%s\n",
		        _("No mail server is configured: reports will lie in "
		          "the spool directory."));
		return EXITCODE_DONE;
	}
	if (mailer_test(s, disk, &err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_FAILED;
	}
	printf("%s\n", _("A test mail was sent."));
	return EXITCODE_DONE;
}

/* Everything of the new disk's way but the copy: whoever adds it sits in front
 * of the machine now, and not when the first report fails to arrive. */
static int try_out(const struct cli *cli, const char *uuid)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	int code = disks_adopt(cli, uuid);

	if (code) {
		printf(_("The disk is configured, but not marked as ours yet. "
		         "Run \"asbackup disks --adopt %s\" when the reason "
		         "is gone.\n"),
		        uuid);
		return code;
	}
	if (load_settings(cli->config, &s))
		return EXITCODE_CONFIG;
	code = send_test_mail(s, settings_find_disk(s, uuid));
	printf(_("Pull the disk out and plug it in again, or run \"asbackup "
	         "--uuid %s\": that makes the first copy.\n"),
	        uuid);
	return code;
}

static int converse(const struct cli *cli, const struct settings *s,
        struct disk *list, size_t len)
{
	const struct disk *d;
	char name[64], mail[256];
	size_t n = offer(s, list, len);
	int code;

	if (n == 0) {
		printf("%s\n", _("No attached disk could be added. It must "
		                 "hold a file "
		                 "system (mkfs.ext4 /dev/...), and must not be "
		                 "mounted "
		                 "or configured already."));
		return EXITCODE_FAILED;
	}
	d = choose(list, n);
	if (!d || !ask_name(s, name, sizeof name) ||
	        !ask_mail(mail, sizeof mail)) {
		printf("%s\n", _("Nothing was changed."));
		return EXITCODE_FAILED;
	}
	code = write_section(s, d, name, mail);
	return code ? code : try_out(cli, d->uuid);
}

int disks_add(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_free_ struct disk *list = NULL;
	struct err err = ERR_INIT;
	size_t len = 0;
	int code = load_settings(cli->config, &s);

	if (code)
		return code;
	if (disk_list(NULL, &list, &len, &err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_FAILED;
	}
	return converse(cli, s, list, len);
}
