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

/* With SPARSE_SUPER only groups 0, 1 and powers of 3, 5 and 7 have copies of the superblock. */
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
may_take_block(const struct ext2_fs *fs)
{
    const struct cred *cred = current_thread()->cred;
    bool root = cred == NULL || cred_privileged_fs(cred);

    return fs->free_blocks > (root ? 0 : fs->reserved_blocks);
}

/* True if no file may have inode @ino: the first few are for the file system itself. */
static bool
is_system_inode(const struct ext2_fs *fs, uint32_t ino)
{
    return ino < fs->first_ino;
}

/* One of the two bitmaps of a group. */
struct bitmap {
    const char *what; /* its bits are */
    struct ext2_group *group;
    uint32_t place;        /* the block that it lies in */
    uint32_t first, count; /* its bits stand for [first, first + count) */
    uint32_t *group_free;
    uint64_t *fs_free;
    bool (*is_system)(const struct ext2_fs *fs, uint32_t n);
};

static struct bitmap
block_bitmap(struct ext2_fs *fs, uint32_t group)
{
    struct ext2_group *g = &fs->group[group];
    uint32_t first = ext2_group_first_block(fs, group);

    return (struct bitmap){
        .what = "block",
        .group = g,
        .place = g->block_bitmap,
        .first = first,
        .count = group_blocks(fs, group),
        .group_free = &g->free_blocks,
        .fs_free = &fs->free_blocks,
        .is_system = is_system_block,
    };
}

static struct bitmap
inode_bitmap(struct ext2_fs *fs, uint32_t group)
{
    struct ext2_group *g = &fs->group[group];
    uint32_t first = group * fs->inodes_per_group + 1;

    return (struct bitmap){
        .what = "inode",
        .group = g,
        .place = g->inode_bitmap,
        .first = first,
        .count = fs->inodes_per_group,
        .group_free = &g->free_inodes,
        .fs_free = &fs->free_inodes,
        .is_system = is_system_inode,
    };
}

/*
 * bitmap_take - take a number that is free, @goal or as soon behind it as there is one, else one
 * before it.  fs->lock held.  Returns 0, -ENOSPC when all are taken, -EIO, -ENOMEM.
 */
static int
bitmap_take(struct ext2_fs *fs, const struct bitmap *m, uint32_t goal, uint32_t *out)
{
    uint32_t from = goal > m->first ? goal - m->first : 0;
    struct ext2_buf buf;

    if (*m->group_free == 0)
        return -ENOSPC;
    int err = ext2_buf_get(fs, m->place, &buf);
    if (err != 0)
        return err;
    uint32_t bit = bit_find_clear(buf.data, from, m->count);
    if (bit >= m->count)
        bit = bit_find_clear(buf.data, 0, m->count);
    *out = m->first + bit;
    if (bit == m->count) {
        ext2_corrupt(fs, "%u free %ss counted, none in the bitmap at %u", *m->group_free,
                     m->what, m->place);
        *m->group_free = 0;
        err = -ENOSPC;
    } else if (m->is_system(fs, *out)) {
        err =
            ext2_corrupt(fs, "the bitmap says that the system's %s %u is free", m->what, *out);
    } else {
        bit_set(buf.data, bit);
        *m->group_free -= 1;
        *m->fs_free -= MIN(*m->fs_free, 1);
        m->group->dirty = true;
    }
    ext2_buf_put(fs, &buf, err == 0);
    return err;
}

/* Gives back [n, n + count), which lie in one bitmap. fs->lock held. 0, -EIO, -ENOMEM. */
static int
bitmap_give(struct ext2_fs *fs, const struct bitmap *m, uint32_t n, uint32_t count)
{
    uint32_t freed = 0;
    struct ext2_buf buf;

    int err = ext2_buf_get_patiently(fs, m->place, &buf);
    if (err != 0)
        return err;
    for (uint32_t bit = n - m->first; bit < n - m->first + count; bit++) {
        if (!bit_get(buf.data, bit)) {
            err = ext2_corrupt(fs, "%s %u is freed and was free", m->what, m->first + bit);
            continue;
        }
        bit_clear(buf.data, bit);
        freed++;
    }
    *m->group_free += freed;
    *m->fs_free += freed;
    m->group->dirty = true;
    ext2_buf_put(fs, &buf, freed > 0);
    return err;
}

int
ext2_block_alloc(struct ext2_fs *fs, uint32_t goal, uint32_t *out)
{
    if (goal < fs->first_data_block || goal >= fs->blocks_count)
        goal = fs->first_data_block;
    uint32_t group = (goal - fs->first_data_block) / fs->blocks_per_group;
    int err = -ENOSPC;

    mutex_lock(&fs->lock);
    for (uint32_t i = 0; may_take_block(fs) && i < fs->groups && err == -ENOSPC; i++) {
        struct bitmap m = block_bitmap(fs, group);
        err = bitmap_take(fs, &m, i == 0 ? goal : 0, out);
        group = (group + 1) % fs->groups;
    }
    mutex_unlock(&fs->lock);
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
        struct bitmap m =
            block_bitmap(fs, (block - fs->first_data_block) / fs->blocks_per_group);
        uint32_t n = MIN(count, m.first + m.count - block);
        int err = bitmap_give(fs, &m, block, n);

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
    uint32_t best = (parent - 1) / fs->inodes_per_group, best_free = 0;

    if (!dir || parent != EXT2_ROOT_INO)
        return best;
    for (uint32_t i = 0; i < fs->groups; i++) {
        const struct ext2_group *g = &fs->group[i];
        if (g->free_inodes < fs->free_inodes / fs->groups || g->free_blocks <= best_free)
            continue;
        best = i;
        best_free = g->free_blocks;
    }
    return best;
}

int
ext2_inode_alloc(struct ext2_fs *fs, uint32_t parent, bool dir, uint32_t *out)
{
    int err = -ENOSPC;

    mutex_lock(&fs->lock);
    uint32_t group = inode_goal_group(fs, parent, dir);
    for (uint32_t i = 0; i < fs->groups && err == -ENOSPC; i++) {
        struct bitmap m = inode_bitmap(fs, group);
        err = bitmap_take(fs, &m, 0, out);
        if (err == 0)
            m.group->used_dirs += dir;
        group = (group + 1) % fs->groups;
    }
    mutex_unlock(&fs->lock);
    return err;
}

int
ext2_inode_free(struct ext2_fs *fs, uint32_t ino, bool dir)
{
    ASSERT(ino >= fs->first_ino && ino <= fs->inodes_count);
    mutex_lock(&fs->lock);
    struct bitmap m = inode_bitmap(fs, (ino - 1) / fs->inodes_per_group);
    int err = bitmap_give(fs, &m, ino, 1);
    if (err == 0)
        m.group->used_dirs -= MIN(m.group->used_dirs, dir ? 1U : 0U);
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
