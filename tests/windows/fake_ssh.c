/* SPDX-License-Identifier: MIT */
/* A stand-in for ssh.exe: writes down how it was called, says something and
 * ends as it is told by its environment:
 *
 *	FAKE_SSH_RECORD	file: a line "call", a line "arg:..." for each argument,
 *			"stdin:N" (bytes), and "inherited:..." when the handle
 *			FAKE_HANDLE is a file here; is appended to
 *	FAKE_SSH_CODES	exit codes, one for each call, the last for the rest
 *	FAKE_SSH_SAY	text for standard output
 *	FAKE_SSH_HEX	bytes for standard output
 *	FAKE_SSH_HANG	never ends, nor does the copy of itself that it starts
 */
#include <fcntl.h>
#include <io.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

static FILE *record;

static void write_line(const char *name, const wchar_t *text)
{
	char bytes[8192];

	if (WideCharToMultiByte(
	            CP_UTF8, 0, text, -1, bytes, sizeof(bytes), NULL, NULL)) {
		fprintf(record, "%s%s\n", name, bytes);
	}
}

/* How often we were called before. */
static int calls(const wchar_t *path)
{
	char line[8192];
	int n = 0;
	FILE *file = _wfopen(path, L"rb");

	while (file && fgets(line, sizeof(line), file)) {
		n += strcmp(line, "call\n") == 0;
	}
	if (file) {
		fclose(file);
	}

	return n;
}

static int code_of_call(int n)
{
	wchar_t codes[100] = L"0";
	wchar_t *next = codes;
	long code = 0;

	GetEnvironmentVariableW(L"FAKE_SSH_CODES", codes, 100);
	for (int i = 0; i <= n; i++) {
		wchar_t *end;
		long read = wcstol(next, &end, 10);

		if (end == next) {
			break;
		}
		code = read;
		next = end;
	}

	return (int)code;
}

static void say(void)
{
	wchar_t text[4096];
	char bytes[8192];

	if (GetEnvironmentVariableW(L"FAKE_SSH_SAY", text, 4096) &&
	        WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof(bytes),
	                NULL, NULL)) {
		printf("%s\n", bytes);
		fprintf(stderr, "and on stderr\n");
		fflush(stdout);
	}
}

static void say_bytes(void)
{
	char hex[16384];

	if (!GetEnvironmentVariableA("FAKE_SSH_HEX", hex, sizeof(hex))) {
		return;
	}
	/* "\n" is to stay what it is */
	_setmode(_fileno(stdout), _O_BINARY);
	for (const char *s = hex; s[0] && s[1]; s += 2) {
		char two[] = {s[0], s[1], 0};

		putchar((int)strtoul(two, NULL, 16));
	}
	fflush(stdout);
}

static void write_inherited(void)
{
	wchar_t number[30], path[2048];

	if (!GetEnvironmentVariableW(L"FAKE_HANDLE", number, 30)) {
		return;
	}
	if (GetFinalPathNameByHandleW(
	            (HANDLE)(ULONG_PTR)wcstoull(number, NULL, 10), path, 2048,
	            0)) {
		write_line("inherited:", path);
	}
}

static void hang(bool first)
{
	STARTUPINFOW info = {.cb = sizeof(info)};
	PROCESS_INFORMATION child;
	wchar_t command[2100];
	wchar_t self[2048];

	if (first && GetModuleFileNameW(NULL, self, 2048)) {
		wcscpy(command, L"\"");
		wcscat(command, self);
		wcscat(command, L"\" hang");
		CreateProcessW(self, command, NULL, NULL, TRUE, 0, NULL, NULL,
		        &info, &child);
	}
	Sleep(INFINITE);
}

int wmain(int argc, wchar_t **argv);

int wmain(int argc, wchar_t **argv)
{
	wchar_t path[2048];
	char byte;
	int bytes = 0;
	int n;

	if (argc == 2 && wcscmp(argv[1], L"hang") == 0) {
		hang(false);
	}
	if (!GetEnvironmentVariableW(L"FAKE_SSH_RECORD", path, 2048)) {
		return 99;
	}
	n = calls(path);
	record = _wfopen(path, L"ab");
	if (!record) {
		return 98;
	}
	fprintf(record, "call\n");
	for (int i = 1; i < argc; i++) {
		write_line("arg:", argv[i]);
	}
	while (fread(&byte, 1, 1, stdin) == 1) {
		bytes++;
	}
	fprintf(record, "stdin:%d\n", bytes);
	write_inherited();
	fclose(record);

	say();
	say_bytes();
	if (GetEnvironmentVariableW(L"FAKE_SSH_HANG", path, 2048)) {
		hang(true);
	}

	return code_of_call(n);
}
