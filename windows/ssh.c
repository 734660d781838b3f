/* SPDX-License-Identifier: MIT */
#include "ssh.h"

/* ssh replaces "%h" and the like in the names of its files. */
static bool escape(
        const wchar_t *path, bool slashes, wchar_t *ret, size_t ret_size)
{
	size_t n = 0;

	for (const wchar_t *s = path; *s; s++) {
		if (n + 3 > ret_size) {
			return false;
		}
		if (*s == L'%') {
			ret[n++] = L'%';
		}
		ret[n++] = slashes && *s == L'\\' ? L'/' : *s;
	}
	ret[n] = 0;

	return true;
}

/* The value is a list for ssh, blanks divide it: hence the quotes.  Within
 * them backslashes are special. */
static bool add_known_hosts(struct quote *q, const wchar_t *path)
{
	wchar_t escaped[2 * SETTINGS_PATH];
	wchar_t option[2 * SETTINGS_PATH + 32];

	if (!escape(path, true, escaped, sizeof(escaped) / sizeof(wchar_t))) {
		return false;
	}
	(void)swprintf(option, sizeof(option) / sizeof(wchar_t),
	        L"UserKnownHostsFile=\"%ls\"", escaped);
	quote_add(q, L"-o");
	quote_add(q, option);

	return true;
}

/* ssh makes one string of all that follows the host; we do it ourselves. */
static void add_remote(struct quote *q, enum ssh_action action,
        const wchar_t *job, const wchar_t *run)
{
	wchar_t remote[300];

	(void)swprintf(remote, sizeof(remote) / sizeof(wchar_t),
	        L"%ls%ls%ls%ls%ls",
	        action == SSH_LOCK ? L"veeam-lock --remote" : L"veeam-unlock",
	        job[0] ? L" --job " : L"", job, run[0] ? L" --run " : L"", run);
	quote_add(q, remote);
}

int ssh_command(struct quote *q, const struct settings *s,
        enum ssh_action action, const wchar_t *job, const wchar_t *run)
{
	/* No file of whoever runs this, no question, no forwarding; a dead
	 * line is noticed within a minute. */
	static const wchar_t *const options[] = {L"BatchMode=yes",
	        L"IdentitiesOnly=yes", L"StrictHostKeyChecking=yes",
	        L"ClearAllForwardings=yes", L"ConnectTimeout=20",
	        L"ServerAliveInterval=15", L"ServerAliveCountMax=4"};
	wchar_t key[2 * SETTINGS_PATH];
	wchar_t port[16];

	if (!escape(s->key, false, key, sizeof(key) / sizeof(wchar_t))) {
		return -1;
	}
	(void)swprintf(port, sizeof(port) / sizeof(wchar_t), L"%u", s->port);

	quote_init(q);
	quote_add(q, s->ssh);
	quote_add(q, L"-F");
	quote_add(q, L"none");
	quote_add(q, L"-T");
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		quote_add(q, L"-o");
		quote_add(q, options[i]);
	}
	if (!add_known_hosts(q, s->known_hosts)) {
		return -1;
	}
	quote_add(q, L"-i");
	quote_add(q, key);
	quote_add(q, L"-p");
	quote_add(q, port);
	quote_add(q, L"-l");
	quote_add(q, s->user);
	quote_add(q, s->host);
	add_remote(q, action, job, run);

	return q->overflow ? -1 : 0;
}

static struct ssh_outcome lock_outcome(unsigned long code)
{
	switch (code) {
	case 0:
		return (struct ssh_outcome){
		        0, L"The lock is held; the job may begin."};
	case 1:
		return (struct ssh_outcome){1,
		        L"The lock was not granted in time or could not be "
		        L"made; what the backup server said stands above. If "
		        L"the job runs all the same, a copy made meanwhile is "
		        L"not good. On the backup server: veeam-lock --list"};
	case 75:
		return (struct ssh_outcome){75,
		        L"Gave up waiting for the running copy. Start the job "
		        L"again when the copy has ended; on the backup server: "
		        L"asbackup status. In case it runs all the same, it "
		        L"counts as running and copies wait for it, until "
		        L"veeam-unlock is called."};
	default:
		return (struct ssh_outcome){1, NULL};
	}
}

static struct ssh_outcome unlock_outcome(unsigned long code)
{
	switch (code) {
	case 0:
		return (struct ssh_outcome){0, L"The lock is released."};
	case 1:
	case 75:
		return (struct ssh_outcome){(int)code,
		        L"The lock could not be released; what the backup "
		        L"server said stands above. Copies wait for it until "
		        L"it expires. On the backup server: veeam-lock "
		        L"--list, veeam-unlock --job ID"};
	default:
		return (struct ssh_outcome){1, NULL};
	}
}

/* 128+n: by a signal. */
static const wchar_t *ended(enum ssh_action action)
{
	return action == SSH_LOCK
	               ? L"veeam-lock was ended on the backup server, perhaps "
	                 L"by a restart of it. The job counts as running, "
	                 L"until "
	                 L"it is unlocked; a copy made meanwhile is not good."
	               : L"veeam-unlock was ended on the backup server, "
	                 L"perhaps "
	                 L"by a restart of it. Copies wait for the lock until "
	                 L"it expires; there: veeam-lock --list, veeam-unlock "
	                 L"--job ID";
}

struct ssh_outcome ssh_outcome(enum ssh_action action, unsigned long code)
{
	struct ssh_outcome outcome =
	        action == SSH_LOCK ? lock_outcome(code) : unlock_outcome(code);

	if (outcome.text) {
		return outcome;
	}
	switch (code) {
	case 2:
		return (struct ssh_outcome){2,
		        L"The backup server refused the request: are "
		        L"veeam-lock.exe and asbackup of the same version, and "
		        L"is the command of the authorized_keys line the right "
		        L"one?"};
	case 3:
		return (struct ssh_outcome){3,
		        L"The configuration of the backup server is wrong; "
		        L"there: asbackup check"};
	case SSH_FAILED:
		return (struct ssh_outcome){1,
		        L"ssh could not log in to the backup server; what it "
		        L"said stands above. Look at the network and the sshd, "
		        L"the server's line in known-hosts, the file of the "
		        L"key (only SYSTEM and Administrators may read it) and "
		        L"the line in authorized_keys."};
	case 126:
	case 127:
		return (struct ssh_outcome){1,
		        L"The backup server could not start the command of the "
		        L"authorized_keys line; is asbackup installed there, "
		        L"and the path right?"};
	default:
		return (struct ssh_outcome){
		        1, code > 128 && code <= 192
		                   ? ended(action)
		                   : L"ssh.exe ended in a way "
		                     L"that is not understood; "
		                     L"what it said stands above."};
	}
}

struct ssh_outcome ssh_timed_out(enum ssh_action action)
{
	return (struct ssh_outcome){1,
	        action == SSH_LOCK
	                ? L"No answer before limit-seconds were over, ssh was "
	                  L"ended. It is not known whether the lock is held; "
	                  L"on the backup server: veeam-lock --list"
	                : L"No answer before limit-seconds were over, ssh was "
	                  L"ended. Copies wait until the lock is released or "
	                  L"expires; on the backup server: veeam-unlock --job "
	                  L"ID"};
}
