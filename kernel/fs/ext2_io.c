/*
 * ext2_io.c - moves blocks between the disk and frames of the page cache.
 *
 * Two things live here.  A batch gathers pieces of frames into as few disk requests as the
 * blocks' order allows, and keeps several of them in flight.  The meta object is the page cache
 * of everything that is not file contents: bitmaps, inode tables, group descriptors, indirect
 * blocks.
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

/* Requests in flight at once; the batch is to fit into one frame. */
#define BATCH_REQUESTS 5

struct ext2_batch {
    struct ext2_fs *fs;
    bool write;
    bool busy[BATCH_REQUESTS]; /* submitted and not waited for */
    unsigned open;             /* the request that is being filled */
    int error;                 /* the first one */
    struct block_request req[BATCH_REQUESTS];
};
STATIC_ASSERT(sizeof(struct ext2_batch) <= PAGE_SIZE);

int
ext2_io_init(struct ext2_fs *fs)
{
    mutex_init(&fs->spare_lock, "ext2 spare batch");
    fs->spare_batch = kzalloc(sizeof(struct ext2_batch));
    return fs->spare_batch == NULL ? -ENOMEM : 0;
}

void
ext2_io_done(struct ext2_fs *fs)
{
    kfree(fs->spare_batch);
    fs->spare_batch = NULL;
}

/* Never fails: when memory is gone, batches take turns with the spare one. */
struct ext2_batch *
ext2_batch_begin(struct ext2_fs *fs, bool write)
{
    struct ext2_batch *b = kzalloc(sizeof(*b));

    if (b == NULL) {
        mutex_lock(&fs->spare_lock);
        b = fs->spare_batch;
        memset(b, 0, sizeof(*b));
    }
    b->fs = fs;
    b->write = write;
    return b;
}

static void
batch_wait_for(struct ext2_batch *b, unsigned i)
{
    if (!b->busy[i])
        return;
    int err = block_wait(&b->req[i]);
    b->busy[i] = false;
    if (err != 0 && b->error == 0)
        b->error = err;
}

/* Sends the open request off and makes the next one empty. */
static void
batch_submit_open(struct ext2_batch *b)
{
    struct block_request *req = &b->req[b->open];

    if (req->count == 0)
        return;
    b->busy[b->open] = true;
    block_submit(b->fs->dev, req);

    b->open = (b->open + 1) % BATCH_REQUESTS;
    batch_wait_for(b, b->open);
    memset(&b->req[b->open], 0, sizeof(b->req[b->open]));
}

/* True if the open request goes on at @sector and has room. */
static bool
batch_goes_on(struct block_request *req, uint64_t sector)
{
    uint64_t end = req->sector;

    for (unsigned i = 0; i < req->count; i++)
        end += req->segments[i].len / SECTOR_SIZE;
    return end == sector && req->count < BLOCK_SEGMENTS_MAX;
}

void
ext2_batch_add(struct ext2_batch *b, uint32_t block, paddr_t pa, uint32_t len)
{
    struct block_request *req = &b->req[b->open];
    uint64_t sector = (uint64_t)block << (b->fs->block_shift - 9);

    if (req->count > 0 && !batch_goes_on(req, sector)) {
        batch_submit_open(b);
        req = &b->req[b->open];
    }
    if (req->count == 0) {
        req->write = b->write;
        req->sector = sector;
    }
    struct block_segment *last = req->count == 0 ? NULL : &req->segments[req->count - 1];
    if (last != NULL && last->addr + last->len == pa)
        last->len += len;
    else
        req->segments[req->count++] = (struct block_segment){.addr = pa, .len = len};
}

int
ext2_batch_finish(struct ext2_batch *b)
{
    batch_submit_open(b);
    for (unsigned i = 0; i < BATCH_REQUESTS; i++)
        batch_wait_for(b, i);

    int error = b->error;
    if (b == b->fs->spare_batch)
        mutex_unlock(&b->fs->spare_lock);
    else
        kfree(b);
    return error;
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
    struct ext2_batch *b = ext2_batch_begin(fs, write);

    for (unsigned i = 0; i < n; i++) {
        bool exists = index + i < fs->blocks_count;

        if (!write && (!exists || fs->block_size < PAGE_SIZE))
            memset(frame_data(frames[i]), 0, PAGE_SIZE);
        if (exists)
            ext2_batch_add(b, (uint32_t)(index + i), frame_addr(frames[i]), fs->block_size);
    }
    return ext2_batch_finish(b);
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

static int
meta_prepare_write(struct object *o UNUSED, pgidx_t index UNUSED)
{
    return 0;
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
    .prepare_write = meta_prepare_write,
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
