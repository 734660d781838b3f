/* SPDX-License-Identifier: MIT */
/* cmd_verify: reads the disk back and compares. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "i18n.h"
#include "log.h"
#include "session.h"
#include "text.h"
#include "util.h"
#include "../common/json_print.h"
#include "core/exitcode.h"
#include "core/settings.h"
#include "core/verify.h"
#include "sys/jsondoc.h"

/* When nothing is asked for and the configuration says "no share". */
#define SHARE_DEFAULT 10

static int on_tick(const struct verify_result *so_far, void *arg)
{
	char line[128], bytes[32], files[32];

	(void)arg;
	(void)snprintf(line, sizeof line, _("read back: %s files, %s"),
	        text_count(files, so_far->files),
	        text_bytes(bytes, so_far->bytes));
	log_progress(line);
	return 0;
}

static int read_back(
        struct session *s, const struct cli *cli, struct verify_result *res)
{
	struct verify v = {
	        .manifest = s->manifest,
	        .target = &s->target,
	        .settings = s->settings,
	        .on_tick = on_tick,
	};
	int64_t percent = s->settings->verify_share_percent;

	if (cli->all)
		return verify_part(&v, 1, 1, res, &s->err);
	if (cli->parts > 0)
		return verify_part(&v, cli->part, cli->parts, res, &s->err);
	return verify_share(
	        &v, percent > 0 ? percent : SHARE_DEFAULT, res, &s->err);
}

static int print_json(const struct verify_result *res)
{
	_cleanup_(jsondoc_freep) struct jsondoc *o = jsondoc_new_object();
	struct jsondoc *names;

	jsondoc_set_int(o, "version", 1);
	jsondoc_set_int(o, "files_read", (int64_t)res->files);
	jsondoc_set_int(o, "bytes_read", (int64_t)res->bytes);
	jsondoc_set_int(o, "good", (int64_t)res->good);
	jsondoc_set_int(o, "learned", (int64_t)res->learned);
	jsondoc_set_int(o, "damaged", (int64_t)res->damaged);
	jsondoc_set_int(o, "missing", (int64_t)res->missing);
	names = jsondoc_add_array(o, "names");
	for (unsigned i = 0; i < res->names_len; i++)
		jsondoc_append_string(names, res->names[i]);
	return json_print(o);
}

static void print_text(const struct verify_result *res)
{
	char files[32], bytes[32], learned[32];

	printf(P_("Read back %s file (%s).\n", "Read back %s files (%s).\n",
	               res->files),
	        text_count(files, res->files), text_bytes(bytes, res->bytes));
	if (res->learned > 0)
		printf(_("%s of them had no known hash; it is remembered from "
		         "now on.\n"),
		        text_count(learned, res->learned));
	if (res->files > 0 && res->damaged + res->missing == 0)
		printf("%s\n", _("All are as they were written."));
}

static int verify(struct session *s, const struct cli *cli)
{
	struct verify_result res;
	int code = EXITCODE_DONE;

	if (s->verdict != MARKER_OURS) {
		err_set(&s->err, -EPERM, "%s",
		        _("the disk does not carry our marker; there is "
		          "nothing to compare with"));
		err_action(&s->err, "%s",
		        _("Copy to it first; a clone of a backup disk is "
		          "verified on any machine with \"xxhsum -c "
		          ".asbackup/manifest.xxh128\"."));
		return session_fail(s, EXITCODE_MATCH);
	}
	if (read_back(s, cli, &res) < 0)
		return session_fail(s, EXITCODE_FAILED);
	log_progress("");
	if (cli->json)
		code = print_json(&res);
	else
		print_text(&res);
	if (res.damaged + res.missing == 0)
		return code;
	verify_describe(&res, &s->err);
	return session_fail(s, EXITCODE_VERIFY);
}

int cmd_verify(const struct cli *cli)
{
	struct session s;
	int code = session_open(&s, cli, NULL, true);

	if (code == 0)
		code = verify(&s, cli);
	return session_close(&s, code);
}
