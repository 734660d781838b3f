/* SPDX-License-Identifier: MIT */
#include "i18n.h"
#include "load_settings.h"
#include "log.h"
#include "core/exitcode.h"
#include "core/settings.h"

int load_settings(const char *config, struct settings **ret)
{
	struct err err = ERR_INIT;

	if (settings_load(config, ret, &err) < 0) {
		err_prefix(&err, "%s", _("the configuration is wrong"));
		err_meaning_default(&err, "%s", _("Nothing was done."));
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_CONFIG;
	}
	if ((*ret)->debug)
		log_set_level(LOG_LEVEL_DEBUG);
	if (i18n_set_language((*ret)->language) < 0)
		log_warn(_("unknown language '%s'"), (*ret)->language);
	return 0;
}
