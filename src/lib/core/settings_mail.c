/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "path.h"
#include "str.h"
#include "text.h"

#include "sys/conf.h"

#include "core/settings_mail.h"
#include "core/settings_value.h"

enum {
	PORT_SMTP = 25,
	PORT_SMTPS = 465,
	PORT_SUBMISSION = 587,
	PASSWORD_MAX = 4096,
};

/* The entry when it is there and not empty. */
static const struct conf_entry *get(const struct conf *conf, const char *key)
{
	const struct conf_entry *e;

	e = conf ? conf_get(conf, "Mail", key) : NULL;
	return e && *e->value ? e : NULL;
}

/* --- what depends on other keys --------------------------------------------*/

static int derive_sender(struct settings *s, struct err *err)
{
	_cleanup_free_ char *address = NULL;
	char host[256] = "";

	if (*s->mail_from)
		return 0;
	/* it may be cut without a NUL */
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	address = str_printf("asbackup@%s", host);
	if (address && !text_is_mail_address(address)) {
		free(address);
		address = strdup("asbackup@localhost");
	}
	if (!address)
		return err_nomem(err);
	free(s->mail_from);
	s->mail_from = TAKE_PTR(address);
	return 0;
}

int settings_mail_derive(struct settings *s, const struct conf *conf,
        const struct conf_entry **ret_at, struct err *err)
{
	bool login = *s->mail_username != '\0';

	*ret_at = get(conf, "encryption");
	if (!*ret_at)
		s->mail_encryption =
		        login ? SETTINGS_CRYPT_STARTTLS : SETTINGS_CRYPT_NONE;
	if (login && s->mail_encryption == SETTINGS_CRYPT_NONE) {
		(void)err_set(err, -EINVAL,
		        _("a password is never sent without encryption"));
		err_action(err,
		        _("Write encryption = starttls, or remove username "
		          "when the server wants no login."));
		return -EINVAL;
	}

	*ret_at = get(conf, "port");
	if (s->mail_port == PORT_SMTPS) {
		(void)err_set(err, -EINVAL,
		        _("port 465 means implicit TLS, which is not "
		          "supported"));
		err_action(err,
		        _("Write port = 587 and encryption = starttls; "
		          "practically every mail server offers that too."));
		return -EINVAL;
	}
	if (s->mail_port == 0)
		s->mail_port = s->mail_encryption == SETTINGS_CRYPT_STARTTLS
		                       ? PORT_SUBMISSION
		                       : PORT_SMTP;
	return derive_sender(s, err);
}

/* --- the password ----------------------------------------------------------*/

/* Takes @password over, also on failure. */
static int keep(struct settings *s, char *password, struct err *err)
{
	size_t len = strlen(password);

	while (len > 0 &&
	        (password[len - 1] == '\n' || password[len - 1] == '\r'))
		password[--len] = '\0';
	if (len == 0 || !text_is_header_safe(password)) {
		explicit_bzero(password, len);
		free(password);
		(void)err_set(err, -EINVAL,
		        _("the password is empty or has several lines"));
		err_action(err, _("Write the password alone, in one line."));
		return -EINVAL;
	}
	free(s->mail_password);
	s->mail_password = password;
	log_add_secret(password);
	return 0;
}

static int from_file(
        struct settings *s, const struct conf_entry *entry, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	char *password;
	int r;

	r = settings_value_check_line(entry->value, err);
	if (r == 0)
		r = settings_value_path(
		        entry->value, SETTINGS_FILE, &path, err);
	if (r == 0)
		r = path_read_secret(path, PASSWORD_MAX, &password, err);
	if (r < 0) {
		err_action_default(err, _("Correct the path, or write the "
		                          "password into that file and run "
		                          "chmod 600 on it."));
		return r;
	}
	return keep(s, password, err);
}

static int from_entry(struct settings *s, const struct conf *conf,
        const struct conf_entry *entry, struct err *err)
{
	char *password;
	int r;

	/* before the mode: a password in two lines may be two keys */
	if (strchr(entry->value, '\n'))
		return settings_value_check_line(entry->value, err);
	r = conf_check_secret(conf, err);
	if (r < 0)
		return r;
	password = strdup(entry->value);
	return password ? keep(s, password, err) : err_nomem(err);
}

/* systemd guards its directory; the file's mode may show the mask of an ACL,
 * so path_read_secret() would refuse it. */
static int from_credential(struct settings *s, struct err *err)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	_cleanup_free_ char *path = NULL;
	char *password;
	size_t len;
	int r;

	if (!path_is_clean_absolute(directory))
		return 0;
	path = path_join(directory, "mail-password");
	if (!path)
		return err_nomem(err);
	r = path_read_file(path, PASSWORD_MAX, &password, &len);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_sys(
		        err, r, _("cannot read the credential %s"), path);
	r = keep(s, password, err);
	if (r < 0)
		err_prefix(err, "%s", path);
	return r < 0 ? r : 0;
}

int settings_mail_read_password(struct settings *s, const struct conf *conf,
        const struct conf_entry **ret_at, struct err *err)
{
	const struct conf_entry *password = get(conf, "password");
	const struct conf_entry *file = get(conf, "password-file");

	*ret_at = file;
	if (password && file) {
		(void)err_set(err, -EINVAL,
		        _("password and password-file are both set"));
		err_action(err, _("Remove one of the two keys."));
		return -EINVAL;
	}
	if (file)
		return from_file(s, file, err);
	*ret_at = password;
	if (password)
		return from_entry(s, conf, password, err);
	return from_credential(s, err);
}
