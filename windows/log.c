/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#define TEXT_MAX 4096
#define PATH_MAX_LOG 1100
#define ROTATE_BYTES (1024 * 1024)

#define EVENT_SOURCE L"asbackup"
#define EVENT_KEY                                                              \
	L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\asbacku" \
	L"p"

/* A program of Windows that has the message "%1" for each of the numbers 1 to
 * 1000: with it the event log shows our text and nothing else. */
#define EVENT_MESSAGES L"%SystemRoot%\\System32\\EventCreate.exe"

static const wchar_t *log_program = L"";
static HANDLE log_file = INVALID_HANDLE_VALUE;

static const struct level {
	const wchar_t *name;
	WORD type;
} levels[] = {
        [LOG_INFO] = {L"info", EVENTLOG_INFORMATION_TYPE},
        [LOG_WARNING] = {L"warning", EVENTLOG_WARNING_TYPE},
        [LOG_ERROR] = {L"error", EVENTLOG_ERROR_TYPE},
};

/* The whole line in one call, so that two jobs do not mix theirs. */
static void write_utf8(HANDLE to, const wchar_t *text)
{
	char bytes[3 * TEXT_MAX + 512];
	int n = WideCharToMultiByte(
	        CP_UTF8, 0, text, -1, bytes, sizeof(bytes), NULL, NULL);
	DWORD written;

	if (n > 1) {
		(void)WriteFile(to, bytes, (DWORD)(n - 1), &written, NULL);
	}
}

static void write_stdout(const wchar_t *text)
{
	HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
	DWORD mode, written;

	if (!out || out == INVALID_HANDLE_VALUE) {
		return;
	}
	if (GetConsoleMode(out, &mode)) {
		(void)WriteConsoleW(
		        out, text, (DWORD)wcslen(text), &written, NULL);
	} else {
		write_utf8(out, text);
	}
}

/* "2026-11-20T20:14:03+01:00" */
static void format_time(wchar_t *ret, size_t size)
{
	SYSTEMTIME now;
	TIME_ZONE_INFORMATION zone;
	DWORD which = GetTimeZoneInformation(&zone);
	long minutes = -zone.Bias;

	if (which == TIME_ZONE_ID_DAYLIGHT) {
		minutes -= zone.DaylightBias;
	} else if (which == TIME_ZONE_ID_STANDARD) {
		minutes -= zone.StandardBias;
	}
	GetLocalTime(&now);
	(void)swprintf(ret, size,
	        L"%04d-%02d-%02dT%02d:%02d:%02d%lc%02ld:%02ld", now.wYear,
	        now.wMonth, now.wDay, now.wHour, now.wMinute, now.wSecond,
	        (wint_t)(minutes < 0 ? L'-' : L'+'), labs(minutes) / 60,
	        labs(minutes) % 60);
}

static void write_line(enum log_level level, const wchar_t *text)
{
	wchar_t line[TEXT_MAX + 128];
	wchar_t time[40];

	(void)swprintf(line, sizeof(line) / sizeof(wchar_t), L"%ls%ls%ls\r\n",
	        level == LOG_INFO ? L"" : levels[level].name,
	        level == LOG_INFO ? L"" : L": ", text);
	write_stdout(line);

	if (log_file == INVALID_HANDLE_VALUE) {
		return;
	}
	format_time(time, sizeof(time) / sizeof(wchar_t));
	(void)swprintf(line, sizeof(line) / sizeof(wchar_t),
	        L"%ls %ls[%lu] %ls: %ls\r\n", time, log_program,
	        GetCurrentProcessId(), levels[level].name, text);
	write_utf8(log_file, line);
}

static void rotate(const wchar_t *path)
{
	wchar_t old[PATH_MAX_LOG + 2];
	WIN32_FILE_ATTRIBUTE_DATA data;

	if (!GetFileAttributesExW(path, GetFileExInfoStandard, &data) ||
	        (data.nFileSizeHigh == 0 && data.nFileSizeLow < ROTATE_BYTES)) {
		return;
	}
	(void)swprintf(old, sizeof(old) / sizeof(wchar_t), L"%ls.1", path);
	(void)MoveFileExW(path, old, MOVEFILE_REPLACE_EXISTING);
}

void log_start(const wchar_t *program, const wchar_t *path)
{
	log_program = program;
	if (!path[0]) {
		return;
	}

	rotate(path);
	/* Others may write, move and delete it meanwhile; every write goes to
	 * the end. */
	log_file = CreateFileW(path, FILE_APPEND_DATA | SYNCHRONIZE,
	        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
	        OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
	if (log_file == INVALID_HANDLE_VALUE) {
		log_line(LOG_WARNING,
		        L"cannot write to %ls (error %lu); the key log in "
		        L"veeam-lock.ini names another file",
		        path, GetLastError());
	}
}

void log_line(enum log_level level, const wchar_t *format, ...)
{
	wchar_t text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vswprintf(text, TEXT_MAX, format, args);
	va_end(args);
	write_line(level, text);
}

/* Tells Windows once where the texts of our events are.  Without the right to
 * do so the text is still there, below a remark that its source is unknown. */
static void register_source(void)
{
	HKEY key;
	DWORD disposition;
	DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE |
	              EVENTLOG_INFORMATION_TYPE;

	if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, EVENT_KEY, 0, NULL, 0,
	            KEY_SET_VALUE, NULL, &key, &disposition) != ERROR_SUCCESS) {
		return;
	}
	if (disposition == REG_CREATED_NEW_KEY) {
		(void)RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ,
		        (const BYTE *)EVENT_MESSAGES, sizeof(EVENT_MESSAGES));
		(void)RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD,
		        (const BYTE *)&types, sizeof(types));
	}
	(void)RegCloseKey(key);
}

void log_event(enum log_level level, const wchar_t *format, ...)
{
	wchar_t text[TEXT_MAX];
	const wchar_t *strings[1] = {text};
	va_list args;
	HANDLE source;

	va_start(args, format);
	(void)vswprintf(text, TEXT_MAX, format, args);
	va_end(args);
	write_line(level, text);

	register_source();
	source = RegisterEventSourceW(NULL, EVENT_SOURCE);
	if (!source) {
		return;
	}
	(void)ReportEventW(source, levels[level].type, 0, (DWORD)level + 1,
	        NULL, 1, 0, strings, NULL);
	(void)DeregisterEventSource(source);
}
