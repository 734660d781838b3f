/* SPDX-License-Identifier: MIT */
/* A stand-in for Veeam.Backup.Manager.exe: starts the command line that is in
 * the environment variable FAKE_COMMAND and ends with its exit code.  Its own
 * arguments are there to be looked at. */
#include <windows.h>

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
