/*
 * ext2_fake.c - see ext2_fake.h.
 */
#include "tests/unit/ext2_fake.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/chrdev.h"
#include "kernel/fs/ext2_internal.h"
#include "kernel/fs/file.h"
#include "kernel/fs/pipe.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"
#include "tests/unit/ext2_host.h"

#define FRAMES 6000 /* 24 MiB */

struct fake_faults fake_faults;
unsigned fake_log_lines;
bool fake_quiet;
struct block_device fake_disk;
vaddr_t fake_frames_base;

static uint64_t random_state;
static unsigned locks_held, spins_held;
static long kmallocs;
static unsigned pins;

/* --- chance, failure and the log --- */

void
fake_seed(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15UL + 1;
}

uint32_t
fake_random(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % n);
}

static bool
goes_wrong(unsigned one_in)
{
    return one_in != 0 && fake_random(one_in) == 0;
}

void
fake_fail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    host_vfail(fmt, ap);
}

void
panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    host_vfail(fmt, ap);
}

void
kprintf(const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fake_log_lines++;
    if (!fake_quiet)
        host_print(text);
}

/* --- processor and scheduler --- */

static struct cred root_cred = {.cap_effective = CAP_ALL};
static struct thread the_thread = {.cred = &root_cred};

struct thread *
current_thread(void)
{
    return &the_thread;
}

nsec_t
clock_realtime(void)
{
    static nsec_t now = 1767225600UL * NSEC_PER_SEC;

    return now += 1000003;
}

nsec_t
clock_now(void)
{
    return clock_realtime();
}

void
sched_sleep_until(nsec_t when UNUSED)
{
    CHECK(spins_held == 0);
}

void
spin_lock(struct spinlock *l)
{
    CHECK(l->held == 0);
    l->held = 1;
    spins_held++;
}

void
spin_unlock(struct spinlock *l)
{
    CHECK(l->held == 1);
    l->held = 0;
    spins_held--;
}

void
mutex_init(struct mutex *m, const char *name)
{
    *m = (struct mutex){.name = name};
}

void
mutex_lock(struct mutex *m)
{
    CHECK(spins_held == 0);
    if (m->owner != NULL)
        fake_fail("mutex \"%s\" taken twice", m->name);
    m->owner = &the_thread;
    locks_held++;
}

void
mutex_lock_nested(struct mutex *m)
{
    mutex_lock(m);
}

void
mutex_unlock(struct mutex *m)
{
    CHECK(m->owner != NULL);
    m->owner = NULL;
    locks_held--;
}

bool
mutex_held(const struct mutex *m)
{
    return m->owner != NULL;
}

void
waitq_init(struct waitq *q)
{
    list_init(&q->waiters);
}

/* --- memory --- */

void *
kmalloc(size_t size)
{
    CHECK(size <= PAGE_SIZE);
    if (goes_wrong(fake_faults.no_memory))
        return NULL;
    kmallocs++;
    void *p = host_malloc(size);
    memset(p, 0xa5, size);
    return p;
}

void *
kzalloc(size_t size)
{
    void *p = kmalloc(size);

    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void
kfree(void *p)
{
    if (p == NULL)
        return;
    kmallocs--;
    host_free(p);
}

void *
kvmap_alloc(unsigned pages)
{
    if (goes_wrong(fake_faults.no_memory))
        return NULL;
    kmallocs++;
    return host_malloc(pages * PAGE_SIZE);
}

void
kvmap_free(void *p, unsigned pages UNUSED)
{
    kfree(p);
}

/* Frame i has its bytes at arena + 8192 * i: a guard page follows each. */
static unsigned char *arena;
static struct frame *frames;
static unsigned free_stack[FRAMES], free_count;

static struct frame *
fake_frame(unsigned i)
{
    return &frames[2 * i];
}

struct frame *
frame_alloc(enum frame_owner owner, unsigned flags)
{
    if (free_count == 0)
        return NULL;
    unsigned i = free_stack[--free_count];
    struct frame *f = fake_frame(i);

    *f = (struct frame){.owner = owner};
    memset(frame_data(f), (flags & FRAME_ZEROED) != 0 ? 0 : 0xa5, PAGE_SIZE);
    return f;
}

void
frame_free(struct frame *f)
{
    CHECK(f->owner != FRAME_FREE && f->pins == 0);
    f->owner = FRAME_FREE;
    memset(frame_data(f), 0xdb, PAGE_SIZE);
    free_stack[free_count++] = (unsigned)((f - frames) / 2);
}

/* --- disk --- */

static unsigned char *disk_bytes;
static struct list in_flight = LIST_INIT(in_flight);

static uint64_t
request_sectors(const struct block_request *req)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < req->count; i++)
        bytes += req->segments[i].len;
    return bytes / SECTOR_SIZE;
}

static void
request_check(const struct block_request *req)
{
    struct block_request *other;
    uint64_t end = req->sector + request_sectors(req);

    CHECK(req->count >= 1 && req->count <= BLOCK_SEGMENTS_MAX);
    list_for_each (other, &in_flight, link) {
        bool apart =
            other->sector >= end || req->sector >= other->sector + request_sectors(other);
        CHECK(apart || (!req->write && !other->write));
    }
}

static void
request_run(struct block_request *req)
{
    uint64_t at = req->sector * SECTOR_SIZE;

    list_del(&req->link);
    req->done = true;
    req->status = 0;
    if (req->sector + request_sectors(req) > fake_disk.sectors ||
        goes_wrong(req->write ? fake_faults.write_error : fake_faults.read_error)) {
        req->status = -EIO;
        return;
    }
    for (unsigned i = 0; i < req->count; i++) {
        void *p = phys_to_virt(req->segments[i].addr);
        CHECK(req->segments[i].len % SECTOR_SIZE == 0);
        if (req->write)
            memcpy(disk_bytes + at, p, req->segments[i].len);
        else
            memcpy(p, disk_bytes + at, req->segments[i].len);
        at += req->segments[i].len;
    }
}

void
block_submit(struct block_device *dev, struct block_request *req)
{
    CHECK(dev == &fake_disk && (!req->write || !dev->read_only));
    request_check(req);
    req->done = false;
    list_push_back(&in_flight, &req->link);
    if (fake_random(2) == 0)
        request_run(req);
}

int
block_wait(struct block_request *req)
{
    if (!req->done)
        request_run(req);
    return req->status;
}

int
block_rw(struct block_device *dev, bool write, uint64_t sector, paddr_t pa, uint32_t len)
{
    struct block_request req = {.write = write, .sector = sector, .count = 1};

    req.segments[0] = (struct block_segment){pa, len};
    block_submit(dev, &req);
    return block_wait(&req);
}

int
block_flush(struct block_device *dev UNUSED)
{
    CHECK(list_empty(&in_flight));
    return 0;
}

/* --- page cache --- */

static struct list objects = LIST_INIT(objects); /* by dirty_link: all that exist */

void
object_init(struct object *o, enum object_kind kind, const struct object_ops *ops)
{
    *o = (struct object){.refs = 1, .kind = kind, .ops = ops};
    list_push_back(&objects, &o->dirty_link);
}

void
object_get(struct object *o)
{
    CHECK(o->refs > 0);
    o->refs++;
}

void
object_put(struct object *o)
{
    CHECK(o->refs > 0 && spins_held == 0);
    if (--o->refs > 0)
        return;
    list_del(&o->dirty_link);
    o->ops->release(o);
}

static void
page_remove(struct object *o, struct frame *f)
{
    CHECK(f->pins == 0);
    CHECK(radix_del(&o->pages, f->index) == f);
    o->npages--;
    if (f->dirty)
        o->ndirty--;
    frame_free(f);
}

/* Evicts clean pages of any object; @one_in: of so many one. */
static void
evict_some(unsigned one_in)
{
    struct object *o;

    list_for_each (o, &objects, dirty_link) {
        struct frame *f;
        for (uint64_t i = 0; (f = radix_next(&o->pages, &i, UINT64_MAX)) != NULL; i++)
            if (f->pins == 0 && !f->dirty && !f->busy && fake_random(one_in) == 0)
                page_remove(o, f);
    }
}

static struct frame *
page_insert(struct object *o, pgidx_t index, unsigned flags)
{
    struct frame *f = frame_alloc(FRAME_OBJECT, flags);

    if (f == NULL)
        return NULL;
    if (radix_set(&o->pages, index, f) != 0) {
        frame_free(f);
        return NULL;
    }
    f->object = o;
    f->index = (uint32_t)index;
    o->npages++;
    return f;
}

/* Reads page @index, and some behind it that are missing too. */
static int
page_read(struct object *o, pgidx_t index)
{
    struct frame *run[OBJECT_CLUSTER];
    unsigned want = 1 + fake_random(OBJECT_CLUSTER), n = 0;

    while (n < want && (n == 0 || (index + n) << PAGE_SHIFT < o->size) &&
           radix_get(&o->pages, index + n) == NULL) {
        run[n] = page_insert(o, index + n, 0);
        if (run[n] == NULL)
            break;
        run[n++]->busy = true;
    }
    if (n == 0)
        return -ENOMEM;
    int err = o->ops->read_pages(o, index, run, n);
    for (unsigned i = 0; i < n; i++) {
        run[i]->busy = false;
        if (err != 0)
            page_remove(o, run[i]);
    }
    return err;
}

int
object_get_page(struct object *o, pgidx_t index, bool overwrite, struct frame **out)
{
    CHECK(spins_held == 0);
    if (goes_wrong(fake_faults.no_memory))
        return -ENOMEM;
    if (free_count < OBJECT_CLUSTER + 8)
        evict_some(3);
    struct frame *f = radix_get(&o->pages, index);
    if (f == NULL && overwrite) {
        f = page_insert(o, index, FRAME_ZEROED);
    } else if (f == NULL) {
        int err = page_read(o, index);
        if (err != 0)
            return err;
        f = radix_get(&o->pages, index);
    }
    if (f == NULL)
        return -ENOMEM;
    CHECK(!f->busy);
    f->pins++;
    pins++;
    *out = f;
    return 0;
}

void
object_put_page(struct object *o, struct frame *f, bool dirty)
{
    CHECK(f->pins > 0 && radix_get(&o->pages, f->index) == f);
    f->pins--;
    pins--;
    if (dirty && !f->dirty) {
        CHECK(!fake_disk.read_only);
        f->dirty = true;
        o->ndirty++;
    }
}

void
object_resize(struct object *o, uint64_t size)
{
    pgidx_t end = (size + PAGE_MASK) >> PAGE_SHIFT;
    struct frame *f;

    if (size < o->size) {
        for (uint64_t i = end; (f = radix_next(&o->pages, &i, UINT64_MAX)) != NULL; i++)
            page_remove(o, f);
        f = radix_get(&o->pages, size >> PAGE_SHIFT);
        if (size % PAGE_SIZE != 0 && f != NULL)
            memset((char *)frame_data(f) + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
    }
    o->size = size;
}

int
object_sync(struct object *o, pgidx_t start, pgidx_t end)
{
    struct frame *run[OBJECT_CLUSTER], *f;
    int error = 0;

    for (uint64_t i = start; o->ndirty > 0 && (f = radix_next(&o->pages, &i, end)) != NULL;) {
        unsigned n = 0;
        while (n < OBJECT_CLUSTER && i + n < end && f != NULL && f->dirty) {
            f->dirty = false;
            o->ndirty--;
            run[n++] = f;
            f = radix_get(&o->pages, i + n);
        }
        int err = n == 0 ? 0 : o->ops->write_pages(o, i, run, n);
        for (unsigned k = 0; k < n && err != 0; k++) {
            run[k]->dirty = true;
            o->ndirty++;
        }
        if (err != 0 && error == 0)
            error = -EIO;
        i += MAX(n, 1U);
    }
    return error;
}

int
object_write_back(struct object *o)
{
    return object_sync(o, 0, UINT64_MAX);
}

void
object_drop_pages(struct object *o)
{
    struct frame *f;

    for (uint64_t i = 0; (f = radix_next(&o->pages, &i, UINT64_MAX)) != NULL; i++)
        page_remove(o, f);
}

bool
object_retire(struct object *o)
{
    CHECK(o->refs == 0);
    object_drop_pages(o);
    return true;
}

void
fake_background(void)
{
    struct object *o;

    CHECK(locks_held == 0 && pins == 0);
    if (fake_random(40) == 0)
        evict_some(2);
    if (fake_random(30) != 0)
        return;
    list_for_each (o, &objects, dirty_link) {
        uint64_t start = fake_random((uint32_t)(o->size >> PAGE_SHIFT) + 1);
        int err = fake_random(3) == 0 ? 0 : object_sync(o, start, start + fake_random(64));
        CHECK(err == 0 || fake_faults.write_error != 0 || fake_faults.no_memory != 0 ||
              fake_log_lines > 0);
    }
}

/* --- what is around ext2 --- */

const struct file_ops regular_file_ops, directory_file_ops, fifo_file_ops, chrdev_file_ops,
    blkdev_file_ops;

size_t
inode_path(struct inode *i UNUSED, char *buf, size_t size)
{
    return strlcpy(buf, "?", size);
}

size_t
strlcpy(char *dst, const char *src, size_t size)
{
    size_t n = strlen(src), copied = MIN(n, size - 1);

    memcpy(dst, src, copied);
    dst[copied] = '\0';
    return n;
}

int
fs_sync_super_metadata(struct super *s, bool final UNUSED)
{
    return s->ops->sync(s, false);
}

int
fake_sync(struct super *s, bool final)
{
    struct object *o;
    int error = 0;

    for (int round = 0; round < 2; round++) {
        list_for_each (o, &objects, dirty_link) {
            int err = object_sync(o, 0, UINT64_MAX);
            error = error != 0 ? error : err;
        }
        int err = inode_write_super(s);
        error = error != 0 ? error : err;
    }
    int err = s->ops->sync(s, final);
    return error != 0 ? error : err;
}

int
fake_mount(struct super *s)
{
    *s = (struct super){.type = &ext2_fs_type, .bdev = &fake_disk, .dev = 0xfe00};
    mutex_init(&s->rename_lock, "rename");
    list_init(&s->dirty_inodes);
    return ext2_fs_type.mount(s);
}

void
fake_unmount(struct super *s)
{
    fake_sync(s, false);
    inode_put(s->root_inode);
    inode_evict_super(s);
    CHECK(inode_count() == 0);
    fake_sync(s, true);
    struct ext2_fs *fs = s->private;
    object_put(&fs->meta); /* with which the rest goes */
}

void
fake_check_leaks(void)
{
    CHECK(locks_held == 0 && spins_held == 0 && pins == 0);
    CHECK(free_count == FRAMES);
    CHECK(kmallocs == 0);
    CHECK(list_empty(&in_flight) && list_empty(&objects));
}

void
fake_init(unsigned char *image, size_t size)
{
    disk_bytes = image;
    fake_disk = (struct block_device){.name = "vda", .sectors = size / SECTOR_SIZE};
    if (arena != NULL)
        return;
    arena = host_arena(FRAMES);
    frames = host_malloc(2 * FRAMES * sizeof(struct frame));
    fake_frames_base = (vaddr_t)frames - ((vaddr_t)arena >> PAGE_SHIFT) * sizeof(struct frame);
    for (unsigned i = 0; i < FRAMES; i++)
        free_stack[free_count++] = i;
}
