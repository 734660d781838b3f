/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "i18n.h"
#include "paths.h"
#include "str.h"

#include "core/settings_table.h"

static const char *const rsync_words[] = {"safe", "classic", NULL};
static const char *const io_words[] = {"idle", "low", "normal", NULL};
static const char *const adoption_words[] = {"first-use", "manual", NULL};
static const char *const eject_words[] = {"none", "poweroff", NULL};
static const char *const crypt_words[] = {"none", "starttls", NULL};
static const char *const copy_words[] = {"wait", "yield", NULL};

#define KEY(section_, key_, type_, fallback_, help_) \
	.pub = {.section = (section_),               \
	        .key = (key_),                       \
	        .type = (type_),                     \
	        .fallback = (fallback_),             \
	        .help = (help_)}
#define INTO(member) .offset = offsetof(struct settings, member)

/* clang-format off */
static const struct settings_spec specs[] = {
	{ KEY("General", "language", "language", "",
	  N_("Language of mails and services, en or de; empty = as the "
	     "environment says.")),
	  .type = SETTINGS_LANGUAGE, INTO(language) },

	{ KEY("Paths", "state-directory", "directory", PATH_STATE,
	  N_("History, locks and keys.")),
	  .type = SETTINGS_PATH, INTO(state_directory), .derived = true },
	{ KEY("Paths", "runtime-directory", "directory", PATH_RUNTIME,
	  N_("Status of the running copy; may be lost at a reboot.")),
	  .type = SETTINGS_PATH, INTO(runtime_directory), .derived = true },
	{ KEY("Paths", "spool-directory", "directory", PATH_STATE "/spool",
	  N_("Mails that could not be sent yet; default: spool in "
	     "state-directory.")),
	  .type = SETTINGS_PATH, INTO(spool_directory), .derived = true },
	{ KEY("Paths", "log-directory", "directory", PATH_LOG,
	  N_("Logs whose own path is not given.")),
	  .type = SETTINGS_PATH, INTO(log_directory), .derived = true },

	{ KEY("Backup", "filesystem-ids-and-notification-mail-addresses",
	  "disks", "",
	  N_("UUID[,mail]*[,UUID[,mail]*]*: the disks, the preferred one "
	     "first, each with the addresses that hear of it.")),
	  .type = SETTINGS_DISKS },
	{ KEY("Backup", "backup-source", "directory", "",
	  N_("The directory to copy; with a trailing slash its contents, "
	     "without one the directory itself.")),
	  .type = SETTINGS_SOURCE, INTO(source) },
	{ KEY("Backup", "backup-destination", "directory", "",
	  N_("Where the disk is mounted; empty = a directory below "
	     "mount-directory.")),
	  .type = SETTINGS_PATH, INTO(destination) },
	{ KEY("Backup", "backup-lockfile-path", "file", ".asbackup.lock",
	  N_("The lock file of a copy, absolute or relative to the "
	     "destination.")),
	  .type = SETTINGS_LOCKFILE, INTO(lockfile) },
	{ KEY("Backup", "veeam-lockfile-path", "path", "",
	  N_("Where Veeam's lock files are; a path ending in .lock means its "
	     "directory.")),
	  .type = SETTINGS_PATH, INTO(veeam_lock_path) },
	{ KEY("Backup", "veeam-lockfile-dir", "directory", "",
	  N_("Another name of veeam-lockfile-path; both may be set.")),
	  .type = SETTINGS_PATH, INTO(veeam_lock_dir) },
	{ KEY("Backup", "log-file-path", "file", PATH_LOG "/asbackup.log",
	  N_("The general log; default: asbackup.log in log-directory.")),
	  .type = SETTINGS_FILE, INTO(log_file), .derived = true },
	{ KEY("Backup", "rsync-log-file-path", "file", PATH_LOG "/rsync.log",
	  N_("rsync's own log; default: rsync.log in log-directory.")),
	  .type = SETTINGS_FILE, INTO(rsync_log_file), .derived = true },
	{ KEY("Backup", "wait-for-veeam-minutes", "number", "480",
	  N_("How long a copy waits for running Veeam jobs.")),
	  .type = SETTINGS_NUMBER, INTO(wait_for_veeam_minutes),
	  .min = 0, .max = 525600 },
	{ KEY("Backup", "rsync-update-ratio-seconds", "number", "30",
	  N_("How often progress is read and written.")),
	  .type = SETTINGS_NUMBER, INTO(update_ratio_seconds),
	  .min = 1, .max = 3600 },
	{ KEY("Backup", "free-space-threshold-gb", "number", "0",
	  N_("Warn when less is free after a copy, in GB of 10^9 bytes; 0 = "
	     "no warning.")),
	  .type = SETTINGS_NUMBER, INTO(free_space_threshold_gb),
	  .min = 0, .max = 1000000 },
	{ KEY("Backup", "rsync-excludes", "file", "",
	  N_("File with rsync's patterns of what is not copied.")),
	  .type = SETTINGS_FILE, INTO(rsync_excludes) },
	{ KEY("Backup", "rsync-options", "word", "safe",
	  N_("safe compares times and deletes last; classic does as the old "
	     "script.")),
	  .type = SETTINGS_CHOICE, INTO(rsync_options),
	  .words = rsync_words },
	{ KEY("Backup", "mount-directory", "directory", PATH_RUNTIME "/mnt",
	  N_("Where disks are mounted without backup-destination; default: "
	     "mnt in runtime-directory.")),
	  .type = SETTINGS_PATH, INTO(mount_directory), .derived = true },
	{ KEY("Backup", "mount-visible", "yes/no", "no",
	  N_("Whether other programs see the mounted disk.")),
	  .type = SETTINGS_BOOL, INTO(mount_visible) },
	{ KEY("Backup", "source-must-be-mountpoint", "yes/no", "no",
	  N_("Refuse to copy when nothing is mounted on the source.")),
	  .type = SETTINGS_BOOL, INTO(source_must_be_mountpoint) },
	{ KEY("Backup", "min-source-files", "number", "1",
	  N_("Refuse to copy a source with fewer files.")),
	  .type = SETTINGS_NUMBER, INTO(min_source_files),
	  .min = 0, .max = 1000000000 },
	{ KEY("Backup", "max-delete-percent", "number", "50",
	  N_("Refuse a copy that would delete more of the disk's files; 100 = "
	     "no limit.")),
	  .type = SETTINGS_NUMBER, INTO(max_delete_percent),
	  .min = 0, .max = 100 },
	{ KEY("Backup", "bandwidth-limit", "rate", "0",
	  N_("Most KiB per second that a copy may move, or with a unit as in "
	     "50M; 0 = no limit.")),
	  .type = SETTINGS_RATE, INTO(bandwidth_limit_kib) },
	{ KEY("Backup", "io-priority", "word", "idle",
	  N_("How much a copy steps back behind other programs: idle, low, "
	     "normal.")),
	  .type = SETTINGS_CHOICE, INTO(io_priority), .words = io_words },
	{ KEY("Backup", "disk-idle-timeout-seconds", "number", "600",
	  N_("A copy ends when the disk has not answered for so long.")),
	  .type = SETTINGS_NUMBER, INTO(disk_idle_timeout_seconds),
	  .min = 1, .max = 86400 },
	{ KEY("Backup", "verify-share-percent", "number", "5",
	  N_("How much of the disk each run reads back and compares, oldest "
	     "first.")),
	  .type = SETTINGS_NUMBER, INTO(verify_share_percent),
	  .min = 0, .max = 100 },
	{ KEY("Backup", "disk-adoption", "word", "first-use",
	  N_("Whether a configured disk is accepted when it is seen for the "
	     "first time, or only by asbackup disks --adopt (manual).")),
	  .type = SETTINGS_CHOICE, INTO(disk_adoption),
	  .words = adoption_words },
	{ KEY("Backup", "eject", "word", "none",
	  N_("What happens to the disk after unmounting: none, poweroff.")),
	  .type = SETTINGS_CHOICE, INTO(eject), .words = eject_words },
	{ KEY("Backup", "pre-run", "program", "",
	  N_("Program with arguments to run before a copy; exit code 75 skips "
	     "the copy without an error.")),
	  .type = SETTINGS_PROGRAM, INTO(pre_run) },
	{ KEY("Backup", "post-run", "program", "",
	  N_("Program with arguments to run after a copy.")),
	  .type = SETTINGS_PROGRAM, INTO(post_run) },
	{ KEY("Backup", "overdue-days", "number", "10",
	  N_("A disk whose last good copy is older is called overdue.")),
	  .type = SETTINGS_NUMBER, INTO(overdue_days),
	  .min = 1, .max = 3650 },

	{ KEY(SETTINGS_DISK_SECTION, "uuid", "UUID", "",
	  N_("The UUID of the disk's file system, as blkid shows it.")),
	  .type = SETTINGS_DISKS },
	{ KEY(SETTINGS_DISK_SECTION, "mail", "addresses", "",
	  N_("Mail addresses that hear of this disk.")),
	  .type = SETTINGS_DISKS },
	{ KEY(SETTINGS_DISK_SECTION, "label", "text", "",
	  N_("What people call the disk; default: NAME.")),
	  .type = SETTINGS_DISKS },

	{ KEY("Mail", "to-mail-addresses-sysop", "addresses", "",
	  N_("Mail addresses that hear of every run.")),
	  .type = SETTINGS_ADDRESSES, INTO(mail_sysop) },
	{ KEY("Mail", "from-mail-address", "address", "",
	  N_("Sender of the mails; empty = asbackup at this host's name.")),
	  .type = SETTINGS_ADDRESS, INTO(mail_from), .derived = true },
	{ KEY("Mail", "cc", "addresses", "",
	  N_("Mail addresses that get a copy of every mail.")),
	  .type = SETTINGS_ADDRESSES, INTO(mail_cc) },
	{ KEY("Mail", "server", "host", "",
	  N_("The SMTP server; empty = reports stay in spool-directory.")),
	  .type = SETTINGS_HOST, INTO(mail_server) },
	{ KEY("Mail", "port", "number", "",
	  N_("Port of the SMTP server; empty = 587 with starttls, 25 without; "
	     "465 is not supported.")),
	  .type = SETTINGS_NUMBER, INTO(mail_port), .min = 1, .max = 65535,
	  .derived = true },
	{ KEY("Mail", "username", "text", "",
	  N_("User name at the SMTP server; empty = no login.")),
	  .type = SETTINGS_TEXT, INTO(mail_username) },
	{ KEY("Mail", "password", "password", "",
	  N_("Password at the SMTP server; the file must have mode 600 "
	     "then.")),
	  .type = SETTINGS_SECRET },
	{ KEY("Mail", "password-file", "file", "",
	  N_("File with the password, in place of password.")),
	  .type = SETTINGS_SECRET },
	{ KEY("Mail", "encryption", "word", "",
	  N_("starttls or none; empty = starttls when username is set.")),
	  .type = SETTINGS_ENCRYPTION, INTO(mail_encryption),
	  .words = crypt_words, .derived = true },
	{ KEY("Mail", "ca-file", "file", "",
	  N_("Certificates that the SMTP server's is checked with; empty = "
	     "those of the system.")),
	  .type = SETTINGS_FILE, INTO(mail_ca_file) },
	{ KEY("Mail", "attach-max-kb", "number", "10240",
	  N_("Most KiB of logs that are attached to a mail.")),
	  .type = SETTINGS_NUMBER, INTO(mail_attach_max_kb),
	  .min = 0, .max = 102400 },
	{ KEY("Mail", "timeout-seconds", "number", "120",
	  N_("Time limit for sending one mail.")),
	  .type = SETTINGS_NUMBER, INTO(mail_timeout_seconds),
	  .min = 1, .max = 3600 },

	{ KEY("Webserver", "webhost", "host", "127.0.0.1",
	  N_("Address that the status page listens on.")),
	  .type = SETTINGS_HOST, INTO(web_host) },
	{ KEY("Webserver", "webport", "number", "8080",
	  N_("Port that the status page listens on.")),
	  .type = SETTINGS_NUMBER, INTO(web_port), .min = 1, .max = 65535 },
	{ KEY("Webserver", "allow-start", "yes/no", "no",
	  N_("Whether a copy can be started from the status page.")),
	  .type = SETTINGS_BOOL, INTO(web_allow_start) },
	{ KEY("Webserver", "token-file", "file", "",
	  N_("File with the token that starting a copy from the page needs.")),
	  .type = SETTINGS_FILE, INTO(web_token_file) },

	{ KEY("VEEAM", "veeam-lockfiles", "directory", "",
	  N_("Where veeam-lock and veeam-unlock keep their files.")),
	  .type = SETTINGS_PATH, INTO(veeam_lockfiles) },
	{ KEY("VEEAM", "wait-for-backup-minutes", "number", "480",
	  N_("How long a Veeam job waits for a running copy.")),
	  .type = SETTINGS_NUMBER, INTO(wait_for_backup_minutes),
	  .min = 0, .max = 525600 },
	{ KEY("VEEAM", "lease-hours", "number", "24",
	  N_("A Veeam job's lock that was not released ends by itself after "
	     "so long.")),
	  .type = SETTINGS_NUMBER, INTO(lease_hours), .min = 1, .max = 8760 },
	{ KEY("VEEAM", "when-copy-runs", "word", "wait",
	  N_("Whether a Veeam job waits for a running copy, or the copy "
	     "yields: wait, yield.")),
	  .type = SETTINGS_WORD, INTO(when_copy_runs), .words = copy_words },
	{ KEY("VEEAM", "script-limit-minutes", "number", "8",
	  N_("veeam-lock answers before Veeam's own time limit for scripts "
	     "is over.")),
	  .type = SETTINGS_NUMBER, INTO(script_limit_minutes),
	  .min = 1, .max = 1440 },
	{ KEY("VEEAM", "wait-mail-minutes", "number", "180",
	  N_("A copy or a Veeam job that has waited so long for the other is "
	     "mailed.")),
	  .type = SETTINGS_NUMBER, INTO(wait_mail_minutes),
	  .min = 0, .max = 525600 },

	{ KEY("Debug", "debug", "yes/no", "no",
	  N_("Write the environment into the log, secrets masked.")),
	  .type = SETTINGS_BOOL, INTO(debug) },
};
/* clang-format on */

const struct settings_spec *settings_table_at(size_t i)
{
	return i < ARRAY_SIZE(specs) ? &specs[i] : NULL;
}

const struct settings_key *settings_key_at(size_t i)
{
	return i < ARRAY_SIZE(specs) ? &specs[i].pub : NULL;
}

bool settings_table_is_disk(const char *section)
{
	char head[5];

	/* "disk" alone is one as well, so that its missing name is told */
	(void)str_copy(head, sizeof(head), section);
	return str_eq_nocase(head, "disk") &&
	       (section[4] == '\0' || section[4] == ' ' || section[4] == '\t');
}

/* The section as it is called in the table. */
static const char *table_section(const char *section)
{
	return settings_table_is_disk(section) ? SETTINGS_DISK_SECTION
	                                       : section;
}

const struct settings_spec *settings_table_find(
        const char *section, const char *key)
{
	section = table_section(section);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		if (str_eq_nocase(specs[i].pub.key, key) &&
		        str_eq_nocase(specs[i].pub.section, section))
			return &specs[i];
	return NULL;
}

bool settings_table_has_section(const char *section)
{
	section = table_section(section);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		if (str_eq_nocase(specs[i].pub.section, section))
			return true;
	return false;
}

/* --- did you mean ----------------------------------------------------------*/

/* As many wrong letters as may be in a word that is still recognised. */
#define NEAR 4

/* Distance without case, '_' taken as '-'. */
static int distance(const char *known, const char *given)
{
	char a[128], b[128];

	(void)str_copy(a, sizeof(a), known);
	(void)str_copy(b, sizeof(b), given);
	str_lower(a);
	str_lower(b);
	for (char *p = b; *p; p++)
		if (*p == '_')
			*p = '-';
	return str_distance(a, b, NEAR);
}

/* More than half of a short word may not be wrong. */
static bool is_near(const char *known, const char *given, int *best)
{
	int d = distance(known, given);

	if (d >= *best || 2 * (size_t)d > strlen(known))
		return false;
	*best = d;
	return true;
}

const char *settings_table_near_key(const char *section, const char *key)
{
	const char *found = NULL;
	int best = NEAR;

	section = table_section(section);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		if (str_eq_nocase(specs[i].pub.section, section) &&
		        is_near(specs[i].pub.key, key, &best))
			found = specs[i].pub.key;
	return found;
}

const char *settings_table_near_section(const char *section)
{
	const char *found = NULL;
	int best = NEAR;

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		if (is_near(specs[i].pub.section, section, &best))
			found = specs[i].pub.section;
	return found;
}

const char *settings_table_section_of(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		if (str_eq_nocase(specs[i].pub.key, key))
			return specs[i].pub.section;
	return NULL;
}
