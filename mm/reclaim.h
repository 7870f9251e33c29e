/*
 * reclaim.h - memory when there is none left: the pager, the flusher, out of memory.
 */
#pragma once

#include "kernel/lib/types.h"

struct frame;
struct space;

/* The frame, of a file or an anon, can be taken away from now on; not any more. vm_lock held. */
void reclaim_add(struct frame *f);
void reclaim_remove(struct frame *f);

/*
 * reclaim_wait - sleep until there is memory again.
 *
 * @s: the space that needs it, NULL for the kernel itself.
 * Locks:   none may be held.
 * Returns: 0: try again; -ENOMEM: nothing more can be found, or @s is being killed.
 */
int reclaim_wait(struct space *s) MUST_CHECK;

/*
 * reclaim_ask - the same for who can do without: nobody is ended for it but a process that has a
 * large part of the memory.
 */
int reclaim_ask(struct space *s) MUST_CHECK;

/*
 * reclaim_throttle - called with no lock, before work that needs memory or makes pages dirty.
 * Sleeps while free frames are below the low watermark, or too many pages are dirty.
 */
void reclaim_throttle(void);

/* The first page became dirty: the flusher begins to count its period. Any lock. */
void reclaim_dirtied(void);

/* Starts the two threads. */
void reclaim_init(void);

/*
 * reclaim_set_hooks - how the layers above help.
 * @kill_largest: end the process with the most memory; with spare_small only a large one, with
 *                patient only if no process is on its way out.
 *                1: done; 0: one is on its way out; -1: there is none.
 * @shrink:       free names and inodes that are only cached (may enter a file system: the
 *                flusher calls it).
 */
void reclaim_set_hooks(int (*kill_largest)(bool spare_small, bool patient),
                       void (*shrink)(void));

/* Writes what is dirty, drops every clean unused page of files: for measuring. Sleeps. */
void reclaim_drop_caches(void);

/* The name of the replacement policy: the boot option policy= chooses. */
const char *reclaim_policy(void);

struct reclaim_stats {
    uint64_t scanned, freed, flushed, oom_kills;
    uint64_t low, high; /* watermarks, in frames */
    uint64_t queue;     /* frames that could be taken away */
};
void reclaim_get_stats(struct reclaim_stats *s);
