/* SPDX-License-Identifier: MIT */
/* A stand-in for powershell.exe: prints what is in the environment variable
 * FAKE_IDS. */
#include <stdio.h>
#include <windows.h>

int main(void)
{
	char ids[1000];

	if (GetEnvironmentVariableA("FAKE_IDS", ids, sizeof(ids))) {
		printf("%s\n", ids);
	}

	return 0;
}
