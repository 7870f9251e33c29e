/*
 * reclaim.c - memory when there is none left.
 *
 * The pager sleeps until free frames fall below the low watermark, then takes frames away
 * until they are above the high one.  It needs vm_lock and nothing else, and never
 * enters a file system.  Clean pages of files are dropped; pages without a file go to swap, many
 * in one write.  Dirty pages of files are the flusher's: it writes them, so that the pager
 * finds them clean.
 *
 * Which frame goes is the replacement policy's choice (policy.h); whether it can go at
 * all is judged here.
 *
 * Who cannot do without memory waits for it in reclaim_wait; who can, asks for it in reclaim_ask.
 * When a turn of the pager finds nothing, even after the flusher had its turn, memory is out:
 *   1. A large process is ended.
 *   2. If there is none, those who ask are refused.  Else a crowd that forks would end all others
 *      one by one.
 *   3. If that was not enough for those who cannot do without, a small process is ended.
 *   4. If there is none, they are refused too.
 * Who was ended gets time to go before another one is: but not for ever, as it may wait for a
 * lock whose holder waits for memory.
 *
 * The last few frames of files are not taken: they are the code that is running, and
 * without them the machine would do nothing but read it in again, for ever short of memory
 * and never quite out of it.
 *
 * Locks: V vm_lock; P the pager's own, read by others without lock; A atomic.
 * Called by fault.c, object.c and the system-call entry.
 */
#include "mm/reclaim.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/dev/block.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/trace/trace.h"
#include "mm/anon.h"
#include "mm/frame.h"
#include "mm/object.h"
#include "mm/policy.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/swap.h"
#include "mm/tlb.h"

#define FLUSH_PERIOD   (5 * NSEC_PER_SEC)  /* dirty pages do not stay in memory much longer */
#define FLUSH_WAIT     (3 * NSEC_PER_SEC)  /* for which the pager waits for the flusher */
#define VICTIM_TIME    (1 * NSEC_PER_SEC)  /* for which nobody goes after one that was ended */
#define VICTIM_PAUSE   (5 * NSEC_PER_MSEC) /* the pager keeps out of its way, then looks again */
#define SWAP_IN_FLIGHT 4   /* departures: one collects while the disk writes the others */
#define SCAN_STEPS     256 /* frames that the pager looks at before it lets others run */
#define POOR           8   /* frames: a turn that frees fewer and leaves none is of no use; */
#define POOR_TURNS     32  /* so many in a row are the end */

/*
 * What a page may need at once: its frame, page tables, nodes of tables.
 * Less than that is nothing.
 */
#define FRAMES_SPENT (FRAME_RESERVE + FRAME_CUSHION + 16)

static const struct policy *policy = &policy_clock; /* chosen at boot */
static uint64_t queue_length, file_frames; /* V: frames that the policy has; those of files */
static uint64_t added;                     /* V: frames that were ever put into the queue */
static uint64_t cache_floor; /* frames of files that are left alone: see above; constant */
static struct waitq pager_wake = WAITQ_INIT(pager_wake);
static struct waitq flusher_wake = WAITQ_INIT(flusher_wake);
static struct waitq memory_freed = WAITQ_INIT(memory_freed);
static unsigned needing, asking;          /* A: threads in reclaim_wait, in reclaim_ask */
static uint64_t flush_wanted, flush_done; /* A: tickets; done: written by the flusher only */
static uint64_t drop_wanted, drop_done;   /* A: the same; by the pager only */

/* P: how the last turn of the pager ended, and how many there were. Whom it refuses: */
static enum verdict { NOBODY, WHO_ASKS, EVERYBODY } refused;
static uint64_t turns;
static unsigned poor_turns;   /* P: in a row */
static uint64_t fruitless;    /* P: what added was when a turn last freed nothing */
static nsec_t victim_overdue; /* P: when another process may be ended; 0: memory is not out */

static struct reclaim_stats stats; /* scanned V, flushed the flusher's, the others P */
static int (*kill_largest)(bool spare_small, bool patient);
static void (*shrink)(void);

void
reclaim_set_hooks(int (*kill_largest_fn)(bool spare_small, bool patient),
                  void (*shrink_fn)(void))
{
    kill_largest = kill_largest_fn;
    shrink = shrink_fn;
}

void
reclaim_add(struct frame *f)
{
    ASSERT(mutex_held(&vm_lock) && !f->queued);
    f->queued = true;
    policy->enter(f);
    queue_length++;
    file_frames += f->owner == FRAME_OBJECT;
    added++;
    if (frame_free_count() < stats.low)
        waitq_wake_all(&pager_wake);
}

void
reclaim_remove(struct frame *f)
{
    ASSERT(mutex_held(&vm_lock));
    if (!f->queued)
        return;
    f->queued = false;
    policy->leave(f);
    queue_length--;
    file_frames -= f->owner == FRAME_OBJECT;
}

/* What the pager is to reach. */
struct goal {
    uint64_t free;   /* so many frames are free */
    uint64_t floor;  /* so many frames of files are left alone: see above */
    bool only_files; /* nothing goes to swap */
};

/* Pages that leave together; in flight while started. */
struct departure {
    struct swap_cluster pages;
    struct block_request req;
    bool started;
};

/* The pager's: one that collects pages, and those before it, which the disk works on. */
static struct departure departures[SWAP_IN_FLIGHT];

/* What one turn of the pager works on. */
struct turn {
    const struct goal *goal;
    struct tlb_batch tlb;
    unsigned collecting; /* which departure */
    uint64_t freed, in_flight;
};

static struct swap_cluster *
collecting(struct turn *t)
{
    return &departures[t->collecting].pages;
}

/* Waits for the disk to be done with a departure. V is let go of meanwhile. */
static void
await(struct turn *t, struct departure *d)
{
    if (!d->started)
        return;
    mutex_unlock(&vm_lock);
    t->in_flight -= d->pages.n;
    t->freed += swap_out_finish(&d->pages, &d->req);
    mutex_lock(&vm_lock);
    d->started = false;
}

/*
 * Carries out what was decided so far: unmapped is unmapped on every processor now, and the pages
 * collected are on their way.  The next departure may have to come back first.
 */
static void
turn_settle(struct turn *t)
{
    struct departure *d = &departures[t->collecting];

    tlb_flush(&t->tlb);
    if (d->pages.n == 0)
        return;
    swap_out_start(&d->pages, &d->req);
    d->started = true;
    t->in_flight += d->pages.n;
    t->collecting = (t->collecting + 1) % SWAP_IN_FLIGHT;
    await(t, &departures[t->collecting]);
}

/* A clean page of a file: it can be read again. */
static void
take_file_page(struct frame *f, struct turn *t)
{
    if (f->dirty || file_frames <= t->goal->floor)
        return;
    trace_drop(frame_number(f), f->index);
    rmap_remove_all(f, &t->tlb);
    f->referenced = false;
    object_forget(f);
    tlb_batch_free(&t->tlb, f);
    t->freed++;
}

/* It has a place in swap, or could have one. */
static bool
has_slot(const struct anon *a)
{
    return a->slot != 0 || swap_free_slots() > 0;
}

/* A page without a file: its slot is up to date, or it is written to one. */
static void
take_anon_page(struct frame *f, struct turn *t)
{
    // LAB swap/4 begin -- (void)f, (void)t;
    struct anon *a = f->anon;

    /* Collects the D bits: only then is it known whether the page is dirty. */
    rmap_remove_all(f, &t->tlb);
    f->referenced = false;
    if (!f->dirty && a->slot != 0) {
        anon_expect_slot(a);
        anon_leave_frame(a, &t->tlb);
        t->freed++;
        return;
    }
    if (swap_out_add(collecting(t), a) == SWAP_CLUSTER_FULL) {
        turn_settle(t);
        if (f->anon == a && a->refs > 0 && !f->busy && f->maps == NULL && f->pins == 0)
            (void)swap_out_add(collecting(t), a);
    }
    // LAB end
}

/* The verdict on the policy's candidate. */
static void
reclaim_one(struct frame *f, struct turn *t)
{
    stats.scanned++;
    /* Before it is asked whether it was used, because asking has a price. */
    if (f->busy || f->pins > 0 ||
        (f->owner == FRAME_ANON && (t->goal->only_files || !has_slot(f->anon))) ||
        rmap_locked(f))
        return;
    if (policy->spare(f, &t->tlb))
        return;
    if (f->owner == FRAME_OBJECT)
        take_file_page(f, t);
    else
        take_anon_page(f, t);
}

/*
 * Asks about every frame twice, or until the goal is reached. Only the pager calls it. Returns
 * the number of frames freed, and of those that were free when that was enough: others give back
 * too, and take again before the pager looks.
 */
static uint64_t
reclaim_round(const struct goal *goal)
{
    struct turn t = {.goal = goal};
    uint64_t found = 0;

    trace_reclaim(TRACE_STEP_BEGIN, frame_free_count(), goal->free);
    tlb_batch_init(&t.tlb);
    mutex_lock(&vm_lock);
    for (uint64_t step = 0, limit = 2 * queue_length; step < limit && queue_length > 0;
         step++) {
        uint64_t free = frame_free_count();

        found = free >= goal->free ? free : 0;
        if (free + t.tlb.nframes + collecting(&t)->n + t.in_flight >= goal->free)
            break;
        reclaim_one(policy->next(&t.tlb), &t);
        if (step % SCAN_STEPS == SCAN_STEPS - 1) {
            turn_settle(&t);
            mutex_unlock(&vm_lock);
            sched_yield();
            mutex_lock(&vm_lock);
        }
    }
    turn_settle(&t);
    for (unsigned i = 1; i <= SWAP_IN_FLIGHT; i++) /* the oldest first */
        await(&t, &departures[(t.collecting + i) % SWAP_IN_FLIGHT]);
    mutex_unlock(&vm_lock);
    stats.freed += t.freed;
    trace_reclaim(TRACE_STEP_END, frame_free_count(), t.freed);
    return t.freed + found;
}

static void
flush_and_wait(nsec_t deadline)
{
    uint64_t ticket = __atomic_add_fetch(&flush_wanted, 1, __ATOMIC_SEQ_CST);

    waitq_wake_all(&flusher_wake);
    (void)wait_event_full(&memory_freed, READ_ONCE(flush_done) >= ticket, SLEEP_FIRM, deadline);
}

/* There is less than a page may need at once. */
static bool
memory_spent(void)
{
    return frame_free_count() <= FRAMES_SPENT;
}

/* Ends a process, or refuses those who wait: the steps at the top. */
static void
out_of_memory(void)
{
    bool spare_small = READ_ONCE(needing) == 0 || (READ_ONCE(asking) > 0 && refused == NOBODY);
    nsec_t now = clock_now();

    if (victim_overdue == 0)
        victim_overdue = now + VICTIM_TIME;

    int ended = kill_largest == NULL ? -1 : kill_largest(spare_small, now < victim_overdue);

    if (ended > 0) {
        stats.oom_kills++;
        victim_overdue = now + VICTIM_TIME;
    }
    refused = ended >= 0 ? NOBODY : spare_small ? WHO_ASKS : EVERYBODY;
    poor_turns = 0;
    /* Those that wait must not be in the way of who is to give memory back. */
    if (refused != EVERYBODY)
        sched_sleep_until(now + VICTIM_PAUSE);
}

/*
 * One turn of work for the pager: reclaim; if that gave nothing, have dirty pages written and try
 * again; if that neither, memory is out.
 */
static void
pager_turn(void)
{
    const struct goal goal = {.free = stats.high, .floor = cache_floor};
    uint64_t least = 1, freed = reclaim_round(&goal);

    /* A page that is read in, taken before it is mapped, and read in again is no progress. */
    poor_turns = freed < POOR && memory_spent() ? poor_turns + 1 : 0;
    if (poor_turns >= POOR_TURNS)
        least = POOR;
    if (freed < least) {
        /* Not for ever: the flusher may need a file's lock, whose holder waits for memory. */
        flush_and_wait(clock_now() + FLUSH_WAIT);
        fruitless = READ_ONCE(added);
        freed = reclaim_round(&goal);
    }
    if (freed < least && memory_spent() && READ_ONCE(needing) + READ_ONCE(asking) > 0) {
        out_of_memory();
    } else {
        refused = NOBODY;
        victim_overdue = 0;
    }
    __atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
    waitq_wake_all(&memory_freed);
}

/* Drops every clean unused page of files, for those who wait in reclaim_drop_caches. */
static void
drop_caches(void)
{
    static const struct goal everything = {.free = UINT64_MAX, .only_files = true};
    uint64_t ticket = drop_wanted;

    while (reclaim_round(&everything) > 0)
        ;
    drop_done = ticket;
    waitq_wake_all(&memory_freed);
}

static void
pager(void *unused)
{
    (void)unused;
    current_thread()->frees_memory = true;
    for (;;) {
        /* Below the mark with nothing to take it sleeps on, until one waits or a page comes in. */
        wait_event(&pager_wake,
                   READ_ONCE(needing) + READ_ONCE(asking) > 0 ||
                       READ_ONCE(drop_wanted) != drop_done ||
                       (frame_free_count() < stats.low && READ_ONCE(added) != fruitless));
        if (READ_ONCE(drop_wanted) != drop_done)
            drop_caches();
        else
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
        (void)wait_event_full(&flusher_wake, flush_wanted != flush_done, SLEEP_FIRM,
                              object_dirty_pages > 0 ? next : UINT64_MAX);
        asked = flush_wanted != flush_done;

        uint64_t ticket = flush_wanted;
        uint64_t dirty = object_dirty_pages;

        (void)object_sync_all(); /* what failed, the next fsync() tells */
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

static bool
is_dying(struct space *s)
{
    return s != NULL && READ_ONCE(s->dying);
}

/*
 * Waits, counted in @count, for the end of a turn of the pager. -ENOMEM: that refuses us, or, at
 * once, who waits here must not: who is dying, and who frees memory.
 */
static int
wait_turn(struct space *s, unsigned *count, enum verdict refusal)
{
    uint64_t seen = READ_ONCE(turns);

    if (is_dying(s) || current_thread()->frees_memory)
        return -ENOMEM;
    __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
    waitq_wake_all(&pager_wake);
    wait_event(&memory_freed, READ_ONCE(turns) != seen || is_dying(s));
    __atomic_sub_fetch(count, 1, __ATOMIC_SEQ_CST);
    return is_dying(s) || (READ_ONCE(refused) >= refusal && memory_spent()) ? -ENOMEM : 0;
}

int
reclaim_wait(struct space *s)
{
    return wait_turn(s, &needing, EVERYBODY);
}

int
reclaim_ask(struct space *s)
{
    return wait_turn(s, &asking, WHO_ASKS);
}

void
reclaim_throttle(void)
{
    if (current_thread()->frees_memory)
        return;
    if (frame_free_count() < stats.low && queue_length > 0 &&
        reclaim_ask(current_thread()->space) != 0)
        return;
    /* Dirty pages can't be taken away: before they are half of what could be, their makers wait. */
    if (object_dirty_pages > (frame_free_count() + file_frames) / 2)
        flush_and_wait(UINT64_MAX);
}

void
reclaim_drop_caches(void)
{
    /*
     * Writing a file may make its file system's own pages dirty, and those
     * come before it in the list.
     */
    for (int turn = 0; turn == 0 || (object_dirty_pages > 0 && turn < 8); turn++)
        flush_and_wait(UINT64_MAX);

    uint64_t ticket = __atomic_add_fetch(&drop_wanted, 1, __ATOMIC_SEQ_CST);

    waitq_wake_all(&pager_wake);
    wait_event(&memory_freed, READ_ONCE(drop_done) >= ticket);
}

void
reclaim_get_stats(struct reclaim_stats *s)
{
    *s = stats;
    s->queue = queue_length;
}

static void
choose_policy(void)
{
    static const struct policy *const all[] = {&policy_clock, &policy_fifo, &policy_lru,
                                               &policy_random, &policy_reuse};
    char name[16];

    if (!boot_option("policy", name, sizeof(name)))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        if (strcmp(name, all[i]->name) == 0) {
            policy = all[i];
            return;
        }
    kprintf("reclaim: there is no policy \"%s\": clock, fifo, lru, random or reuse; it is %s\n",
            name, policy->name);
}

const char *
reclaim_policy(void)
{
    return policy->name;
}

void
reclaim_init(void)
{
    ASSERT(queue_length == 0);
    choose_policy();
    stats.low = MAX(4 * FRAME_RESERVE, frame_free_count() / 64);
    stats.high = stats.low + stats.low / 2;
    cache_floor = frame_free_count() / 64;

    struct thread *p = thread_create("pager", pager, NULL);
    struct thread *f = thread_create("flusher", flusher, NULL);

    if (p == NULL || f == NULL)
        panic("no memory for the pager and the flusher");
    thread_start(p);
    thread_start(f);
}
