/* SPDX-License-Identifier: MIT */
/*
 * load_settings: the configuration, as every program begins with it.
 */
#ifndef COMMON_LOAD_SETTINGS_H
#define COMMON_LOAD_SETTINGS_H

struct settings;

/* Loads @config (NULL = the installed one) and speaks its language; on failure
 * the error is shown and EXITCODE_CONFIG returned, else 0. */
int load_settings(const char *config, struct settings **ret);

#endif
