/* SPDX-License-Identifier: MIT */
/* settings: the file veeam-lock.ini, lines "key = value".
 *
 * Pure functions on text.  What is accepted here may go into ssh's command
 * line: a host or a user can not be taken for an option, a path can not end
 * the quotes that it stands in. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#define SETTINGS_PATH 1024

struct settings {
	wchar_t host[256];          /* the backup server */
	wchar_t user[64];           /* who owns the authorized_keys there */
	unsigned port;              /* of its sshd */
	wchar_t key[SETTINGS_PATH]; /* file with the private key */
	wchar_t known_hosts[SETTINGS_PATH]; /* file with the server's host key
	                                     */
	wchar_t ssh[SETTINGS_PATH]; /* ssh.exe; empty: that of Windows */
	wchar_t log[SETTINGS_PATH]; /* log file; empty: the usual place */
	unsigned limit_seconds;     /* for everything together */
	unsigned attempts;          /* connections, when one fails */
};

/* settings_parse: fills *s with the defaults and what text says.
 *
 *	text		the whole file; is changed
 *	dir		where the file is, with a backslash at its end: paths
 *			that are not absolute begin there
 *	ret_error	a sentence when something is wrong
 *	error_size	its room in characters
 *
 * Returns 0, or -1 with *ret_error filled in.  A file without a host is
 * right: it may come from the command line. */
int settings_parse(struct settings *s, wchar_t *text, const wchar_t *dir,
        wchar_t *ret_error, size_t error_size);

/* settings_host_valid: a name, an IPv4 or an IPv6 address. */
bool settings_host_valid(const wchar_t *host);

#endif
