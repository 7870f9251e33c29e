/*
 * policy_reuse.c - what comes back soon is worth more than what came last.
 *
 *     enter --> [ cold: an eighth ] -- used again, or soon back --> [ hot: the rest ]
 *                    |      ^                                             |
 *                  taken    +------ unused for a turn of the hand --------+
 *
 * A cold page may change places with a hot one only if it was away for a shorter time than the
 * hand needs for a turn over the hot ones, in which that one was not used.  So in a loop that is
 * larger than memory a part stays, and the rest goes by; a scan does not disturb what is used.
 * It learns slowly that a program has turned to something else.
 *
 * After S. Jiang and X. Zhang, "LIRS", SIGMETRICS 2002, and S. Jiang, F. Chen and X. Zhang,
 * "CLOCK-Pro", USENIX 2005, whose exact order of uses is left out here.
 */
#include "mm/policy.h"

#include "mm/frame.h"
#include "mm/rmap.h"

#define GHOSTS 4096 /* pages that left and are remembered; SIMPLE: no more in a large memory */
#define HAND   2    /* hot frames that are looked at for the sake of one cold one */

enum standing { NEW, SEEN, RETURNED, HOT };

static struct queue {
    struct list frames;
    uint64_t length;
} cold = {LIST_INIT(cold.frames), 0}, hot = {LIST_INIT(hot.frames), 0};

static uint64_t asked;          /* frames that were named since one last left or became hot */
static struct frame *candidate; /* named last; NULL once it was asked whether to spare it */

/* When a page left, counted in pages that left; the last one with its hash counts. */
static struct ghost {
    uint32_t page, when;
} ghosts[GHOSTS];
static uint32_t departures;

/* A number that the page keeps while it is away: that of its anon, or file and place. */
static uint32_t
name_of(const struct frame *f)
{
    uint64_t page = f->owner == FRAME_ANON ? (uint64_t)f->anon : (uint64_t)f->object + f->index;

    return (uint32_t)(page * 0x9e3779b97f4a7c15 >> 32);
}

static void
remember(const struct frame *f)
{
    uint32_t name = name_of(f);

    ghosts[name % GHOSTS] = (struct ghost){name, ++departures};
}

/* It left a short time ago: fewer have left since than half of what is hot. */
static bool
came_back(const struct frame *f)
{
    uint32_t name = name_of(f);
    const struct ghost *g = &ghosts[name % GHOSTS];

    return g->page == name && departures - g->when < hot.length / 2;
}

static void
put(struct frame *f, enum standing rank)
{
    struct queue *q = rank == HOT ? &hot : &cold;

    f->rank = rank;
    list_push_back(&q->frames, &f->link);
    q->length++;
}

static void
take_out(struct frame *f)
{
    list_del(&f->link);
    (f->rank == HOT ? &hot : &cold)->length--;
}

static void
make_hot(struct frame *f)
{
    take_out(f);
    put(f, HOT);
    asked = 0;
}

static bool
has_room(void)
{
    return 8 * hot.length < 7 * (hot.length + cold.length);
}

/* Room for one more among the hot: there is some, or the hand finds one that was not used. */
static bool
make_room(struct tlb_batch *b)
{
    // LAB swap/7 begin -- (void)b, (void)has_room; return false;
    for (unsigned try = 0; try < HAND && !has_room(); try++) {
        struct frame *f = list_first(&hot.frames, struct frame, link);
        bool used = rmap_test_clear_accessed(f, b);

        take_out(f);
        put(f, used ? HOT : SEEN);
        if (!used)
            return true;
    }
    return has_room();
    // LAB end
}

static void
reuse_enter(struct frame *f)
{
    // LAB swap/7 begin -- (void)came_back; put(f, NEW);
    put(f, came_back(f) ? RETURNED : NEW);
    // LAB end
}

static void
reuse_leave(struct frame *f)
{
    take_out(f);
    asked = 0;
    candidate = candidate == f ? NULL : candidate;
}

/* Two turns over the cold ones; if those were in vain, two over the hot. */
static struct frame *
reuse_next(struct tlb_batch *b UNUSED)
{
    if (candidate != NULL && candidate->rank != HOT) /* locked, or the like: out of the way */
        make_hot(candidate);

    bool in_vain = asked >= 2 * cold.length;
    struct list *first = list_rotate(in_vain ? &hot.frames : &cold.frames);

    if (first == NULL)
        first = list_rotate(in_vain ? &cold.frames : &hot.frames);
    asked = asked < 2 * (cold.length + hot.length) ? asked + 1 : 0;
    candidate = first == NULL ? NULL : list_entry(first, struct frame, link);
    return candidate;
}

static bool
reuse_spare(struct frame *f, struct tlb_batch *b)
{
    candidate = NULL;

    // LAB swap/7 begin -- (void)make_room, (void)remember, (void)f, (void)b; return false;
    bool used = rmap_test_clear_accessed(f, b);
    /* The first use of all is the fault that brought it: only another one counts. */
    bool worth = f->rank == RETURNED || (f->rank == SEEN && used);

    if (f->rank != HOT && (has_room() || (worth && make_room(b)))) {
        make_hot(f);
        return true;
    }
    if (f->rank != HOT)
        f->rank = SEEN;
    if (!used)
        remember(f);
    return used;
    // LAB end
}

const struct policy policy_reuse = {"reuse", reuse_enter, reuse_leave, reuse_next, reuse_spare};
