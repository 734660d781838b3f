/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <stddef.h>

/* In bytes.  Longer lines are cut into pieces. */
#define LINE_MAX 2048

/* So long the last output may take to arrive after the child has ended. */
#define DRAIN_MS 5000

struct reader {
	HANDLE pipe;
	void (*line)(const wchar_t *text);
	size_t length;
	char text[LINE_MAX];
};

/* What is no UTF-8 becomes U+FFFD, what is no character a question mark. */
static void say(struct reader *r)
{
	wchar_t text[LINE_MAX + 1];
	int n = 0;

	if (r->length > 0) {
		n = MultiByteToWideChar(
		        CP_UTF8, 0, r->text, (int)r->length, text, LINE_MAX);
	}
	text[n] = 0;
	for (int i = 0; i < n; i++) {
		if (text[i] < L' ' || (text[i] >= 0x7f && text[i] < 0xa0)) {
			text[i] = L'?';
		}
	}
	if (n > 0) {
		r->line(text);
	}
	r->length = 0;
}

static DWORD WINAPI read_lines(void *arg)
{
	struct reader *r = arg;
	char chunk[512];
	DWORD got;

	while (ReadFile(r->pipe, chunk, sizeof(chunk), &got, NULL) && got > 0) {
		for (DWORD i = 0; i < got; i++) {
			if (chunk[i] == '\n') {
				say(r);
			} else if (chunk[i] != '\r') {
				r->text[r->length++] = chunk[i];
			}
			if (r->length == LINE_MAX) {
				say(r);
			}
		}
	}
	say(r);

	return 0;
}

/* Two ends of a pipe; the child inherits the one at child_end. */
static bool make_pipe(HANDLE *ret_read, HANDLE *ret_write, HANDLE *child_end)
{
	if (!CreatePipe(ret_read, ret_write, NULL, 0)) {
		return false;
	}

	return SetHandleInformation(
	        *child_end, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
}

static void close(HANDLE *handle)
{
	if (*handle) {
		(void)CloseHandle(*handle);
	}
	*handle = NULL;
}

static HANDLE make_job(void)
{
	JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
	HANDLE job = CreateJobObjectW(NULL, NULL);

	limits.BasicLimitInformation.LimitFlags =
	        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
	if (job &&
	        !SetInformationJobObject(job, JobObjectExtendedLimitInformation,
	                &limits, sizeof(limits))) {
		close(&job);
	}

	return job;
}

/* Starts it with these two handles and no other, in the job. */
static bool start(const wchar_t *program, wchar_t *command_line, HANDLE job,
        HANDLE in, HANDLE out, PROCESS_INFORMATION *ret)
{
	/* enough for one attribute; Windows 10 wants 48 bytes */
	static union {
		void *align;
		char room[256];
	} attributes;
	LPPROC_THREAD_ATTRIBUTE_LIST list = (void *)&attributes;
	SIZE_T size = sizeof(attributes);
	HANDLE inherited[2] = {in, out};
	STARTUPINFOEXW info = {0};
	wchar_t directory[MAX_PATH];
	UINT length = GetSystemDirectoryW(directory, MAX_PATH);
	bool started;

	info.StartupInfo.cb = sizeof(info);
	info.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
	info.StartupInfo.hStdInput = in;
	info.StartupInfo.hStdOutput = out;
	info.StartupInfo.hStdError = out;
	info.lpAttributeList = list;

	if (length == 0 || length >= MAX_PATH ||
	        !InitializeProcThreadAttributeList(list, 1, 0, &size)) {
		return false;
	}
	/* It runs only once it is in the job, and so are its children. */
	started = UpdateProcThreadAttribute(list, 0,
	                  PROC_THREAD_ATTRIBUTE_HANDLE_LIST, inherited,
	                  sizeof(inherited), NULL, NULL) &&
	          CreateProcessW(program, command_line, NULL, NULL, TRUE,
	                  CREATE_NO_WINDOW | CREATE_SUSPENDED |
	                          EXTENDED_STARTUPINFO_PRESENT,
	                  NULL, directory, &info.StartupInfo, ret);
	DeleteProcThreadAttributeList(list);
	if (!started) {
		return false;
	}

	if (!AssignProcessToJobObject(job, ret->hProcess) ||
	        ResumeThread(ret->hThread) == (DWORD)-1) {
		DWORD error = GetLastError();

		(void)TerminateProcess(ret->hProcess, 1);
		close(&ret->hThread);
		close(&ret->hProcess);
		SetLastError(error);
		return false;
	}

	return true;
}

static void wait_for_end(
        HANDLE process, HANDLE job, DWORD limit_ms, struct run_result *result)
{
	result->timed_out =
	        WaitForSingleObject(process, limit_ms) != WAIT_OBJECT_0;
	if (result->timed_out ||
	        !GetExitCodeProcess(process, &result->exit_code)) {
		result->exit_code = (DWORD)-1;
	}
	/* Also what it may have left running. */
	(void)TerminateJobObject(job, 1);
	(void)WaitForSingleObject(process, DRAIN_MS);
}

/* Never 0: whoever could not ask was not granted anything. */
static DWORD last_error(void)
{
	DWORD error = GetLastError();

	return error ? error : ERROR_GEN_FAILURE;
}

DWORD run(const wchar_t *program, wchar_t *command_line, DWORD limit_ms,
        void (*line)(const wchar_t *text), struct run_result *ret_result)
{
	/* Static: the thread may outlive us when something hangs. */
	static struct reader reader;
	HANDLE in = NULL, in_other = NULL, out = NULL, thread = NULL;
	HANDLE job = make_job();
	PROCESS_INFORMATION child = {0};
	DWORD error = 0;

	reader = (struct reader){.line = line};
	*ret_result = (struct run_result){.exit_code = (DWORD)-1};

	/* Its standard input is a pipe at its end: with NUL the ssh.exe of
	 * Windows Server 2019 hangs. */
	if (!job || !make_pipe(&in, &in_other, &in) ||
	        !make_pipe(&reader.pipe, &out, &out) ||
	        !start(program, command_line, job, in, out, &child)) {
		error = last_error();
		goto done;
	}
	close(&in);
	close(&in_other);
	close(&out);

	thread = CreateThread(NULL, 0, read_lines, &reader, 0, NULL);
	if (!thread) {
		error = last_error();
		goto done;
	}
	wait_for_end(child.hProcess, job, limit_ms, ret_result);
	(void)WaitForSingleObject(thread, DRAIN_MS);

done:
	close(&child.hThread);
	close(&child.hProcess);
	close(&job);
	close(&thread);
	close(&in);
	close(&in_other);
	close(&out);
	close(&reader.pipe);
	return error;
}
