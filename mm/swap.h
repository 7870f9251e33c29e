/*
 * swap.h - swap areas, their slots, and moving pages between frames and slots.
 *
 *   - A slot is a page-sized place on a swap disk. It belongs to one anon, however many
 *     processes share that.
 *   - Pages travel in clusters: up to SWAP_CLUSTER frames to or from neighbouring
 *     slots in one request.
 *   - A frame that travels is busy, and mapped nowhere: the pager unmaps it before it is
 *     written, for a store in between would be lost.
 *
 * Locks: V = vm_lock for slots and anons; the disk is used with no lock held.
 */
#pragma once

#include "kernel/lib/types.h"

struct anon;
struct block_device;
struct block_request;
struct frame;

#define SWAP_CLUSTER 32 /* pages of one request: 128 KiB */
#define SWAP_AREAS   4
#define SWAP_PRIORITY \
    (-1) /* none is asked for: lower than that of every area before, from -2 on */

struct swap_cluster {
    struct frame *frames[SWAP_CLUSTER];
    unsigned n;
    slot_t first; /* slot of frames[0]; the others follow */
};

enum swap_add { SWAP_ADDED, SWAP_CLUSTER_FULL, SWAP_NO_ROOM };

/*
 * swap_out_add - choose a slot for @a's bytes and put its frame into a cluster, busy.
 * @a: has a frame, unmapped, dirty and not busy.
 * V held.  Returns: SWAP_ADDED; SWAP_CLUSTER_FULL: finish this one first; SWAP_NO_ROOM:
 * every slot is taken, and @a has none any more.
 */
enum swap_add swap_out_add(struct swap_cluster *c, struct anon *a);

/*
 * swap_out_start - begin to write a cluster that has pages; @req is lent until swap_out_finish.
 * The TLB was flushed since the frames were unmapped.  Any lock; does not sleep.
 */
void swap_out_start(struct swap_cluster *c, struct block_request *req);

/*
 * swap_out_finish - wait until a started cluster is written, free its frames, leave it
 * empty.  No lock held; sleeps.  A page that cannot be written stays in memory, and its slot
 * is never used again.
 * Returns: the frames that became free.
 */
unsigned swap_out_finish(struct swap_cluster *c, struct block_request *req);

/*
 * swap_in_add - give @a, which has only a slot, a busy frame.
 * V held.  Returns: false, with nothing changed, if there is no frame, or the slot does not
 * follow the cluster's last.
 */
bool swap_in_add(struct swap_cluster *c, struct anon *a) MUST_CHECK;

/*
 * swap_in_finish - read a cluster; leaves it empty. No lock held; sleeps. 0 or -EIO: then
 * the anons have only their slots, as before.
 */
int swap_in_finish(struct swap_cluster *c) MUST_CHECK;

/* Frames that the areas' bits take: they come and go with swap_on and swap_off. */
uint64_t swap_overhead(void);

/* Pages written and read since boot. */
extern uint64_t swap_pages_out, swap_pages_in;

/* The slot's bytes are wanted no more. V held. */
void swap_free(slot_t slot);

/* True if the slot exists and is marked used: for vm_check. V held. */
bool swap_slot_used(slot_t slot);

/* Which area a slot is in, and which page of it. */
unsigned swap_area(slot_t slot);
uint64_t swap_page(slot_t slot);

/* Slots that there are in all, and those that are free now: 0 without swap. */
uint64_t swap_slots(void);
uint64_t swap_free_slots(void);

/*
 * swap_on - use a disk that mkswap(8) prepared.
 * @priority: areas with a higher one are filled first.
 * Sleeps.  Returns: 0; -EINVAL: no swap area, with a line in the log; -EBUSY: in use
 * already; -EPERM: SWAP_AREAS are in use; -ENOMEM, -EIO.
 */
int swap_on(struct block_device *dev, int priority) MUST_CHECK;

/*
 * swap_off - bring all pages of the area back and give it up. 0; -EINVAL: not in use;
 * -ENOMEM, -EIO: it goes on being used.
 */
int swap_off(struct block_device *dev) MUST_CHECK;

struct radix;
/* For object_for_each_shm and swap_off: looks through one table of anons. V held. */
void swap_search_table(struct radix *table, void *arg);

/* For /proc/swaps: the n-th area in use; false: there is none. */
struct swap_info {
    const char *name;
    uint64_t pages, used;
    int priority;
};
bool swap_get_info(unsigned n, struct swap_info *info);
