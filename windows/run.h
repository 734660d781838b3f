/* SPDX-License-Identifier: MIT */
/* run: a child process, its output line by line, and a limit for its time.
 *
 * The child and whatever it starts are in a job object: when the time is over,
 * or when we end, however that happens, none of them is left. */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <wchar.h>
#include <windows.h>

struct run_result {
	bool timed_out;  /* it was ended, exit_code means nothing */
	DWORD exit_code; /* as the child gave it */
};

/* run: starts a program without a window and waits for its end.
 *
 *	program		full path
 *	command_line	all arguments, the program being the first
 *	limit_ms	after so long it is ended
 *	line		is called for every line of its standard output and
 *			error, from another thread, and for nothing else at
 *			the same time; the text is safe to show
 *	ret_result	how it ended
 *
 * Returns 0, or the error of Windows when it could not be started. */
DWORD run(const wchar_t *program, wchar_t *command_line, DWORD limit_ms,
        void (*line)(const wchar_t *text), struct run_result *ret_result);

#endif
