/* SPDX-License-Identifier: MIT */
/*
 * settings: the whole configuration as one plain struct.
 *
 * One table (settings_table.c) knows section, key, type, default, limits, help
 * and target of every key; loading, "--print-config", the sample file's test
 * and the manual page's test all go through it.  An unknown key is an error
 * with file, line, section, key and the nearest known key.
 *
 * Keys of the old Python script keep their names and meaning; where two names
 * for the same thing exist in the field, both are in the table.
 */
#ifndef CORE_SETTINGS_H
#define CORE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"
#include "str.h"

enum settings_rsync_mode { SETTINGS_RSYNC_SAFE, SETTINGS_RSYNC_CLASSIC };
enum settings_adoption { SETTINGS_ADOPT_FIRST_USE, SETTINGS_ADOPT_MANUAL };
enum settings_eject { SETTINGS_EJECT_NONE, SETTINGS_EJECT_POWEROFF };
enum settings_io { SETTINGS_IO_IDLE, SETTINGS_IO_LOW, SETTINGS_IO_NORMAL };
enum settings_crypt { SETTINGS_CRYPT_NONE, SETTINGS_CRYPT_STARTTLS };

/* A disk that may be copied to. */
struct settings_disk {
	char *uuid;       /* as written; compare without case */
	char *name;       /* of its [disk NAME] section; NULL = old key */
	char *label;      /* what people call it; NULL = none */
	struct strv mail; /* hear of this disk */
	unsigned line;    /* where it stands in the file */
};

struct settings {
	char *path; /* the file it was read from */

	/* [General] */
	char *language; /* "" = of the environment */

	/* [Paths]; $STATE_DIRECTORY, $RUNTIME_DIRECTORY, $LOGS_DIRECTORY of
	 * systemd come before the built-in defaults, the file before both */
	char *state_directory;
	char *runtime_directory;
	char *spool_directory; /* default: state_directory/spool */
	char *log_directory;

	/* [Backup] */
	struct settings_disk *disks; /* in order of preference */
	size_t disks_len;
	char *source;          /* trailing slash kept: it has a meaning */
	char *destination;     /* mount point; "" = below mount_directory */
	char *lockfile;        /* absolute or relative to the destination */
	char *veeam_lock_path; /* of veeam-lockfile-path; "" */
	char *veeam_lock_dir;  /* of veeam-lockfile-dir; "" */
	char *log_file;        /* default: log_directory/asbackup.log */
	char *rsync_log_file;  /* default: log_directory/rsync.log */
	int64_t wait_for_veeam_minutes;
	int64_t update_ratio_seconds;
	int64_t free_space_threshold_gb; /* GB of 10^9; 0 = no warning */
	char *rsync_excludes;            /* file of patterns; "" = none */
	enum settings_rsync_mode rsync_options;
	char *mount_directory; /* default: runtime_directory/mnt */
	bool mount_visible;
	bool source_must_be_mountpoint;
	int64_t min_source_files;
	int64_t max_delete_percent;  /* 100 = no limit */
	int64_t bandwidth_limit_kib; /* KiB/s; 0 = none */
	enum settings_io io_priority;
	int64_t disk_idle_timeout_seconds;
	int64_t verify_share_percent;
	enum settings_adoption disk_adoption;
	enum settings_eject eject;
	char *pre_run; /* program and arguments, split at blanks; "" */
	char *post_run;
	int64_t overdue_days; /* a disk's copy older than this is overdue */

	/* [Mail] */
	struct strv mail_sysop;
	struct strv mail_cc;
	char *mail_from;   /* default: asbackup@<this host> */
	char *mail_server; /* "" = reports stay in the spool */
	int64_t mail_port; /* default: 587 with starttls, else 25 */
	char *mail_username;
	char *mail_password; /* from password, password-file or the systemd
	                      * credential "mail-password"; "" = none */
	enum settings_crypt mail_encryption;
	char *mail_ca_file;
	int64_t mail_attach_max_kb;
	int64_t mail_timeout_seconds;

	/* [Webserver] */
	char *web_host;
	int64_t web_port;
	bool web_allow_start;
	char *web_token_file;

	/* [VEEAM] */
	char *veeam_lockfiles; /* directory of veeam-lock's files; "" */
	int64_t wait_for_backup_minutes;
	int64_t lease_hours;
	char *when_copy_runs; /* "wait" or "yield" */
	int64_t script_limit_minutes;
	int64_t wait_mail_minutes;

	/* [Debug] */
	bool debug;
};

/*
 * Reads and checks @path (NULL = the installed default).  What later steps
 * need (programs, source, log directories) is not looked at here: see
 * precheck.h.  Registers the mail password with log_add_secret().
 * Returns 0 and *ret (settings_free()), or negative errno with @err.
 */
int settings_load(
        const char *path, struct settings **ret, struct err *err) _must_check_;
/*
 * Reads as little as "is this UUID configured?" needs: no secrets, no mail, and
 * only the defaults of everything but the disks. For asbackup match, which must
 * say yes even when the file has mistakes: the run that starts then tells them.
 * So mistakes elsewhere are not looked for, and a disk that is written wrong is
 * an error only when no other is left.
 */
int settings_load_disks(
        const char *path, struct settings **ret, struct err *err) _must_check_;
void settings_free(struct settings *s);
void settings_freep(struct settings **s);

/* Only the defaults: what an empty file would give. NULL = out of memory. */
struct settings *settings_new(void);

/* The configured disk with @uuid (compared without case) or NULL. */
const struct settings_disk *settings_find_disk(
        const struct settings *s, const char *uuid);
/* "label", else "name", else the UUID. */
const char *settings_disk_title(const struct settings_disk *disk);

/* The directories in which Veeam's lock files are looked for, without
 * duplicates; may be empty. 0 or -ENOMEM. */
int settings_veeam_lock_dirs(const struct settings *s, struct strv *ret);

/* The directory in which copies and veeam-lock keep apart (core/lockdir.h):
 * veeam-lockfiles, else STATE/lock; caller frees. NULL = out of memory. */
char *settings_lock_dir(const struct settings *s);

/* A well-formed UUID of a file system this suite handles: 8-4-4-4-12 hex,
 * XXXX-XXXX, 16 hex. */
bool settings_is_uuid(const char *s);

/* Every key with its value, as an INI text, secrets as "****"; caller frees. */
char *settings_print(const struct settings *s);

/* The table for tests and documentation: i-th key or NULL. */
struct settings_key {
	const char *section;
	const char *key;
	const char *type;     /* "text", "number", "yes/no", "file", ... */
	const char *fallback; /* default as one would write it */
	const char *help;     /* one English sentence */
};
const struct settings_key *settings_key_at(size_t i);

#endif
