/*
 * devfs.h - /dev: a tmpfs that is born with a file for every device.
 */
#pragma once

#include "kernel/fs/super.h"

extern struct fs_type devfs_type;
