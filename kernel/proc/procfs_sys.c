/*
 * procfs_sys.c - /proc/sys: the few settings that programs read, each a line with one value.
 *
 * The host's name and the name of core files can be written; the others say what this kernel does.
 */
#include "kernel/proc/procfs_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/shm.h"
#include "kernel/fs/pipe.h"
#include "kernel/lib/string.h"
#include "kernel/proc/core.h"
#include "kernel/proc/identity.h"
#include "mm/commit.h"
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

/* A file with one value that never changes: .text, or .value when that is NULL. */
static int
show_constant(struct proc_inode *i, struct text *t)
{
    if (i->node->text != NULL)
        text_printf(t, "%s\n", i->node->text);
    else
        text_printf(t, "%lu\n", i->node->value);
    return 0;
}

static int
show_file_nr(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%lu\t0\t%ld\n", file_count(), INT64_MAX);
    return 0;
}

#define CONSTANT(n, ...)                                                         \
    {                                                                            \
        .name = (n), .mode = PROC_FILE(0444), .show = show_constant, __VA_ARGS__ \
    }

static int
show_core_pattern(struct proc_inode *i UNUSED, struct text *t)
{
    char pattern[CORE_PATTERN_MAX + 1];

    core_get_pattern(pattern);
    text_printf(t, "%s\n", pattern);
    return 0;
}

static int
write_core_pattern(struct proc_inode *i UNUSED, const char *text, size_t n)
{
    if (n > 0 && text[n - 1] == '\n')
        n--;
    return core_set_pattern(text, n);
}

static const struct proc_node kernel_table[] = {
    {.name = "core_pattern",
     .mode = PROC_FILE(0644),
     .show = show_core_pattern,
     .write = write_core_pattern},
    {.name = "hostname",
     .mode = PROC_FILE(0644),
     .show = show_hostname,
     .write = write_hostname},
    CONSTANT("osrelease", .text = IDENTITY_RELEASE),
    CONSTANT("ostype", .text = IDENTITY_SYSNAME),
    CONSTANT("pid_max", .value = PID_MAX),
    CONSTANT("shmall", .value = SHMALL),
    CONSTANT("shmmax", .value = SHMMAX),
    CONSTANT("shmmni", .value = SHMMNI),
    CONSTANT("version", .text = IDENTITY_VERSION),
    {0},
};

static int
show_overcommit(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%d\n", commit_get_mode());
    return 0;
}

static int
write_overcommit(struct proc_inode *i UNUSED, const char *text, size_t n)
{
    if (n == 0 || text[0] < '0' || text[0] > '2' || (text[1] != '\0' && text[1] != '\n'))
        return -EINVAL;
    commit_set_mode(text[0] - '0');
    return 0;
}

static const struct proc_node vm_table[] = {
    CONSTANT("max_map_count", .value = REGIONS_MAX),
    CONSTANT("mmap_min_addr", .value = USER_BOTTOM),
    {.name = "overcommit_memory",
     .mode = PROC_FILE(0644),
     .show = show_overcommit,
     .write = write_overcommit},
    CONSTANT("overcommit_ratio", .value = COMMIT_RAM_PERCENT),
    {0},
};

static const struct proc_node fs_table[] = {
    {.name = "file-nr", .mode = PROC_FILE(0444), .show = show_file_nr},
    CONSTANT("nr_open", .value = FILES_MAX),
    CONSTANT("pipe-max-size", .value = PIPE_SIZE),
    {0},
};

const struct proc_node proc_sys_table[] = {
    {.name = "fs", .mode = PROC_DIR(0555), .children = fs_table},
    {.name = "kernel", .mode = PROC_DIR(0555), .children = kernel_table},
    {.name = "vm", .mode = PROC_DIR(0555), .children = vm_table},
    {0},
};
