/* SPDX-License-Identifier: MIT */
/*
 * notify: telling systemd how things are, sd_notify(3)'s protocol.
 * Everything is a no-op without $NOTIFY_SOCKET and never an error.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/* "READY=1": the service is up. */
void notify_ready(void);
/* "STATUS=...": one line for systemctl status; control characters are made
 * visible. */
void notify_status(const char *text);
/* "STOPPING=1". */
void notify_stopping(void);
/* "WATCHDOG=1", at most once a second. */
void notify_watchdog(void);

#endif
