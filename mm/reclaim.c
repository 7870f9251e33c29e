/*
 * reclaim.c - memory when there is none left.
 *
 * The pager sleeps until free frames fall below the low watermark, then takes frames away
 * until they are above the high one.  It needs vm_lock and nothing else: it
 * never waits for a disk and never enters a file system.  Dirty pages are
 * the flusher's: it writes them, so that the pager finds them clean.
 *
 * Which frame goes is decided by a clock (second chance): the queue is the dial, its
 * head the hand.  A frame that was used since the hand's last visit goes to the end.
 *
 * Who needs memory waits in reclaim_wait with no lock held.  If a whole turn of the
 * clock frees nothing and nothing is being written, memory is out: the largest process is ended.
 *
 * The last few frames of files are not taken: they are the code that is running, and
 * without them the machine would do nothing but read it in again, for ever short of memory
 * and never quite out of it.
 *
 * Locks: vm_lock for the queue.  Called by fault.c, object.c and the system-call entry.
 */
#include "mm/reclaim.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "mm/frame.h"
#include "mm/object.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/tlb.h"

#define FLUSH_PERIOD (5 * NSEC_PER_SEC)  /* dirty pages do not stay in memory much longer */
#define VICTIM_TIME  (5 * NSEC_PER_MSEC) /* what a process that was ended may take to go */
#define FLUSH_WAIT   (3 * NSEC_PER_SEC)  /* for which the pager waits for the flusher */
#define SCAN_STEPS   256 /* frames that the pager looks at before it lets others run */

/*
 * What a page may need at once: its frame, page tables, nodes of tables.
 * Less than that is nothing.
 */
#define FRAMES_SPENT (FRAME_RESERVE + 16)

static struct list queue =
    LIST_INIT(queue); /* V: frames of files, the hand of the clock at the head */
static uint64_t queue_length;
static struct waitq pager_wake = WAITQ_INIT(pager_wake);
static struct waitq flusher_wake = WAITQ_INIT(flusher_wake);
static struct waitq memory_freed = WAITQ_INIT(memory_freed);
static unsigned waiting;     /* threads in reclaim_wait (atomic) */
static uint64_t round_count; /* turns of the pager that ended, with memory freed or not */
static uint64_t flush_wanted, flush_done;
static uint64_t added,
    fruitless; /* V: frames ever added to the queue; how many when a turn last freed nothing */
static uint64_t cache_floor; /* frames of files that are left alone: see below */
static bool hopeless;        /* the last turn found nothing at all */
static struct reclaim_stats stats;
static int (*kill_largest)(void);
static void (*shrink)(void);

void
reclaim_set_hooks(int (*kill_largest_fn)(void), void (*shrink_fn)(void))
{
    kill_largest = kill_largest_fn;
    shrink = shrink_fn;
}

void
reclaim_add(struct frame *f)
{
    ASSERT(mutex_held(&vm_lock) && list_empty(&f->link));
    list_push_back(&queue, &f->link);
    queue_length++;
    added++;
    if (frame_free_count() < stats.low)
        waitq_wake_all(&pager_wake);
}

void
reclaim_remove(struct frame *f)
{
    ASSERT(mutex_held(&vm_lock));
    if (list_empty(&f->link))
        return;
    list_del(&f->link);
    queue_length--;
}

/* The clock's verdict on the frame under its hand: true if it was taken away. */
static bool
reclaim_one(struct frame *f, struct tlb_batch *b)
{
    list_del(&f->link);
    list_push_back(&queue, &f->link);
    stats.scanned++;
    if (f->busy || f->pins > 0 || f->dirty)
        return false;
    if (rmap_test_clear_accessed(f, b))
        return false;
    rmap_remove_all(f, b);
    f->referenced = false;
    object_forget(f);
    tlb_batch_free(b, f);
    stats.freed++;
    return true;
}

/*
 * Up to two turns of the clock, until the high watermark is reached. Returns
 * the number of frames freed.
 */
static uint64_t
reclaim_round(void)
{
    uint64_t freed = 0;
    struct tlb_batch b;

    tlb_batch_init(&b);
    mutex_lock(&vm_lock);
    for (uint64_t step = 0, limit = 2 * queue_length; step < limit && queue_length > 0;
         step++) {
        if (frame_free_count() + freed >= stats.high || queue_length <= cache_floor)
            break;
        freed += reclaim_one(list_first(&queue, struct frame, link), &b);
        if (step % SCAN_STEPS == SCAN_STEPS - 1) {
            tlb_flush(&b);
            mutex_unlock(&vm_lock);
            sched_yield();
            mutex_lock(&vm_lock);
        }
    }
    tlb_flush(&b);
    mutex_unlock(&vm_lock);
    return freed;
}

static void
flush_and_wait(nsec_t deadline)
{
    uint64_t ticket = __atomic_add_fetch(&flush_wanted, 1, __ATOMIC_SEQ_CST);

    waitq_wake_all(&flusher_wake);
    (void)wait_event_full(&memory_freed, READ_ONCE(flush_done) >= ticket, false, deadline);
}

/*
 * One turn of work for the pager: reclaim; if that gave nothing, have dirty pages written; if
 * that neither, end a process.
 */
static void
pager_turn(void)
{
    uint64_t free_before = frame_free_count();

    if (reclaim_round() == 0) {
        /* Not for ever: the flusher may need a file's lock, whose holder waits for memory. */
        flush_and_wait(clock_now() + FLUSH_WAIT);
        fruitless = added;
        if (reclaim_round() == 0 && frame_free_count() <= FRAMES_SPENT && waiting > 0 &&
            frame_free_count() <= free_before) {
            int ended = kill_largest == NULL ? -1 : kill_largest();

            hopeless = ended < 0;
            stats.oom_kills += ended > 0;
            /*
             * The one that was ended has to run to give its memory back; those that
             * wait must not be in its way.
             */
            if (!hopeless)
                sched_sleep_until(clock_now() + VICTIM_TIME);
        }
    } else {
        hopeless = false;
    }
    __atomic_add_fetch(&round_count, 1, __ATOMIC_SEQ_CST);
    waitq_wake_all(&memory_freed);
}

static void
pager(void *unused)
{
    (void)unused;
    current_thread()->frees_memory = true;
    for (;;) {
        /*
         * Below the mark with nothing to take it sleeps on, until
         * somebody asks or a page comes in.
         */
        wait_event(&pager_wake, READ_ONCE(waiting) > 0 ||
                                    (frame_free_count() < stats.low && added != fruitless));
        pager_turn();
        sched_yield();
    }
}

static void
flusher(void *unused)
{
    (void)unused;
    current_thread()->frees_memory = true;
    for (;;) {
        nsec_t next = clock_now() + FLUSH_PERIOD;
        bool asked;

        /* Without dirty pages there is nothing to wake up for. */
        (void)wait_event_full(&flusher_wake, flush_wanted != flush_done, false,
                              object_dirty_pages > 0 ? next : UINT64_MAX);
        asked = flush_wanted != flush_done;

        uint64_t ticket = flush_wanted;
        uint64_t dirty = object_dirty_pages;

        (void)object_sync_all(); /* what failed stays dirty, and its fsync() tells */
        stats.flushed += dirty - MIN(dirty, object_dirty_pages);
        if (asked && shrink != NULL)
            shrink();
        flush_done = ticket;
        waitq_wake_all(&memory_freed);
    }
}

void
reclaim_dirtied(void)
{
    waitq_wake_all(&flusher_wake);
}

int
reclaim_wait(struct space *s)
{
    uint64_t seen = READ_ONCE(round_count);

    if ((s != NULL && s->dying) || current_thread()->frees_memory)
        return -ENOMEM; /* who frees memory must not wait for it */
    __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
    waitq_wake_all(&pager_wake);
    wait_event(&memory_freed,
               READ_ONCE(round_count) != seen || (s != NULL && READ_ONCE(s->dying)));
    __atomic_sub_fetch(&waiting, 1, __ATOMIC_SEQ_CST);

    bool give_up = (s != NULL && s->dying) || (hopeless && frame_free_count() <= FRAMES_SPENT);

    return give_up ? -ENOMEM : 0;
}

void
reclaim_throttle(void)
{
    if (current_thread()->frees_memory)
        return;
    if (frame_free_count() < stats.low && queue_length > 0 &&
        reclaim_wait(current_thread()->space) != 0)
        return;
    /* Dirty pages can't be taken away: before they are half of what could be, their makers wait. */
    if (object_dirty_pages > (frame_free_count() + queue_length) / 2)
        flush_and_wait(UINT64_MAX);
}

void
reclaim_drop_caches(void)
{
    uint64_t high = stats.high, floor = cache_floor;

    /*
     * Writing a file may make its file system's own pages dirty, and those
     * come before it in the list.
     */
    for (int turn = 0; turn == 0 || (object_dirty_pages > 0 && turn < 8); turn++)
        flush_and_wait(UINT64_MAX);
    stats.high = UINT64_MAX;
    cache_floor = 0;
    (void)reclaim_round();
    stats.high = high;
    cache_floor = floor;
}

void
reclaim_get_stats(struct reclaim_stats *s)
{
    *s = stats;
    s->queue = queue_length;
}

void
reclaim_init(void)
{
    stats.low = MAX(2 * FRAME_RESERVE, frame_free_count() / 64);
    stats.high = stats.low + stats.low / 2;
    cache_floor = frame_free_count() / 64;

    struct thread *p = thread_create("pager", pager, NULL);
    struct thread *f = thread_create("flusher", flusher, NULL);

    if (p == NULL || f == NULL)
        panic("no memory for the pager and the flusher");
    thread_start(p);
    thread_start(f);
}
