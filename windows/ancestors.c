/* SPDX-License-Identifier: MIT */
#include "ancestors.h"

#include <stdbool.h>
#include <windows.h>
#include <winternl.h>

/* How far up we look. */
#define GENERATIONS 8

/* Since Windows 8.1; not in mingw's header. */
#define COMMAND_LINE_INFORMATION ((PROCESSINFOCLASS)60)

/* In characters; longer ones do not exist. */
#define COMMAND_LINE_MAX 32768

/* The command line as the kernel tells it: a UNICODE_STRING, its characters
 * behind it.  Needs no more than the right to ask. */
static bool ask_kernel(HANDLE process, wchar_t *ret)
{
#ifdef ANCESTORS_NO_KERNEL
	(void)process;
	(void)ret;
	return false;
#else
	static union {
		UNICODE_STRING string;
		char room[sizeof(UNICODE_STRING) + COMMAND_LINE_MAX * 2];
	} answer;
	ULONG length;
	size_t n;

	if (NtQueryInformationProcess(process, COMMAND_LINE_INFORMATION,
	            &answer, sizeof(answer), &length) < 0) {
		return false;
	}
	n = answer.string.Length / sizeof(wchar_t);
	if (n >= COMMAND_LINE_MAX || !answer.string.Buffer) {
		return false;
	}
	memcpy(ret, answer.string.Buffer, n * sizeof(wchar_t));
	ret[n] = 0;

	return true;
#endif
}

static bool read_memory(HANDLE process, const void *at, void *ret, size_t size)
{
	SIZE_T got;

	return ReadProcessMemory(process, at, ret, size, &got) && got == size;
}

/* The command line as the process itself keeps it, found by way of its PEB.
 * Needs the right to read its memory. */
static bool ask_memory(HANDLE process, wchar_t *ret)
{
	PROCESS_BASIC_INFORMATION basic;
	PEB peb;
	RTL_USER_PROCESS_PARAMETERS parameters;
	size_t n;

	if (NtQueryInformationProcess(process, ProcessBasicInformation, &basic,
	            sizeof(basic), NULL) < 0 ||
	        !read_memory(
	                process, basic.PebBaseAddress, &peb, sizeof(peb)) ||
	        !read_memory(process, peb.ProcessParameters, &parameters,
	                sizeof(parameters))) {
		return false;
	}
	n = parameters.CommandLine.Length / sizeof(wchar_t);
	if (n >= COMMAND_LINE_MAX ||
	        !read_memory(process, parameters.CommandLine.Buffer, ret,
	                n * sizeof(wchar_t))) {
		return false;
	}
	ret[n] = 0;

	return true;
}

static HANDLE open_process(DWORD pid)
{
	HANDLE process = OpenProcess(
	        PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, FALSE, pid);

	return process ? process
	               : OpenProcess(
	                         PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
}

static ULONGLONG started(HANDLE process)
{
	FILETIME created, other;

	if (!GetProcessTimes(process, &created, &other, &other, &other)) {
		return 0;
	}

	return (ULONGLONG)created.dwHighDateTime << 32 | created.dwLowDateTime;
}

/* A parent may have ended, and its number be another's by now: one that is
 * younger than its child.  Returns NULL when there is none. */
static HANDLE open_parent(HANDLE child)
{
	PROCESS_BASIC_INFORMATION basic;
	HANDLE parent;

	if (NtQueryInformationProcess(child, ProcessBasicInformation, &basic,
	            sizeof(basic), NULL) < 0) {
		return NULL;
	}
	parent = open_process((DWORD)basic.InheritedFromUniqueProcessId);
	if (parent && started(parent) > started(child)) {
		(void)CloseHandle(parent);
		parent = NULL;
	}

	return parent;
}

static void file_name(HANDLE process, wchar_t *ret, size_t size)
{
	static wchar_t path[COMMAND_LINE_MAX];
	DWORD length = COMMAND_LINE_MAX;
	const wchar_t *name;

	ret[0] = 0;
	if (!QueryFullProcessImageNameW(process, 0, path, &length)) {
		return;
	}
	name = wcsrchr(path, L'\\');
	name = name ? name + 1 : path;
	wcsncpy(ret, name, size - 1);
	ret[size - 1] = 0;
}

static bool is_veeam(const wchar_t *name)
{
	return _wcsnicmp(name, L"Veeam.", 6) == 0;
}

size_t ancestors_ids(
        wchar_t ret_ids[2][IDS_LENGTH + 1], wchar_t *ret_name, size_t name_size)
{
	static wchar_t text[COMMAND_LINE_MAX];
	size_t found = 0;
	HANDLE process = GetCurrentProcess(); /* closing it does nothing */

	for (int i = 0; process && i < GENERATIONS; i++) {
		wchar_t ids[2][IDS_LENGTH + 1];
		wchar_t name[MAX_PATH];
		size_t n = 0;
		HANDLE parent = open_parent(process);

		(void)CloseHandle(process);
		process = parent;
		if (!process) {
			break;
		}

		file_name(process, name, MAX_PATH);
		if (ask_kernel(process, text) || ask_memory(process, text)) {
			n = ids_find(text, ids, 2);
		}
		if ((is_veeam(name) && n > 0) || (n == 2 && found == 0)) {
			found = n;
			memcpy(ret_ids, ids, sizeof(ids));
			wcsncpy(ret_name, name, name_size - 1);
			ret_name[name_size - 1] = 0;
		}
		if (is_veeam(name) && n > 0) {
			break;
		}
	}
	if (process) {
		(void)CloseHandle(process);
	}

	return found;
}
