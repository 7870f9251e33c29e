/*
 * ext2_file.c - the pages of files, directories and links, and the size of files.
 *
 * A block that is allocated holds somebody's old bytes until it is first written.  So
 * prepare_write has the page in the cache (zeros where the hole was) before it fills the hole,
 * and leaves the page dirty: nobody can read the block from the disk before the zeros have
 * reached it.
 *
 * Where blocks are smaller than pages, prepare_write fills all holes of the page, as it cannot
 * know how far the file will grow; what the size then does not reach is freed when the inode is
 * written.
 */
#include "kernel/fs/ext2_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

#define BLOCKS_PER_PAGE_MAX 4
#define LARGE_FILE_SIZE     (1UL << 31) /* from here on the superblock has LARGE_FILE */

static unsigned
blocks_per_page(const struct ext2_fs *fs)
{
    return (unsigned)(PAGE_SIZE >> fs->block_shift);
}

/* Bytes at and behind the end of the file are zeros, whatever the disk says. */
static void
zero_behind_end(struct object *o, pgidx_t index, struct frame **frames, unsigned n)
{
    // LAB fault/7 begin -- (void)o, (void)index, (void)frames, (void)n;
    uint64_t size = READ_ONCE(o->size);

    for (unsigned i = 0; i < n; i++) {
        uint64_t start = (index + i) << PAGE_SHIFT;
        if (start + PAGE_SIZE <= size)
            continue;
        uint64_t keep = size > start ? size - start : 0;
        memset((char *)frame_data(frames[i]) + keep, 0, PAGE_SIZE - keep);
    }
    // LAB end
}

/* Moves pages to or from the blocks that they have; a page's hole is read as zeros. */
static int
transfer(struct ext2_fs *fs, struct frame **frames, unsigned n, const uint32_t *block,
         bool write)
{
    unsigned per_page = blocks_per_page(fs);
    struct ext2_run run;

    ext2_run_begin(&run, fs, write);
    for (unsigned i = 0; i < n * per_page; i++) {
        struct frame *f = frames[i / per_page];
        size_t offset = (size_t)(i % per_page) << fs->block_shift;

        if (block[i] != 0)
            ext2_run_add(&run, block[i], frame_addr(f) + offset, fs->block_size);
        else if (!write)
            memset((char *)frame_data(f) + offset, 0, fs->block_size);
    }
    return ext2_run_finish(&run);
}

static int
file_read_pages(struct object *o, pgidx_t index, struct frame **frames, unsigned n)
{
    struct ext2_inode *ei = ext2_inode_of(inode_of_object(o));
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    uint32_t block[OBJECT_CLUSTER * BLOCKS_PER_PAGE_MAX];
    unsigned per_page = blocks_per_page(fs);

    ASSERT(n <= OBJECT_CLUSTER);
    mutex_lock(&ei->map_lock);
    int err = ext2_map_get(ei, index * per_page, n * per_page, block);
    mutex_unlock(&ei->map_lock);
    if (err == 0)
        err = transfer(fs, frames, n, block, false);
    if (err == 0)
        zero_behind_end(o, index, frames, n);
    return err;
}

static bool
all_zero(const uint64_t *words, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(*words); i++)
        if (words[i] != 0)
            return false;
    return true;
}

/*
 * Holes in dirty pages.  Either the disk was full when prepare_write came, and there are zeros
 * only; or the file grew over a page that was mapped writable before, so that no prepare_write
 * came: then it is filled now.  Behind the end nothing is.
 */
static int
fill_late(struct ext2_inode *ei, uint64_t first, struct frame **frames, unsigned n,
          uint32_t *block)
{
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    unsigned per_page = blocks_per_page(fs);
    uint64_t size = inode_size(&ei->inode);
    int err = 0;

    for (unsigned i = 0; i < n * per_page && err == 0; i++) {
        const char *bytes = frame_data(frames[i / per_page]);

        bytes += (size_t)(i % per_page) << fs->block_shift;
        if (block[i] == 0 && (first + i) << fs->block_shift < size &&
            !all_zero((const void *)bytes, fs->block_size))
            err = ext2_map_alloc(ei, first + i, &block[i]);
    }
    return err;
}

/* M is held until the bytes are on the disk: a truncation would give the blocks away. */
static int
file_write_pages(struct object *o, pgidx_t index, struct frame **frames, unsigned n)
{
    struct ext2_inode *ei = ext2_inode_of(inode_of_object(o));
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    uint32_t block[OBJECT_CLUSTER * BLOCKS_PER_PAGE_MAX];
    unsigned per_page = blocks_per_page(fs);

    ASSERT(n <= OBJECT_CLUSTER);
    mutex_lock(&ei->map_lock);
    int err = ext2_map_get(ei, index * per_page, n * per_page, block);
    if (err == 0)
        err = fill_late(ei, index * per_page, frames, n, block);
    if (err == 0)
        err = transfer(fs, frames, n, block, true);
    mutex_unlock(&ei->map_lock);
    return err;
}

/*
 * What page @index has on the disk.  @fill: not NULL: the page in the cache, pinned; its holes are
 * filled.  Returns the number of holes that there were, or -Exxx.
 *
 * A fault comes without the inode's lock, so a truncation may have taken the page out meanwhile:
 * a block that it got now would keep its old bytes, for who grows the file again to read.  If that
 * takes the page out later than we look, it waits for M to free the blocks, ours too.
 */
static int
page_holes(struct ext2_inode *ei, pgidx_t index, const struct frame *fill)
{
    unsigned per_page = blocks_per_page(ext2_fs_of(&ei->inode));
    uint32_t block[BLOCKS_PER_PAGE_MAX];
    int holes = 0;

    mutex_lock(&ei->map_lock);
    if (fill != NULL && READ_ONCE(fill->object) == NULL) {
        mutex_unlock(&ei->map_lock);
        return 0;
    }
    int err = ext2_map_get(ei, index * per_page, per_page, block);
    for (unsigned i = 0; i < per_page && err == 0; i++) {
        if (block[i] != 0)
            continue;
        holes++;
        if (fill != NULL)
            err = ext2_map_alloc(ei, index * per_page + i, &block[i]);
    }
    mutex_unlock(&ei->map_lock);
    return err != 0 ? err : holes;
}

static int
file_prepare_write(struct object *o, pgidx_t index)
{
    struct ext2_inode *ei = ext2_inode_of(inode_of_object(o));
    struct ext2_fs *fs = ext2_fs_of(&ei->inode);
    struct frame *f;

    int err = ext2_begin_change(fs);
    if (err != 0)
        return err;
    if (index >= LARGE_FILE_SIZE / PAGE_SIZE - 1)
        ext2_allow_large_file(fs);
    int holes = page_holes(ei, index, NULL);
    if (holes <= 0)
        return holes;
    err = object_get_page(o, index, holes == (int)blocks_per_page(fs), &f);
    if (err != 0)
        return err;
    err = page_holes(ei, index, f);
    object_put_page(o, f, true); /* also after an error: some holes may have been filled */
    return MIN(err, 0);
}

const struct object_ops ext2_object_ops = {
    .read_pages = file_read_pages,
    .write_pages = file_write_pages,
    .prepare_write = file_prepare_write,
    .release = inode_release,
    .describe = inode_describe,
};

/*
 * zero_tail - make the bytes from @size to the end of its page zeros, on the disk too, so that
 * a file that grows again does not show them.  Nothing to do where there is no block.
 */
static int
zero_tail(struct inode *i, uint64_t size)
{
    struct ext2_inode *ei = ext2_inode_of(i);
    size_t offset = size % PAGE_SIZE;
    uint32_t block;
    struct frame *f;

    if (offset == 0)
        return 0;
    mutex_lock(&ei->map_lock);
    int err = ext2_map_get(ei, size >> ext2_fs_of(i)->block_shift, 1, &block);
    mutex_unlock(&ei->map_lock);
    if (err != 0 || block == 0)
        return err;
    err = object_get_page(&i->object, size >> PAGE_SHIFT, false, &f);
    if (err != 0)
        return err;
    memset((char *)frame_data(f) + offset, 0, PAGE_SIZE - offset);
    object_put_page(&i->object, f, true);
    return 0;
}

int
ext2_truncate(struct inode *i, uint64_t size)
{
    struct ext2_inode *ei = ext2_inode_of(i);
    struct ext2_fs *fs = ext2_fs_of(i);
    uint64_t old = inode_size(i);

    int err = ext2_begin_change(fs);
    if (err == 0 && size != old)
        err = zero_tail(i, MIN(size, old));
    if (err != 0)
        return err;
    if (size >= LARGE_FILE_SIZE)
        ext2_allow_large_file(fs);

    /* The pages go first: no page may be written to a block that is no longer the file's. */
    object_resize(&i->object, size);
    if (size < old) {
        mutex_lock(&ei->map_lock);
        err = ext2_map_truncate(ei, (size + fs->block_size - 1) >> fs->block_shift);
        mutex_unlock(&ei->map_lock);
    }
    inode_mark_dirty(i);
    return err;
}
