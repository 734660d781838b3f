/* SPDX-License-Identifier: MIT */
/*
 * ask: passphrases and passwords, from a person at the terminal or, without
 * one, from $VMEXEC_PASSWORD_FILE.
 */
#ifndef VMEXEC_ASK_H
#define VMEXEC_ASK_H

#include "sys/sshclient.h"

/* For struct sshclient_options. */
char *ask(enum sshclient_question what, const char *text, void *unused);

#endif
