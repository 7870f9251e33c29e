/*
 * ext2_io.c - moves blocks between the disk and frames of the page cache.
 *
 * Two things live here.  A run gathers pieces of frames whose blocks follow each other into one
 * disk request.  The meta object is the page cache of everything that is not file contents:
 * bitmaps, inode tables, group descriptors, indirect blocks.
 *
 * Page n of the meta object holds block n, also when blocks are smaller than pages (the rest of
 * the page is then zero).  Blocks of 1 KiB that shared a page could be metadata beside a file's
 * data, and writing the page back would put old bytes over the file's new ones.
 *
 * A block that becomes metadata is filled anew (never read), and one that ceases to be metadata
 * is written first (ext2_buf_forget), so nothing old is written back over its next owner.
 */
#include "kernel/fs/ext2_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "mm/kmalloc.h"

/* How long to wait for memory where giving up would lose blocks. */
#define PATIENCE_TRIES 100
#define PATIENCE_WAIT  (10 * NSEC_PER_MSEC)

void
ext2_run_begin(struct ext2_run *r, struct ext2_fs *fs, bool write)
{
    r->fs = fs;
    r->error = 0;
    r->next = 0;
    r->req = (struct block_request){.write = write};
}

/* Sends what has been gathered, and waits for it. */
static void
run_send(struct ext2_run *r)
{
    if (r->req.count == 0)
        return;
    block_submit(r->fs->dev, &r->req);
    int err = block_wait(&r->req);
    if (r->error == 0)
        r->error = err;
    r->req.count = 0;
}

void
ext2_run_add(struct ext2_run *r, uint32_t block, paddr_t pa, uint32_t len)
{
    uint64_t sector = (uint64_t)block << (r->fs->block_shift - 9);

    if (sector != r->next || r->req.count == BLOCK_SEGMENTS_MAX)
        run_send(r);
    struct block_segment *last = r->req.segments + r->req.count;
    if (r->req.count == 0)
        r->req.sector = sector;
    if (r->req.count > 0 && last[-1].addr + last[-1].len == pa)
        last[-1].len += len;
    else
        r->req.segments[r->req.count++] = (struct block_segment){pa, len};
    r->next = sector + len / SECTOR_SIZE;
}

int
ext2_run_finish(struct ext2_run *r)
{
    run_send(r);
    return r->error;
}

/* --- the meta object --- */

static struct ext2_fs *
meta_fs(struct object *o)
{
    return container_of(o, struct ext2_fs, meta);
}

static int
meta_transfer(struct object *o, pgidx_t index, struct frame **frames, unsigned n, bool write)
{
    struct ext2_fs *fs = meta_fs(o);
    struct ext2_run run;

    ext2_run_begin(&run, fs, write);
    for (unsigned i = 0; i < n; i++) {
        bool exists = index + i < fs->blocks_count;

        if (!write && (!exists || fs->block_size < PAGE_SIZE))
            memset(frame_data(frames[i]), 0, PAGE_SIZE);
        if (exists)
            ext2_run_add(&run, (uint32_t)(index + i), frame_addr(frames[i]), fs->block_size);
    }
    return ext2_run_finish(&run);
}

static int
meta_read_pages(struct object *o, pgidx_t index, struct frame **frames, unsigned n)
{
    return meta_transfer(o, index, frames, n, false);
}

static int
meta_write_pages(struct object *o, pgidx_t index, struct frame **frames, unsigned n)
{
    return meta_transfer(o, index, frames, n, true);
}

/* The object's references are the file system's: see ext2_super.c. */
static void
meta_release(struct object *o)
{
    ext2_fs_free(meta_fs(o));
}

static void
meta_describe(struct object *o, char *path, size_t size, dev_t *dev, ino_t *ino)
{
    snprintf(path, size, "[ext2 %s]", meta_fs(o)->dev->name);
    *dev = 0;
    *ino = 0;
}

const struct object_ops ext2_meta_ops = {
    .read_pages = meta_read_pages,
    .write_pages = meta_write_pages,
    .keep_unwritten = true,
    .release = meta_release,
    .describe = meta_describe,
};

int
ext2_buf_get(struct ext2_fs *fs, uint32_t block, struct ext2_buf *b)
{
    ASSERT(block < fs->blocks_count);
    int err = object_get_page(&fs->meta, block, false, &b->frame);
    if (err == 0)
        b->data = frame_data(b->frame);
    return err;
}

int
ext2_buf_get_patiently(struct ext2_fs *fs, uint32_t block, struct ext2_buf *b)
{
    int err = ext2_buf_get(fs, block, b);

    for (unsigned tries = 0; err == -ENOMEM && tries < PATIENCE_TRIES; tries++) {
        sched_sleep_until(clock_now() + PATIENCE_WAIT);
        err = ext2_buf_get(fs, block, b);
    }
    return err;
}

int
ext2_buf_new(struct ext2_fs *fs, uint32_t block, struct ext2_buf *b)
{
    ASSERT(block < fs->blocks_count);
    int err = object_get_page(&fs->meta, block, true, &b->frame);
    if (err != 0)
        return err;
    b->data = frame_data(b->frame);
    memset(b->data, 0, PAGE_SIZE);
    return 0;
}

void
ext2_buf_put(struct ext2_fs *fs, struct ext2_buf *b, bool dirty)
{
    object_put_page(&fs->meta, b->frame, dirty);
    b->frame = NULL;
    b->data = NULL;
}

int
ext2_buf_forget(struct ext2_fs *fs, uint32_t block)
{
    return object_sync(&fs->meta, block, (pgidx_t)block + 1);
}
