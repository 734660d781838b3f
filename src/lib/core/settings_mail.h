/* SPDX-License-Identifier: MIT */
/*
 * settings_mail: the keys of [Mail] that depend on each other, and the
 * password.  Used by settings.c only.
 */
#ifndef CORE_SETTINGS_MAIL_H
#define CORE_SETTINGS_MAIL_H

#include "err.h"

#include "core/settings.h"

struct conf;
struct conf_entry;

/*
 * Sets encryption, port and sender where @conf (NULL = nothing is set) does
 * not, and refuses what would send a password in clear.
 * Returns 0; -ENOMEM; or -EINVAL with *ret_at the entry that @err is about.
 */
int settings_mail_derive(struct settings *s, const struct conf *conf,
        const struct conf_entry **ret_at, struct err *err) _must_check_;
/*
 * Reads the password of one of: key password, key password-file, systemd
 * credential mail-password; registers it with log_add_secret().
 * Returns as above; *ret_at is NULL when @err is not about an entry.
 */
int settings_mail_read_password(struct settings *s, const struct conf *conf,
        const struct conf_entry **ret_at, struct err *err) _must_check_;

#endif
