/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "i18n.h"
#include "log.h"
#include "json_print.h"
#include "util.h"
#include "core/exitcode.h"
#include "sys/jsondoc.h"

int json_print(const struct jsondoc *root)
{
	_cleanup_free_ char *text = jsondoc_print(root);
	struct err err = ERR_INIT;

	if (!text)
		err_nomem(&err);
	else if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
		err_sys(&err, -errno, "%s", _("the result cannot be printed"));
	if (err.code == 0)
		return 0;
	log_show_err(LOG_LEVEL_ERR, &err);
	return EXITCODE_FAILED;
}
