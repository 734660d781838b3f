/* SPDX-License-Identifier: MIT */
/*
 * ask: passphrases and passwords, from $VMEXEC_PASSWORD_FILE when that is set,
 * else from a person at the terminal.  An answer is remembered, so that nobody
 * is asked again when the connection is lost.  After sig_init() a signal ends
 * the question; the terminal has its echo again in any case, also while
 * stopped.
 */
#ifndef VMEXEC_ASK_H
#define VMEXEC_ASK_H

#include <stdbool.h>
#include "sys/sshclient.h"

struct ask_memory {
	enum sshclient_question what;
	char *text;
	char *answer;
	bool used; /* in this login */
};

/* For struct sshclient_options; @memory is a struct ask_memory. */
char *ask(enum sshclient_question what, const char *text, void *memory);
/* A new login begins: what is known is answered once more. */
void ask_again(struct ask_memory *m);
void ask_forget(struct ask_memory *m);

#endif
