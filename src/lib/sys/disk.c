/* SPDX-License-Identifier: MIT */
#include "sys/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "i18n.h"
#include "log.h"
#include "num.h"
#include "proc.h"
#include "str.h"
#include "util.h"
#include "sys/disk_internal.h"

/* Fields of the "stat" attribute. */
enum { STAT_READ_SECTORS = 2, STAT_WRITE_SECTORS = 6, STAT_FIELDS = 7 };

static void identify(struct disk *d)
{
	char serial[128] = "", model[128] = "";

	disk_udev_identity(disk_sysfs_hardware(d->devno), serial, model);
	/* The kernel's comes first: it is there before udev has done its work
	 * and where there is no udev, and a serial number that changes would
	 * make a clone of the disk. */
	if (!d->serial[0])
		(void)str_copy(d->serial, sizeof(d->serial), serial);
	if (!d->model[0])
		(void)str_copy(d->model, sizeof(d->model), model);
}

static int ambivalent(
        const char *device, const struct disk_content *c, struct err *err)
{
	_cleanup_buf_ struct buf types = BUF_INIT;

	for (size_t i = 0; i < c->signatures_len; i++)
		buf_printf(&types, "%s%s", i ? ", " : "", c->signature_type[i]);
	err_set(err, -EUCLEAN,
	        _("the device %s carries the signatures of several file "
	          "systems (%s)"),
	        device, types.data);
	err_meaning(err, "%s",
	        _("It cannot be known which one is meant; mounting the wrong "
	          "one would destroy data."));
	err_action(err,
	        _("Look at it with \"wipefs %s\" and remove the wrong "
	          "signature "
	          "with \"wipefs --offset\", or format the disk anew."),
	        device);
	return -EUCLEAN;
}

static int explain(const char *device, int r, const struct disk_content *c,
        struct err *err)
{
	if (r == -EUCLEAN)
		return ambivalent(device, c, err);
	if (r == -ENODATA) {
		err_set(err, r, _("there is no file system on %s"), device);
		if (c->table[0])
			err_action(err, "%s",
			        _("It holds partitions; name one of them."));
		return r;
	}
	err_sys(err, r, _("the device %s cannot be read"), device);
	err_action(err, "%s",
	        _("Try another cable or port; \"dmesg\" shows what the kernel "
	          "says."));
	return r;
}

/* A superblock beside partitions that the kernel uses is the remains of an
 * older file system: mounted and written to, it would destroy them. */
static int only_remains(struct disk_content *content)
{
	if (!content->table[0])
		(void)str_copy(content->table, sizeof(content->table), "?");
	return -ENODATA;
}

/* One open for everything, so that all of it is about the same device. */
static int probe(
        const char *device, struct disk *ret, struct disk_content *content)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	*ret = (struct disk){.devno = 0};
	*content = (struct disk_content){.signatures_len = 0};
	fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	r = disk_sysfs_fill(st.st_rdev, ret);
	if (r < 0)
		return -ENODEV;
	(void)str_copy(ret->device, sizeof(ret->device), device);
	r = disk_blkid_probe(fd, content);
	if (r == 0 && disk_sysfs_has_partitions(st.st_rdev))
		return only_remains(content);
	(void)str_copy(ret->uuid, sizeof(ret->uuid), content->uuid);
	(void)str_copy(ret->fstype, sizeof(ret->fstype), content->fstype);
	(void)str_copy(ret->label, sizeof(ret->label), content->label);
	return r;
}

int disk_probe(const char *device, struct disk *ret, struct err *err)
{
	struct disk_content content;
	struct disk d;
	int r;

	r = probe(device, &d, &content);
	if (r == -ENOTBLK)
		return err_set(err, r, _("%s is not a disk"), device);
	if (r < 0)
		return explain(device, r, &content, err);
	identify(&d);
	*ret = d;
	return 0;
}

/* A disk that sleeps needs ten seconds to spin up. */
#define GONE_LOOK_NS (20 * 1000000)
#define GONE_LOOKS 50
#define PROBE_TIMEOUT_MS 15000

static int probe_timeout_ms = PROBE_TIMEOUT_MS;

void disk_set_probe_timeout(int ms)
{
	probe_timeout_ms = ms > 0 ? ms : PROBE_TIMEOUT_MS;
}

struct probed {
	int code;
	struct disk disk;
	struct disk_content content;
};

static int probe_task(void *arg, void *reply, struct err *err)
{
	struct probed *p = reply;

	(void)err;
	p->code = probe(arg, &p->disk, &p->content);
	return 0;
}

/* In a child each: one device that hangs must not hide the others. */
static int probe_in_time(char *device, struct probed *ret)
{
	struct proc_task task = {
	        .name = device,
	        .fn = probe_task,
	        .arg = device,
	        .reply = ret,
	        .reply_size = sizeof(*ret),
	        .timeout_ms = probe_timeout_ms,
	};

	*ret = (struct probed){.code = 0};
	return proc_task(&task, NULL);
}

struct collection {
	struct disk *items;
	size_t len;
	const char *uuid; /* NULL = all */
	char hung[256];   /* a device that did not answer; "" = none */
	struct err *err;
};

static int add(struct collection *c, const struct disk *d)
{
	struct disk *p = reallocarray(c->items, c->len + 1, sizeof(*p));

	if (!p)
		return err_nomem(c->err);
	c->items = p;
	c->items[c->len++] = *d;
	return 0;
}

/* Is the wanted one hidden behind a second signature?  Then "not attached"
 * would be a lie. */
static bool claims(const struct disk_content *content, const char *uuid)
{
	for (size_t i = 0; uuid && i < content->signatures_len; i++)
		if (str_eq_nocase(content->signature_uuid[i], uuid))
			return true;
	return false;
}

static int take(struct collection *c, struct probed *p)
{
	struct disk *d = &p->disk;

	if (p->content.is_component || !d->uuid[0])
		return 0;
	if (c->uuid && !str_eq_nocase(c->uuid, d->uuid))
		return 0;
	identify(d);
	return add(c, d);
}

static int look_at(struct collection *c, struct disk_node *node)
{
	struct probed p;
	int r;

	if (disk_sysfs_size(node->devno) == 0 ||
	        disk_sysfs_is_unsuitable(node->devno))
		return 0;
	r = probe_in_time(node->device, &p);
	/* -EIO: the child died, which is about this device as well. */
	if (r == -EIO) {
		log_warn(_("the device %s cannot be examined; it is left out"),
		        node->device);
		return 0;
	}
	if (r == -ETIMEDOUT) {
		log_warn(_("the device %s does not answer; it is left out"),
		        node->device);
		(void)str_copy(c->hung, sizeof(c->hung), node->device);
		return 0;
	}
	if (r < 0)
		return err_sys(c->err, r, _("cannot look at %s"), node->device);
	if (p.code == 0)
		return take(c, &p);
	if (p.code == -EUCLEAN && claims(&p.content, c->uuid))
		return ambivalent(node->device, &p.content, c->err);
	if (p.code != -ENODATA)
		log_debug("%s: %s", node->device, err_text(p.code));
	return 0;
}

/* A file system on multipath, md or device mapper is seen on the lower device
 * too; the upper one is the one to mount. */
static void drop_lower(struct collection *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->len; i++) {
		bool lower = false;

		for (size_t k = 0; k < c->len && !lower; k++)
			lower = str_eq_nocase(
			                c->items[i].uuid, c->items[k].uuid) &&
			        disk_sysfs_is_below(
			                c->items[i].devno, c->items[k].devno);
		if (!lower)
			c->items[n++] = c->items[i];
	}
	c->len = n;
}

int disk_list(
        const char *uuid, struct disk **ret, size_t *ret_len, struct err *err)
{
	_cleanup_free_ struct disk_node *nodes = NULL;
	struct collection c = {.uuid = uuid, .err = err};
	size_t len = 0;
	int r;

	r = disk_udev_list(&nodes, &len);
	if (r < 0)
		return err_sys(err, r, "%s", _("cannot list the disks"));
	for (size_t i = 0; i < len && r == 0; i++)
		r = look_at(&c, &nodes[i]);
	/* The wanted one may be the one that hangs: not "not attached". */
	if (r == 0 && uuid && c.len == 0 && c.hung[0])
		r = err_set(err, -ETIMEDOUT, _("the device %s does not answer"),
		        c.hung);
	if (r < 0) {
		free(c.items);
		return r;
	}
	drop_lower(&c);
	*ret = c.items;
	*ret_len = c.len;
	return 0;
}

int disk_is_claimed(const char *device)
{
	/* Without O_CREAT and on a block device O_EXCL asks the kernel just
	 * that, see open(2). */
	int fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == EBUSY ? 1 : -errno;
	close(fd);
	return 0;
}

enum disk_state disk_check(const struct disk *disk)
{
	struct disk now = {.devno = 0};

	if (disk_sysfs_fill(disk->devno, &now) < 0 ||
	        !disk_sysfs_is_alive(disk->devno))
		return DISK_GONE;
	if (now.diskseq != disk->diskseq)
		return DISK_GONE;
	if (now.read_only && !disk->read_only)
		return DISK_READONLY;
	return DISK_PRESENT;
}

static bool is_io_error(int error)
{
	return error == -EIO || error == -ENXIO || error == -ENODEV ||
	       error == -EROFS || error == -ESHUTDOWN;
}

int disk_tick(void *disk)
{
	return disk_check(disk) == DISK_GONE ? -ENODEV : 0;
}

enum disk_state disk_check_after(const struct disk *disk, int error)
{
	const struct timespec pause = {.tv_nsec = GONE_LOOK_NS};
	enum disk_state state = disk_check(disk);

	for (int i = 0;
	        i < GONE_LOOKS && state == DISK_PRESENT && is_io_error(error);
	        i++) {
		(void)nanosleep(&pause, NULL);
		state = disk_check(disk);
	}
	return state;
}

uint64_t disk_bytes_written(dev_t devno)
{
	uint64_t v[STAT_FIELDS];

	if (disk_sysfs_stat(devno, v, STAT_FIELDS) < 0)
		return 0;
	return v[STAT_WRITE_SECTORS] * 512;
}

uint64_t disk_activity(dev_t devno)
{
	uint64_t v[STAT_FIELDS];

	if (disk_sysfs_stat(devno, v, STAT_FIELDS) < 0)
		return 0;
	return v[STAT_READ_SECTORS] + v[STAT_WRITE_SECTORS] + 1;
}

int disk_limit_cache(dev_t devno, unsigned percent, unsigned *ret_old)
{
	dev_t whole = disk_sysfs_whole(devno);
	char path[128], text[32];
	int64_t old;
	int r;

	(void)snprintf(path, sizeof(path), "class/bdi/%u:%u/max_ratio",
	        major(whole), minor(whole));
	r = disk_sysfs_read(path, text, sizeof(text));
	if (r < 0)
		return r;
	if (num_parse_i64(text, 0, 100, &old) < 0)
		return -EINVAL;
	if (ret_old)
		*ret_old = (unsigned)old;
	(void)snprintf(text, sizeof(text), "%u", percent);
	return disk_sysfs_write(path, text);
}

int disk_power_off(const struct disk *disk, struct err *err)
{
	dev_t whole = disk_sysfs_whole(disk->devno);
	char path[128];
	int r;

	if (!disk->removable)
		return err_set(err, -EOPNOTSUPP,
		        _("%s is not a disk that can be unplugged"),
		        disk->device);
	(void)snprintf(path, sizeof(path), "dev/block/%u:%u/device/delete",
	        major(whole), minor(whole));
	r = disk_sysfs_write(path, "1");
	if (r < 0)
		return err_sys(err, r == -ENOENT ? -EOPNOTSUPP : r,
		        _("%s cannot be powered off"), disk->device);
	return 0;
}
