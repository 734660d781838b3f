/* SPDX-License-Identifier: MIT */
/*
 * options: what was typed.
 */
#ifndef VMEXEC_OPTIONS_H
#define VMEXEC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "str.h"
#include "core/jobtext.h"

/* What vmexec ends with, unless it is the script's own status. */
enum {
	VMEXEC_STATUS_MAX = 250, /* of the script; more becomes this */
	VMEXEC_TIMEOUT = 124,
	VMEXEC_VANISHED = 251,
	VMEXEC_REBOOTED = 252,
	VMEXEC_DETACHED = 253, /* it goes on without us */
	VMEXEC_FAILED = 254,   /* usage, configuration, start */
	VMEXEC_UNREACHABLE = 255,
};

enum action {
	ACTION_RUN,
	ACTION_ATTACH,
	ACTION_LIST,
	ACTION_CANCEL,
	ACTION_CLEAN,
};

enum on_reboot { REBOOT_FAILS, REBOOT_EXPECTED, REBOOT_RERUNS };

struct options {
	enum action action;
	const char *host;
	const char *job;     /* --job, --attach, --cancel; NULL: made up */
	const char *command; /* -c, or NULL */
	const char *script;  /* a file, "-" = standard input, or NULL */
	const char *const *args;
	struct strv env;
	struct strv identities;
	const char *port;
	const char *user;
	const char *ssh_config;
	const char *known_hosts;
	bool accept_new;
	const char *log;
	int64_t retries;
	int64_t delay_s;
	int64_t connect_timeout_s;
	int64_t heartbeat_timeout_s;
	int64_t idle_timeout_s;
	int64_t timeout_s;
	bool sudo;
	const char *interpreter;
	const char *dir;
	enum on_reboot on_reboot;
	enum jobtext_method method;
	const char *prefix;
	bool strip;
	bool json;
	int64_t keep_days;
};

/* Ends the program with VMEXEC_FAILED when that was wrong, with 0 after --help
 * and --version. */
void options_parse(struct options *o, int argc, char **argv);
void options_done(struct options *o);
/* Those that say how the host is reached, each with a space before it, to be
 * typed again in a shell. NULL = out of memory; the caller frees. */
char *options_connection(const struct options *o);

#endif
