/* SPDX-License-Identifier: MIT */
/*
 * For the udev rule: is this disk configured?  Starts in milliseconds, reads
 * only, needs no state and never waits long.
 */
#include <errno.h>
#include <stdio.h>

#include "cli.h"
#include "i18n.h"
#include "log.h"
#include "util.h"
#include "core/exitcode.h"
#include "core/settings.h"
#include "sys/disk.h"

int cmd_match(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	const struct settings_disk *disk;
	const char *uuid = cli->run.uuid;
	struct err err = ERR_INIT;
	struct disk probed;

	if (!uuid && !cli->run.device) {
		log_err("%s", _("match wants --uuid UUID or --device PATH"));
		return EXITCODE_USAGE;
	}
	if (settings_load_disks(cli->config, &s, &err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_CONFIG;
	}
	if (cli->run.device) {
		if (disk_probe(cli->run.device, &probed, &err) < 0) {
			log_info("%s", err.message);
			return EXITCODE_FAILED;
		}
		uuid = probed.uuid;
	}
	disk = settings_find_disk(s, uuid);
	if (!disk) {
		log_info(_("the UUID %s is not configured"), uuid);
		return EXITCODE_FAILED;
	}
	printf("%s\n", disk->uuid);
	return EXITCODE_DONE;
}
