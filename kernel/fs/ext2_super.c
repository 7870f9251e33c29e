/*
 * ext2_super.c - mounting, the counts, and the mark that says whether all is well.
 *
 * We take revision 1, blocks of 1, 2 and 4 KiB, inodes of 128 and 256 bytes, and the features
 * FILETYPE, SPARSE_SUPER and LARGE_FILE.  Other incompatible features are refused with a line in
 * the log; other read-only-compatible ones give a read-only file system.  A damaged file system
 * gives -EIO and a line in the log, never more.
 *
 * SIMPLE: no journal, no hashed directories (they are read linearly, and lose their index when
 * changed), no extended attributes (they are kept, and e2fsck must free them).
 *
 * The superblock and the group descriptors are judged whole at mount; what is needed of them is
 * kept in struct ext2_fs and struct ext2_group, and nothing is read from them again.  The
 * counts go back at each sync.
 *
 * s_state on the disk loses VALID before the first change and gets it back at the last sync,
 * after everything else has reached the medium.  So a disk that says VALID is consistent.
 *
 * The struct ext2_fs goes with the last reference to its meta object: a flusher may still hold
 * one when the file system is unmounted.
 */
#include "kernel/fs/ext2_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"

#define GROUPS_MAX      65536U
#define DAMAGE_LINES    8 /* so that a ruin does not fill the log */
#define ERRORS_CONTINUE 1

/* Writes the superblock. Nobody else looks at its place, so it does not go through the cache. */
static int
super_write(struct ext2_fs *fs)
{
    fs->sb_dirty = false;
    int err = block_rw(fs->dev, true, EXT2_SUPER_OFFSET / SECTOR_SIZE, virt_to_phys(fs->sb),
                       sizeof(*fs->sb));
    if (err != 0)
        fs->sb_dirty = true;
    return err;
}

int
ext2_corrupt(struct ext2_fs *fs, const char *fmt, ...)
{
    char text[160];
    va_list ap;

    WRITE_ONCE(fs->damaged, true);
    if (fs->errors_read_only)
        __atomic_or_fetch(&fs->super->flags, SUPER_READ_ONLY, __ATOMIC_RELAXED);
    uint32_t line = __atomic_fetch_add(&fs->damage_lines, 1, __ATOMIC_RELAXED);
    if (line >= DAMAGE_LINES)
        return -EIO;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    kprintf("ext2 %s: %s%s\n", fs->dev->name, text,
            line + 1 == DAMAGE_LINES ? " (more such lines are not shown)" : "");
    return -EIO;
}

int
ext2_begin_change(struct ext2_fs *fs)
{
    int err = 0;

    if (READ_ONCE(fs->changed))
        return 0;
    if (fs->read_only)
        return -EROFS;
    mutex_lock(&fs->state_lock);
    if (!fs->changed) {
        fs->sb->s_state &= (uint16_t)~EXT2_STATE_VALID;
        fs->sb->s_mtime = (uint32_t)(clock_realtime() / NSEC_PER_SEC);
        err = super_write(fs);
        WRITE_ONCE(fs->changed, err == 0);
    }
    mutex_unlock(&fs->state_lock);
    return err;
}

void
ext2_allow_large_file(struct ext2_fs *fs)
{
    if ((READ_ONCE(fs->sb->s_feature_ro_compat) & EXT2_RO_COMPAT_LARGE_FILE) != 0)
        return;
    mutex_lock(&fs->state_lock);
    fs->sb->s_feature_ro_compat |= EXT2_RO_COMPAT_LARGE_FILE;
    fs->sb_dirty = true;
    mutex_unlock(&fs->state_lock);
}

/* --- mount: judging --- */

static int
refuse(const struct super *s, const char *why)
{
    kprintf("ext2 %s: not mounted: %s\n", s->bdev->name, why);
    return -EINVAL;
}

/* Magic, revision and features. */
static int
check_features(struct super *s, const struct ext2_super_block *sb)
{
    uint32_t known = EXT2_RO_COMPAT_SPARSE_SUPER | EXT2_RO_COMPAT_LARGE_FILE;

    if (sb->s_magic != EXT2_MAGIC)
        return refuse(s, "no ext2 superblock");
    if (sb->s_rev_level != EXT2_REV_DYNAMIC)
        return refuse(s, "its revision is not 1");
    if ((sb->s_feature_incompat & ~EXT2_INCOMPAT_FILETYPE) != 0) {
        kprintf("ext2 %s: incompatible features 0x%x\n", s->bdev->name,
                sb->s_feature_incompat & ~EXT2_INCOMPAT_FILETYPE);
        return refuse(s,
                      "it has features that ext2 does not (ext4? make it with mke2fs -t ext2)");
    }
    if ((sb->s_feature_ro_compat & ~known) != 0) {
        kprintf("ext2 %s: read-only, because of unknown features 0x%x\n", s->bdev->name,
                sb->s_feature_ro_compat & ~known);
        s->flags |= SUPER_READ_ONLY;
    }
    return 0;
}

/* What is wrong with the sizes and counts, or NULL.  Needs nothing but the superblock. */
static const char *
check_counts(const struct super *s, const struct ext2_super_block *sb)
{
    uint32_t inode_size = sb->s_inode_size;

    if (sb->s_log_block_size > 2)
        return "blocks must be of 1, 2 or 4 KiB";
    uint32_t block_size = 1024U << sb->s_log_block_size;
    if (inode_size != 128 && inode_size != 256)
        return "inodes must be of 128 or 256 bytes";
    if (sb->s_first_data_block != (block_size == 1024 ? 1U : 0U))
        return "bad first data block";
    if (sb->s_blocks_count <= sb->s_first_data_block ||
        sb->s_blocks_count > s->bdev->sectors / (block_size / SECTOR_SIZE))
        return "it is larger than its disk";
    if (sb->s_blocks_per_group < 256 || sb->s_blocks_per_group > block_size * 8)
        return "bad number of blocks in a group";
    if (sb->s_inodes_per_group == 0 || sb->s_inodes_per_group > block_size * 8 ||
        sb->s_inodes_per_group % (block_size / inode_size) != 0)
        return "bad number of inodes in a group";
    uint64_t groups =
        ((uint64_t)sb->s_blocks_count - sb->s_first_data_block + sb->s_blocks_per_group - 1) /
        sb->s_blocks_per_group;
    if (groups > GROUPS_MAX)
        return "too many groups";
    if (sb->s_inodes_count != groups * sb->s_inodes_per_group)
        return "bad number of inodes";
    if (sb->s_r_blocks_count > sb->s_blocks_count)
        return "bad number of reserved blocks";
    if (sb->s_first_ino < EXT2_FIRST_INO_MIN || sb->s_first_ino > sb->s_inodes_per_group)
        return "bad first inode";
    return NULL;
}

static void
take_geometry(struct ext2_fs *fs)
{
    const struct ext2_super_block *sb = fs->sb;

    fs->block_shift = 10 + sb->s_log_block_size;
    fs->block_size = 1U << fs->block_shift;
    fs->blocks_count = sb->s_blocks_count;
    fs->first_data_block = sb->s_first_data_block;
    fs->blocks_per_group = sb->s_blocks_per_group;
    fs->inodes_count = sb->s_inodes_count;
    fs->inodes_per_group = sb->s_inodes_per_group;
    fs->inode_size = sb->s_inode_size;
    fs->first_ino = sb->s_first_ino;
    fs->groups = sb->s_inodes_count / sb->s_inodes_per_group;
    fs->desc_blocks =
        (uint32_t)((fs->groups * sizeof(struct ext2_group_desc) + fs->block_size - 1) >>
                   fs->block_shift);
    fs->table_blocks = fs->inodes_per_group * fs->inode_size >> fs->block_shift;
    fs->reserved_blocks = sb->s_r_blocks_count;
    fs->filetype = (sb->s_feature_incompat & EXT2_INCOMPAT_FILETYPE) != 0;
    fs->sparse_super = (sb->s_feature_ro_compat & EXT2_RO_COMPAT_SPARSE_SUPER) != 0;
    fs->errors_read_only = sb->s_errors > ERRORS_CONTINUE;
    fs->was_valid = (sb->s_state & EXT2_STATE_VALID) != 0;
    fs->damaged = (sb->s_state & EXT2_STATE_ERROR) != 0;
}

/* Are these blocks inside group @group, behind its copies of superblock and descriptors? */
static bool
inside_group(const struct ext2_fs *fs, uint32_t group, uint32_t block, uint32_t count)
{
    uint64_t start = ext2_group_first_block(fs, group);
    uint64_t end = MIN(start + fs->blocks_per_group, (uint64_t)fs->blocks_count);

    if (ext2_group_has_super(fs, group))
        start += 1 + fs->desc_blocks;
    return block >= start && (uint64_t)block + count <= end;
}

/* Judges one descriptor, and takes it over. */
static bool
take_group(struct ext2_fs *fs, uint32_t n, const struct ext2_group_desc *d)
{
    struct ext2_group *g = &fs->group[n];
    uint32_t table_end = d->bg_inode_table + fs->table_blocks;

    *g = (struct ext2_group){
        .block_bitmap = d->bg_block_bitmap,
        .inode_bitmap = d->bg_inode_bitmap,
        .inode_table = d->bg_inode_table,
        .free_blocks = d->bg_free_blocks_count,
        .free_inodes = d->bg_free_inodes_count,
        .used_dirs = d->bg_used_dirs_count,
    };
    fs->free_blocks += g->free_blocks;
    fs->free_inodes += g->free_inodes;
    return inside_group(fs, n, d->bg_block_bitmap, 1) &&
           inside_group(fs, n, d->bg_inode_bitmap, 1) &&
           inside_group(fs, n, d->bg_inode_table, fs->table_blocks) &&
           d->bg_block_bitmap != d->bg_inode_bitmap &&
           (d->bg_block_bitmap < d->bg_inode_table || d->bg_block_bitmap >= table_end) &&
           (d->bg_inode_bitmap < d->bg_inode_table || d->bg_inode_bitmap >= table_end) &&
           g->free_blocks <= fs->blocks_per_group && g->free_inodes <= fs->inodes_per_group &&
           g->used_dirs <= fs->inodes_per_group;
}

/* Where descriptor @n is. */
static int
desc_get(struct ext2_fs *fs, uint32_t n, struct ext2_buf *buf, struct ext2_group_desc **out)
{
    uint32_t per_block = fs->block_size / sizeof(struct ext2_group_desc);
    uint32_t block = fs->first_data_block + 1 + n / per_block;

    if (block >= fs->blocks_count)
        return -EINVAL;
    int err = ext2_buf_get(fs, block, buf);
    if (err == 0)
        *out = (struct ext2_group_desc *)buf->data + n % per_block;
    return err;
}

static int
take_groups(struct ext2_fs *fs)
{
    struct ext2_group_desc *d;
    struct ext2_buf buf;

    for (uint32_t n = 0; n < fs->groups; n++) {
        int err = desc_get(fs, n, &buf, &d);
        if (err != 0)
            return err == -EINVAL ? refuse(fs->super, "its descriptors do not fit") : err;
        bool good = take_group(fs, n, d);
        ext2_buf_put(fs, &buf, false);
        if (!good)
            return refuse(fs->super, "a group descriptor makes no sense");
    }
    return 0;
}

/* --- mount: building --- */

/* Reads the superblock before anything is known of the disk. *out: kfree. */
static int
read_super_block(struct super *s, struct ext2_super_block **out)
{
    *out = NULL;
    if (s->bdev->sectors < 2 * EXT2_SUPER_OFFSET / SECTOR_SIZE)
        return refuse(s, "the disk is too small");
    void *p = kmalloc(EXT2_SUPER_OFFSET);
    if (p == NULL)
        return -ENOMEM;
    int err = block_rw(s->bdev, false, EXT2_SUPER_OFFSET / SECTOR_SIZE, virt_to_phys(p),
                       sizeof(struct ext2_super_block));
    if (err != 0) {
        kfree(p);
        return err;
    }
    *out = p;
    return 0;
}

/* Takes over @sb, also when there is no memory: NULL. */
static struct ext2_fs *
fs_alloc(struct super *s, struct ext2_super_block *sb)
{
    struct ext2_fs *fs = kzalloc(sizeof(*fs));

    if (fs == NULL) {
        kfree(sb);
        return NULL;
    }
    fs->super = s;
    fs->dev = s->bdev;
    fs->sb = sb;
    object_init(&fs->meta, OBJECT_FILE, &ext2_meta_ops);
    mutex_init(&fs->lock, "ext2 alloc");
    mutex_init(&fs->state_lock, "ext2 state");
    take_geometry(fs);
    return fs;
}

void
ext2_fs_free(struct ext2_fs *fs)
{
    if (!object_retire(&fs->meta)) /* the flusher has it: its put comes here again */
        return;
    if (fs->group != NULL)
        kvmap_free(fs->group, fs->group_pages);
    kfree(fs->sb);
    kfree(fs);
}

static int
load_groups(struct ext2_fs *fs)
{
    size_t bytes = (size_t)fs->groups * sizeof(struct ext2_group);

    fs->group_pages = (uint32_t)((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
    fs->group = kvmap_alloc(fs->group_pages);
    if (fs->group == NULL)
        return -ENOMEM;
    object_resize(&fs->meta, (uint64_t)fs->blocks_count * PAGE_SIZE);
    return take_groups(fs);
}

static int
load_root(struct super *s)
{
    int err = inode_load(s, EXT2_ROOT_INO, &s->root_inode);

    if (err == 0 && !S_ISDIR(s->root_inode->mode)) {
        inode_put(s->root_inode);
        s->root_inode = NULL;
        err = refuse(s, "its root is no directory");
    }
    return err;
}

/* The largest file: by the tree of blocks, the count of 512-byte units, and the page index. */
static uint64_t
max_file_size(const struct ext2_fs *fs)
{
    uint64_t tree = ext2_map_limit(fs) << fs->block_shift;

    return ROUND_DOWN(MIN(tree, (1UL << 41) - (1UL << 32)), PAGE_SIZE);
}

/* Takes over @sb. */
static int
mount_judged(struct super *s, struct ext2_super_block *sb)
{
    struct ext2_fs *fs = fs_alloc(s, sb);

    if (fs == NULL)
        return -ENOMEM;
    fs->read_only = (s->flags & SUPER_READ_ONLY) != 0;
    s->private = fs;
    s->ops = &ext2_super_ops;
    s->file_object_ops = &ext2_object_ops;
    s->block_size = fs->block_size;
    s->max_size = max_file_size(fs);
    int err = load_groups(fs);
    if (err == 0)
        err = load_root(s);
    if (err != 0) {
        inode_evict_super(s);
        s->private = NULL;
        object_put(&fs->meta);
        return err;
    }
    if (!fs->was_valid)
        kprintf("ext2 %s: was not unmounted in order; e2fsck should look at it\n",
                s->bdev->name);
    return 0;
}

static int
ext2_mount(struct super *s)
{
    struct ext2_super_block *sb;

    int err = read_super_block(s, &sb);
    if (err != 0)
        return err;
    if (s->bdev->read_only)
        s->flags |= SUPER_READ_ONLY;
    err = check_features(s, sb);
    const char *why = err == 0 ? check_counts(s, sb) : NULL;
    if (err == 0 && why == NULL)
        return mount_judged(s, sb);
    kfree(sb);
    return err != 0 ? err : refuse(s, why);
}

/* --- sync and the end --- */

/* Brings the counts of all groups into their pages, and the sums into the superblock. */
static int
put_counts(struct ext2_fs *fs)
{
    struct ext2_group_desc *d;
    struct ext2_buf buf;
    int err = 0;

    mutex_lock(&fs->lock);
    for (uint32_t n = 0; n < fs->groups && err == 0; n++) {
        struct ext2_group *g = &fs->group[n];
        if (!g->dirty)
            continue;
        err = desc_get(fs, n, &buf, &d);
        if (err != 0)
            break;
        d->bg_free_blocks_count = (uint16_t)g->free_blocks;
        d->bg_free_inodes_count = (uint16_t)g->free_inodes;
        d->bg_used_dirs_count = (uint16_t)g->used_dirs;
        ext2_buf_put(fs, &buf, true);
        g->dirty = false;
    }
    mutex_lock(&fs->state_lock); /* the superblock may be on its way to the disk */
    if (fs->sb->s_free_blocks_count != fs->free_blocks ||
        fs->sb->s_free_inodes_count != fs->free_inodes)
        fs->sb_dirty = true;
    fs->sb->s_free_blocks_count = (uint32_t)fs->free_blocks;
    fs->sb->s_free_inodes_count = (uint32_t)fs->free_inodes;
    mutex_unlock(&fs->state_lock);
    mutex_unlock(&fs->lock);
    return err;
}

/*
 * The superblock, with the last word when all else is on the medium: what was not in order at
 * mount is not so now, and files that have no name but could not be freed are for e2fsck.
 */
static int
put_state(struct ext2_fs *fs, bool final)
{
    mutex_lock(&fs->state_lock);
    if (READ_ONCE(fs->damaged))
        fs->sb->s_state |= EXT2_STATE_ERROR;
    else if (final && fs->was_valid && READ_ONCE(fs->orphans) == 0)
        fs->sb->s_state |= EXT2_STATE_VALID;
    fs->sb->s_wtime = (uint32_t)(clock_realtime() / NSEC_PER_SEC);
    int err = fs->sb_dirty || final ? super_write(fs) : 0;
    if (err == 0 && final)
        WRITE_ONCE(fs->changed, false);
    mutex_unlock(&fs->state_lock);
    return err;
}

static int
super_sync(struct super *s, bool final)
{
    struct ext2_fs *fs = s->private;

    if (fs->read_only || !READ_ONCE(fs->changed))
        return 0;
    int err = put_counts(fs);
    int err2 = object_sync(&fs->meta, 0, UINT64_MAX);

    if (err == 0)
        err = err2;
    if (err == 0 && final)
        err = block_flush(fs->dev);
    return err != 0 ? err : put_state(fs, final);
}

static void
super_statfs(struct super *s, struct abi_statfs *st)
{
    struct ext2_fs *fs = s->private;
    uint64_t overhead = fs->first_data_block;

    for (uint32_t n = 0; n < fs->groups; n++)
        overhead +=
            2 + fs->table_blocks + (ext2_group_has_super(fs, n) ? 1 + fs->desc_blocks : 0);
    mutex_lock(&fs->lock);
    st->f_bfree = fs->free_blocks;
    st->f_ffree = fs->free_inodes;
    mutex_unlock(&fs->lock);
    st->f_type = EXT2_SUPER_MAGIC;
    st->f_bsize = fs->block_size;
    st->f_frsize = fs->block_size;
    st->f_blocks = fs->blocks_count - MIN(overhead, (uint64_t)fs->blocks_count);
    st->f_bavail = st->f_bfree - MIN(st->f_bfree, (uint64_t)fs->reserved_blocks);
    st->f_files = fs->inodes_count;
    st->f_namelen = EXT2_NAME_MAX;
}

const struct super_ops ext2_super_ops = {
    .alloc_inode = ext2_alloc_inode,
    .free_inode = ext2_free_inode,
    .read_inode = ext2_read_inode,
    .write_inode = ext2_write_inode,
    .evict_inode = ext2_evict_inode,
    .sync = super_sync,
    .statfs = super_statfs,
};

struct fs_type ext2_fs_type = {.name = "ext2", .needs_device = true, .mount = ext2_mount};
