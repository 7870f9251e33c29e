/*
 * procfs_sys.c - /proc/sys: the few settings that programs read, each a line with one value.
 *
 * Only the host's name can be written; the others say what this kernel does.
 */
#include "kernel/proc/procfs_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/fs/pipe.h"
#include "kernel/lib/string.h"
#include "kernel/proc/identity.h"
#include "mm/frame.h"
#include "mm/space.h"

static int
show_hostname(struct proc_inode *i UNUSED, struct text *t)
{
    char name[HOSTNAME_MAX + 1];

    identity_get_hostname(name);
    text_printf(t, "%s\n", name);
    return 0;
}

static int
write_hostname(struct proc_inode *i UNUSED, const char *text, size_t n)
{
    if (n > 0 && text[n - 1] == '\n')
        n--;
    return identity_set_hostname(text, n);
}

static int
show_ostype(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%s\n", IDENTITY_SYSNAME);
    return 0;
}

static int
show_osrelease(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%s\n", IDENTITY_RELEASE);
    return 0;
}

static int
show_osversion(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%s\n", IDENTITY_VERSION);
    return 0;
}

static int
show_pid_max(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%d\n", PID_MAX);
    return 0;
}

/* Nothing is ever refused for what might be touched later: Linux's mode 1. */
static int
show_overcommit(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "1\n");
    return 0;
}

static int
show_max_map_count(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%d\n", REGIONS_MAX);
    return 0;
}

static int
show_mmap_min_addr(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%lu\n", USER_BOTTOM);
    return 0;
}

static int
show_file_nr(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%lu\t0\t%ld\n", file_count(), INT64_MAX);
    return 0;
}

static int
show_nr_open(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%d\n", FILES_MAX);
    return 0;
}

static int
show_pipe_max(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%u\n", PIPE_SIZE);
    return 0;
}

static const struct proc_node kernel_table[] = {
    {.name = "hostname",
     .mode = PROC_FILE(0644),
     .show = show_hostname,
     .write = write_hostname},
    {.name = "osrelease", .mode = PROC_FILE(0444), .show = show_osrelease},
    {.name = "ostype", .mode = PROC_FILE(0444), .show = show_ostype},
    {.name = "pid_max", .mode = PROC_FILE(0444), .show = show_pid_max},
    {.name = "version", .mode = PROC_FILE(0444), .show = show_osversion},
    {0},
};

static const struct proc_node vm_table[] = {
    {.name = "max_map_count", .mode = PROC_FILE(0444), .show = show_max_map_count},
    {.name = "mmap_min_addr", .mode = PROC_FILE(0444), .show = show_mmap_min_addr},
    {.name = "overcommit_memory", .mode = PROC_FILE(0444), .show = show_overcommit},
    {0},
};

static const struct proc_node fs_table[] = {
    {.name = "file-nr", .mode = PROC_FILE(0444), .show = show_file_nr},
    {.name = "nr_open", .mode = PROC_FILE(0444), .show = show_nr_open},
    {.name = "pipe-max-size", .mode = PROC_FILE(0444), .show = show_pipe_max},
    {0},
};

const struct proc_node proc_sys_table[] = {
    {.name = "fs", .mode = PROC_DIR(0555), .children = fs_table},
    {.name = "kernel", .mode = PROC_DIR(0555), .children = kernel_table},
    {.name = "vm", .mode = PROC_DIR(0555), .children = vm_table},
    {0},
};
