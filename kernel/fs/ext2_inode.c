/*
 * ext2_inode.c - inodes from and to the inode table, and the way out of a deleted one.
 *
 * The table's blocks are pages of the meta object; write_inode copies the fields there and the
 * page cache brings them to the disk.  Inodes of 256 bytes have room for nanoseconds; in those
 * of 128, times are cut to seconds when they are written, in memory too, so that stat() tells
 * the same before and after.
 *
 * What the table holds is judged here, once: the rest of ext2 may believe type and size.
 */
#include "kernel/fs/ext2_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/fs/file.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "mm/kmalloc.h"

/* Behind the 128 bytes of a larger inode: how much of it is in use, then parts of the times. */
struct extra {
    uint16_t size; /* bytes from its own start that are in use */
    uint16_t checksum;
    uint32_t ctime, mtime, atime; /* nanoseconds << 2 | two more bits of the seconds */
    uint32_t crtime, crtime_extra;
};
#define EXTRA_SIZE_NEW 32
#define EXTRA_SIZE_MIN offsetof(struct extra, crtime)

/* The last second that nanoseconds in 63 bits can tell: the year 2262. */
#define SECONDS_MAX (INT64_MAX / (int64_t)NSEC_PER_SEC - 1)

/* Directories of more than this are no directories. */
#define DIR_SIZE_MAX (1UL << 30)

struct inode *
ext2_alloc_inode(struct super *s UNUSED)
{
    struct ext2_inode *ei = kzalloc(sizeof(*ei));

    if (ei == NULL)
        return NULL;
    mutex_init(&ei->map_lock, "ext2 map");
    return &ei->inode;
}

void
ext2_free_inode(struct inode *i)
{
    kfree(ext2_inode_of(i));
}

/* A link whose target is in i_block owns no block, save perhaps one of attributes. */
static bool
is_fast_link(struct inode *i)
{
    uint64_t acl_units = ext2_inode_of(i)->file_acl == 0 ? 0 : ext2_fs_of(i)->block_size / 512;

    return S_ISLNK(i->mode) && i->blocks == acl_units;
}

bool
ext2_has_blocks(struct inode *i)
{
    return S_ISREG(i->mode) || S_ISDIR(i->mode) || (S_ISLNK(i->mode) && !is_fast_link(i));
}

void
ext2_set_ops(struct inode *i)
{
    if (S_ISREG(i->mode)) {
        i->ops = &ext2_file_ops;
        i->fops = &regular_file_ops;
    } else if (S_ISDIR(i->mode)) {
        i->ops = &ext2_dir_ops;
        i->fops = &directory_file_ops;
    } else if (S_ISLNK(i->mode)) {
        i->ops = &ext2_link_ops;
    } else {
        i->ops = &ext2_special_ops;
        inode_init_special(i);
    }
}

/* Finds inode @ino in its group's table.  Patient, as it serves the freeing of inodes too. */
static int
table_get(struct ext2_fs *fs, ino_t ino, struct ext2_buf *buf, struct ext2_disk_inode **out)
{
    uint32_t group = (uint32_t)((ino - 1) / fs->inodes_per_group);
    uint64_t offset = (ino - 1) % fs->inodes_per_group * fs->inode_size;
    uint32_t block = fs->group[group].inode_table + (uint32_t)(offset >> fs->block_shift);

    int err = ext2_buf_get_patiently(fs, block, buf);
    if (err == 0)
        *out = (void *)((char *)buf->data + offset % fs->block_size);
    return err;
}

/* The part behind the first 128 bytes, if it has the parts of the times. */
static struct extra *
extra_of(const struct ext2_fs *fs, struct ext2_disk_inode *d)
{
    struct extra *x = (struct extra *)(d + 1);

    if (fs->inode_size < sizeof(*d) + sizeof(*x) || x->size < EXTRA_SIZE_MIN ||
        x->size > fs->inode_size - sizeof(*d))
        return NULL;
    return x;
}

static int64_t
time_decode(uint32_t seconds, uint32_t extra)
{
    int64_t s = (int32_t)seconds + ((int64_t)(extra & 3) << 32);
    uint32_t ns = extra >> 2;

    s = MIN(s, SECONDS_MAX);
    return s * (int64_t)NSEC_PER_SEC + (ns < NSEC_PER_SEC ? ns : 0);
}

/* Returns the extra part; *t becomes what a reader will find. */
static uint32_t
time_encode(int64_t *t, bool has_extra, uint32_t *seconds)
{
    int64_t ns = *t % (int64_t)NSEC_PER_SEC;
    int64_t s = *t / (int64_t)NSEC_PER_SEC;

    if (ns < 0) {
        ns += (int64_t)NSEC_PER_SEC;
        s--;
    }
    s = MAX(s, INT32_MIN);
    if (!has_extra) {
        s = MIN(s, INT32_MAX);
        ns = 0;
    }
    *seconds = (uint32_t)s;
    *t = s * (int64_t)NSEC_PER_SEC + ns;
    return (uint32_t)ns << 2 | (uint32_t)((s - (int32_t)s) >> 32 & 3);
}

static int
size_decode(struct inode *i, const struct ext2_disk_inode *d, uint64_t *size)
{
    struct ext2_fs *fs = ext2_fs_of(i);
    bool good = true;

    *size = d->i_size;
    if (S_ISREG(i->mode)) {
        *size |= (uint64_t)d->i_size_high << 32;
        good = *size <= i->super->max_size;
    } else if (S_ISDIR(i->mode)) {
        good = *size > 0 && *size % fs->block_size == 0 && *size <= DIR_SIZE_MAX;
    } else if (S_ISLNK(i->mode)) {
        good = *size > 0 && *size < (is_fast_link(i) ? EXT2_FAST_LINK_SIZE : fs->block_size);
    } else {
        *size = 0;
    }
    if (good)
        return 0;
    return ext2_corrupt(fs, "inode %lu has the impossible size %lu", i->ino, *size);
}

/* Copies the fields of @d into @i and judges them. */
static int
inode_decode(struct inode *i, struct ext2_disk_inode *d)
{
    struct ext2_inode *ei = ext2_inode_of(i);
    struct extra *x = extra_of(ext2_fs_of(i), d);
    uint64_t size;

    i->mode = d->i_mode;
    i->nlink = d->i_links_count;
    i->uid = d->i_uid | (uid_t)d->i_uid_high << 16;
    i->gid = d->i_gid | (gid_t)d->i_gid_high << 16;
    i->atime = time_decode(d->i_atime, x == NULL ? 0 : x->atime);
    i->mtime = time_decode(d->i_mtime, x == NULL ? 0 : x->mtime);
    i->ctime = time_decode(d->i_ctime, x == NULL ? 0 : x->ctime);
    i->blocks = d->i_blocks;
    ei->flags = d->i_flags;
    ei->file_acl = d->i_file_acl;
    memcpy(ei->block, d->i_block, sizeof(ei->block));
    if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
        i->rdev = ei->block[0] != 0 ? ei->block[0] & 0xffff : ei->block[1];
    int err = size_decode(i, d, &size);
    if (err == 0 && size > 0)
        object_resize(&i->object, size);
    return err;
}

static bool
type_known(mode_t mode)
{
    return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) ||
           S_ISFIFO(mode) || S_ISSOCK(mode);
}

int
ext2_read_inode(struct inode *i)
{
    struct ext2_fs *fs = ext2_fs_of(i);
    struct ext2_disk_inode *d;
    struct ext2_buf buf;

    if (i->ino < 1 || i->ino > fs->inodes_count)
        return ext2_corrupt(fs, "there is no inode %lu", i->ino);
    int used = ext2_inode_used(fs, (uint32_t)i->ino);
    if (used < 0)
        return used;
    if (used == 0)
        return ext2_corrupt(fs, "inode %lu has a name but is free", i->ino);

    int err = table_get(fs, i->ino, &buf, &d);
    if (err != 0)
        return err;
    if (d->i_links_count == 0 || !type_known(d->i_mode))
        err = ext2_corrupt(fs, "inode %lu has mode %o and %u links", i->ino, d->i_mode,
                           d->i_links_count);
    else
        err = inode_decode(i, d);
    ext2_buf_put(fs, &buf, false);
    if (err == 0)
        ext2_set_ops(i);
    return err;
}

static void
inode_encode(struct inode *i, struct ext2_disk_inode *d)
{
    struct ext2_fs *fs = ext2_fs_of(i);
    struct ext2_inode *ei = ext2_inode_of(i);

    if (ei->fresh) {
        memset(d, 0, fs->inode_size);
        if (fs->inode_size >= sizeof(*d) + EXTRA_SIZE_NEW)
            ((struct extra *)(d + 1))->size = EXTRA_SIZE_NEW;
    }
    struct extra none, *x = extra_of(fs, d);
    bool has_extra = x != NULL;
    if (x == NULL)
        x = &none;
    x->atime = time_encode(&i->atime, has_extra, &d->i_atime);
    x->mtime = time_encode(&i->mtime, has_extra, &d->i_mtime);
    x->ctime = time_encode(&i->ctime, has_extra, &d->i_ctime);

    d->i_mode = (uint16_t)i->mode;
    d->i_links_count = (uint16_t)i->nlink;
    d->i_uid = (uint16_t)i->uid;
    d->i_uid_high = (uint16_t)(i->uid >> 16);
    d->i_gid = (uint16_t)i->gid;
    d->i_gid_high = (uint16_t)(i->gid >> 16);
    d->i_size = (uint32_t)inode_size(i);
    if (S_ISREG(i->mode))
        d->i_size_high = (uint32_t)(inode_size(i) >> 32);
    d->i_blocks = (uint32_t)i->blocks;
    d->i_flags = ei->flags;
    d->i_file_acl = ei->file_acl;
    memcpy(d->i_block, ei->block, sizeof(ei->block));
}

/* Frees the blocks that prepare_write allocated and that the size then did not reach. */
static int
trim(struct inode *i)
{
    struct ext2_inode *ei = ext2_inode_of(i);
    uint32_t shift = ext2_fs_of(i)->block_shift;
    uint64_t keep = (inode_size(i) + (1UL << shift) - 1) >> shift;
    int err = 0;

    mutex_lock(&ei->map_lock);
    if (ei->end_block > keep)
        err = ext2_map_truncate(ei, keep);
    mutex_unlock(&ei->map_lock);
    return err;
}

int
ext2_write_inode(struct inode *i)
{
    struct ext2_fs *fs = ext2_fs_of(i);
    struct ext2_inode *ei = ext2_inode_of(i);
    struct ext2_disk_inode *d;
    struct ext2_buf buf;

    int err = ext2_begin_change(fs);
    if (err == 0)
        err = trim(i);
    if (err == 0)
        err = table_get(fs, i->ino, &buf, &d);
    if (err != 0)
        return err;
    mutex_lock(&ei->map_lock);
    inode_encode(i, d);
    mutex_unlock(&ei->map_lock);
    ei->fresh = false;
    ext2_buf_put(fs, &buf, true);
    return 0;
}

/* --- the end of an inode --- */

/* Leaves in the table an inode that e2fsck knows to be deleted. */
static int
table_mark_deleted(struct ext2_fs *fs, ino_t ino)
{
    struct ext2_disk_inode *d;
    struct ext2_buf buf;

    int err = table_get(fs, ino, &buf, &d);
    if (err != 0)
        return err;
    memset(d, 0, fs->inode_size);
    d->i_dtime = MAX((uint32_t)(clock_realtime() / NSEC_PER_SEC), 1U);
    ext2_buf_put(fs, &buf, true);
    return 0;
}

/*
 * The steps go on after an error: what cannot be freed stays allocated, for e2fsck to find.
 *
 * SIMPLE: a block of extended attributes may be shared, and we do not count its users.  A file
 * that has one stays where it is, without a name: the disk is not marked clean, and e2fsck
 * will find it.
 */
void
ext2_evict_inode(struct inode *i)
{
    struct ext2_fs *fs = ext2_fs_of(i);
    struct ext2_inode *ei = ext2_inode_of(i);
    int err = 0;

    if (i->nlink > 0 || ei->file_acl != 0)
        return;
    __atomic_sub_fetch(&fs->orphans, 1, __ATOMIC_RELAXED);
    if (i->ino < fs->first_ino || ext2_begin_change(fs) != 0)
        return;
    if (ext2_has_blocks(i)) {
        mutex_lock(&ei->map_lock);
        err = ext2_map_truncate(ei, 0);
        mutex_unlock(&ei->map_lock);
    }
    int err2 = table_mark_deleted(fs, i->ino);
    if (err2 == 0)
        err2 = ext2_inode_free(fs, (uint32_t)i->ino, S_ISDIR(i->mode));
    err = err != 0 ? err : err2;
    if (err != 0)
        ext2_corrupt(fs, "inode %lu could not be freed wholly (error %d)", i->ino, -err);
}
