/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "startup.h"

/* Standard descriptors must be open: otherwise the first file that is opened
 * becomes "standard error" and is written to. */
static void open_std_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* A core dump would hold the mail password. */
static void forbid_core_dumps(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	/* Not for others than root: /proc/self would be closed to them. */
	if (geteuid() == 0)
		(void)prctl(PR_SET_DUMPABLE, 0);
}

void startup(void)
{
	open_std_fds();
	forbid_core_dumps();
	umask(022);
	i18n_init();
	log_init(LOG_LEVEL_NOTICE);
}
