/* SPDX-License-Identifier: MIT */
/* The part of windows/ that knows nothing of Windows, run here: ids, quotes,
 * settings, ssh's command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ids.h"
#include "quote.h"
#include "settings.h"
#include "ssh.h"

#define JOB "3e8f1a20-0b1c-4d2e-8f30-112233445566"
#define RUN "9c21aa00-ffee-4abc-9def-665544332211"
#define WIDE_(s) L##s
#define WIDE(s) WIDE_(s)

static int cases;
static int bad;

static void check(bool good, const char *what)
{
	cases++;
	bad += !good;
	printf("%sok - %s\n", good ? "" : "not ", what);
}

/* --- ids ------------------------------------------------------------------ */

static void test_ids_valid(void)
{
	static const struct {
		const wchar_t *id;
		bool valid;
	} rows[] = {
	        {L"a", true},
	        {L"{3E8F}", true},
	        {WIDE(JOB), true},
	        {L"Job_1.full-2", true},
	        {L"", false},
	        {L"-a", false},
	        {L".a", false},
	        {L"a b", false},
	        {L"a;b", false},
	        {L"a\"b", false},
	        {L"a$b", false},
	        {L"a/b", false},
	        {L"a\\b", false},
	        {L"a\nb", false},
	        {L"a\n", false},
	        {L"\u00e4", false},
	        {L"a\u0660", false},
	};
	wchar_t longest[IDS_LENGTH + 2] = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char what[100];

		snprintf(what, sizeof(what), "ids_valid: row %zu", i);
		check(ids_valid(rows[i].id) == rows[i].valid, what);
	}
	wmemset(longest, L'a', IDS_LENGTH);
	check(ids_valid(longest), "ids_valid: 80 characters");
	wmemset(longest, L'a', IDS_LENGTH + 1);
	check(!ids_valid(longest), "ids_valid: not 81");
}

static void test_ids_find(void)
{
	static const struct {
		const wchar_t *line;
		size_t found;
		const wchar_t *first;
		const wchar_t *second;
	} rows[] = {
	        {L"\"C:\\Program Files\\Veeam\\Backup and Replication\\Backup\\"
	         L"Veeam.Backup.Manager.exe\" startbackupjob owner=[vbsvc] "
	         L"Normal " JOB " " RUN,
	                2, WIDE(JOB), WIDE(RUN)},
	        {L"x {" JOB "} \"" RUN "\"", 2, WIDE(JOB), WIDE(RUN)},
	        {L"x \"{" JOB "}\" '{" RUN "}'", 2, WIDE(JOB), WIDE(RUN)},
	        {L"x job=" JOB ",session=" RUN, 2, WIDE(JOB), WIDE(RUN)},
	        {L"x 3E8F1A20-0B1C-4D2E-8F30-112233445566", 1, WIDE(JOB), NULL},
	        {WIDE(JOB), 1, WIDE(JOB), NULL},
	        {L"x " JOB " y " RUN " " JOB, 2, WIDE(JOB), WIDE(RUN)},
	        /* parts of something else */
	        {L"cmd /c C:\\scripts\\{" JOB "}\\pre.cmd", 0, NULL, NULL},
	        {L"cmd /c C:\\" JOB ".cmd /x/" RUN, 0, NULL, NULL},
	        {L"x " JOB "0 0" RUN, 0, NULL, NULL},
	        {L"x 3e8f1a20-0b1c-4d2e-8f30-11223344556", 0, NULL, NULL},
	        {L"x 3e8f1a20-0b1c-4d2e-8f30-11223344556g", 0, NULL, NULL},
	        {L"x 3e8f1a20_0b1c_4d2e_8f30_112233445566", 0, NULL, NULL},
	        {L"", 0, NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wchar_t ids[2][IDS_LENGTH + 1] = {0};
		size_t found = ids_find(rows[i].line, ids, 2);
		char what[100];

		snprintf(what, sizeof(what), "ids_find: row %zu", i);
		check(found == rows[i].found &&
		                (found < 1 ||
		                        wcscmp(ids[0], rows[i].first) == 0) &&
		                (found < 2 ||
		                        wcscmp(ids[1], rows[i].second) == 0),
		        what);
	}
}

/* --- quote ---------------------------------------------------------------- */

/* What CommandLineToArgvW documents: the arguments after the program. */
static size_t take_apart(const wchar_t *s, wchar_t ret[][64], size_t max)
{
	size_t n = 0;

	while (*s && n < max) {
		wchar_t *out = ret[n];
		bool quoted = false;

		while (*s == L' ' || *s == L'\t') {
			s++;
		}
		if (!*s) {
			break;
		}
		for (; *s && (quoted || (*s != L' ' && *s != L'\t')); s++) {
			size_t backslashes = 0;

			while (s[backslashes] == L'\\') {
				backslashes++;
			}
			if (backslashes && s[backslashes] == L'"') {
				for (size_t i = 0; i < backslashes / 2; i++) {
					*out++ = L'\\';
				}
				s += backslashes;
				if (backslashes % 2) {
					*out++ = L'"';
				} else {
					quoted = !quoted;
				}
			} else if (*s == L'"') {
				quoted = !quoted;
			} else {
				*out++ = *s;
			}
		}
		*out = 0;
		n++;
	}

	return n;
}

static void test_quote(void)
{
	static const wchar_t letters[] = L"ab \"\\\t\u00e4&|<>^%$'";
	static struct quote q;
	static wchar_t back[9][64];
	bool same = true;
	wchar_t arguments[8][16];

	srand(20260101);
	for (int round = 0; round < 20000 && same; round++) {
		size_t count = (size_t)rand() % 8 + 1;

		quote_init(&q);
		for (size_t i = 0; i < count; i++) {
			size_t length = (size_t)rand() % 15;

			for (size_t k = 0; k < length; k++) {
				arguments[i][k] =
				        letters[(size_t)rand() %
				                (sizeof(letters) /
				                                sizeof(wchar_t) -
				                        1)];
			}
			arguments[i][length] = 0;
			quote_add(&q, arguments[i]);
		}
		same = !q.overflow && take_apart(q.text, back, 9) == count;
		for (size_t i = 0; same && i < count; i++) {
			same = wcscmp(arguments[i], back[i]) == 0;
		}
	}
	check(same, "quote: what goes in comes out");

	quote_init(&q);
	for (int i = 0; i < 5000; i++) {
		quote_add(&q, L"twelve chars");
	}
	check(q.overflow && q.length < QUOTE_MAX,
	        "quote: what is too long is said, and never written");
}

/* --- settings ------------------------------------------------------------- */

static int parse(struct settings *s, const wchar_t *text)
{
	static wchar_t copy[4096];
	wchar_t error[400] = L"";
	int r;

	wcscpy(copy, text);
	r = settings_parse(s, copy, L"C:\\Pr\u00f6g\\", error, 400);
	if ((r < 0) != (error[0] != 0)) {
		return -2;
	}

	return r;
}

/* A path of so many characters, after "key = " */
static const wchar_t *long_path(size_t length)
{
	static wchar_t line[2 * SETTINGS_PATH];

	wcscpy(line, L"key = C:\\");
	wmemset(line + wcslen(line), L'%', length - 3);
	line[6 + length] = 0;

	return line;
}

static void test_long_paths(void)
{
	static struct settings s;
	static struct quote q;

	check(parse(&s, long_path(SETTINGS_PATH - 1)) == 0 &&
	                wcslen(s.key) == SETTINGS_PATH - 1,
	        "settings: the longest path");
	check(ssh_command(&q, &s, SSH_LOCK, L"", L"") == 0 &&
	                wcslen(q.text) > 2 * (SETTINGS_PATH - 4),
	        "ssh: the longest path, every letter of it twice");
	check(parse(&s, long_path(SETTINGS_PATH)) == -1,
	        "settings: a path that is too long is refused, not cut");
}

static void test_settings(void)
{
	static struct settings s;
	static const wchar_t *const wrong[] = {L"hots = a", L"host", L"= a",
	        L"host = -oX", L"host = a b", L"host = a;b", L"host = \u00e4",
	        L"user = -l", L"user =", L"user = a@b", L"port = 0",
	        L"port = 65536", L"port = 22x", L"port = +22", L"port =",
	        L"port = 99999999999999999999", L"key = a\"b", L"key = ${HOME}",
	        L"key = a\tb", L"key = C:k", L"key = \\k", L"key = /k",
	        L"key = a:b", L"ssh = 1:\\ssh.exe", L"limit-seconds = 0",
	        L"limit-seconds = 86401", L"attempts = -1", L"Host = a",
	        L"[section]"};

	check(parse(&s, L"") == 0 && s.port == 22 && s.limit_seconds == 540 &&
	                s.attempts == 3 && wcscmp(s.user, L"root") == 0 &&
	                wcscmp(s.key, L"C:\\Pr\u00f6g\\id_ed25519") == 0 &&
	                !s.host[0] && !s.ssh[0],
	        "settings: an empty file means the defaults");
	check(parse(&s, L"# host = x\r\n ; y\r\n\r\n\thost  =  "
	                L"backup-1.example.org "
	                L"\r\nkey = D:\\my keys\\k\u00fc\r\nport=2222\r\n"
	                L"known-hosts = sub\\kh\nuser = veeam_1.x-y") == 0 &&
	                s.port == 2222 &&
	                wcscmp(s.host, L"backup-1.example.org") == 0 &&
	                wcscmp(s.key, L"D:\\my keys\\k\u00fc") == 0 &&
	                wcscmp(s.known_hosts, L"C:\\Pr\u00f6g\\sub\\kh") == 0 &&
	                wcscmp(s.user, L"veeam_1.x-y") == 0,
	        "settings: comments, blanks, line ends, paths");
	check(parse(&s, L"key = \\\\server\\share\\k\nlog = d:/x/log") == 0 &&
	                wcscmp(s.key, L"\\\\server\\share\\k") == 0 &&
	                wcscmp(s.log, L"d:/x/log") == 0,
	        "settings: absolute paths stay as they are");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char what[100];

		snprintf(what, sizeof(what), "settings: \"%ls\" is refused",
		        i == 6 ? L"host = umlaut" : wrong[i]);
		check(parse(&s, wrong[i]) == -1, what);
	}
}

/* --- ssh ------------------------------------------------------------------ */

static void test_ssh(void)
{
	static struct settings s;
	static struct quote q;

	(void)parse(&s, L"host = h\nssh = C:\\s.exe\nkey = C:\\100%h\\k\n"
	                L"known-hosts = C:\\a b\\k");
	check(ssh_command(&q, &s, SSH_LOCK, L"J", L"R") == 0 &&
	                wcsstr(q.text, L" \"h\" \"veeam-lock --remote --job J "
	                               L"--run R\""),
	        "ssh: the lock, the last argument alone");
	check(wcsstr(q.text, L"\"UserKnownHostsFile=\\\"C:/a b/k\\\"\"") !=
	                NULL,
	        "ssh: known-hosts is one file, in quotes");
	check(wcsstr(q.text, L"\"-i\" \"C:\\100%%h\\k\"") != NULL,
	        "ssh: nothing in the name of the key is replaced");
	check(ssh_command(&q, &s, SSH_UNLOCK, L"", L"") == 0 &&
	                wcsstr(q.text, L" \"veeam-unlock\"") &&
	                !wcsstr(q.text, L"--"),
	        "ssh: without ids");

	check(ssh_outcome(SSH_LOCK, 0).exit_code == 0, "ssh: lock 0");
	check(ssh_outcome(SSH_LOCK, 1).exit_code == 1, "ssh: lock 1");
	check(ssh_outcome(SSH_LOCK, 75).exit_code == 75 &&
	                wcsstr(ssh_outcome(SSH_LOCK, 75).text,
	                        L"it counts as running and copies wait"),
	        "ssh: lock 75");
	check(ssh_outcome(SSH_LOCK, 2).exit_code == 2, "ssh: lock 2");
	check(ssh_outcome(SSH_LOCK, 3).exit_code == 3, "ssh: lock 3");
	check(ssh_outcome(SSH_LOCK, 255).exit_code == 1, "ssh: lock 255");
	check(ssh_outcome(SSH_LOCK, 127).exit_code == 1, "ssh: lock 127");
	check(ssh_outcome(SSH_LOCK, 0xc0000005).exit_code == 1, "ssh: crash");
	check(ssh_outcome(SSH_LOCK, 143).exit_code == 1 &&
	                wcsstr(ssh_outcome(SSH_LOCK, 143).text,
	                        L"The job counts as running"),
	        "ssh: lock, ended by a signal");
	check(ssh_outcome(SSH_UNLOCK, 143).exit_code == 1 &&
	                wcsstr(ssh_outcome(SSH_UNLOCK, 143).text,
	                        L"Copies wait for the lock"),
	        "ssh: unlock, ended by a signal");
	check(ssh_outcome(SSH_LOCK, 259).exit_code == 1, "ssh: lock 259");
	check(ssh_outcome(SSH_UNLOCK, 0).exit_code == 0, "ssh: unlock 0");
	check(ssh_outcome(SSH_UNLOCK, 255).exit_code == 1, "ssh: unlock 255");
	check(ssh_timed_out(SSH_LOCK).exit_code == 1, "ssh: the time limit");
}

int main(void)
{
	test_ids_valid();
	test_ids_find();
	test_quote();
	test_settings();
	test_long_paths();
	test_ssh();
	printf("1..%d\n", cases);

	return bad > 0;
}
