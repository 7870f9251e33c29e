/*
 * chrdev.c - the character devices: memory, random, terminals, the kernel's log, the host.
 *
 * One table says what there is; devfs makes a file in /dev for each line of it, and open() of
 * such a file, wherever it lies, finds the line by its number.
 */
#include "kernel/fs/chrdev.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/dev/console.h"
#include "kernel/dev/fwcfg.h"
#include "kernel/dev/hostlink.h"
#include "kernel/fs/text.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/random.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"

#define MAJOR_MEM     1
#define MAJOR_TTY     5
#define MINOR_CONSOLE 1
#define MAJOR_HOST    240 /* Linux leaves 240 to 254 for local use */

/* ---- null, zero, full ---- */

static ssize_t
null_read(struct file *f UNUSED, struct uio *u UNUSED, off_t *pos UNUSED)
{
    return 0;
}

static ssize_t
null_write(struct file *f UNUSED, struct uio *u, off_t *pos UNUSED)
{
    return (ssize_t)u->left;
}

static off_t
null_seek(struct file *f UNUSED, off_t off UNUSED, int whence UNUSED)
{
    return 0;
}

static ssize_t
zero_read(struct file *f UNUSED, struct uio *u, off_t *pos UNUSED)
{
    size_t start = u->left;
    int err = 0;

    do { /* a signal ends a long read; one that moved nothing would look like the file's end */
        sched_preempt();
        err = uio_put(u, frame_data(frame_zero), MIN(u->left, PAGE_SIZE));
    } while (u->left > 0 && err == 0 && !current_thread()->interrupted);
    return start != u->left ? (ssize_t)(start - u->left) : err;
}

static ssize_t
full_write(struct file *f UNUSED, struct uio *u UNUSED, off_t *pos UNUSED)
{
    return -ENOSPC;
}

static int
zero_mmap(struct file *f UNUSED, bool shared, uint64_t length, struct object **out)
{
    *out = shared ? object_alloc_shm(length, true) : NULL;
    return shared && *out == NULL ? -ENOMEM : 0;
}

static const struct file_ops null_ops = {
    .read = null_read, .write = null_write, .seek = null_seek};
static const struct file_ops zero_ops = {
    .read = zero_read, .write = null_write, .seek = null_seek, .mmap = zero_mmap};
static const struct file_ops full_ops = {
    .read = zero_read, .write = full_write, .seek = null_seek};

/* ---- random ---- */

static ssize_t
random_read(struct file *f UNUSED, struct uio *u, off_t *pos UNUSED)
{
    size_t start = u->left;
    char buf[256];
    int err = 0;

    do { /* as above */
        size_t n = MIN(u->left, sizeof(buf));
        sched_preempt();
        random_bytes(buf, n);
        err = uio_put(u, buf, n);
    } while (u->left > 0 && err == 0 && !current_thread()->interrupted);
    return start != u->left ? (ssize_t)(start - u->left) : err;
}

/* What is written is welcome, but not mixed in: a seeded run must repeat. */
static const struct file_ops random_ops = {
    .read = random_read, .write = null_write, .seek = null_seek};

/* ---- terminals ---- */

/* /dev/console is the console, /dev/tty the caller's controlling terminal. */
static int
tty_file_open(struct file *f)
{
    bool console = DEV_MINOR(f->inode->rdev) == MINOR_CONSOLE;

    f->private = console ? console_tty() : tty_controlling();
    if (f->private == NULL)
        return -ENXIO;
    if (console)
        tty_open(f->private, (f->flags & O_NOCTTY) != 0);
    return 0;
}

static ssize_t
tty_file_read(struct file *f, struct uio *u, off_t *pos UNUSED)
{
    return tty_read(f->private, u, (f->flags & O_NONBLOCK) != 0);
}

static ssize_t
tty_file_write(struct file *f, struct uio *u, off_t *pos UNUSED)
{
    return tty_write(f->private, u, (f->flags & O_NONBLOCK) != 0);
}

static int64_t
tty_file_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    return tty_ioctl(f->private, cmd, arg);
}

static unsigned
tty_file_poll(struct file *f, struct poll_table *t)
{
    struct tty *tty = f->private;

    poll_wait(t, &tty->readable);
    poll_wait(t, &tty->writable);
    return tty_poll(tty);
}

static const struct file_ops tty_ops = {
    .open = tty_file_open,
    .read = tty_file_read,
    .write = tty_file_write,
    .ioctl = tty_file_ioctl,
    .poll = tty_file_poll,
};

/* ---- the kernel's log ---- */

static ssize_t
kmsg_read(struct file *f UNUSED, struct uio *u, off_t *pos)
{
    size_t start = u->left;
    char buf[256];
    int err = 0;

    while (u->left > 0 && err == 0) {
        uint64_t at = (uint64_t)*pos;
        size_t n = log_read(&at, buf, MIN(u->left, sizeof(buf)));
        if (n == 0)
            break;
        err = uio_put(u, buf, n);
        if (err == 0)
            *pos = (off_t)at;
    }
    return start != u->left ? (ssize_t)(start - u->left) : err;
}

static ssize_t
kmsg_write(struct file *f UNUSED, struct uio *u, off_t *pos UNUSED)
{
    size_t start = u->left;
    char buf[257];
    int err = 0;

    while (u->left > 0 && err == 0) {
        size_t n = MIN(u->left, sizeof(buf) - 1);
        err = uio_take(u, buf, n);
        if (err == 0)
            kprintf("%.*s", (int)n, buf);
    }
    return start != u->left ? (ssize_t)(start - u->left) : err;
}

static off_t
kmsg_seek(struct file *f UNUSED, off_t off, int whence)
{
    return whence == SEEK_SET && off == 0 ? 0 : -EINVAL;
}

static const struct file_ops kmsg_ops = {
    .read = kmsg_read, .write = kmsg_write, .seek = kmsg_seek};

/* ---- the host's standard input, output and error ---- */

#define HOST_CHUNK 2048U

static ssize_t
host_read(struct file *f, struct uio *u, off_t *pos UNUSED)
{
    size_t want = u->left;
    char *buf = want > 0 ? kmalloc(HOST_CHUNK) : NULL;

    if (want == 0)
        return 0;
    if (buf == NULL)
        return -ENOMEM;
    ssize_t n = hostlink_read(buf, MIN(want, HOST_CHUNK), (f->flags & O_NONBLOCK) != 0);
    if (n > 0) {
        int err = uio_put(u, buf, (size_t)n);
        n = want != u->left ? (ssize_t)(want - u->left) : err;
    }
    kfree(buf);
    return n;
}

static ssize_t
host_write(struct uio *u, enum hostlink_stream stream)
{
    size_t total = 0;
    char *buf = u->left > 0 ? kmalloc(HOST_CHUNK) : NULL;
    ssize_t err = 0;

    if (u->left == 0)
        return 0;
    if (buf == NULL)
        return -ENOMEM;
    while (u->left > 0 && err == 0) {
        size_t before = u->left;
        err = uio_take(u, buf, MIN(before, HOST_CHUNK));
        size_t n = before - u->left;
        ssize_t sent = n > 0 ? hostlink_write(stream, buf, n) : 0;
        if (sent > 0)
            total += (size_t)sent;
        if (sent < (ssize_t)n)
            err = sent < 0 ? sent : -EINTR;
    }
    kfree(buf);
    return total > 0 ? (ssize_t)total : err;
}

static ssize_t
host_write_out(struct file *f UNUSED, struct uio *u, off_t *pos UNUSED)
{
    return host_write(u, HOSTLINK_OUT);
}

static ssize_t
host_write_err(struct file *f UNUSED, struct uio *u, off_t *pos UNUSED)
{
    return host_write(u, HOSTLINK_ERR);
}

static unsigned
hostin_poll(struct file *f UNUSED, struct poll_table *t)
{
    poll_wait(t, &hostlink_event);
    return hostlink_poll();
}

static unsigned
hostout_poll(struct file *f UNUSED, struct poll_table *t UNUSED)
{
    return POLLOUT | POLLWRNORM;
}

static int
host_open(struct file *f UNUSED)
{
    return hostlink_present() ? 0 : -ENXIO;
}

/* "STATUS CHECKFAILED\n" in decimal. */
static ssize_t
host_write_exit(struct file *f UNUSED, struct uio *u, off_t *pos UNUSED)
{
    char text[32] = "";
    size_t n = u->left;
    const char *end;

    if (n >= sizeof(text))
        return -EINVAL;
    int err = uio_take(u, text, n);
    if (err != 0)
        return err;
    uint64_t status = strtou64(text, &end, 10);
    if (end == text || status > 255)
        return -EINVAL;
    while (*end == ' ')
        end++;
    uint64_t failed = strtou64(end, &end, 10);
    hostlink_exit((uint32_t)status, failed != 0);
    return (ssize_t)n;
}

static const struct file_ops hostin_ops = {
    .open = host_open, .read = host_read, .poll = hostin_poll};
static const struct file_ops hostout_ops = {
    .open = host_open, .write = host_write_out, .poll = hostout_poll};
static const struct file_ops hosterr_ops = {
    .open = host_open, .write = host_write_err, .poll = hostout_poll};
static const struct file_ops hostexit_ops = {.open = host_open, .write = host_write_exit};

/* ---- the host's words: files of fw_cfg, read in whole when opened ---- */

/* The device reads out one file at a time; after the boot we are the only ones to ask it. */
static struct mutex fwcfg_lock = MUTEX_INIT(fwcfg_lock, "fw_cfg");

static ssize_t
read_words(const char *name, void *buf, size_t size)
{
    mutex_lock(&fwcfg_lock);
    ssize_t len = fwcfg_read(name, buf, size);
    mutex_unlock(&fwcfg_lock);
    return len;
}

static int
words_open(struct file *f, const char *name)
{
    ssize_t len = read_words(name, NULL, 0);

    if (len < 0)
        return (int)len;
    unsigned pages = (unsigned)(page_ceil((size_t)len + 1) >> PAGE_SHIFT);
    char *bytes = kvmap_alloc(pages);
    struct text *t = kzalloc(sizeof(*t));
    if (bytes != NULL && t != NULL) {
        read_words(name, bytes, (size_t)len);
        text_write(t, bytes, (size_t)len);
    }
    int err = bytes == NULL || t == NULL || t->no_memory ? -ENOMEM : 0;
    if (bytes != NULL)
        kvmap_free(bytes, pages);
    f->private = t;
    if (err != 0 && t != NULL)
        text_release(f);
    return err;
}

static int
hostargv_open(struct file *f)
{
    return words_open(f, "opt/org.vitrine/argv");
}

static int
hostenv_open(struct file *f)
{
    return words_open(f, "opt/org.vitrine/env");
}

static ssize_t
words_read(struct file *f, struct uio *u, off_t *pos)
{
    return text_copy(f->private, u, pos);
}

static const struct file_ops hostargv_ops = {
    .open = hostargv_open, .release = text_release, .read = words_read, .seek = text_seek};
static const struct file_ops hostenv_ops = {
    .open = hostenv_open, .release = text_release, .read = words_read, .seek = text_seek};

/* ---- the table ---- */

const struct chrdev chrdev_table[] = {
    {"null", DEV_MAKE(MAJOR_MEM, 3), 0666, &null_ops},
    {"zero", DEV_MAKE(MAJOR_MEM, 5), 0666, &zero_ops},
    {"full", DEV_MAKE(MAJOR_MEM, 7), 0666, &full_ops},
    {"random", DEV_MAKE(MAJOR_MEM, 8), 0666, &random_ops},
    {"urandom", DEV_MAKE(MAJOR_MEM, 9), 0666, &random_ops},
    {"kmsg", DEV_MAKE(MAJOR_MEM, 11), 0644, &kmsg_ops},
    {"tty", DEV_MAKE(MAJOR_TTY, 0), 0666, &tty_ops},
    {"console", DEV_MAKE(MAJOR_TTY, MINOR_CONSOLE), 0600, &tty_ops},
    {"hostin", DEV_MAKE(MAJOR_HOST, 0), 0666, &hostin_ops},
    {"hostout", DEV_MAKE(MAJOR_HOST, 1), 0666, &hostout_ops},
    {"hosterr", DEV_MAKE(MAJOR_HOST, 2), 0666, &hosterr_ops},
    {"hostexit", DEV_MAKE(MAJOR_HOST, 3), 0600, &hostexit_ops},
    {"hostargv", DEV_MAKE(MAJOR_HOST, 4), 0600, &hostargv_ops},
    {"hostenv", DEV_MAKE(MAJOR_HOST, 5), 0600, &hostenv_ops},
    {NULL, 0, 0, NULL},
};

/* NULL: no such device. */
static const struct chrdev *
chrdev_find(dev_t number)
{
    for (const struct chrdev *d = chrdev_table; d->name != NULL; d++) {
        if (d->number == number)
            return d;
    }
    return NULL;
}

static int
chrdev_open(struct file *f)
{
    const struct chrdev *d = chrdev_find(f->inode->rdev);

    if (d == NULL)
        return -ENXIO;
    f->fops = d->fops;
    return d->fops->open != NULL ? d->fops->open(f) : 0;
}

const struct file_ops chrdev_file_ops = {.open = chrdev_open};
