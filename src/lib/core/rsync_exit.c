/* SPDX-License-Identifier: MIT */
#include "core/rsync_exit.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "i18n.h"
#include "str.h"
#include "util.h"

/* The head of an overlong line that is kept; what comes at its end, the errno
 * in brackets, is kept as well, and the middle goes. */
#define PARTIAL_HEAD 1024
#define PARTIAL_DROP 256
#define KEPT_MAX 300
#define KEPT_HEAD 180

#define COPY_INCOMPLETE N_("The copy on the disk is NOT complete.")

static const struct {
	int code;
	const char *text;
} codes[] = {
        {0, N_("success")},
        {1, N_("syntax or usage error")},
        {2, N_("protocol incompatibility")},
        {3, N_("errors selecting input or output files or directories")},
        {4, N_("requested action not supported")},
        {5, N_("error starting client-server protocol")},
        {6, N_("daemon unable to append to log-file")},
        {10, N_("error in socket I/O")},
        {11, N_("error in file I/O")},
        {12, N_("error in rsync protocol data stream")},
        {13, N_("errors with program diagnostics")},
        {14, N_("error in IPC code")},
        {15, N_("sibling process crashed")},
        {16, N_("sibling process terminated abnormally")},
        {19, N_("received SIGUSR1")},
        {20, N_("received SIGINT, SIGTERM or SIGHUP")},
        {21, N_("waitpid() failed")},
        {22, N_("error allocating core memory buffers")},
        {23, N_("partial transfer due to error")},
        {24, N_("partial transfer due to vanished source files")},
        {25, N_("the limit of --max-delete stopped deletions")},
        {30, N_("timeout in data send or receive")},
        {35, N_("timeout waiting for daemon connection")},
        {124, N_("remote shell failed")},
        {125, N_("remote shell killed")},
        {126, N_("remote command could not be run")},
        {127, N_("remote command not found")},
};

const char *rsync_exit_text(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == code)
			return _(codes[i].text);
	return _("an exit code that rsync does not document");
}

int rsync_exit_code_at(size_t i)
{
	return i < ARRAY_SIZE(codes) ? codes[i].code : -1;
}

/* The number of "... (28)" at the end of a line; 0 = none. */
static int errno_of(const char *line)
{
	size_t len = strlen(line), digits;
	int n = 0;

	if (len < 4 || line[len - 1] != ')')
		return 0;
	for (digits = len - 1; digits > 0; digits--)
		if (!isdigit((unsigned char)line[digits - 1]))
			break;
	if (digits < 2 || digits == len - 1 || len - digits > 5 ||
	        line[digits - 1] != '(' || line[digits - 2] != ' ')
		return 0;
	for (const char *p = line + digits; *p != ')'; p++)
		n = n * 10 + (*p - '0');
	return n;
}

/*
 * Whose error is it?  rsync 3.1.3 and later name the process; of the older
 * ones the names of their functions are known.
 */
static bool is_of_source(const char *line)
{
	static const char *const ours[] = {"[sender]", "send_files",
	        "read errors mapping", "link_stat", "rsync: opendir",
	        "rsync: readlink", "rsync: change_dir"};

	if (str_starts(line, "rsync: [receiver]") ||
	        str_starts(line, "rsync: [generator]") ||
	        str_starts(line, "rsync: [Receiver]"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		const char *quote = strchr(line, '"');
		const char *p = strstr(line, ours[i]);

		/* Not in a file's name. */
		if (p && (!quote || p < quote))
			return true;
	}
	return false;
}

static bool is_disk_failure(int number)
{
	switch (number) {
	case EIO:
	case ENXIO:
	case ENODEV:
	case ENODATA:
	case EUCLEAN:
	case EBADMSG:
	case EREMOTEIO:
	case ENOMEDIUM:
	case ESHUTDOWN:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static void count(struct rsync_errors *e, const char *line)
{
	int number = errno_of(line);

	e->lines++;
	if (str_starts(line, "file has vanished: ") ||
	        str_starts(line, "directory has vanished: ")) {
		e->vanished++;
		return;
	}
	if (number == 0 || !str_starts(line, "rsync: "))
		return;
	/* Only that another process of rsync is gone. */
	if (number == EPIPE || number == ECONNRESET)
		return;
	/* Its own files, such as that of the excludes. */
	if (str_starts(line, "rsync: [client] "))
		return;
	if (is_of_source(line)) {
		e->read_errors++;
		return;
	}
	e->write_errors++;
	if (number == ENOSPC || number == EDQUOT || number == EFBIG)
		e->no_space++;
	else if (number == EROFS)
		e->read_only++;
	else if (is_disk_failure(number))
		e->io_errors++;
}

/* A line that is too long loses its middle: the reason stands at its end. */
static void keep(struct rsync_errors *e, size_t len)
{
	char *dst = e->kept[e->kept_len++];

	if (len <= KEPT_MAX) {
		memcpy(dst, e->partial, len + 1);
		return;
	}
	memcpy(dst, e->partial, KEPT_HEAD);
	memcpy(dst + KEPT_HEAD, "...", 3);
	memcpy(dst + KEPT_HEAD + 3,
	        e->partial + (len - (KEPT_MAX - KEPT_HEAD - 3)),
	        KEPT_MAX - KEPT_HEAD - 3 + 1);
}

static void end_line(struct rsync_errors *e)
{
	size_t len = e->partial_len;

	e->partial_len = 0;
	while (len > 0 && e->partial[len - 1] == '\r')
		len--;
	e->partial[len] = '\0';
	if (len == 0)
		return;
	count(e, e->partial);
	if (e->kept_len < RSYNC_ERRORS_KEPT)
		keep(e, len);
}

void rsync_errors_init(struct rsync_errors *e)
{
	memset(e, 0, sizeof *e);
}

void rsync_errors_feed(struct rsync_errors *e, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n') {
			end_line(e);
			continue;
		}
		if (e->partial_len == sizeof e->partial - 1) {
			e->partial_len -= PARTIAL_DROP;
			memmove(e->partial + PARTIAL_HEAD,
			        e->partial + PARTIAL_HEAD + PARTIAL_DROP,
			        e->partial_len - PARTIAL_HEAD);
		}
		e->partial[e->partial_len++] = data[i] ? data[i] : '?';
	}
}

void rsync_errors_end(struct rsync_errors *e)
{
	end_line(e);
}

/* The first kept line with one of the errnos; with any when @a is 0. */
static const char *line_with(const struct rsync_errors *e, int a, int b)
{
	for (size_t i = 0; i < e->kept_len; i++) {
		int number = errno_of(e->kept[i]);

		if (number != 0 && (a == 0 || number == a || number == b))
			return e->kept[i];
	}
	return NULL;
}

/* Without rsync's own name and that of its process: people want the file. */
static const char *bare(const char *line)
{
	if (str_starts(line, "rsync: "))
		line += strlen("rsync: ");
	if (*line == '[') {
		const char *end = strchr(line, ']');

		if (end && end[1] == ' ')
			line = end + 2;
	}
	return line;
}

/* The line that says most about what went wrong; "" = none. */
static const char *first_reason(const struct rsync_errors *e)
{
	const char *line = line_with(e, 0, 0);

	for (size_t i = 0; !line && i < e->kept_len; i++)
		if (!str_starts(e->kept[i], "rsync error: ") &&
		        !str_starts(e->kept[i], "rsync warning: "))
			line = e->kept[i];
	return line ? bare(line) : "";
}

static enum rsync_verdict disk_failed(
        const struct rsync_errors *e, struct err *err)
{
	const char *line = line_with(e, EROFS, EIO);

	if (!line)
		line = line_with(e, 0, 0);
	if (e->read_only > 0 && e->io_errors == 0) {
		err_set(err, -EROFS, _("the disk cannot be written to: %s"),
		        line ? bare(line) : rsync_exit_text(11));
		err_action(err, "%s",
		        _("Look for a write protection switch. If there is "
		          "none, the file system has met an error and closed "
		          "itself: check it (fsck) on another machine, and "
		          "have another disk ready."));
	} else {
		err_set(err, -EIO, _("the disk failed: %s"),
		        line ? bare(line) : rsync_exit_text(11));
		err_action(err, "%s",
		        _("Try another cable and port. When it happens again, "
		          "take another disk: this one is dying."));
	}
	err_meaning(err, "%s", _(COPY_INCOMPLETE));
	return RSYNC_DISK;
}

static enum rsync_verdict no_space(
        const struct rsync_errors *e, struct err *err)
{
	const char *line = line_with(e, EFBIG, EFBIG);

	if (line && !line_with(e, ENOSPC, EDQUOT)) {
		err_set(err, -EFBIG,
		        _("a file is too large for the file system of the "
		          "disk: %s"),
		        bare(line));
		err_action(err, "%s",
		        _("FAT holds files up to 4 GB: format the disk with "
		          "ext4, XFS or exFAT."));
	} else {
		line = line_with(e, ENOSPC, EDQUOT);
		err_set(err, -ENOSPC, _("the disk is full: %s"),
		        line ? bare(line) : rsync_exit_text(11));
		err_action(err, "%s",
		        _("Delete what does not belong on the disk, or take a "
		          "larger one."));
	}
	err_meaning(err, "%s",
	        _("The copy on the disk is NOT complete. Files copied before "
	          "are whole."));
	return RSYNC_FULL;
}

static enum rsync_verdict partial(
        int code, const struct rsync_errors *e, struct err *err)
{
	const char *reason = first_reason(e);

	if (code == 25)
		err_set(err, -EIO, "%s",
		        _("rsync did not delete everything: its limit for "
		          "deletions was reached"));
	else
		err_set(err, -EIO, _("not everything was copied: %s"),
		        *reason ? reason : rsync_exit_text(code));
	err_meaning(err, "%s",
	        _("Some files on the disk are missing or old; the others are "
	          "good."));
	if (e->read_errors > 0 && e->write_errors == 0)
		err_action(err, "%s",
		        _("The source cannot be read there: look at its "
		          "permissions and its disk, then copy again. The "
		          "rsync log names every file."));
	else
		err_action(err, "%s",
		        _("The rsync log names every file. Remove the cause, "
		          "then copy again."));
	return RSYNC_PARTIAL;
}

static enum rsync_verdict vanished(
        const struct rsync_errors *e, struct err *err)
{
	const char *reason = first_reason(e);

	err_set(err, -ESTALE,
	        _("files of the source vanished while they were "
	          "copied: %s"),
	        *reason ? reason : rsync_exit_text(24));
	err_meaning(err, "%s",
	        _("Somebody, perhaps a Veeam job, changed the source during "
	          "the copy."));
	err_action(err, "%s",
	        _("See that no backup job runs during the copy, then copy "
	          "again."));
	return RSYNC_CHECK;
}

static enum rsync_verdict stopped(const char *how, struct err *err)
{
	err_set(err, -ECANCELED, _("rsync was stopped: %s"), how);
	err_meaning(err, "%s", _(COPY_INCOMPLETE));
	err_action(err, "%s",
	        _("Copy again; what is already on the disk is not copied "
	          "twice."));
	return RSYNC_STOPPED;
}

static enum rsync_verdict killed(int sig, struct err *err)
{
	const char *name = strsignal(sig);
	char how[200];

	(void)snprintf(
	        how, sizeof how, _("signal %d (%s)"), sig, name ? name : "?");
	if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP ||
	        sig == SIGQUIT || sig == SIGUSR1)
		return stopped(how, err);
	if (sig == SIGKILL) {
		enum rsync_verdict v = stopped(how, err);

		err_action(err, "%s",
		        _("Copy again. When nobody stopped it, look in the "
		          "journal whether memory ran out (journalctl -k)."));
		return v;
	}
	err_set(err, -EPROTO, _("rsync crashed: %s"), how);
	err_meaning(err, "%s", _(COPY_INCOMPLETE));
	err_action(err, "%s",
	        _("Copy again. When it happens again, update rsync and let "
	          "the memory of this machine be tested."));
	return RSYNC_BROKEN;
}

/* What to do about a code that tells of rsync itself. */
static const char *advice(int code)
{
	switch (code) {
	case 1:
	case 2:
	case 4:
		return _("Look at the rsync log; is an old or a foreign rsync "
		         "installed? apt install rsync");
	case 3:
		return _("Look at the source and at the directory on the disk: "
		         "one is missing, no directory, or a symbolic link.");
	case 22:
		return _("This machine has too little free memory. End other "
		         "programs and copy again.");
	case 10:
	case 12:
	case 14:
	case 15:
	case 16:
	case 19:
	case 21:
		return _("A part of rsync died. Copy again; when it happens "
		         "again, look in the journal (journalctl -k) for "
		         "lack of memory or a failing disk.");
	default:
		return _("Look at the rsync log, then copy again.");
	}
}

static enum rsync_verdict broken(
        int code, const struct rsync_errors *e, struct err *err)
{
	const char *reason = first_reason(e);

	if (*reason)
		err_set(err, code == 22 ? -ENOMEM : -EPROTO,
		        _("rsync failed with code %d (%s): %s"), code,
		        rsync_exit_text(code), reason);
	else
		err_set(err, code == 22 ? -ENOMEM : -EPROTO,
		        _("rsync failed with code %d (%s)"), code,
		        rsync_exit_text(code));
	err_meaning(err, "%s", _(COPY_INCOMPLETE));
	err_action(err, "%s", advice(code));
	return RSYNC_BROKEN;
}

static enum rsync_verdict judge_code(
        int code, const struct rsync_errors *e, struct err *err)
{
	switch (code) {
	case 0:
		if (e->write_errors + e->read_errors > 0)
			return partial(23, e, err);
		if (e->vanished > 0)
			return vanished(e, err);
		return RSYNC_OK;
	case 11:
		/* Without a word: rather the disk than not. */
		if (e->write_errors > 0 || e->lines == 0)
			return disk_failed(e, err);
		return broken(code, e, err);
	case 23:
	case 25:
		return partial(code, e, err);
	case 24:
		return vanished(e, err);
	default:
		return broken(code, e, err);
	}
}

enum rsync_verdict rsync_exit_judge(int exit_code, int signal,
        const struct rsync_errors *errors, struct err *err)
{
	if (exit_code < 0 || signal > 0)
		return killed(signal, err);
	if (exit_code == 20)
		return stopped(rsync_exit_text(20), err);
	/* The disk's own words weigh more than the code: a full disk may end
	 * as 10, 11, 12 or 23. A dying disk may also say that it is full. */
	if (errors->io_errors + errors->read_only > 0)
		return disk_failed(errors, err);
	if (errors->no_space > 0)
		return no_space(errors, err);
	return judge_code(exit_code, errors, err);
}
