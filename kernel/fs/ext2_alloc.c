/*
 * ext2_alloc.c - who owns which block and which inode: bitmaps and free counts.
 *
 * A group's bitmaps are pages of the meta object.  Its counts, and the sums over all groups,
 * are kept in memory under fs->lock and go to the descriptors and the superblock at sync
 * (ext2_super.c).  A new block is looked for at a goal, then behind it in the goal's group,
 * then in the groups that follow; a file's inode goes into its directory's group, and so do its
 * blocks.
 *
 * Nothing on the disk is believed: a bit that says free where metadata lies, a count that
 * disagrees with its bitmap, a block that is freed twice are logged and refused.
 */
#include "kernel/fs/ext2_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/thread.h"

static bool
bit_get(const uint8_t *map, uint32_t bit)
{
    return (map[bit / 8] >> (bit % 8)) & 1;
}

static void
bit_set(uint8_t *map, uint32_t bit)
{
    map[bit / 8] |= (uint8_t)(1U << (bit % 8));
}

static void
bit_clear(uint8_t *map, uint32_t bit)
{
    map[bit / 8] &= (uint8_t) ~(1U << (bit % 8));
}

/* The first clear bit of [from, end), or @end. */
static uint32_t
bit_find_clear(const uint8_t *map, uint32_t from, uint32_t end)
{
    while (from < end) {
        if (from % 8 == 0 && map[from / 8] == 0xff) {
            from += 8;
            continue;
        }
        if (!bit_get(map, from))
            return from;
        from++;
    }
    return end;
}

uint32_t
ext2_group_first_block(const struct ext2_fs *fs, uint32_t group)
{
    return fs->first_data_block + group * fs->blocks_per_group;
}

/* Blocks of a group: the last one may be shorter. */
static uint32_t
group_blocks(const struct ext2_fs *fs, uint32_t group)
{
    return MIN(fs->blocks_per_group, fs->blocks_count - ext2_group_first_block(fs, group));
}

static bool
is_power_of(uint32_t n, uint32_t base)
{
    while (n > 1 && n % base == 0)
        n /= base;
    return n == 1;
}

/*
 * With SPARSE_SUPER only groups 0, 1 and powers of 3, 5 and 7 carry a copy of the superblock.
 */
bool
ext2_group_has_super(const struct ext2_fs *fs, uint32_t group)
{
    if (!fs->sparse_super || group <= 1)
        return true;
    return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

/* True if @block holds metadata at a fixed place, so that no file may own it. */
static bool
is_system_block(const struct ext2_fs *fs, uint32_t block)
{
    if (block < fs->first_data_block || block >= fs->blocks_count)
        return true;
    uint32_t group = (block - fs->first_data_block) / fs->blocks_per_group;
    uint32_t offset = block - ext2_group_first_block(fs, group);
    const struct ext2_group *g = &fs->group[group];

    if (ext2_group_has_super(fs, group) && offset < 1 + fs->desc_blocks)
        return true;
    return block == g->block_bitmap || block == g->inode_bitmap ||
           (block >= g->inode_table && block - g->inode_table < fs->table_blocks);
}

bool
ext2_block_valid(const struct ext2_fs *fs, uint32_t block, uint32_t count)
{
    if (block >= fs->blocks_count || count > fs->blocks_count - block)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (is_system_block(fs, block + i))
            return false;
    return true;
}

/* The last blocks are root's, so that it can still repair things. */
static bool
may_take_blocks(const struct ext2_fs *fs, uint64_t count)
{
    const struct cred *cred = current_thread()->cred;
    bool root = cred == NULL || cred_privileged_fs(cred) || cred->fsuid == fs->reserved_uid;
    uint64_t reserved = root ? 0 : fs->reserved_blocks;

    return fs->free_blocks >= reserved + count;
}

/*
 * group_take_block - take one free block of a group, at bit @from or as soon behind as there is
 * one. fs->lock held.  Returns 0, -ENOSPC when the group is full, -EIO, -ENOMEM.
 */
static int
group_take_block(struct ext2_fs *fs, uint32_t group, uint32_t from, uint32_t *out)
{
    struct ext2_group *g = &fs->group[group];
    uint32_t nbits = group_blocks(fs, group);
    struct ext2_buf buf;

    if (g->free_blocks == 0)
        return -ENOSPC;
    int err = ext2_buf_get(fs, g->block_bitmap, &buf);
    if (err != 0)
        return err;

    uint32_t bit = bit_find_clear(buf.data, from, nbits);
    if (bit == nbits)
        bit = bit_find_clear(buf.data, 0, MIN(from, nbits));
    uint32_t block = ext2_group_first_block(fs, group) + bit;
    if (bit == MIN(from, nbits) && (bit == nbits || bit_get(buf.data, bit))) {
        ext2_corrupt(fs, "group %u counts %u free blocks, its bitmap none", group,
                     g->free_blocks);
        g->free_blocks = 0;
        err = -ENOSPC;
    } else if (is_system_block(fs, block)) {
        err = ext2_corrupt(fs, "the bitmap says that block %u of the metadata is free", block);
    } else {
        bit_set(buf.data, bit);
        g->free_blocks--;
        g->dirty = true;
        fs->free_blocks -= MIN(fs->free_blocks, 1);
        *out = block;
    }
    ext2_buf_put(fs, &buf, err == 0);
    return err;
}

int
ext2_block_alloc(struct ext2_fs *fs, uint32_t goal, uint32_t *out)
{
    if (goal < fs->first_data_block || goal >= fs->blocks_count)
        goal = fs->first_data_block;
    uint32_t group = (goal - fs->first_data_block) / fs->blocks_per_group;
    uint32_t from = (goal - fs->first_data_block) % fs->blocks_per_group;
    int err = -ENOSPC;

    mutex_lock(&fs->lock);
    if (may_take_blocks(fs, 1)) {
        for (uint32_t i = 0; i < fs->groups && err == -ENOSPC; i++) {
            err = group_take_block(fs, group, from, out);
            group = (group + 1) % fs->groups;
            from = 0;
        }
    }
    mutex_unlock(&fs->lock);
    return err;
}

/* Frees the blocks [block, block + count), which lie in one group. fs->lock held. */
static int
group_give_blocks(struct ext2_fs *fs, uint32_t group, uint32_t block, uint32_t count)
{
    struct ext2_group *g = &fs->group[group];
    uint32_t bit = block - ext2_group_first_block(fs, group);
    uint32_t freed = 0;
    struct ext2_buf buf;

    int err = ext2_buf_get_patiently(fs, g->block_bitmap, &buf);
    if (err != 0)
        return err;
    for (uint32_t i = 0; i < count; i++) {
        if (!bit_get(buf.data, bit + i)) {
            err = ext2_corrupt(fs, "block %u is freed and was free", block + i);
            continue;
        }
        bit_clear(buf.data, bit + i);
        freed++;
    }
    g->free_blocks += freed;
    g->dirty = true;
    fs->free_blocks += freed;
    ext2_buf_put(fs, &buf, freed > 0);
    return err;
}

int
ext2_block_free(struct ext2_fs *fs, uint32_t block, uint32_t count)
{
    int error = 0;

    if (!ext2_block_valid(fs, block, count))
        return ext2_corrupt(fs, "blocks %u+%u cannot be freed: no data blocks", block, count);

    mutex_lock(&fs->lock);
    while (count > 0) {
        uint32_t group = (block - fs->first_data_block) / fs->blocks_per_group;
        uint32_t room = ext2_group_first_block(fs, group) + group_blocks(fs, group) - block;
        uint32_t n = MIN(count, room);
        int err = group_give_blocks(fs, group, block, n);

        if (err != 0 && error == 0)
            error = err;
        block += n;
        count -= n;
    }
    mutex_unlock(&fs->lock);
    return error;
}

/* --- inodes --- */

/*
 * A new directory of the root goes to a group that has room for what will come into it:
 * more free inodes than the average, and of those the one with the most free blocks.  Every
 * other inode begins its search in its directory's group.
 */
static uint32_t
inode_goal_group(const struct ext2_fs *fs, uint32_t parent, bool dir)
{
    uint32_t parent_group = (parent - 1) / fs->inodes_per_group;
    uint32_t best = parent_group, best_free = 0;

    if (!dir || parent != EXT2_ROOT_INO)
        return parent_group;
    for (uint32_t i = 0; i < fs->groups; i++) {
        const struct ext2_group *g = &fs->group[i];
        if (g->free_inodes < fs->free_inodes / fs->groups || g->free_blocks <= best_free)
            continue;
        best = i;
        best_free = g->free_blocks;
    }
    return best;
}

/* Takes the first free inode of a group. fs->lock held.  Returns 0, -ENOSPC, -EIO, -ENOMEM. */
static int
group_take_inode(struct ext2_fs *fs, uint32_t group, bool dir, uint32_t *out)
{
    struct ext2_group *g = &fs->group[group];
    struct ext2_buf buf;

    if (g->free_inodes == 0)
        return -ENOSPC;
    int err = ext2_buf_get(fs, g->inode_bitmap, &buf);
    if (err != 0)
        return err;

    uint32_t bit = bit_find_clear(buf.data, 0, fs->inodes_per_group);
    uint32_t ino = group * fs->inodes_per_group + bit + 1;
    if (bit == fs->inodes_per_group) {
        ext2_corrupt(fs, "group %u counts %u free inodes, its bitmap none", group,
                     g->free_inodes);
        g->free_inodes = 0;
        err = -ENOSPC;
    } else if (ino < fs->first_ino) {
        err = ext2_corrupt(fs, "the bitmap says that the reserved inode %u is free", ino);
    } else {
        bit_set(buf.data, bit);
        g->free_inodes--;
        g->used_dirs += dir;
        g->dirty = true;
        fs->free_inodes -= MIN(fs->free_inodes, 1);
        *out = ino;
    }
    ext2_buf_put(fs, &buf, err == 0);
    return err;
}

int
ext2_inode_alloc(struct ext2_fs *fs, uint32_t parent, bool dir, uint32_t *out)
{
    int err = -ENOSPC;

    mutex_lock(&fs->lock);
    uint32_t group = inode_goal_group(fs, parent, dir);
    for (uint32_t i = 0; i < fs->groups && err == -ENOSPC; i++) {
        err = group_take_inode(fs, group, dir, out);
        group = (group + 1) % fs->groups;
    }
    mutex_unlock(&fs->lock);
    return err;
}

int
ext2_inode_free(struct ext2_fs *fs, uint32_t ino, bool dir)
{
    uint32_t group = (ino - 1) / fs->inodes_per_group;
    uint32_t bit = (ino - 1) % fs->inodes_per_group;
    struct ext2_group *g = &fs->group[group];
    struct ext2_buf buf;

    ASSERT(ino >= fs->first_ino && ino <= fs->inodes_count);
    mutex_lock(&fs->lock);
    int err = ext2_buf_get_patiently(fs, g->inode_bitmap, &buf);
    if (err == 0) {
        bool used = bit_get(buf.data, bit);
        if (used) {
            bit_clear(buf.data, bit);
            g->free_inodes++;
            g->used_dirs -= MIN(g->used_dirs, dir ? 1U : 0U);
            g->dirty = true;
            fs->free_inodes++;
        } else {
            err = ext2_corrupt(fs, "inode %u is freed and was free", ino);
        }
        ext2_buf_put(fs, &buf, used);
    }
    mutex_unlock(&fs->lock);
    return err;
}

int
ext2_inode_used(struct ext2_fs *fs, uint32_t ino)
{
    uint32_t group = (ino - 1) / fs->inodes_per_group;
    struct ext2_buf buf;

    ASSERT(ino >= 1 && ino <= fs->inodes_count);
    mutex_lock(&fs->lock);
    int ret = ext2_buf_get(fs, fs->group[group].inode_bitmap, &buf);
    if (ret == 0) {
        ret = bit_get(buf.data, (ino - 1) % fs->inodes_per_group);
        ext2_buf_put(fs, &buf, false);
    }
    mutex_unlock(&fs->lock);
    return ret;
}
