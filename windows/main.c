/* SPDX-License-Identifier: MIT */
/* veeam-lock.exe and veeam-unlock.exe: on a Veeam server on Windows, ask the
 * backup server for the lock of the job that started us, or give it back.
 *
 * Both programs are this source; WINDOWS_ACTION says which one it becomes. */
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "ancestors.h"
#include "ids.h"
#include "log.h"
#include "run.h"
#include "settings.h"
#include "ssh.h"

#define EXIT_USAGE 2
#define EXIT_CONFIG 3

/* Between two attempts to connect. */
#define PAUSE_MS 5000

#define FILE_MAX (64 * 1024)

static const enum ssh_action action = WINDOWS_ACTION;
static const wchar_t *const program =
        WINDOWS_ACTION == SSH_LOCK ? L"veeam-lock" : L"veeam-unlock";

static const wchar_t *arg_job = L"";
static const wchar_t *arg_run = L"";
static const wchar_t *arg_host = L"";
static const wchar_t *arg_config = L"";

static const struct option {
	const wchar_t *name;
	const wchar_t **value;
} options[] = {
        {L"--job", &arg_job},
        {L"--run", &arg_run},
        {L"--host", &arg_host},
        {L"--config", &arg_config},
};

static struct settings settings;
static struct quote command;

/* --- options -------------------------------------------------------------- */

static void help(void)
{
	log_line(LOG_INFO,
	        L"Usage: %ls.exe [OPTIONS]\r\n"
	        L"%ls\r\n\r\n"
	        L"      --job ID       the job, instead of what Veeam's "
	        L"process "
	        L"says\r\n"
	        L"      --run ID       the run of the job, likewise\r\n"
	        L"      --host NAME    the backup server, instead of the one "
	        L"in "
	        L"the file\r\n"
	        L"      --config FILE  settings; veeam-lock.ini beside this "
	        L"program\r\n"
	        L"  -h, --help         this text\r\n"
	        L"  -V, --version      the version\r\n\r\n"
	        L"Exit code: 0 done, 1 failed, 2 wrong usage, 3 settings "
	        L"wrong, 75 gave up\r\n"
	        L"waiting for a running copy.",
	        program,
	        action == SSH_LOCK
	                ? L"Keeps the backup server from copying while a "
	                  L"Veeam job runs; for \"Run the\r\nfollowing script "
	                  L"before the job\"."
	                : L"Lets the backup server copy again; for \"Run the "
	                  L"following script after the\r\njob\".");
}

static int usage_error(const wchar_t *what, const wchar_t *argument)
{
	log_line(LOG_ERROR, L"%ls: %ls %.200ls", program, what, argument);
	log_line(LOG_INFO, L"Try \"%ls.exe --help\".", program);
	return EXIT_USAGE;
}

/* Does argv[*at] set this option, as "--job ID" or as "--job=ID"?  An empty
 * value is none: a job without a name shares its lock with others. */
static bool takes(
        const struct option *option, int argc, wchar_t **argv, int *at)
{
	size_t length = wcslen(option->name);
	const wchar_t *argument = argv[*at];

	if (wcsncmp(argument, option->name, length) != 0) {
		return false;
	}
	if (argument[length] == L'=') {
		*option->value = argument + length + 1;
	} else if (!argument[length] && *at + 1 < argc && argv[*at + 1][0]) {
		*option->value = argv[++*at];
	} else {
		return false;
	}

	return (*option->value)[0];
}

#define NO_ID L"not an id (letters, digits, . _ - { } only, at most 80):"

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, wchar_t **argv)
{
	for (int i = 1; i < argc; i++) {
		bool taken = false;

		if (wcscmp(argv[i], L"--help") == 0 ||
		        wcscmp(argv[i], L"-h") == 0) {
			help();
			return 0;
		}
		if (wcscmp(argv[i], L"--version") == 0 ||
		        wcscmp(argv[i], L"-V") == 0) {
			log_line(LOG_INFO, L"%ls.exe %ls", program,
			        WINDOWS_VERSION);
			return 0;
		}
		for (size_t o = 0;
		        o < sizeof(options) / sizeof(options[0]) && !taken;
		        o++) {
			taken = takes(&options[o], argc, argv, &i);
		}
		if (!taken) {
			return usage_error(L"wrong or incomplete:", argv[i]);
		}
	}

	if (arg_job[0] && !ids_valid(arg_job)) {
		return usage_error(NO_ID, arg_job);
	}
	if (arg_run[0] && !ids_valid(arg_run)) {
		return usage_error(NO_ID, arg_run);
	}
	if (arg_host[0] && !settings_host_valid(arg_host)) {
		return usage_error(L"not a host:", arg_host);
	}

	return -1;
}

/* --- settings ------------------------------------------------------------- */

/* Ends after the last backslash. */
static void cut_name(wchar_t *path)
{
	wchar_t *last = wcsrchr(path, L'\\');

	if (last) {
		last[1] = 0;
	}
}

/* The whole file as text; NULL when it can not be read or is no UTF-8 text. */
static wchar_t *read_text(const wchar_t *path)
{
	static char bytes[FILE_MAX];
	static wchar_t text[FILE_MAX + 1];
	HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL,
	        OPEN_EXISTING, 0, NULL);
	DWORD got = 0;
	BOOL read;
	int n = 0;

	if (file == INVALID_HANDLE_VALUE) {
		return NULL;
	}
	read = ReadFile(file, bytes, FILE_MAX, &got, NULL);
	(void)CloseHandle(file);
	if (!read || got == FILE_MAX) {
		return NULL;
	}
	if (got > 0) {
		n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, bytes,
		        (int)got, text, FILE_MAX);
		if (n == 0) {
			return NULL;
		}
	}
	text[n] = 0;
	/* What came behind it would be passed over. */
	if (wcslen(text) != (size_t)n) {
		return NULL;
	}

	/* Notepad likes to begin with a byte order mark. */
	return text[0] == 0xfeff ? text + 1 : text;
}

/* Our own directory is found by Windows, not by the environment: whoever can
 * write the settings decides which program is started. */
static bool settings_path(wchar_t *ret, size_t size)
{
	DWORD n;

	if (arg_config[0]) {
		n = GetFullPathNameW(arg_config, (DWORD)size, ret, NULL);
		return n > 0 && n < size;
	}
	n = GetModuleFileNameW(NULL, ret, (DWORD)size);
	if (n == 0 || n >= size) {
		return false;
	}
	cut_name(ret);
	if (wcslen(ret) + wcslen(L"veeam-lock.ini") >= size) {
		return false;
	}
	wcscat(ret, L"veeam-lock.ini");

	return true;
}

/* Beside the settings. */
static wchar_t usual_log[SETTINGS_PATH];

static int settings_wrong(const wchar_t *path, const wchar_t *what)
{
	log_start(program, settings.log[0] ? settings.log : usual_log);
	log_event(LOG_ERROR, L"%ls: %ls. The backup server was not asked.",
	        path, what);
	return EXIT_CONFIG;
}

static void choose_log(const wchar_t *dir)
{
	if (wcslen(dir) + wcslen(L"veeam-lock.log") < SETTINGS_PATH) {
		wcscpy(usual_log, dir);
		wcscat(usual_log, L"veeam-lock.log");
	}
}

static bool choose_ssh(void)
{
	UINT n;

	if (!settings.ssh[0]) {
		n = GetSystemDirectoryW(settings.ssh, SETTINGS_PATH);
		if (n == 0 || n + 20 >= SETTINGS_PATH) {
			return false;
		}
		wcscat(settings.ssh, L"\\OpenSSH\\ssh.exe");
	}

	return GetFileAttributesW(settings.ssh) != INVALID_FILE_ATTRIBUTES;
}

/* Returns -1 to go on, or the exit code. */
static int load_settings(void)
{
	wchar_t path[SETTINGS_PATH];
	wchar_t dir[SETTINGS_PATH];
	wchar_t error[400];
	wchar_t *text;

	if (!settings_path(path, SETTINGS_PATH)) {
		return settings_wrong(arg_config, L"the path is too long");
	}
	wcscpy(dir, path);
	cut_name(dir);
	choose_log(dir);
	text = read_text(path);
	if (!text) {
		return settings_wrong(path,
		        L"the file cannot be read, is too large or is not "
		        L"UTF-8");
	}
	if (settings_parse(&settings, text, dir, error,
	            sizeof(error) / sizeof(wchar_t)) < 0) {
		return settings_wrong(path, error);
	}
	if (arg_host[0]) {
		wcscpy(settings.host, arg_host);
	}
	if (!settings.host[0]) {
		return settings_wrong(path, L"host is missing");
	}

	if (!settings.log[0]) {
		wcscpy(settings.log, usual_log);
	}
	if (!choose_ssh()) {
		return settings_wrong(settings.ssh,
		        L"not there: install the OpenSSH client of Windows");
	}

	return -1;
}

/* --- the work ------------------------------------------------------------- */

/* A job without an id still has a lock, which all such jobs share. */
static void choose_ids(wchar_t ids[2][IDS_LENGTH + 1])
{
	wchar_t from[MAX_PATH] = L"";
	size_t found = 0;

	if (!arg_job[0] || !arg_run[0]) {
		found = ancestors_ids(ids, from, MAX_PATH);
	}
	if (found < 2) {
		ids[1][0] = 0;
	}
	if (found < 1) {
		ids[0][0] = 0;
	}
	/* Another job than Veeam's has nothing to do with Veeam's run. */
	if (arg_job[0]) {
		wcscpy(ids[0], arg_job);
		ids[1][0] = 0;
	}
	if (arg_run[0]) {
		wcscpy(ids[1], arg_run);
	}

	if (!ids[0][0]) {
		log_line(LOG_WARNING,
		        L"no process above this one names a job; all such jobs "
		        L"share one lock. Give --job NAME to tell them apart.");
	} else if (found > 0 && !arg_job[0]) {
		log_line(LOG_INFO, L"job %ls, run %ls, says %ls", ids[0],
		        ids[1][0] ? ids[1] : L"unknown", from);
	}
}

static void said_by_ssh(const wchar_t *text)
{
	log_line(LOG_INFO, L"| %ls", text);
}

/* Once or, as long as no connection comes about, a few times. */
static struct ssh_outcome ask_server(const wchar_t *command_line)
{
	static wchar_t copy[QUOTE_MAX]; /* CreateProcess may write to it */
	ULONGLONG end =
	        GetTickCount64() + (ULONGLONG)settings.limit_seconds * 1000;

	for (unsigned attempt = 1;; attempt++) {
		struct run_result result;
		ULONGLONG now = GetTickCount64();
		DWORD error;

		wcscpy(copy, command_line);
		error = run(settings.ssh, copy,
		        now < end ? (DWORD)(end - now) : 0, said_by_ssh,
		        &result);
		if (error) {
			log_line(LOG_ERROR, L"cannot start %ls (error %lu)",
			        settings.ssh, error);
			return (struct ssh_outcome){1,
			        L"ssh.exe could not be started; the backup "
			        L"server was not asked."};
		}
		if (result.timed_out) {
			return ssh_timed_out(action);
		}
		if (result.exit_code != SSH_FAILED ||
		        attempt >= settings.attempts ||
		        GetTickCount64() + PAUSE_MS >= end) {
			return ssh_outcome(action, result.exit_code);
		}
		log_line(LOG_WARNING, L"attempt %u of %u failed, once more",
		        attempt, settings.attempts);
		Sleep(PAUSE_MS);
	}
}

/* mingw's headers have no prototype of it. */
int wmain(int argc, wchar_t **argv);

int wmain(int argc, wchar_t **argv)
{
	wchar_t ids[2][IDS_LENGTH + 1];
	struct ssh_outcome outcome;
	int code;

	/* No library from the directory that we happen to be started in. */
	(void)SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
	(void)SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);

	code = parse_options(argc, argv);
	if (code >= 0) {
		return code;
	}
	code = load_settings();
	if (code >= 0) {
		return code;
	}

	log_start(program, settings.log);
	choose_ids(ids);
	if (ssh_command(&command, &settings, action, ids[0], ids[1]) < 0) {
		log_event(LOG_ERROR, L"the paths of the settings are too long");
		return EXIT_CONFIG;
	}
	log_line(LOG_INFO, L"asking %ls", settings.host);
	outcome = ask_server(command.text);
	log_event(outcome.exit_code == 0 ? LOG_INFO : LOG_ERROR,
	        L"%ls: job %ls, run %ls: %ls", program,
	        ids[0][0] ? ids[0] : L"unknown",
	        ids[1][0] ? ids[1] : L"unknown", outcome.text);

	return outcome.exit_code;
}
