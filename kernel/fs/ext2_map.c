/*
 * ext2_map.c - which block of the disk holds which block of a file.
 *
 *     ei->block:  0 .. 11    12        13          14
 *                 |          |         |           |
 *                 data      [ind]     [dind]      [tind]     an indirect block is an array of
 *                             |         |           |        block_size / 4 block numbers,
 *                            data     [ind]...    [dind]...  0 for a hole
 *
 * A path is the list of places to look at, from ei->block down to the data block. Every number
 * that comes from the disk is checked before it is used.
 *
 * Locks: all of this needs M of the inode (ei->map_lock).
 */
#include "kernel/fs/ext2_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

#define DEPTH_MAX 4

/* Where a block of a file is found: at[0] in ei->block, at[i] in the i-th indirect block. */
struct path {
    unsigned depth; /* 1 .. DEPTH_MAX */
    uint32_t at[DEPTH_MAX];
};

/* log2 of the block numbers in an indirect block. */
static unsigned
fan_shift(const struct ext2_fs *fs)
{
    return fs->block_shift - 2;
}

uint64_t
ext2_map_limit(const struct ext2_fs *fs)
{
    unsigned s = fan_shift(fs);

    return EXT2_DIRECT + (1UL << s) + (1UL << (2 * s)) + (1UL << (3 * s));
}

/* False when @lblk is beyond what the tree can hold. */
static bool
path_find(const struct ext2_fs *fs, uint64_t lblk, struct path *p)
{
    unsigned s = fan_shift(fs);
    uint32_t mask = (1U << s) - 1;

    if (lblk < EXT2_DIRECT) {
        *p = (struct path){1, {(uint32_t)lblk}};
        return true;
    }
    lblk -= EXT2_DIRECT;
    for (unsigned levels = 1; levels < DEPTH_MAX; levels++) {
        if (lblk < 1UL << (levels * s)) {
            p->depth = levels + 1;
            p->at[0] = EXT2_DIRECT + levels - 1;
            for (unsigned i = 1; i <= levels; i++)
                p->at[i] = (uint32_t)(lblk >> ((levels - i) * s)) & mask;
            return true;
        }
        lblk -= 1UL << (levels * s);
    }
    return false;
}

static int
check_pointer(struct ext2_inode *ei, uint32_t block)
{
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);

    if (block == 0 || ext2_block_valid(fs, block, 1))
        return 0;
    return ext2_corrupt(fs, "inode %lu points to block %u, which is no data block",
                        ei->inode.ino, block);
}

/*
 * path_walk_down - follow a path as far as it exists.
 *
 * @level: receives the depth at which the walk ended: p->depth - 1 at the last table.
 * @value: receives the block number in the last place looked at: the data block, or 0 where
 *         a block is missing.
 * @table: receives the block number of the indirect block that this place is in, 0 for
 * ei->block.
 */
static int
path_walk_down(struct ext2_inode *ei, const struct path *p, unsigned *level, uint32_t *value,
               uint32_t *table)
{
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    struct ext2_buf buf;

    *table = 0;
    *level = 0;
    *value = ei->block[p->at[0]];
    int err = check_pointer(ei, *value);
    while (err == 0 && *value != 0 && *level + 1 < p->depth) {
        *table = *value;
        *level += 1;
        err = ext2_buf_get(fs, *table, &buf);
        if (err != 0)
            return err;
        *value = ((uint32_t *)buf.data)[p->at[*level]];
        ext2_buf_put(fs, &buf, false);
        err = check_pointer(ei, *value);
    }
    return err;
}

/* Reads up to @n places, from p's last one on, of the table that p ends in. */
static int
map_get_run(struct ext2_inode *ei, const struct path *p, unsigned n, uint32_t *out,
            unsigned *got)
{
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    uint32_t last = p->at[p->depth - 1];
    uint32_t end = p->depth == 1 ? EXT2_DIRECT : 1U << fan_shift(fs);
    unsigned level;
    uint32_t value, table;
    struct ext2_buf buf;

    *got = MIN(n, end - last);
    int err = path_walk_down(ei, p, &level, &value, &table);
    if (err != 0)
        return err;
    if (level + 1 < p->depth) {
        memset(out, 0, *got * sizeof(*out));
        return 0;
    }
    if (table == 0) {
        memcpy(out, ei->block + last, *got * sizeof(*out));
    } else {
        err = ext2_buf_get(fs, table, &buf);
        if (err != 0)
            return err;
        memcpy(out, (uint32_t *)buf.data + last, *got * sizeof(*out));
        ext2_buf_put(fs, &buf, false);
    }
    for (unsigned i = 0; i < *got && err == 0; i++)
        err = check_pointer(ei, out[i]);
    return err;
}

int
ext2_map_get(struct ext2_inode *ei, uint64_t first, unsigned n, uint32_t *out)
{
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    struct path p;
    unsigned got;

    ASSERT(mutex_held(&ei->map_lock));
    while (n > 0) {
        if (!path_find(fs, first, &p)) {
            memset(out, 0, n * sizeof(*out));
            return 0;
        }
        int err = map_get_run(ei, &p, n, out, &got);
        if (err != 0)
            return err;
        first += got;
        out += got;
        n -= got;
    }
    return 0;
}

/* --- allocation --- */

/* Where a new block is best: behind the last one, so that a file lies in one piece. */
static uint32_t
map_goal(const struct ext2_inode *ei)
{
    const struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    uint32_t group = (uint32_t)((ei->inode.ino - 1) / fs->inodes_per_group);

    if (ei->last_block != 0)
        return ei->last_block + 1;
    return ext2_group_first_block(fs, group);
}

/* Puts @value into a place that was empty: in ei->block, or in the indirect block @table. */
static int
place_set(struct ext2_inode *ei, uint32_t table, uint32_t at, uint32_t value)
{
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    struct ext2_buf buf;

    if (table == 0) {
        ei->block[at] = value;
        return 0;
    }
    int err = ext2_buf_get(fs, table, &buf);
    if (err != 0)
        return err;
    ((uint32_t *)buf.data)[at] = value;
    ext2_buf_put(fs, &buf, true);
    return 0;
}

/* Gives blocks back that nothing points to yet. */
static void
chain_free(struct ext2_fs *fs, const uint32_t *chain, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (ext2_buf_forget(fs, chain[i]) == 0)
            ext2_block_free(fs, chain[i], 1);
}

/*
 * chain_make - allocate the missing part of a path: @n blocks, of which all but the last are
 * indirect and point to the next one.  Nothing points to the first one yet.
 */
static int
chain_make(struct ext2_inode *ei, const struct path *p, unsigned n, uint32_t *chain)
{
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    struct ext2_buf buf;
    unsigned made = 0;
    int err = 0;

    while (made < n && err == 0) {
        uint32_t goal = made == 0 ? map_goal(ei) : chain[made - 1] + 1;
        err = ext2_block_alloc(fs, goal, &chain[made]);
        made += err == 0;
    }
    for (unsigned i = 0; i + 1 < n && err == 0; i++) {
        err = ext2_buf_new(fs, chain[i], &buf);
        if (err != 0)
            break;
        ((uint32_t *)buf.data)[p->at[p->depth - n + i + 1]] = chain[i + 1];
        ext2_buf_put(fs, &buf, true);
    }
    if (err == 0)
        return 0;
    chain_free(fs, chain, made);
    return err;
}

int
ext2_map_alloc(struct ext2_inode *ei, uint64_t lblk, uint32_t *out)
{
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    uint32_t chain[DEPTH_MAX], table;
    unsigned level;
    struct path p;

    ASSERT(mutex_held(&ei->map_lock));
    if (!path_find(fs, lblk, &p))
        return -EFBIG;
    int err = path_walk_down(ei, &p, &level, out, &table);
    if (err != 0 || *out != 0)
        return err;

    unsigned n = p.depth - level;
    err = chain_make(ei, &p, n, chain);
    if (err != 0)
        return err;
    err = place_set(ei, table, p.at[level], chain[0]);
    if (err != 0) {
        chain_free(fs, chain, n);
        return err;
    }
    ei->inode.blocks += (uint64_t)n << (fs->block_shift - 9);
    ei->last_block = chain[n - 1];
    ei->end_block = MAX(ei->end_block, lblk + 1);
    inode_mark_dirty(&ei->inode);
    *out = chain[n - 1];
    return 0;
}

/* --- truncation --- */

/* What a truncation has to remember. */
struct cut {
    struct ext2_inode *ei;
    uint64_t first;              /* blocks from here on go */
    uint32_t run_start, run_len; /* neighbours on the disk, to be freed together */
    uint64_t budget; /* indirect blocks that may still be read: a damaged tree may have loops */
    int error;       /* the first one */
};

static void
cut_error(struct cut *c, int err)
{
    if (err != 0 && c->error == 0)
        c->error = err;
}

static void
cut_flush(struct cut *c)
{
    if (c->run_len > 0)
        cut_error(c, ext2_block_free(ext2_fs_of(&c->ei->inode), c->run_start, c->run_len));
    c->run_len = 0;
}

static void
cut_block(struct cut *c, uint32_t block)
{
    struct inode *i = &c->ei->inode;
    uint64_t units = 1U << (ext2_fs_of(i)->block_shift - 9);

    i->blocks -= MIN(i->blocks, units);
    if (c->run_len > 0 && block == c->run_start + c->run_len) {
        c->run_len++;
        return;
    }
    cut_flush(c);
    c->run_start = block;
    c->run_len = 1;
}

static bool cut_branch(struct cut *c, uint32_t block, unsigned levels, uint64_t start);

/* Frees what is behind the numbers in an indirect block. Returns true if none is left in it. */
static bool
cut_table(struct cut *c, uint32_t block, unsigned levels, uint64_t start)
{
    struct ext2_fs *fs = ext2_fs_of(&c->ei->inode);
    uint64_t per_entry = 1UL << ((levels - 1) * fan_shift(fs));
    bool empty = true, changed = false;
    struct ext2_buf buf;

    if (c->budget == 0) {
        cut_error(c, ext2_corrupt(fs, "inode %lu: loop among its blocks", c->ei->inode.ino));
        return true;
    }
    c->budget--;
    int err = ext2_buf_get_patiently(fs, block, &buf);
    if (err != 0) {
        cut_error(c, err);
        return c->first <= start;
    }
    uint32_t *entry = buf.data;
    for (uint32_t i = 0; i < 1U << fan_shift(fs); i++) {
        if (entry[i] == 0)
            continue;
        if (!cut_branch(c, entry[i], levels - 1, start + i * per_entry)) {
            empty = false;
            continue;
        }
        entry[i] = 0;
        changed = true;
    }
    ext2_buf_put(fs, &buf, changed && !empty);
    return empty;
}

/*
 * cut_branch - free the part of a tree that lies behind the cut.
 *
 * @block:  its top, not 0.
 * @levels: 0: a data block; else an indirect block with so many levels.
 * @start:  the first block of the file that it maps.
 * Returns: true if all of it is gone, so that the number of its top is to be cleared.
 */
static bool
cut_branch(struct cut *c, uint32_t block, unsigned levels, uint64_t start)
{
    struct ext2_fs *fs = ext2_fs_of(&c->ei->inode);
    uint64_t blocks = 1UL << (levels * fan_shift(fs));

    if (start + blocks <= c->first)
        return false;
    int err = check_pointer(c->ei, block);
    if (err != 0) {
        cut_error(c, err);
        return true;
    }
    if (levels > 0) {
        if (!cut_table(c, block, levels, start))
            return false;
        err = ext2_buf_forget(fs, block);
        if (err != 0) {
            cut_error(c, err);
            return true;
        }
    }
    cut_block(c, block);
    return true;
}

int
ext2_map_truncate(struct ext2_inode *ei, uint64_t first)
{
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    struct cut c = {.ei = ei, .first = first};
    uint64_t start = 0;

    ASSERT(mutex_held(&ei->map_lock));
    c.budget = MIN(ei->inode.blocks >> (fs->block_shift - 9), fs->blocks_count) + DEPTH_MAX;
    for (unsigned i = 0; i < EXT2_BLOCKS; i++) {
        unsigned levels = i < EXT2_DIRECT ? 0 : i - EXT2_DIRECT + 1;

        if (ei->block[i] != 0 && cut_branch(&c, ei->block[i], levels, start))
            ei->block[i] = 0;
        start += 1UL << (levels * fan_shift(fs));
    }
    cut_flush(&c);
    ei->last_block = 0;
    ei->end_block = MIN(ei->end_block, first);
    return c.error;
}
