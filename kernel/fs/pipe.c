/*
 * pipe.c - pipes and FIFOs.
 *
 * The bytes stand in a ring of 16 pages.  tail counts bytes read since the pipe was last empty;
 * a page is made for the first byte written into it, and an empty pipe gives back all but one.
 *
 * Conditions that one sleeps for are looked at without the lock, as a hint, and again with it;
 * poll() has no second look.  So how full the pipe is stands in one word, which is changed once
 * for each read or write: nobody sees bytes that are taken back, or a sum of two moments.
 *
 * Locks: pipe->lock for everything in struct pipe; inode->lock for inode->pipe of a FIFO.
 */
#include "kernel/fs/pipe.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/super.h"
#include "kernel/lib/restart.h"
#include "kernel/sched/thread.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"

#define PIPE_PAGES (PIPE_SIZE / PAGE_SIZE)

struct pipe {
    struct mutex lock;
    uint64_t tail;                       /* where the oldest byte is */
    size_t used;                         /* bytes in it */
    unsigned readers, writers;           /* open files */
    uint64_t reader_opens, writer_opens; /* ever: a short visit ends an open() that waits */
    unsigned users;                      /* inode->lock: open files of a FIFO */
    struct waitq readable, writable, opened;
    char *page[PIPE_PAGES];
};

static struct super pipe_super;
static uint64_t pages_alive; /* of all pipes (atomic) */
static uint64_t pages_most;  /* when there are more, a pipe takes no more than one */

static struct pipe *
pipe_alloc(void)
{
    struct pipe *p = kzalloc(sizeof(*p));

    if (p == NULL)
        return NULL;
    mutex_init(&p->lock, "pipe");
    waitq_init(&p->readable);
    waitq_init(&p->writable);
    waitq_init(&p->opened);
    return p;
}

static bool
page_make(char **page)
{
    *page = kmalloc(PAGE_SIZE);
    __atomic_add_fetch(&pages_alive, *page != NULL, __ATOMIC_RELAXED);
    return *page != NULL;
}

static void
page_drop(char **page)
{
    __atomic_sub_fetch(&pages_alive, *page != NULL, __ATOMIC_RELAXED);
    kfree(*page);
    *page = NULL;
}

static void
pipe_free(struct pipe *p)
{
    for (unsigned k = 0; k < PIPE_PAGES; k++)
        page_drop(&p->page[k]);
    kfree(p);
}

static size_t
pipe_used(const struct pipe *p)
{
    return READ_ONCE(p->used);
}

static size_t
pipe_room(const struct pipe *p)
{
    size_t most = READ_ONCE(pages_alive) > pages_most ? PAGE_SIZE : PIPE_SIZE;

    return most - MIN(most, pipe_used(p));
}

/* The page that byte @at is in. */
static char **
page_at(struct pipe *p, uint64_t at)
{
    return &p->page[(at >> PAGE_SHIFT) % PIPE_PAGES];
}

/* An empty pipe begins again at its start, and keeps one page. */
static void
pipe_trim(struct pipe *p)
{
    if (p->used > 0)
        return;
    p->tail = 0;
    for (unsigned k = 1; k < PIPE_PAGES; k++)
        page_drop(&p->page[k]);
}

/* Moves up to @n bytes out, pipe->lock held. */
static int
pipe_take(struct pipe *p, struct uio *u, size_t n)
{
    size_t start = u->left;
    int err = 0;

    while (start - u->left < n && err == 0) {
        uint64_t at = p->tail + (start - u->left);
        size_t in = at & PAGE_MASK;

        err = uio_put(u, *page_at(p, at) + in, MIN(n - (start - u->left), PAGE_SIZE - in));
    }
    p->tail += start - u->left;
    WRITE_ONCE(p->used, p->used - (start - u->left));
    return err;
}

/*
 * Moves up to @n <= room bytes in, pipe->lock held.  @whole: all or nothing; what PIPE_BUF
 * promises holds for a bad address and no memory too.
 */
static int
pipe_give(struct pipe *p, struct uio *u, size_t n, bool whole)
{
    struct uio before = *u;
    int err = 0;

    while (before.left - u->left < n && err == 0) {
        uint64_t at = p->tail + p->used + (before.left - u->left);
        char **page = page_at(p, at);
        size_t in = at & PAGE_MASK;

        if (*page == NULL && !page_make(page))
            err = -ENOMEM;
        else
            err = uio_take(u, *page + in, MIN(n - (before.left - u->left), PAGE_SIZE - in));
    }
    if (err != 0 && whole)
        *u = before;
    WRITE_ONCE(p->used, p->used + (before.left - u->left));
    return err;
}

static ssize_t
pipe_read(struct file *f, struct uio *u, off_t *pos UNUSED)
{
    struct pipe *p = f->private;
    size_t want = u->left;
    int err = 0;

    if (want == 0)
        return 0;
    mutex_lock(&p->lock);
    while (pipe_used(p) == 0 && p->writers > 0 && err == 0) {
        mutex_unlock(&p->lock);
        if ((f->flags & O_NONBLOCK) != 0)
            return -EAGAIN;
        err = wait_event_interruptible(&p->readable,
                                       pipe_used(p) > 0 || READ_ONCE(p->writers) == 0);
        mutex_lock(&p->lock);
    }
    if (pipe_used(p) > 0) { /* a signal may have come as well: the bytes go first */
        err = pipe_take(p, u, MIN(want, pipe_used(p)));
        pipe_trim(p);
        waitq_wake_all(&p->writable);
    }
    mutex_unlock(&p->lock);
    if (u->left != want)
        return (ssize_t)(want - u->left);
    return err == -EINTR ? -ERESTARTSYS : err;
}

/* Waits until @need bytes fit. pipe->lock held on entry and return. */
static int
wait_room(struct file *f, struct pipe *p, size_t need)
{
    if ((f->flags & O_NONBLOCK) != 0)
        return -EAGAIN;
    mutex_unlock(&p->lock);
    int err = wait_event_interruptible(&p->writable,
                                       pipe_room(p) >= need || READ_ONCE(p->readers) == 0);
    mutex_lock(&p->lock);
    return err == -EINTR ? -ERESTARTSYS : err;
}

/* One step of a write. pipe->lock held. Returns 0 to go on. */
static int
write_step(struct file *f, struct pipe *p, struct uio *u, size_t need)
{
    if (p->readers == 0)
        return -EPIPE;
    if (pipe_room(p) < need)
        return wait_room(f, p, need);
    int err = pipe_give(p, u, need > 1 ? need : MIN(u->left, pipe_room(p)), need > 1);
    waitq_wake_all(&p->readable);
    if (err == -ENOMEM) {
        mutex_unlock(&p->lock);
        err = reclaim_ask(current_thread()->space);
        mutex_lock(&p->lock);
    }
    return err;
}

static ssize_t
pipe_write(struct file *f, struct uio *u, off_t *pos UNUSED)
{
    struct pipe *p = f->private;
    size_t want = u->left;
    int err = 0;

    if (want == 0)
        return 0;
    mutex_lock(&p->lock);
    while (u->left > 0 && err == 0)
        err = write_step(f, p, u, want <= PIPE_BUF ? u->left : 1);
    mutex_unlock(&p->lock);
    return u->left != want ? (ssize_t)(want - u->left) : err;
}

static unsigned
pipe_poll(struct file *f, struct poll_table *t)
{
    struct pipe *p = f->private;
    unsigned events = 0;

    if (file_readable(f)) {
        poll_wait(t, &p->readable);
        if (pipe_used(p) > 0)
            events |= POLLIN | POLLRDNORM;
        /* A reader that came before any writer has lost none yet. */
        if (READ_ONCE(p->writers) == 0 && READ_ONCE(p->writer_opens) != f->no_writer_since)
            events |= POLLHUP;
    }
    if (file_writable(f)) {
        poll_wait(t, &p->writable);
        if (pipe_room(p) >= PIPE_BUF)
            events |= POLLOUT | POLLWRNORM;
        if (READ_ONCE(p->readers) == 0)
            events |= POLLERR;
    }
    return events;
}

static int64_t
pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct pipe *p = f->private;
    int32_t n = (int32_t)pipe_used(p);

    return cmd == FIONREAD ? copy_to_user(arg, &n, sizeof(n)) : -ENOTTY;
}

/* Counts a file in or out as reader, writer or both. */
static void
pipe_count(struct file *f, struct pipe *p, int by)
{
    mutex_lock(&p->lock);
    if (file_readable(f)) {
        p->readers += (unsigned)by;
        p->reader_opens += by > 0;
    }
    if (file_writable(f)) {
        p->writers += (unsigned)by;
        p->writer_opens += by > 0;
    }
    mutex_unlock(&p->lock);
    waitq_wake_all(&p->readable);
    waitq_wake_all(&p->writable);
    waitq_wake_all(&p->opened);
}

/* One user less of the inode's pipe; the last one frees it. */
static void
pipe_leave(struct inode *i, struct pipe *p)
{
    mutex_lock(&i->lock);
    bool last = --p->users == 0;
    if (last)
        i->pipe = NULL;
    mutex_unlock(&i->lock);
    if (last)
        pipe_free(p);
}

static void
pipe_release(struct file *f)
{
    struct pipe *p = f->private;

    pipe_count(f, p, -1);
    pipe_leave(f->inode, p);
}

static const struct file_ops pipe_file_ops = {
    .release = pipe_release,
    .read = pipe_read,
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
};

/* open() of a FIFO waits for the other side (POSIX open()). */
static int
wait_other_side(struct file *f, struct pipe *p, uint64_t seen)
{
    /* A pipe that is opened again by way of /proc/PID/fd waits for nobody. */
    if ((file_readable(f) && file_writable(f)) || f->inode->super == &pipe_super)
        return 0;
    if (file_readable(f)) {
        if ((f->flags & O_NONBLOCK) != 0)
            return 0;
        return wait_event_interruptible(&p->opened, READ_ONCE(p->writers) > 0 ||
                                                        READ_ONCE(p->writer_opens) != seen);
    }
    if ((f->flags & O_NONBLOCK) != 0)
        return READ_ONCE(p->readers) > 0 ? 0 : -ENXIO;
    return wait_event_interruptible(&p->opened, READ_ONCE(p->readers) > 0 ||
                                                    READ_ONCE(p->reader_opens) != seen);
}

static int
fifo_open(struct file *f)
{
    struct inode *i = f->inode;

    mutex_lock(&i->lock);
    if (i->pipe == NULL)
        i->pipe = pipe_alloc();
    struct pipe *p = i->pipe;
    if (p != NULL)
        p->users++;
    mutex_unlock(&i->lock);
    if (p == NULL)
        return -ENOMEM;
    uint64_t seen = file_readable(f) ? READ_ONCE(p->writer_opens) : READ_ONCE(p->reader_opens);
    f->private = p;
    f->fops = &pipe_file_ops;
    pipe_count(f, p, 1);
    bool lonely = READ_ONCE(p->writers) == 0 && i->super != &pipe_super;
    f->no_writer_since = lonely ? seen : UINT64_MAX;
    int err = wait_other_side(f, p, seen);
    if (err != 0)
        pipe_release(f);
    return err == -EINTR ? -ERESTARTSYS : err;
}

const struct file_ops fifo_file_ops = {.open = fifo_open};

static const struct object_ops pipe_object_ops = {
    .release = inode_release,
    .describe = inode_describe,
};

static void
pipe_statfs(struct super *s UNUSED, struct abi_statfs *st)
{
    st->f_type = PIPEFS_MAGIC;
    st->f_bsize = PAGE_SIZE;
}

static const struct super_ops pipe_super_ops = {
    .alloc_inode = inode_alloc_plain,
    .free_inode = inode_free_plain,
    .statfs = pipe_statfs,
};

void
pipe_init(void)
{
    struct frame_stats st;

    frame_get_stats(&st);
    pages_most = st.total / 8;
    super_init(&pipe_super, &pipe_super_ops);
    pipe_super.flags = SUPER_HIDDEN;
}

int
pipe_open_pair(unsigned flags, struct file **reader, struct file **writer)
{
    static const struct inode_ops no_ops;
    static uint64_t last_ino;
    struct inode *i;
    int err = inode_new(&pipe_super, __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED),
                        OBJECT_SHM, &pipe_object_ops, false, &i);

    if (err != 0)
        return err;
    inode_init_owner(i, NULL, S_IFIFO | 0600);
    i->ops = &no_ops;
    i->fops = &fifo_file_ops;
    err = file_new(i, NULL, O_RDONLY | (flags & O_NONBLOCK), reader);
    if (err == 0) {
        err = file_new(i, NULL, O_WRONLY | (flags & O_NONBLOCK), writer);
        if (err != 0)
            file_put(*reader);
    }
    inode_put(i);
    return err;
}

int
pipe_capacity(struct file *f)
{
    return f->fops == &pipe_file_ops ? (int)PIPE_SIZE : -EBADF;
}
