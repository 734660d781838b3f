/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util.h"

void util_freep(void *p)
{
	void **pp = p;

	free(*pp);
	*pp = NULL;
}

void util_closep(int *fd)
{
	int saved = errno;

	/* Not repeated on EINTR: Linux has closed it all the same. */
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

void util_fclosep(void *f)
{
	FILE **fp = f;
	int saved = errno;

	if (*fp)
		(void)fclose(*fp);
	*fp = NULL;
	errno = saved;
}

void util_closedirp(void *d)
{
	DIR **dp = d;
	int saved = errno;

	if (*dp)
		(void)closedir(*dp);
	*dp = NULL;
	errno = saved;
}
