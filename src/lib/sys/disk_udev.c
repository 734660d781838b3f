/* SPDX-License-Identifier: MIT */
/* disk_udev: which block devices are there (libudev). */
#include <errno.h>
#include <libudev.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "util.h"

#include "sys/disk_internal.h"

static void unref_udev(struct udev **u)
{
	udev_unref(*u);
}

static void unref_device(struct udev_device **d)
{
	udev_device_unref(*d);
}

static void unref_enumerate(struct udev_enumerate **e)
{
	udev_enumerate_unref(*e);
}

static int append(struct disk_node **nodes, size_t *len, size_t *size,
        const char *device, dev_t devno)
{
	struct disk_node *n;

	if (*len == *size) {
		size_t more = *size ? *size * 2 : 32;

		n = reallocarray(*nodes, more, sizeof(**nodes));
		if (!n)
			return -ENOMEM;
		*nodes = n;
		*size = more;
	}

	n = &(*nodes)[*len];
	*n = (struct disk_node){.devno = devno};
	/* A name that was cut would name something else. */
	if (str_copy(n->device, sizeof(n->device), device) == 0)
		(*len)++;
	return 0;
}

/* Without a match on "initialized" or on properties: both need udevd. */
static int scan(struct udev_enumerate *e)
{
	int r = udev_enumerate_add_match_subsystem(e, "block");

	return r < 0 ? r : udev_enumerate_scan_devices(e);
}

int disk_udev_list(struct disk_node **ret, size_t *ret_len)
{
	_cleanup_(unref_udev) struct udev *udev = udev_new();
	_cleanup_(unref_enumerate) struct udev_enumerate *e =
	        udev ? udev_enumerate_new(udev) : NULL;
	_cleanup_free_ struct disk_node *nodes = NULL;
	struct udev_list_entry *entry;
	size_t len = 0, size = 0;
	int r;

	if (!e)
		return -ENOMEM;
	r = scan(e);
	if (r < 0)
		return r;

	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(e))
	{
		_cleanup_(unref_device) struct udev_device *d =
		        udev_device_new_from_syspath(
		                udev, udev_list_entry_get_name(entry));
		const char *device = d ? udev_device_get_devnode(d) : NULL;

		/* Gone between the scan and now. */
		if (!device)
			continue;
		r = append(
		        &nodes, &len, &size, device, udev_device_get_devnum(d));
		if (r < 0)
			return r;
	}

	*ret = TAKE_PTR(nodes);
	*ret_len = len;
	return 0;
}

static void copy_property(
        struct udev_device *d, const char *name, char dst[128])
{
	const char *value = udev_device_get_property_value(d, name);

	if (value)
		(void)str_copy(dst, 128, value);
}

void disk_udev_identity(dev_t whole, char serial[128], char model[128])
{
	_cleanup_(unref_udev) struct udev *udev = udev_new();
	_cleanup_(unref_device) struct udev_device *d =
	        udev ? udev_device_new_from_devnum(udev, 'b', whole) : NULL;

	serial[0] = model[0] = '\0';
	if (!d)
		return;
	copy_property(d, "ID_SERIAL_SHORT", serial);
	copy_property(d, "ID_MODEL", model);
}
