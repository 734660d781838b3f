/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "core/settings.h"
#include "log.h"
#include "str.h"
#include "util.h"

#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "ABCD-1234"
#define UUID_C "0123456789ABCDEF"
#define OLD_KEY "filesystem-ids-and-notification-mail-addresses = "
#define SOURCE "[Backup]\nbackup-source = /srv/veeam/\n"

static char dir[256];
static char path[300];
static char secret_path[300];

static int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(
	        dir, sizeof(dir), "%s/settings.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/config.ini", dir);
	(void)snprintf(
	        secret_path, sizeof(secret_path), "%s/mail-password", dir);
	unsetenv("STATE_DIRECTORY");
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("LOGS_DIRECTORY");
	unsetenv("CREDENTIALS_DIRECTORY");
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(secret_path);
	return rmdir(dir);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	size_t len = strlen(text);
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static struct settings *load(const char *text)
{
	struct settings *s = NULL;
	struct err err = ERR_INIT;

	write_file(path, text, 0600);
	if (settings_load(path, &s, &err) != 0)
		fail_msg("%s | %s", err.message, err.action);
	return s;
}

static struct settings *load_disks(const char *text)
{
	struct settings *s = NULL;
	struct err err = ERR_INIT;

	write_file(path, text, 0644);
	if (settings_load_disks(path, &s, &err) != 0)
		fail_msg("%s", err.message);
	return s;
}

/* settings_load() fails with all of @parts in message or action. */
#define refused(text, ...) \
	refused_parts(text, (const char *const[]){__VA_ARGS__, NULL})

static void refused_parts(const char *text, const char *const *parts)
{
	struct settings *s = (struct settings *)-1;
	struct err err = ERR_INIT;
	int r;

	write_file(path, text, 0600);
	r = settings_load(path, &s, &err);
	assert_true(r < 0);
	assert_int_equal(r, err.code);
	assert_ptr_equal(s, (struct settings *)-1);
	assert_true(err.meaning[0] && err.action[0]);
	if (!str_starts(err.message, path))
		fail_msg("no file: %s", err.message);
	for (; *parts; parts++)
		if (!strstr(err.message, *parts) && !strstr(err.action, *parts))
			fail_msg("no \"%s\" in: %s | %s", *parts, err.message,
			        err.action);
}

/* One line in [@section] after a right start is refused with @part. */
static void refused_line(
        const char *section, const char *line, const char *part)
{
	_cleanup_free_ char *text =
	        str_printf(SOURCE "[%s]\n%s\n", section, line);
	_cleanup_free_ char *place = str_printf(":4: [%s] ", section);

	refused(text, place, part);
}

static void test_defaults(void **state)
{
	_cleanup_(settings_freep) struct settings *s = settings_new();

	(void)state;
	assert_non_null(s);
	assert_string_equal(s->language, "");
	assert_string_equal(s->state_directory, "/var/lib/asbackup");
	assert_string_equal(s->runtime_directory, "/run/asbackup");
	assert_string_equal(s->spool_directory, "/var/lib/asbackup/spool");
	assert_string_equal(s->log_directory, "/var/log/asbackup");
	assert_string_equal(s->log_file, "/var/log/asbackup/asbackup.log");
	assert_string_equal(s->rsync_log_file, "/var/log/asbackup/rsync.log");
	assert_string_equal(s->mount_directory, "/run/asbackup/mnt");
	assert_string_equal(s->lockfile, ".asbackup.lock");
	assert_int_equal(s->disks_len, 0);
	assert_int_equal(s->wait_for_veeam_minutes, 480);
	assert_int_equal(s->update_ratio_seconds, 30);
	assert_int_equal(s->rsync_options, SETTINGS_RSYNC_SAFE);
	assert_int_equal(s->max_delete_percent, 50);
	assert_int_equal(s->io_priority, SETTINGS_IO_IDLE);
	assert_int_equal(s->disk_idle_timeout_seconds, 600);
	assert_int_equal(s->verify_share_percent, 5);
	assert_int_equal(s->disk_adoption, SETTINGS_ADOPT_FIRST_USE);
	assert_int_equal(s->eject, SETTINGS_EJECT_NONE);
	assert_int_equal(s->overdue_days, 10);
	assert_int_equal(s->mail_encryption, SETTINGS_CRYPT_NONE);
	assert_int_equal(s->mail_port, 25);
	assert_true(str_starts(s->mail_from, "asbackup@"));
	assert_string_equal(s->mail_password, "");
	assert_int_equal(s->mail_attach_max_kb, 10240);
	assert_int_equal(s->mail_timeout_seconds, 120);
	assert_string_equal(s->web_host, "127.0.0.1");
	assert_int_equal(s->web_port, 8080);
	assert_false(s->web_allow_start);
	assert_string_equal(s->when_copy_runs, "wait");
	assert_int_equal(s->wait_for_backup_minutes, 480);
	assert_int_equal(s->lease_hours, 24);
	assert_int_equal(s->script_limit_minutes, 8);
	assert_int_equal(s->wait_mail_minutes, 180);
	assert_false(s->debug);
}

/* A file as it stood beside the Python script. */
static void test_old_file(void **state)
{
	_cleanup_(settings_freep) struct settings *s =
	        load("[BACKUP]\n" OLD_KEY UUID_A ",a@example.com,b@example.com,"
	             "" UUID_B ",c@example.com," UUID_C "\n"
	             "backup-source = /srv/veeam\n"
	             "backup-destination = /mnt/backup/\n"
	             "backup-lockfile-path = /mnt/backup/backup.lock\n"
	             "veeam-lockfile-path = /var/lock/veeam/veeam.lock\n"
	             "log-file-path = /var/log/backup.log\n"
	             "rsync-log-file-path = /var/log/rsync.log\n"
	             "wait-for-veeam-minutes = 60\n"
	             "rsync-update-ratio-seconds = 10\n"
	             "free-space-threshold-gb = 100\n"
	             "\n"
	             "[MAIL]\n"
	             "to-mail-addresses-sysop = x@example.com, y@example.com\n"
	             "from-mail-address = Backup Server <z@example.com>\n"
	             "cc =\n"
	             "server = mail.example.com\n"
	             "port = 25\n"
	             "username = backup\n"
	             "password = ge#heim;%\n"
	             "[WEBSERVER]\n"
	             "webhost = 0.0.0.0\n"
	             "webport = 80\n"
	             "[VEEAM]\n"
	             "veeam-lockfiles = /var/lock/veeam/\n"
	             "wait-for-backup-minutes = 100\n"
	             "[DEBUG]\n"
	             "debug = True\n");
	_cleanup_strv_ struct strv dirs = STRV_INIT;

	(void)state;
	assert_int_equal(s->disks_len, 3);
	assert_string_equal(s->disks[0].uuid, UUID_A);
	assert_null(s->disks[0].name);
	assert_int_equal(s->disks[0].mail.len, 2);
	assert_string_equal(s->disks[0].mail.items[1], "b@example.com");
	assert_int_equal(s->disks[0].line, 2);
	assert_string_equal(s->disks[1].uuid, UUID_B);
	assert_int_equal(s->disks[1].mail.len, 1);
	assert_int_equal(s->disks[2].mail.len, 0);
	assert_string_equal(s->source, "/srv/veeam");
	assert_string_equal(s->destination, "/mnt/backup");
	assert_string_equal(s->lockfile, "/mnt/backup/backup.lock");
	assert_string_equal(s->log_file, "/var/log/backup.log");
	assert_int_equal(s->free_space_threshold_gb, 100);
	assert_int_equal(s->mail_sysop.len, 2);
	assert_int_equal(s->mail_cc.len, 0);
	assert_string_equal(s->mail_from, "z@example.com");
	assert_int_equal(s->mail_port, 25);
	assert_string_equal(s->mail_password, "ge#heim;%");
	/* the password never goes without TLS */
	assert_int_equal(s->mail_encryption, SETTINGS_CRYPT_STARTTLS);
	assert_string_equal(s->web_host, "0.0.0.0");
	assert_true(s->debug);

	assert_int_equal(settings_veeam_lock_dirs(s, &dirs), 0);
	assert_int_equal(dirs.len, 1);
	assert_string_equal(dirs.items[0], "/var/lock/veeam");
}

/* --- disks -----------------------------------------------------------------*/

static void test_is_uuid(void **state)
{
	static const char *const bad[] = {"", "abcd", "ABCD-123", "ABCD-12345",
	        "ABCD_1234", "0123456789ABCDE", "0123456789ABCDEFG",
	        (UUID_A "0"), "11111111-2222-3333-4444-55555555555g",
	        "11111111222233334444555555555555", (" " UUID_B)};

	(void)state;
	assert_true(settings_is_uuid(UUID_A));
	assert_true(settings_is_uuid(UUID_B));
	assert_true(settings_is_uuid(UUID_C));
	assert_true(settings_is_uuid("abcd-1234"));
	assert_false(settings_is_uuid(NULL));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(settings_is_uuid(bad[i]));
}

static void test_old_list(void **state)
{
	_cleanup_(settings_freep) struct settings *s =
	        load(SOURCE OLD_KEY "\n"
	                            "   " UUID_A ",\n"
	                            "      a@example.com, a@example.com\n"
	                            "   # another\n"
	                            "   " UUID_B " , b@example.com,\n");

	(void)state;
	assert_int_equal(s->disks_len, 2);
	assert_int_equal(s->disks[0].mail.len, 1);
	assert_string_equal(s->disks[1].mail.items[0], "b@example.com");
}

static void test_old_list_errors(void **state)
{
	(void)state;
	refused(SOURCE OLD_KEY "a@example.com," UUID_A "\n", ":3: [Backup] ",
	        "a@example.com", "before the first UUID");
	refused(SOURCE OLD_KEY UUID_A ",abc-def," UUID_B "\n", "\"abc-def\"",
	        "length");
	refused(SOURCE OLD_KEY UUID_A ",hello\n", "\"hello\"",
	        "neither a UUID nor a mail address", "lsblk");
	refused(SOURCE OLD_KEY "UUID=" UUID_A "\n", "behind UUID=");
	refused(SOURCE OLD_KEY "abcd-1234," UUID_B "\n", UUID_B, "twice");
	refused(SOURCE OLD_KEY UUID_A ",a@b@c\n", "\"a@b@c\"",
	        "not a mail address");
	refused(SOURCE OLD_KEY UUID_A ",a @example.com\n",
	        "not a mail address");
}

static void test_long_list(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_(settings_freep) struct settings *s = NULL;

	(void)state;
	buf_adds(&text, SOURCE OLD_KEY);
	for (unsigned i = 0; i < 1500; i++)
		buf_printf(&text,
		        "11111111-2222-3333-4444-%012u,user%u@mail.example.com"
		        ",",
		        i, i);
	assert_true(text.len > 90000);
	buf_addc(&text, '\n');
	s = load(text.data);
	assert_int_equal(s->disks_len, 1500);
	assert_string_equal(
	        s->disks[1499].mail.items[0], "user1499@mail.example.com");
	assert_ptr_equal(
	        settings_find_disk(s, "11111111-2222-3333-4444-000000000777"),
	        &s->disks[777]);
}

static void test_disk_sections(void **state)
{
	_cleanup_(settings_freep) struct settings *s =
	        load("[disk  Red one]\n"
	             "mail = r@example.com\n"
	             "uuid = abcd-1234\n"
	             "label = \"The red; one\"\n" SOURCE OLD_KEY UUID_A
	             ",a@example.com," UUID_B ",b@example.com,r@example.com\n"
	             "[Disk Blue]\nUUID = " UUID_C "\n"
	             "[disk Old]\nuuid=" UUID_A "\nmail=o@example.com\n");

	(void)state;
	assert_int_equal(s->disks_len, 3);
	assert_string_equal(s->disks[0].uuid, "abcd-1234");
	assert_string_equal(s->disks[0].name, "Red one");
	assert_string_equal(s->disks[0].label, "The red; one");
	assert_int_equal(s->disks[0].mail.len, 2);
	assert_int_equal(s->disks[0].line, 3);
	assert_string_equal(s->disks[1].uuid, UUID_A);
	assert_string_equal(s->disks[1].name, "Old");
	assert_int_equal(s->disks[1].mail.len, 2);
	assert_null(s->disks[1].label);
	assert_string_equal(s->disks[2].name, "Blue");

	assert_ptr_equal(settings_find_disk(s, "AbCd-1234"), &s->disks[0]);
	assert_null(settings_find_disk(s, "AbCd-1235"));
	assert_string_equal(settings_disk_title(&s->disks[0]), "The red; one");
	assert_string_equal(settings_disk_title(&s->disks[1]), "Old");
	s->disks[1].name[0] = '\0';
	assert_string_equal(settings_disk_title(&s->disks[1]), UUID_A);
}

static void test_disk_section_errors(void **state)
{
	(void)state;
	refused_line("disk A", "uuid = 12", "\"12\" is not a UUID");
	refused_line("disk A", "mail = a@example.com", "has no uuid");
	refused_line("disk A", "uuid =", "has no uuid");
	refused_line("disk", "uuid = " UUID_A, "has no name");
	refused_line("disk A", "uuids = " UUID_A, "did you mean \"uuid\"?");
	refused(SOURCE "[disk A]\nuuid = " UUID_B "\nmail = a, b@c.de\n",
	        ":5: [disk A] mail: \"a\" is not a mail address");
	refused(SOURCE "[disk A]\nuuid = " UUID_B "\nlabel = a\n b\n",
	        ":5: [disk A] label: the next line is indented");
	refused(SOURCE "[disk A]\nuuid = " UUID_B "\n[disk B]\nuuid = "
	               "abcd-1234\n",
	        ":6: [disk B] uuid: the UUID abcd-1234 stands in [disk A] "
	        "already");
}

static void test_no_disk(void **state)
{
	_cleanup_(settings_freep) struct settings *s = load(SOURCE);

	(void)state;
	assert_int_equal(s->disks_len, 0);
	assert_null(settings_find_disk(s, UUID_A));
}

/* --- asbackup match --------------------------------------------------------*/

static void test_load_disks(void **state)
{
	_cleanup_(settings_freep) struct settings *s = load_disks(
	        "nonsense\n[Mail]\npassword = x\nport = 99999\nwhat = 1\n"
	        "[Backup]\nmin-source-files = many\n" OLD_KEY
	        "hello,h@example.com," UUID_A ",a@example.com\n"
	        "[disk B]\nuuid = " UUID_B "\n");

	(void)state;
	assert_int_equal(s->disks_len, 2);
	assert_string_equal(s->disks[0].uuid, UUID_A);
	assert_int_equal(s->disks[0].mail.len, 1);
	assert_string_equal(s->disks[1].uuid, UUID_B);
	assert_string_equal(s->source, "");
	assert_string_equal(s->mail_password, "");
	assert_string_equal(s->spool_directory, "/var/lib/asbackup/spool");
}

static void test_load_disks_errors(void **state)
{
	struct settings *s;
	struct err err = ERR_INIT;

	(void)state;
	write_file(path, "[Backup]\n" OLD_KEY "hello\n", 0600);
	assert_int_equal(settings_load_disks(path, &s, &err), -EINVAL);
	assert_non_null(strstr(err.message, ":2: [Backup]"));
	assert_non_null(strstr(err.message, "hello"));

	assert_int_equal(unlink(path), 0);
	assert_int_equal(settings_load_disks(path, &s, &err), -ENOENT);
	assert_int_equal(settings_load(path, &s, &err), -ENOENT);
	assert_true(err.meaning[0] && err.action[0]);
	assert_int_equal(settings_load(path, &s, NULL), -ENOENT);

	write_file(path, "", 0600);
	assert_int_equal(settings_load_disks(path, &s, &err), 0);
	assert_int_equal(s->disks_len, 0);
	settings_free(s);
}

/* --- values ----------------------------------------------------------------*/

static void test_unknown(void **state)
{
	(void)state;
	refused_line("Mail", "sever = a", "did you mean \"server\"?");
	refused_line("Mail", "time-out-second = 1",
	        "did you mean \"timeout-seconds\"?");
	refused_line("backup", "free_space_threshold_gb = 1",
	        "did you mean \"free-space-threshold-gb\"?");
	refused_line("Mail", "webport = 1", "belongs to section [Webserver]");
	refused_line("Mail", "abcdefgh = 1", "the key is not known");
	refused_line("Mial", "server = a", "did you mean [Mail]?");
	refused_line("Something", "server = a", "[Something] is not known");
	refused_line("DEFAULT", "server = a", "[DEFAULT] is not known");
}

static void test_numbers(void **state)
{
	(void)state;
	refused_line("Backup", "overdue-days = 0", "from 1 to 3650");
	refused_line("Backup", "rsync-update-ratio-seconds = 3601",
	        "3601 is out of range");
	refused_line("Backup", "max-delete-percent = 50%",
	        "\"50%\" is not a whole number");
	refused_line("Backup", "max-delete-percent = -1", "out of range");
	refused_line("Backup", "min-source-files = 0x10", "not a whole");
	refused_line("Webserver", "webport = 99999999999999999999",
	        "from 1 to 65535");
	refused_line("Webserver", "webport = 80\n 81", "indented");
	refused_line("Webserver", "allow-start = perhaps",
	        "\"perhaps\" is neither yes nor no");
}

static void test_words(void **state)
{
	_cleanup_(settings_freep) struct settings *s =
	        load(SOURCE "rsync-options = CLASSIC\n"
	                    "io-priority = normal\n"
	                    "disk-adoption = manual\n"
	                    "eject = poweroff\n"
	                    "[VEEAM]\nwhen-copy-runs = Yield\n");

	(void)state;
	assert_int_equal(s->rsync_options, SETTINGS_RSYNC_CLASSIC);
	assert_int_equal(s->io_priority, SETTINGS_IO_NORMAL);
	assert_int_equal(s->disk_adoption, SETTINGS_ADOPT_MANUAL);
	assert_int_equal(s->eject, SETTINGS_EJECT_POWEROFF);
	assert_string_equal(s->when_copy_runs, "yield");
	refused_line("Backup", "eject = yes", "none, poweroff");
	refused_line("VEEAM", "when-copy-runs = no", "wait, yield");
}

static void test_rates(void **state)
{
	static const struct {
		const char *text;
		int64_t kib;
	} good[] = {
	        {"0", 0},
	        {"512", 512},
	        {"50M", 50 * 1024},
	        {"1G", 1024 * 1024},
	        {"1 MB/s", 977},
	        {"300 KiB/s", 300},
	        {"1kB", 1},
	        {"5KiB", 5},
	};
	static const char *const bad[] = {"-1", "M", "1.5M", "10X", "1 2",
	        "99999999T", "100000000000", "1M/h",
	        ("12345678901234567890123"
	         "456789M")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_free_ char *text = str_printf(
		        SOURCE "bandwidth-limit = %s\n", good[i].text);
		_cleanup_(settings_freep) struct settings *s = load(text);

		assert_int_equal(s->bandwidth_limit_kib, good[i].kib);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *line =
		        str_printf("bandwidth-limit = %s", bad[i]);

		refused_line("Backup", line, "is not a rate");
	}
}

static void test_paths(void **state)
{
	_cleanup_(settings_freep) struct settings *s =
	        load("[Backup]\nbackup-source = /srv//veeam//\n"
	             "backup-destination = /mnt//x/\n"
	             "backup-lockfile-path = .locks/a\n"
	             "pre-run = /usr/bin/true  a  b\n");

	(void)state;
	assert_string_equal(s->source, "/srv/veeam/");
	assert_string_equal(s->destination, "/mnt/x");
	assert_string_equal(s->lockfile, ".locks/a");
	assert_string_equal(s->pre_run, "/usr/bin/true  a  b");

	refused("[Backup]\nbackup-source = srv\n", ":2: [Backup]",
	        "\"srv\" is not an absolute path");
	refused_line("Backup", "backup-destination = /mnt/../x", "plain path");
	refused_line("Backup", "log-file-path = /var/log/", "a directory");
	refused_line("Backup", "rsync-excludes = ~/x", "absolute path");
	refused_line("Backup", "pre-run = true", "absolute path of a program");
	refused_line("Backup", "pre-run = /bin/ x", "path of a program");
	refused_line("Backup", "backup-lockfile-path = ../x", "below the");
	refused_line("Backup", "backup-lockfile-path = a/../../x", "below");
	refused_line("Backup", "backup-lockfile-path = a/", "below");
	refused_line("Backup", "backup-lockfile-path = .", "below");
	refused_line("Backup", "backup-lockfile-path = /a/../b", "plain");
}

static void test_source_missing(void **state)
{
	(void)state;
	refused("", "[Backup] backup-source is missing", "backup-source = ");
	refused("[Backup]\nbackup-source =\n", "backup-source is missing");
}

static void test_empty_is_default(void **state)
{
	_cleanup_(settings_freep) struct settings *s =
	        load(SOURCE "overdue-days =\nlog-file-path =\n"
	                    "[Mail]\nport =\npassword =\npassword-file =\n"
	                    "encryption =\nfrom-mail-address =\n"
	                    "[Webserver]\nwebhost =\n");

	(void)state;
	assert_int_equal(s->overdue_days, 10);
	assert_string_equal(s->log_file, "/var/log/asbackup/asbackup.log");
	assert_int_equal(s->mail_port, 25);
	assert_true(str_starts(s->mail_from, "asbackup@"));
	assert_string_equal(s->web_host, "127.0.0.1");
}

static void test_directories(void **state)
{
	_cleanup_(settings_freep) struct settings *s = NULL, *env = NULL;

	(void)state;
	setenv("STATE_DIRECTORY", "/a/state:/other", 1);
	setenv("RUNTIME_DIRECTORY", "/a/run", 1);
	setenv("LOGS_DIRECTORY", "relative", 1);
	env = settings_new();
	s = load("[Paths]\nstate-directory = /b/state/\n"
	         "log-directory=/b/log\n" SOURCE);
	unsetenv("STATE_DIRECTORY");
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("LOGS_DIRECTORY");

	assert_string_equal(env->state_directory, "/a/state");
	assert_string_equal(env->spool_directory, "/a/state/spool");
	assert_string_equal(env->mount_directory, "/a/run/mnt");
	assert_string_equal(env->log_directory, "/var/log/asbackup");
	assert_string_equal(s->state_directory, "/b/state");
	assert_string_equal(s->spool_directory, "/b/state/spool");
	assert_string_equal(s->runtime_directory, "/a/run");
	assert_string_equal(s->rsync_log_file, "/b/log/rsync.log");
}

static void test_hosts(void **state)
{
	(void)state;
	refused_line("Mail", "server = mail.example.com:25", "with a port");
	refused_line("Mail", "server = smtp://mail", "not the name");
	refused_line("Mail", "server = a b", "not the name");
	refused_line("Mail", "server = -x", "not the name");
	refused_line("Mail", "from-mail-address = nobody", "not a mail");
	refused_line("Mail", "cc = a@example.com b@example.com", "not a mail");
	refused_line("General", "language = de/../x", "not a language");
}

/* The limits of a value that is shown in a message. */
static void test_long_value_is_cut(void **state)
{
	_cleanup_buf_ struct buf line = BUF_INIT;

	(void)state;
	buf_adds(&line, "cc = ");
	for (int i = 0; i < 5000; i++)
		buf_adds(&line, "\xc3\xa4");
	refused_line("Mail", line.data, "...\" is not a mail address");
}

static void test_counts_problems(void **state)
{
	(void)state;
	refused("[Backup]\nwhat = 1\noverdue-days = x\n",
	        ":2: [Backup] what: the key is not known (and 2 more errors)");
	refused("[Backup]\nwhat = 1\nbackup-source = /x\n[Mail]\nport = 0\n",
	        "(and 1 more error)");
}

/* --- mail ------------------------------------------------------------------*/

static void test_encryption(void **state)
{
	_cleanup_(settings_freep) struct settings *login = NULL, *plain = NULL,
	                                          *tls = NULL;

	(void)state;
	login = load(SOURCE "[Mail]\nserver=m\nusername=u\npassword=xyz\n");
	assert_int_equal(login->mail_encryption, SETTINGS_CRYPT_STARTTLS);
	assert_int_equal(login->mail_port, 587);
	plain = load(SOURCE "[Mail]\nserver=m\nport=2525\n");
	assert_int_equal(plain->mail_encryption, SETTINGS_CRYPT_NONE);
	assert_int_equal(plain->mail_port, 2525);
	tls = load(SOURCE "[Mail]\nserver=m\nencryption=STARTTLS\n");
	assert_int_equal(tls->mail_encryption, SETTINGS_CRYPT_STARTTLS);
	assert_int_equal(tls->mail_port, 587);

	refused_line("Mail", "port = 465", "implicit TLS");
	refused_line("Mail", "port = 465", "587");
	refused_line("Mail", "encryption = ssl", "587");
	refused_line("Mail", "encryption = perhaps", "none, starttls");
	refused(SOURCE "[Mail]\nusername = u\nencryption = none\n",
	        ":5: [Mail] encryption: a password is never sent without");
}

static void test_password_mode(void **state)
{
	static const char text[] = SOURCE "[Mail]\npassword = hunter2\n";
	struct settings *s;
	struct err err = ERR_INIT;

	(void)state;
	write_file(path, text, 0640);
	assert_int_equal(settings_load(path, &s, &err), -EPERM);
	assert_non_null(strstr(err.message, ":4: [Mail] password: "));
	assert_non_null(strstr(err.action, "chmod 600 "));
	assert_non_null(strstr(err.action, path));
	assert_null(strstr(err.message, "hunter2"));

	/* without a password nobody needs to care */
	write_file(path, SOURCE "[Mail]\npassword =\n", 0644);
	assert_int_equal(settings_load(path, &s, &err), 0);
	settings_free(s);
}

static void test_password_masked(void **state)
{
	_cleanup_(settings_freep) struct settings *s =
	        load(SOURCE "[Mail]\npassword = hunter2\n");
	_cleanup_free_ char *printed = settings_print(s);
	char text[] = "the word hunter2 here";

	(void)state;
	log_mask(text);
	assert_null(strstr(text, "hunter2"));
	assert_null(strstr(printed, "hunter2"));
	assert_non_null(strstr(printed, "password = ****\n"));
}

static void test_password_lines(void **state)
{
	struct settings *s;
	struct err err = ERR_INIT;

	(void)state;
	write_file(
	        path, SOURCE "[Mail]\npassword = hunter2\n port = 1\n", 0600);
	assert_int_equal(settings_load(path, &s, &err), -EINVAL);
	assert_non_null(strstr(err.message, "indented"));
	assert_null(strstr(err.message, "hunter2"));
}

static void load_password_file(const char *expected)
{
	_cleanup_free_ char *text =
	        str_printf(SOURCE "[Mail]\npassword-file = %s\n", secret_path);
	_cleanup_(settings_freep) struct settings *s = load(text);

	assert_string_equal(s->mail_password, expected);
}

static void test_password_file(void **state)
{
	_cleanup_free_ char *text =
	        str_printf(SOURCE "[Mail]\npassword-file = %s\n", secret_path);
	_cleanup_free_ char *both = str_printf("%spassword = xyz\n", text);

	(void)state;
	write_file(secret_path, "from file\n", 0600);
	load_password_file("from file");
	write_file(secret_path, " a;b \r\n", 0600);
	load_password_file(" a;b ");
	refused(both, "both set");

	write_file(secret_path, "a\nb\n", 0600);
	refused(text, ":4: [Mail] password-file", "several lines");
	write_file(secret_path, "\n", 0600);
	refused(text, "empty");
	write_file(secret_path, "abc\n", 0644);
	refused(text, ":4: [Mail] password-file", "chmod");
	assert_int_equal(unlink(secret_path), 0);
	refused(text, ":4: [Mail] password-file", secret_path);
	refused_line("Mail", "password-file = x", "absolute");
}

static void test_credential(void **state)
{
	_cleanup_(settings_freep) struct settings *s = NULL, *own = NULL,
	                                          *none = NULL;
	struct settings *bad;
	struct err err = ERR_INIT;

	(void)state;
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	none = load(SOURCE);
	/* the group bits that an ACL shows */
	write_file(secret_path, "credential\n", 0440);
	s = load(SOURCE);
	own = load(SOURCE "[Mail]\npassword = own\n");
	assert_int_equal(chmod(secret_path, 0600), 0);
	write_file(secret_path, "", 0600);
	write_file(path, SOURCE, 0600);
	assert_int_equal(settings_load(path, &bad, &err), -EINVAL);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(unlink(secret_path), 0);

	assert_string_equal(none->mail_password, "");
	assert_string_equal(s->mail_password, "credential");
	assert_string_equal(own->mail_password, "own");
	assert_non_null(strstr(err.message, secret_path));
}

static void test_program_needs_trust(void **state)
{
	struct settings *s;
	struct err err = ERR_INIT;

	(void)state;
	write_file(path, SOURCE "pre-run = /usr/bin/true\n", 0664);
	assert_int_equal(settings_load(path, &s, &err), -EPERM);
	assert_non_null(strstr(err.message, ":3: [Backup] pre-run: "));
	assert_non_null(strstr(err.action, "chmod go-w "));
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(settings_load(path, &s, &err), 0);
	settings_free(s);
}

/* --- the rest --------------------------------------------------------------*/

static void test_veeam_lock_dirs(void **state)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_strv_ struct strv dirs = STRV_INIT;
	_cleanup_free_ char *text = NULL;

	(void)state;
	/* a file that exists, whatever its name; one that does not */
	write_file(secret_path, "", 0600);
	text = str_printf(SOURCE "veeam-lockfile-path = %s\n"
	                         "veeam-lockfile-dir = %s/\n"
	                         "[VEEAM]\n"
	                         "veeam-lockfiles = /nowhere/veeam/x.lock\n",
	        secret_path, dir);
	s = load(text);
	assert_int_equal(settings_veeam_lock_dirs(s, &dirs), 0);
	assert_int_equal(dirs.len, 2);
	assert_string_equal(dirs.items[0], dir);
	assert_string_equal(dirs.items[1], "/nowhere/veeam");
	assert_int_equal(unlink(secret_path), 0);
	settings_freep(&s);

	s = load(SOURCE);
	assert_int_equal(settings_veeam_lock_dirs(s, &dirs), 0);
	assert_int_equal(dirs.len, 0);
}

/* What is printed can be loaded and then prints the same. */
static void test_print(void **state)
{
	_cleanup_(settings_freep) struct settings *s = NULL, *again = NULL;
	_cleanup_free_ char *one = NULL, *two = NULL;

	(void)state;
	s = load(SOURCE OLD_KEY UUID_A
	        ",a@example.com," UUID_C "\n"
	        "pre-run = \"/usr/bin/true ; x %%\"\n"
	        "bandwidth-limit = 1G\nmount-visible = on\n"
	        "[disk B]\nuuid = " UUID_B "\nlabel = '\"quoted\" # '\n"
	        "mail = b@example.com, c@example.com\n"
	        "[Mail]\nusername = ' u'\ncc = x@example.com,y@example.com\n");
	one = settings_print(s);
	again = load(one);
	two = settings_print(again);
	assert_string_equal(one, two);
	assert_string_equal(again->pre_run, "/usr/bin/true ; x %%");
	assert_string_equal(again->disks[2].label, "\"quoted\" # ");
	assert_string_equal(again->mail_username, " u");
	assert_int_equal(again->disks_len, 3);
	assert_int_equal(again->mail_cc.len, 2);
	for (size_t i = 0; settings_key_at(i); i++) {
		_cleanup_free_ char *line =
		        str_printf("\n%s =", settings_key_at(i)->key);

		assert_non_null(strstr(one, line));
	}
}

static void test_free_null(void **state)
{
	(void)state;
	settings_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_defaults),
	        cmocka_unit_test(test_old_file),
	        cmocka_unit_test(test_is_uuid),
	        cmocka_unit_test(test_old_list),
	        cmocka_unit_test(test_old_list_errors),
	        cmocka_unit_test(test_long_list),
	        cmocka_unit_test(test_disk_sections),
	        cmocka_unit_test(test_disk_section_errors),
	        cmocka_unit_test(test_no_disk),
	        cmocka_unit_test(test_load_disks),
	        cmocka_unit_test(test_load_disks_errors),
	        cmocka_unit_test(test_unknown),
	        cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_words),
	        cmocka_unit_test(test_rates),
	        cmocka_unit_test(test_paths),
	        cmocka_unit_test(test_source_missing),
	        cmocka_unit_test(test_empty_is_default),
	        cmocka_unit_test(test_directories),
	        cmocka_unit_test(test_hosts),
	        cmocka_unit_test(test_long_value_is_cut),
	        cmocka_unit_test(test_counts_problems),
	        cmocka_unit_test(test_encryption),
	        cmocka_unit_test(test_password_mode),
	        cmocka_unit_test(test_password_masked),
	        cmocka_unit_test(test_password_lines),
	        cmocka_unit_test(test_password_file),
	        cmocka_unit_test(test_credential),
	        cmocka_unit_test(test_program_needs_trust),
	        cmocka_unit_test(test_veeam_lock_dirs),
	        cmocka_unit_test(test_print),
	        cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests_name(
	        "settings", tests, make_dir, remove_dir);
}
