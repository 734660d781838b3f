/* SPDX-License-Identifier: MIT */
/* The first sector of an NTFS volume, and behind it a record of $Volume. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sys/ntfs_volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t device = 1ULL << 40;
	struct ntfs_volume_boot boot;
	unsigned char *record;
	uint16_t flags;
	size_t at, len;

	if (size < 512)
		return 0;
	if (ntfs_volume_parse_boot(data, device, &boot) == 0) {
		check(boot.record_size >= 512 &&
		        boot.record_size <= NTFS_VOLUME_RECORD_MAX);
		for (int i = 0; i < 2; i++)
			check(boot.record_at[i] <= device - boot.record_size);
	}
	for (len = 512; len <= NTFS_VOLUME_RECORD_MAX; len *= 2) {
		if (size - 512 < len)
			break;
		/* Of just that size, so that reading too far is seen. */
		record = malloc(len);
		check(record != NULL);
		memcpy(record, data + 512, len);
		if (ntfs_volume_parse_record(record, len, &at, &flags) == 0)
			check(at + 2 <= len && at % 512 <= 508);
		free(record);
	}
	return 0;
}
