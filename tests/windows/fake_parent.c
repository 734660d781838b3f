/* SPDX-License-Identifier: MIT */
/* A stand-in for Veeam.Backup.Manager.exe: starts the command line that is in
 * the environment variable FAKE_COMMAND and ends with its exit code.  Its own
 * arguments are there to be looked at.  With FAKE_LEAK it has that file open
 * and lets its child inherit it, whose number is in FAKE_HANDLE then. */
#include <stdio.h>
#include <windows.h>

static void leak(void)
{
	SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
	wchar_t path[2048], number[30];
	HANDLE file;

	if (!GetEnvironmentVariableW(L"FAKE_LEAK", path, 2048)) {
		return;
	}
	file = CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ, &inherit,
	        CREATE_ALWAYS, 0, NULL);
	swprintf(number, 30, L"%llu", (unsigned long long)(ULONG_PTR)file);
	SetEnvironmentVariableW(L"FAKE_HANDLE", number);
}

int wmain(void);

int wmain(void)
{
	STARTUPINFOW info = {.cb = sizeof(info)};
	PROCESS_INFORMATION child;
	static wchar_t command[8192];
	DWORD code;

	if (!GetEnvironmentVariableW(L"FAKE_COMMAND", command, 8192)) {
		return 97;
	}
	leak();
	if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL,
	            &info, &child)) {
		return 96;
	}
	if (WaitForSingleObject(child.hProcess, 90000) != WAIT_OBJECT_0 ||
	        !GetExitCodeProcess(child.hProcess, &code)) {
		return 95;
	}

	return (int)code;
}
