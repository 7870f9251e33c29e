/*
 * files.c - tables of descriptors.
 *
 * A table has up to FILES_CHUNKS chunks of FILES_CHUNK descriptors, made when first needed.  A
 * chunk keeps a bit for each used descriptor and one for FD_CLOEXEC; lowest_free makes the
 * common search short.
 *
 * Locks: files->lock, a leaf: files are put, and memory is taken, outside of it.
 */
#include "kernel/fs/file.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/flock.h"
#include "kernel/lib/assert.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"

STATIC_ASSERT(FILES_CHUNK == 64);

struct fd_chunk {
    uint64_t used;
    uint64_t cloexec;
    struct file *file[FILES_CHUNK];
};

struct files *
files_new(void)
{
    struct files *t = kzalloc(sizeof(*t));

    if (t == NULL)
        return NULL;
    t->refs = 1;
    t->lock = (struct spinlock)SPINLOCK_INIT("files");
    t->limit = FILES_DEFAULT;
    t->size_limit = UINT64_MAX;
    return t;
}

/* Makes chunk @k if it is missing. No lock held. False: no memory. */
static bool
make_chunk(struct files *t, unsigned k)
{
    if (READ_ONCE(t->chunks[k]) != NULL)
        return true;
    struct fd_chunk *c = kzalloc(sizeof(*c));
    if (c == NULL)
        return false;
    spin_lock(&t->lock);
    if (t->chunks[k] == NULL) {
        t->chunks[k] = c;
        c = NULL;
    }
    spin_unlock(&t->lock);
    kfree(c);
    return true;
}

/* False: @from has a chunk that @t has not yet. @from->lock held. */
static bool
copy_chunks(struct files *t, struct files *from)
{
    for (unsigned k = 0; k < FILES_CHUNKS; k++) {
        if (from->chunks[k] != NULL && t->chunks[k] == NULL)
            return false;
    }
    for (unsigned k = 0; k < FILES_CHUNKS; k++) {
        if (from->chunks[k] == NULL)
            continue;
        *t->chunks[k] = *from->chunks[k];
        for (uint64_t u = t->chunks[k]->used; u != 0; u &= u - 1)
            file_get(t->chunks[k]->file[__builtin_ctzll(u)]);
    }
    t->limit = from->limit;
    t->size_limit = from->size_limit;
    t->lowest_free = from->lowest_free;
    return true;
}

struct files *
files_fork(struct files *from)
{
    struct files *t = files_new();
    bool copied = false;

    while (t != NULL && !copied) {
        for (unsigned k = 0; k < FILES_CHUNKS; k++) {
            if (READ_ONCE(from->chunks[k]) != NULL && !make_chunk(t, k)) {
                files_put(t);
                return NULL;
            }
        }
        spin_lock(&from->lock);
        copied = copy_chunks(t, from);
        spin_unlock(&from->lock);
    }
    return t;
}

void
files_get(struct files *t)
{
    __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
}

/* @f, if not NULL, was taken out of the table: its record locks go, and the reference. */
static void
closed(struct files *t, struct file *f)
{
    if (f == NULL)
        return;
    record_release(f->inode, t);
    file_put(f);
}

void
files_put(struct files *t)
{
    if (t == NULL || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (unsigned k = 0; k < FILES_CHUNKS; k++) {
        struct fd_chunk *c = t->chunks[k];
        for (uint64_t u = c != NULL ? c->used : 0; u != 0; u &= u - 1)
            closed(t, c->file[__builtin_ctzll(u)]);
        kfree(c);
    }
    kfree(t);
}

void
files_set_limit(struct files *t, unsigned limit)
{
    spin_lock(&t->lock);
    t->limit = MIN(limit, FILES_MAX);
    spin_unlock(&t->lock);
}

void
files_set_size_limit(struct files *t, uint64_t bytes)
{
    WRITE_ONCE(t->size_limit, bytes);
}

uint64_t
files_size_limit(void)
{
    const struct files *t = current_thread()->files;

    return t != NULL ? READ_ONCE(t->size_limit) : UINT64_MAX;
}

/* The place of @fd, or NULL when it is not open. Lock held. */
static struct fd_chunk *
chunk_of(struct files *t, int fd)
{
    if (fd < 0 || fd >= FILES_MAX)
        return NULL;
    struct fd_chunk *c = t->chunks[fd / FILES_CHUNK];
    return c != NULL && (c->used >> (fd % FILES_CHUNK) & 1) != 0 ? c : NULL;
}

struct file *
files_get_file(struct files *t, int fd)
{
    struct file *f = NULL;

    if (t == NULL)
        return NULL;
    spin_lock(&t->lock);
    struct fd_chunk *c = chunk_of(t, fd);
    if (c != NULL) {
        f = c->file[fd % FILES_CHUNK];
        file_get(f);
    }
    spin_unlock(&t->lock);
    return f;
}

struct file *
fd_get(int fd)
{
    return files_get_file(current_thread()->files, fd);
}

int
files_next(struct files *t, int fd)
{
    int found = -1;

    spin_lock(&t->lock);
    for (int n = MAX(fd, 0); n < FILES_MAX && found < 0; n++) {
        struct fd_chunk *c = t->chunks[n / FILES_CHUNK];
        uint64_t rest = c != NULL ? c->used >> (n % FILES_CHUNK) : 0;
        if (rest == 0)
            n |= FILES_CHUNK - 1; /* on to the next chunk */
        else
            found = n + __builtin_ctzll(rest);
    }
    spin_unlock(&t->lock);
    return found;
}

/* The lowest descriptor >= @min that is not used. Lock held. */
static int
lowest_unused(struct files *t, int min)
{
    int fd = MAX(min, (int)t->lowest_free);

    while (fd < FILES_MAX) {
        struct fd_chunk *c = t->chunks[fd / FILES_CHUNK];
        if (c == NULL)
            return fd;
        uint64_t unused = ~c->used >> (fd % FILES_CHUNK);
        if (unused != 0)
            return fd + __builtin_ctzll(unused);
        fd = (fd / FILES_CHUNK + 1) * FILES_CHUNK;
    }
    return FILES_MAX;
}

static void
place(struct files *t, int fd, struct file *f, bool cloexec)
{
    struct fd_chunk *c = t->chunks[fd / FILES_CHUNK];
    uint64_t bit = 1UL << (fd % FILES_CHUNK);

    c->file[fd % FILES_CHUNK] = f;
    c->used |= bit;
    c->cloexec = cloexec ? c->cloexec | bit : c->cloexec & ~bit;
}

/* The lock is held. Returns the descriptor, or the error; -EAGAIN: *want is to be made first. */
static int
try_install(struct files *t, struct file *f, int min, bool cloexec, unsigned *want)
{
    if ((unsigned)min >= t->limit)
        return min == 0 ? -EMFILE : -EINVAL;
    int fd = lowest_unused(t, min);
    if (fd >= (int)t->limit)
        return -EMFILE;
    *want = (unsigned)fd / FILES_CHUNK;
    if (t->chunks[*want] == NULL)
        return -EAGAIN;
    place(t, fd, f, cloexec);
    if ((unsigned)min <= t->lowest_free)
        t->lowest_free = (unsigned)fd + 1;
    return fd;
}

int
fd_install(struct file *f, int min, bool cloexec)
{
    struct files *t = current_thread()->files;
    unsigned want;
    int fd;

    if (min < 0)
        return -EINVAL;
    do {
        spin_lock(&t->lock);
        fd = try_install(t, f, min, cloexec, &want);
        spin_unlock(&t->lock);
    } while (fd == -EAGAIN && make_chunk(t, want));
    return fd == -EAGAIN ? -ENOMEM : fd;
}

int
fd_room(void)
{
    struct files *t = current_thread()->files;

    spin_lock(&t->lock);
    bool room = lowest_unused(t, 0) < (int)t->limit;
    spin_unlock(&t->lock);
    return room ? 0 : -EMFILE;
}

int
fd_replace(int fd, struct file *f, bool cloexec)
{
    struct files *t = current_thread()->files;
    struct file *old = NULL;

    if (fd < 0 || (unsigned)fd >= READ_ONCE(t->limit))
        return -EBADF;
    if (!make_chunk(t, (unsigned)fd / FILES_CHUNK))
        return -ENOMEM;
    spin_lock(&t->lock);
    if (chunk_of(t, fd) != NULL)
        old = t->chunks[fd / FILES_CHUNK]->file[fd % FILES_CHUNK];
    place(t, fd, f, cloexec);
    spin_unlock(&t->lock);
    closed(t, old);
    return 0;
}

/* Takes @fd out of the table; NULL: it was not open. */
static struct file *
take_out(struct files *t, int fd)
{
    struct file *f = NULL;

    spin_lock(&t->lock);
    struct fd_chunk *c = chunk_of(t, fd);
    if (c != NULL) {
        f = c->file[fd % FILES_CHUNK];
        c->used &= ~(1UL << (fd % FILES_CHUNK));
        t->lowest_free = MIN(t->lowest_free, (unsigned)fd);
    }
    spin_unlock(&t->lock);
    return f;
}

int
fd_close(int fd)
{
    struct files *t = current_thread()->files;
    struct file *f = take_out(t, fd);

    closed(t, f);
    return f != NULL ? 0 : -EBADF;
}

int
fd_get_cloexec(int fd)
{
    struct files *t = current_thread()->files;

    spin_lock(&t->lock);
    struct fd_chunk *c = chunk_of(t, fd);
    int r = c == NULL ? -EBADF : (int)(c->cloexec >> (fd % FILES_CHUNK) & 1);
    spin_unlock(&t->lock);
    return r;
}

int
fd_set_cloexec(int fd, bool on)
{
    struct files *t = current_thread()->files;

    spin_lock(&t->lock);
    struct fd_chunk *c = chunk_of(t, fd);
    if (c != NULL)
        place(t, fd, c->file[fd % FILES_CHUNK], on);
    spin_unlock(&t->lock);
    return c != NULL ? 0 : -EBADF;
}

void
files_close_on_exec(struct files *t)
{
    for (int fd = files_next(t, 0); fd >= 0; fd = files_next(t, fd + 1)) {
        struct fd_chunk *c = t->chunks[fd / FILES_CHUNK];
        if ((c->cloexec >> (fd % FILES_CHUNK) & 1) != 0)
            closed(t, take_out(t, fd));
    }
}
