/*
 * ext2_fake.h - a kernel for the ext2 test: one thread, a disk in memory, a page cache that
 * forgets.
 *
 * The fakes check what the real ones cannot: no mutex is taken twice, no two requests in flight
 * touch the same sectors, nothing is pinned or held at the end, and a page that was given
 * back is poisoned.  They also do what the real ones do seldom: pages are evicted and written
 * back at random, and memory and disk fail on demand.
 */
#pragma once

#include "kernel/dev/block.h"
#include "kernel/fs/super.h"

/* What is to go wrong: one in so many calls; 0: none. */
struct fake_faults {
    unsigned no_memory; /* kmalloc, frame_alloc, object_get_page */
    unsigned read_error, write_error;
};
extern struct fake_faults fake_faults;

/* Pseudo-random numbers from a seed: below @n. */
void fake_seed(uint64_t seed);
uint32_t fake_random(uint32_t n);

void fake_fail(const char *fmt, ...) NORETURN PRINTF_LIKE(1, 2);
#define CHECK(cond)                                            \
    do {                                                       \
        if (!(cond))                                           \
            fake_fail("%s:%d: %s", __FILE__, __LINE__, #cond); \
    } while (0)

/* The disk: @image of @size bytes. */
void fake_init(unsigned char *image, size_t size);
extern struct block_device fake_disk;

/* Evicts some clean pages and writes some dirty ones, as pager and flusher would. */
void fake_background(void);
/* As fs_sync_super. */
int fake_sync(struct super *s, bool final);
/* As fs_mount and unmount; @s is the caller's. */
int fake_mount(struct super *s);
void fake_unmount(struct super *s);
/* Fails if memory, pins or locks are left over. */
void fake_check_leaks(void);
/* Log lines so far. */
extern unsigned fake_log_lines;
/* Counts them only. */
extern bool fake_quiet;
