/*
 * radix.c - a tree of nodes, some bits of the index at each level.
 *
 * A node at level 1, a leaf, has 64 slots for values; one at a higher level has 16 for nodes, for
 * there are often few: the pages of a process lie in a few places far apart, and on the way to
 * each are nodes with nothing else.  The tree is as high as its largest index needs, so a small
 * table is one leaf.  A node is its slots and nothing else; that it is empty is found by looking,
 * and the look begins beside the slot that was cleared, where a table that is emptied in order
 * has its next value.
 *
 * Nodes that radix_reserve made may be empty; radix_del frees only nodes on its own path, and
 * only when they are empty.
 */
#include "kernel/lib/radix.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/assert.h"
#include "mm/kmalloc.h"

#define INNER_BITS 4
#define HEIGHT_MAX 16 /* RADIX_BITS and 15 times INNER_BITS cover 64 */

struct radix_node {
    void *slots[1]; /* as many as slots_at() its level */
};

static unsigned
slots_at(unsigned level)
{
    return level == 1 ? RADIX_SLOTS : 1U << INNER_BITS;
}

static struct radix_node *
node_new(unsigned level)
{
    return kzalloc(slots_at(level) * sizeof(void *));
}

/* How many bits of the index nodes below @level are for. */
static unsigned
bits_below(unsigned level)
{
    return level == 1 ? 0 : RADIX_BITS + (level - 2) * INNER_BITS;
}

static unsigned
slot_of(uint64_t index, unsigned level)
{
    return (index >> bits_below(level)) & (slots_at(level) - 1);
}

/* True if a tree of this height has a place for @index. */
static bool
height_covers(unsigned height, uint64_t index)
{
    return height >= HEIGHT_MAX || index >> bits_below(height + 1) == 0;
}

/*
 * One step of a way down: from @n, whose slots are for the bits of @index from *@shift on, to
 * the node below. *@shift is 0 when that is a leaf.
 */
static inline struct radix_node **
step_down(struct radix_node *n, uint64_t index, unsigned *shift)
{
    unsigned slot = index >> *shift & ((1U << INNER_BITS) - 1);

    *shift = *shift > RADIX_BITS ? *shift - INNER_BITS : 0;
    return (struct radix_node **)&n->slots[slot];
}

static inline void **
leaf_slot(struct radix_node *leaf, uint64_t index)
{
    return &leaf->slots[index & (RADIX_SLOTS - 1)];
}

/* The leaf for @index, or NULL. */
static struct radix_node *
find_leaf(const struct radix *r, uint64_t index)
{
    struct radix_node *n = r->root;
    unsigned shift = bits_below(r->height);

    if (n == NULL || !height_covers(r->height, index))
        return NULL;
    while (shift > 0 && n != NULL)
        n = *step_down(n, index, &shift);
    return n;
}

/* Neighbours are asked for one after the other: the way down is saved then. */
static inline struct radix_node *
known_leaf(const struct radix *r, uint64_t index)
{
    return index - r->first < RADIX_SLOTS ? r->leaf : NULL;
}

void *
radix_get(const struct radix *r, uint64_t index)
{
    struct radix_node *n = known_leaf(r, index);

    if (n == NULL)
        n = find_leaf(r, index);
    return n == NULL ? NULL : *leaf_slot(n, index);
}

/* Puts new roots above the old one until @index fits. */
static int
grow(struct radix *r, uint64_t index)
{
    while (r->root == NULL || !height_covers(r->height, index)) {
        unsigned height = r->root == NULL ? 1 : r->height + 1;

        while (r->root == NULL && !height_covers(height, index))
            height++;
        struct radix_node *n = node_new(height);

        if (n == NULL)
            return -ENOMEM;
        n->slots[0] = r->root;
        r->height = height;
        r->root = n;
    }
    return 0;
}

/* True if all @slots are empty; the one behind @near is looked at first. */
static bool
node_empty(const struct radix_node *n, unsigned slots, unsigned near)
{
    const uintptr_t *s = (const uintptr_t *)n->slots;

    if (s[(near + 1) % slots] != 0)
        return false;
    for (unsigned i = 0; i < slots; i += 8)
        if (s[i] | s[i + 1] | s[i + 2] | s[i + 3] | s[i + 4] | s[i + 5] | s[i + 6] | s[i + 7])
            return false;
    return true;
}

/* For a node above the leaves. */
static bool
only_slot_0(const struct radix_node *n)
{
    for (unsigned i = 1; i < slots_at(2); i++)
        if (n->slots[i] != NULL)
            return false;
    return n->slots[0] != NULL;
}

/* Takes off roots through which everything goes by slot 0. */
static void
lower(struct radix *r)
{
    while (r->height > 1 && only_slot_0(r->root)) {
        struct radix_node *n = r->root;
        r->root = n->slots[0];
        r->height--;
        kfree(n);
    }
}

void
radix_prune(struct radix *r, uint64_t index)
{
    struct radix_node *path[HEIGHT_MAX + 1] = {0};
    struct radix_node *n = r->root;
    unsigned shift = bits_below(r->height);
    bool freed = false;

    for (unsigned level = r->height; level >= 1 && n != NULL; level--) {
        path[level] = n;
        n = level > 1 ? *step_down(n, index, &shift) : NULL;
    }
    for (unsigned level = 1; level <= r->height; level++) {
        if (path[level] == NULL)
            continue; /* the way ended above */
        if (!node_empty(path[level], slots_at(level), slot_of(index, level))) {
            if (freed && level == r->height)
                lower(r);
            return;
        }
        kfree(path[level]);
        r->leaf = NULL;
        freed = true;
        if (level == r->height) {
            *r = (struct radix){0};
            return;
        }
        path[level + 1]->slots[slot_of(index, level + 1)] = NULL;
    }
}

/* The level-1 node for @index, made if it is missing; NULL: no memory, nothing changed. */
static struct radix_node *
make_leaf(struct radix *r, uint64_t index)
{
    if (grow(r, index) != 0)
        goto no_memory;

    struct radix_node *n = r->root;
    unsigned shift = bits_below(r->height);

    while (shift > 0) {
        struct radix_node **below = step_down(n, index, &shift);

        if (*below == NULL && (*below = node_new(shift == 0 ? 1 : 2)) == NULL)
            goto no_memory;
        n = *below;
    }
    return n;

no_memory:
    if (r->root != NULL && height_covers(r->height, index))
        radix_prune(r, index);
    if (r->root != NULL)
        lower(r);
    return NULL;
}

void **
radix_make(struct radix *r, uint64_t index)
{
    struct radix_node *n = known_leaf(r, index);

    if (n == NULL) {
        n = r->leaf = make_leaf(r, index);
        r->first = ROUND_DOWN(index, RADIX_SLOTS);
    }
    return n == NULL ? NULL : leaf_slot(n, index);
}

int
radix_set(struct radix *r, uint64_t index, void *value)
{
    ASSERT(value != NULL);

    void **slot = radix_make(r, index);
    if (slot == NULL)
        return -ENOMEM;
    *slot = value;
    return 0;
}

int
radix_reserve(struct radix *r, uint64_t index)
{
    return radix_make(r, index) == NULL ? -ENOMEM : 0;
}

void *
radix_del(struct radix *r, uint64_t index)
{
    struct radix_node *n = find_leaf(r, index);

    if (n == NULL)
        return NULL;

    void **slot = leaf_slot(n, index);
    void *value = *slot;
    *slot = NULL;
    radix_prune(r, index);
    return value;
}

/*
 * The first used slot of @n, a node of @level, at or after that of *@index, and whose indices begin
 * before @end; *@index moves to it. NULL: there is none, and *@index is behind what was looked at.
 */
static void **
next_in_node(struct radix_node *n, unsigned level, uint64_t *index, uint64_t end)
{
    unsigned shift = bits_below(level), above = bits_below(level + 1);
    unsigned i = slot_of(*index, level), last = slots_at(level) - 1;
    /* What the node is for; the highest may cover more than 64 bits. */
    uint64_t base = above < 64 ? *index >> above << above : 0;

    if (n->slots[i] != NULL)
        return &n->slots[i];
    if (above >= 64 || (end - 1) >> above == *index >> above)
        last = slot_of(end - 1, level);
    do
        i++;
    while (i <= last && n->slots[i] == NULL);
    *index = base + ((uint64_t)i << shift);
    return i <= last ? &n->slots[i] : NULL;
}

/*
 * Walks down to the first used slot at or after *@index. Returns it, with *@index its index; or
 * NULL with *@index behind what turned out to have none before @end: 0 if that was the last.
 */
static void **
next_step(const struct radix *r, uint64_t *index, uint64_t end)
{
    struct radix_node *n = r->root;
    unsigned shift = bits_below(r->height), level = r->height;
    void **slot;

    for (; shift > 0; level--) { /* as far as the nodes are there: most often to the leaf */
        struct radix_node **below = step_down(n, *index, &shift);

        if (*below == NULL)
            break;
        n = *below;
    }
    while ((slot = next_in_node(n, level, index, end)) != NULL && level-- > 1)
        n = *slot;
    return slot;
}

/* The first used slot at or after *@index and before @end, or NULL. */
static void **
next_slot(const struct radix *r, uint64_t *index, uint64_t end)
{
    uint64_t at = *index;

    while (r->root != NULL && at < end && height_covers(r->height, at)) {
        void **slot = next_step(r, &at, end);

        if (slot == NULL && at == 0)
            return NULL;
        if (slot != NULL && at < end) {
            *index = at;
            return slot;
        }
    }
    return NULL;
}

void *
radix_next(const struct radix *r, uint64_t *index, uint64_t end)
{
    void **slot = next_slot(r, index, end);

    return slot == NULL ? NULL : *slot;
}

void **
radix_run(const struct radix *r, uint64_t *index, uint64_t end, unsigned *n)
{
    void **slot = next_slot(r, index, end);

    if (slot != NULL)
        *n = MIN(RADIX_SLOTS - slot_of(*index, 1), end - *index);
    return slot;
}
