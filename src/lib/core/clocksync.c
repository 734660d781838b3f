/* SPDX-License-Identifier: MIT */
#include "core/clocksync.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#include "log.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "util.h"

/* It starts systemd-timedated, if that does not run. */
#define LIMIT_MS 5000
#define GRACE_MS 500

static bool systemd_says_yes;

/* 1, 0, or negative: it must not be asked. */
static int ask_kernel(void)
{
	struct timex tx = {.modes = 0};

	if (adjtimex(&tx) < 0)
		return -1;
	return !(tx.status & STA_UNSYNC);
}

static int take_answer(
        enum proc_stream stream, const char *data, size_t len, void *arg)
{
	char *answer = arg; /* of 8 bytes */

	if (stream == PROC_STDOUT && len >= 3 && len < 8)
		memcpy(answer, data, len);
	return 0;
}

static bool ask_systemd(void)
{
	_cleanup_free_ char *program = path_find_program("timedatectl");
	char show[] = "show", property[] = "--property=NTPSynchronized",
	     value[] = "--value";
	char *const argv[] = {program, show, property, value, NULL};
	char answer[8] = "";
	struct proc_spec spec = {
	        PROC_SPEC_INIT,
	        .name = "timedatectl",
	        .argv = argv,
	        .on_output = take_answer,
	        .cb_arg = answer,
	        .timeout_ms = LIMIT_MS,
	        .grace_ms = GRACE_MS,
	};
	struct proc_result res;

	if (!program || proc_run(&spec, &res, NULL) < 0)
		return false;
	return res.exit_code == 0 && str_eq(str_trim(answer), "yes");
}

void clocksync_ask(void)
{
	if (systemd_says_yes || ask_kernel() >= 0)
		return;
	systemd_says_yes = ask_systemd();
	if (!systemd_says_yes)
		log_debug("the clock is not known to be synchronised");
}

bool clocksync_is_set(void)
{
	int r = ask_kernel();

	return r < 0 ? systemd_says_yes : r;
}
