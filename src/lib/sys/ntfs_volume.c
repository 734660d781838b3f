/* SPDX-License-Identifier: MIT */
#include "sys/ntfs_volume.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define RECORD_OF_VOLUME 3
#define CLUSTER_MAX (2u * 1024 * 1024)

#define FLAG_DIRTY 0x0001u
#define FLAG_CHKDSK_UNDERWAY 0x4000u

#define ATTR_VOLUME_INFORMATION 0x70u
#define ATTR_END 0xffffffffu
/* Behind 8 reserved bytes and the version. */
#define FLAGS_IN_VALUE 10u

static uint16_t get16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const unsigned char *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const unsigned char *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool is_power_of_2(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* 0 = not understood. Above 128 it is a power of two, from below. */
static uint64_t cluster_size(const unsigned char *sector)
{
	uint64_t bytes = get16(sector + 0x0b);
	unsigned per = sector[0x0d];

	if (bytes < SECTOR || bytes > 4096 || !is_power_of_2(bytes))
		return 0;
	if (per > 0x80)
		bytes = 256 - per < 32 ? bytes << (256 - per) : 0;
	else
		bytes = is_power_of_2(per) ? bytes * per : 0;
	return bytes > CLUSTER_MAX ? 0 : bytes;
}

/* Positive: clusters; negative: a power of two, in bytes. */
static uint64_t record_size(const unsigned char *sector, uint64_t cluster)
{
	int n = (signed char)sector[0x40];
	uint64_t size = 0;

	if (n > 0)
		size = cluster * (uint64_t)n;
	else if (n > -32)
		size = 1ULL << -n;
	return size < SECTOR || size > NTFS_VOLUME_RECORD_MAX ||
	                       !is_power_of_2(size)
	               ? 0
	               : size;
}

int ntfs_volume_parse_boot(const unsigned char *sector, uint64_t size,
        struct ntfs_volume_boot *ret)
{
	uint64_t cluster, record;

	if (memcmp(sector + 3, "NTFS    ", 8) != 0)
		return -EUCLEAN;
	cluster = cluster_size(sector);
	record = cluster ? record_size(sector, cluster) : 0;
	if (record == 0)
		return -EUCLEAN;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t lcn = get64(sector + 0x30 + 8 * i);

		if (lcn == 0 || lcn > size / cluster)
			return -EUCLEAN;
		/* No overflow: both are below @size plus a little. */
		ret->record_at[i] = lcn * cluster + RECORD_OF_VOLUME * record;
		if (ret->record_at[i] > size ||
		        record > size - ret->record_at[i])
			return -EUCLEAN;
	}
	ret->record_size = (size_t)record;
	return 0;
}

/* The last two bytes of every sector hold a number that shows whether it was
 * written whole; what belongs there is in a table in the head. */
static int put_back(unsigned char *record, size_t size)
{
	size_t table = get16(record + 4);
	size_t n = get16(record + 6);

	if (n != size / SECTOR + 1 || table > SECTOR - 2 - 2 * n)
		return -EUCLEAN;
	for (size_t i = 1; i < n; i++) {
		unsigned char *end = record + i * SECTOR - 2;

		if (memcmp(end, record + table, 2) != 0)
			return -EUCLEAN;
		memcpy(end, record + table + 2 * i, 2);
	}
	return 0;
}

/* The flags are in the value of a resident attribute of @length bytes. */
static int parse_attribute(const unsigned char *a, size_t length, size_t *ret)
{
	size_t value, value_len;

	if (a[8] != 0 || length < 0x18)
		return -EUCLEAN;
	value_len = get32(a + 0x10);
	value = get16(a + 0x14);
	if (value_len < FLAGS_IN_VALUE + 2 || value_len > length ||
	        value > length - value_len)
		return -EUCLEAN;
	*ret = value + FLAGS_IN_VALUE;
	return 0;
}

int ntfs_volume_parse_record(unsigned char *record, size_t record_size,
        size_t *ret_offset, uint16_t *ret_flags)
{
	size_t used, at, offset;

	if (memcmp(record, "FILE", 4) != 0 || put_back(record, record_size) < 0)
		return -EUCLEAN;
	at = get16(record + 0x14);
	used = get32(record + 0x18);
	if (used > record_size)
		return -EUCLEAN;
	while (at <= used && used - at >= 0x10) {
		const unsigned char *a = record + at;
		size_t length = get32(a + 4);

		if (get32(a) == ATTR_END || length < 0x10 || length > used - at)
			break;
		if (get32(a) != ATTR_VOLUME_INFORMATION) {
			at += length;
			continue;
		}
		if (parse_attribute(a, length, &offset) < 0)
			break;
		/* It must be on the disk where it is here. */
		offset += at;
		if (offset % SECTOR > SECTOR - 4)
			break;
		*ret_offset = offset;
		*ret_flags = get16(record + offset);
		return 0;
	}
	return -EUCLEAN;
}

static int read_at(int fd, void *to, size_t len, uint64_t at)
{
	ssize_t n;

	do {
		n = pread(fd, to, len, (off_t)at);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EUCLEAN;
}

int ntfs_volume_read(int fd, uint64_t size, struct ntfs_volume *ret)
{
	unsigned char sector[SECTOR], record[NTFS_VOLUME_RECORD_MAX];
	struct ntfs_volume_boot boot;
	int r = read_at(fd, sector, sizeof sector, 0);

	if (r == 0)
		r = ntfs_volume_parse_boot(sector, size, &boot);
	for (int i = 1; r == 0 && i >= 0; i--) {
		size_t offset;

		r = read_at(fd, record, boot.record_size, boot.record_at[i]);
		if (r == 0)
			r = ntfs_volume_parse_record(
			        record, boot.record_size, &offset, &ret->flags);
		if (r == 0)
			ret->flags_at[i] = boot.record_at[i] + offset;
	}
	return r;
}

bool ntfs_volume_is_dirty(const struct ntfs_volume *v)
{
	return (v->flags & (FLAG_DIRTY | FLAG_CHKDSK_UNDERWAY)) != 0;
}

int ntfs_volume_mark(int fd, struct ntfs_volume *v, bool dirty)
{
	unsigned flags = dirty ? v->flags | FLAG_DIRTY : v->flags & ~FLAG_DIRTY;
	unsigned char bytes[2] = {
	        (unsigned char)(flags & 0xff), (unsigned char)(flags >> 8)};

	for (unsigned i = 0; i < 2; i++) {
		ssize_t n =
		        pwrite(fd, bytes, sizeof bytes, (off_t)v->flags_at[i]);

		if (n != (ssize_t)sizeof bytes)
			return n < 0 ? -errno : -EIO;
	}
	if (fsync(fd) < 0)
		return -errno;
	v->flags = (uint16_t)flags;
	return 0;
}
