/*
 * radix.c - a tree of 64-way nodes, six bits of the index at each level.
 *
 * A node at level 1 holds values, one at a higher level holds nodes.  The tree is as high as
 * its largest index needs, so a small table is one node.  A node is its slots and nothing else,
 * 512 bytes, which is a size that kmalloc has; that it is empty is found by looking, and the
 * look begins beside the slot that was cleared, where a table that is emptied in order has its
 * next value.
 *
 * Nodes that radix_reserve made may be empty; radix_del frees only nodes on its own path, and
 * only when they are empty.
 */
#include "kernel/lib/radix.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/assert.h"
#include "mm/kmalloc.h"

/* 11 levels of 6 bits cover 64. */
#define HEIGHT_MAX 11

struct radix_node {
    void *slots[RADIX_SLOTS];
};

STATIC_ASSERT(sizeof(struct radix_node) == 512);

static unsigned
slot_of(uint64_t index, unsigned level)
{
    return (index >> ((level - 1) * RADIX_BITS)) & (RADIX_SLOTS - 1);
}

/* True if a tree of this height has a place for @index. */
static bool
height_covers(unsigned height, uint64_t index)
{
    return height >= HEIGHT_MAX || index >> (height * RADIX_BITS) == 0;
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

    if (n != NULL)
        return n->slots[slot_of(index, 1)];
    n = r->root;
    if (n == NULL || !height_covers(r->height, index))
        return NULL;
    for (unsigned level = r->height; level > 1 && n != NULL; level--)
        n = n->slots[slot_of(index, level)];
    return n == NULL ? NULL : n->slots[slot_of(index, 1)];
}

/* Puts new roots above the old one until @index fits. */
static int
grow(struct radix *r, uint64_t index)
{
    while (r->root == NULL || !height_covers(r->height, index)) {
        struct radix_node *n = kzalloc(sizeof(*n));
        if (n == NULL)
            return -ENOMEM;
        if (r->root == NULL) {
            r->height = 1;
            while (!height_covers(r->height, index))
                r->height++;
        } else {
            n->slots[0] = r->root;
            r->height++;
        }
        r->root = n;
    }
    return 0;
}

/* True if all slots are empty; the one behind @near is looked at first. */
static bool
node_empty(const struct radix_node *n, unsigned near)
{
    const uintptr_t *s = (const uintptr_t *)n->slots;

    if (s[(near + 1) % RADIX_SLOTS] != 0)
        return false;
    for (unsigned i = 0; i < RADIX_SLOTS; i += 8)
        if (s[i] | s[i + 1] | s[i + 2] | s[i + 3] | s[i + 4] | s[i + 5] | s[i + 6] | s[i + 7])
            return false;
    return true;
}

static bool
only_slot_0(const struct radix_node *n)
{
    for (unsigned i = 1; i < RADIX_SLOTS; i++)
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
    bool freed = false;

    for (unsigned level = r->height; level >= 1 && n != NULL; level--) {
        path[level] = n;
        n = level > 1 ? n->slots[slot_of(index, level)] : NULL;
    }
    for (unsigned level = 1; level <= r->height; level++) {
        if (path[level] == NULL)
            continue; /* the way ended above */
        if (!node_empty(path[level], slot_of(index, level))) {
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
    for (unsigned level = r->height; level > 1; level--) {
        void **slot = &n->slots[slot_of(index, level)];
        if (*slot == NULL) {
            *slot = kzalloc(sizeof(*n));
            if (*slot == NULL)
                goto no_memory;
        }
        n = *slot;
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
    return n == NULL ? NULL : &n->slots[slot_of(index, 1)];
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
    struct radix_node *n = r->root;

    if (n == NULL || !height_covers(r->height, index))
        return NULL;
    for (unsigned level = r->height; level > 1 && n != NULL; level--)
        n = n->slots[slot_of(index, level)];
    if (n == NULL)
        return NULL;

    void **slot = &n->slots[slot_of(index, 1)];
    void *value = *slot;
    *slot = NULL;
    radix_prune(r, index);
    return value;
}

/*
 * Walks down to the first used slot at or after *@index. Returns it, with *@index its index; or
 * NULL with *@index behind what turned out to have none before @end: 0 if that was the last.
 */
static void **
next_step(const struct radix *r, uint64_t *index, uint64_t end)
{
    struct radix_node *n = r->root;

    for (unsigned level = r->height;; level--) {
        unsigned bits = level * RADIX_BITS, i = slot_of(*index, level);
        /* What the node is for; the highest may cover more than 64 bits. */
        uint64_t base = bits < 64 ? *index >> bits << bits : 0;

        if (n->slots[i] == NULL) {
            unsigned last = bits < 64 && (end - 1) >> bits != *index >> bits
                                ? RADIX_SLOTS - 1
                                : slot_of(end - 1, level);

            do
                i++;
            while (i <= last && n->slots[i] == NULL);
            if (i > last) {
                *index = base + ((uint64_t)i << (bits - RADIX_BITS));
                return NULL;
            }
            *index = base | (uint64_t)i << (bits - RADIX_BITS);
        }
        if (level == 1)
            return &n->slots[i];
        n = n->slots[i];
    }
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
