/* SPDX-License-Identifier: MIT */
/*
 * cli: what the commands of asbackup share: the options and their way in.
 *
 * A command is a function that gets the parsed options and returns the exit
 * code.  It prints facts to standard output and errors once, through log.
 */
#ifndef ASBACKUP_CLI_H
#define ASBACKUP_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include "core/run.h"

struct settings;

struct cli {
	const char *config; /* NULL = the installed one */
	bool json;
	bool follow;
	bool all;
	bool mail;
	bool add;
	const char *adopt;    /* UUID */
	const char *forget;   /* UUID */
	unsigned part, parts; /* --part n/t; 0 = not given */
	int64_t count;        /* history -n; 0 = all */
	struct run_options run;
};

int cmd_run(const struct cli *cli);
int cmd_disks(const struct cli *cli);
int cmd_status(const struct cli *cli);
int cmd_history(const struct cli *cli);
int cmd_check(const struct cli *cli);
int cmd_match(const struct cli *cli);
int cmd_verify(const struct cli *cli);
int cmd_restore_check(const struct cli *cli);
int cmd_mail_retry(const struct cli *cli);
int cmd_overdue(const struct cli *cli);
/* --print-config */
int cmd_print_config(const struct cli *cli);

/* Older than overdue-days allows; 0 = never was. */
bool cli_is_overdue(const struct settings *s, int64_t last_good);
/* "3 days", "2 h", "never"; for columns. dst 32 bytes. */
char *cli_age(char *dst, int64_t then);
/* Prints text made safe for the terminal, padded to @width columns. */
void cli_print_safe(const char *text, int width);

#endif
