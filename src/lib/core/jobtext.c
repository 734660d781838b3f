/* SPDX-License-Identifier: MIT */
#include "core/jobtext.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "host.h"
#include "str.h"
#include "sys/crypto.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

bool jobtext_id_is_valid(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len <= JOBTEXT_ID_MAX && id[0] != '.' &&
	       id[0] != '-' && strspn(id, LETTERS DIGITS "._-") == len;
}

bool jobtext_env_is_valid(const char *assignment)
{
	size_t len = strspn(assignment, LETTERS DIGITS "_");

	return len > 0 && assignment[len] == '=' &&
	       !strchr(DIGITS, assignment[0]);
}

int jobtext_nonce(char dst[JOBTEXT_NONCE_SIZE])
{
	unsigned char raw[16];
	int r = crypto_random(raw, sizeof raw);

	for (size_t i = 0; r == 0 && i < sizeof raw; i++)
		snprintf(dst + 2 * i, 3, "%02x", raw[i]);
	return r;
}

/* As one word of a POSIX shell. */
static void quote(struct buf *b, const char *s)
{
	buf_addc(b, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *s);
	}
	buf_addc(b, '\'');
}

static void set(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "%s=", name);
	quote(b, value);
	buf_addc(b, '\n');
}

static void set_number(struct buf *b, const char *name, uint64_t value)
{
	buf_printf(b, "%s=%" PRIu64 "\n", name, value);
}

/* The shell's own read takes byte by byte, for what follows is not its own; dd
 * takes the program at once, if it can be told not to stop short. */
#define COMMAND                                                             \
	"exec %ssh -c 'p=$(dd bs=%zu count=1 iflag=fullblock 2>/dev/null);" \
	"case $p in \"\")n=$(printf \"\\n.\");n=${n%%.};"                   \
	"while IFS= read -r l;do p=$p$l;"                                   \
	"case $l in \"#%s\")break;;esac;p=$p$n;done;;esac;"                 \
	"case $p in \": %s\"*\"#%s\")eval \"$p\";;*)exit %d;;esac'"

void jobtext_command(struct buf *b, const char *nonce, size_t size, bool sudo)
{
	/* No "!", no newline: csh and fish read it too. */
	buf_printf(b, COMMAND, sudo ? "sudo -n " : "", size, nonce, nonce,
	        nonce, JOBTEXT_CUT_OFF);
}

/* By this line and the last one the shell knows that nothing was cut off, nor
 * read by somebody before it. */
static void begin(struct buf *b, const char *nonce)
{
	buf_printf(b, ": %s\n", nonce);
}

static void end(struct buf *b, const char *nonce)
{
	buf_printf(b, "#%s\n", nonce);
}

/*
 * What the runner reads in the job's directory, long after: settings, and the
 * function run_script() in two halves; what was exported at the login comes in
 * between.  Variables may have any name, so that after the first of them
 * nothing is read from one of ours.
 */
static void set_settings(struct buf *b, const struct jobtext_start *s)
{
	_cleanup_buf_ struct buf t = BUF_INIT;

	set(&t, "interpreter", s->interpreter ? s->interpreter : "");
	buf_adds(&t, "run_script() {\n:");
	set(b, "settings_before", t.data);
	b->failed |= buf_failed(&t);
}

static void set_run_script(
        struct buf *b, const char *nonce, const struct jobtext_start *s)
{
	_cleanup_buf_ struct buf t = BUF_INIT;

	buf_printf(&t,
	        "export VMEXEC_JOB=%s\n"
	        "cd \"${HOME:-/}\" 2> /dev/null || cd /\n",
	        nonce);
	if (s->dir) {
		/* "-" is a name, too, and CDPATH is not asked. */
		buf_adds(&t, s->dir[0] == '/' ? "cd " : "cd ./");
		quote(&t, s->dir);
		buf_adds(&t, " || exit 250\n");
	}
	for (const char *const *e = s->env; e && *e; e++) {
		const char *value = strchr(*e, '=');

		buf_printf(&t, "export %.*s=", (int)(value - *e), *e);
		quote(&t, value + 1);
		buf_addc(&t, '\n');
	}
	buf_adds(&t, "exec \"$@\"");
	for (const char *const *a = s->args; a && *a; a++) {
		buf_addc(&t, ' ');
		quote(&t, *a);
	}
	buf_adds(&t, "\n}");
	set(b, "settings_behind", t.data);
	b->failed |= buf_failed(&t);
}

void jobtext_start(
        struct buf *b, const char *nonce, const struct jobtext_start *s)
{
	static const char *const methods[] = {
	        [JOBTEXT_AUTO] = "auto",
	        [JOBTEXT_SYSTEMD] = "systemd",
	        [JOBTEXT_TMUX] = "tmux",
	        [JOBTEXT_SETSID] = "setsid",
	};

	begin(b, nonce);
	buf_adds(b, "environ=$(export -p)\n");
	set(b, "nonce", nonce);
	set(b, "id", s->id);
	set(b, "method", methods[s->method]);
	set(b, "again", s->again ? "yes" : "no");
	set_number(b, "limit", (uint64_t)s->limit_s);
	set_number(b, "now", (uint64_t)clock_real_s());
	set_number(b, "script_size", s->script_size);
	set_number(b, "out_from", 0);
	set_number(b, "err_from", 0);
	set_settings(b, s);
	set_run_script(b, nonce, s);
	set(b, "runner", host_run);
	set(b, "killer", host_kill);
	buf_adds(b, host_common);
	buf_adds(b, host_start);
	buf_adds(b, host_launch);
	buf_adds(b, host_follow);
	end(b, nonce);
}

static void request(struct buf *b, const char *nonce, const char *id)
{
	begin(b, nonce);
	set(b, "nonce", nonce);
	set(b, "id", id);
}

void jobtext_follow(struct buf *b, const char *nonce, const char *id,
        uint64_t out_from, uint64_t err_from)
{
	request(b, nonce, id);
	set(b, "method", "auto");
	set_number(b, "out_from", out_from);
	set_number(b, "err_from", err_from);
	buf_adds(b, host_common);
	buf_adds(b, "each_base has_job || fail gone\n");
	buf_adds(b, host_launch);
	buf_adds(b, host_follow);
	end(b, nonce);
}

void jobtext_cancel(struct buf *b, const char *nonce, const char *id)
{
	request(b, nonce, id);
	buf_adds(b, host_common);
	buf_adds(b, host_cancel);
	end(b, nonce);
}

void jobtext_list(struct buf *b, const char *nonce)
{
	request(b, nonce, "");
	buf_adds(b, host_common);
	buf_adds(b, host_list);
	end(b, nonce);
}

void jobtext_clean(struct buf *b, const char *nonce, int64_t keep_days)
{
	request(b, nonce, "");
	set_number(b, "keep_days", (uint64_t)keep_days);
	buf_adds(b, host_common);
	buf_adds(b, host_clean);
	end(b, nonce);
}
