/*
 * text.c - text that is made when it is read.
 *
 * A text is a chain of pages; text_printf never splits what it adds, so a page may end early.
 */
#include "kernel/fs/text.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/kmalloc.h"

#define TEXT_PER_PAGE (PAGE_SIZE - 16)

struct text_page {
    struct text_page *next;
    size_t used;
    char bytes[TEXT_PER_PAGE];
};
STATIC_ASSERT(sizeof(struct text_page) == PAGE_SIZE);

static struct text_page *
add_page(struct text *t)
{
    struct text_page *p = kmalloc(sizeof(*p));

    if (p == NULL) {
        t->no_memory = true;
        return NULL;
    }
    p->next = NULL;
    p->used = 0;
    if (t->last != NULL)
        t->last->next = p;
    else
        t->first = p;
    t->last = p;
    return p;
}

void
text_printf(struct text *t, const char *fmt, ...)
{
    struct text_page *p = t->last;
    va_list ap;
    int n = 0;

    if (t->no_memory)
        return;
    for (int try = 0; try < 2; try++) {
        size_t room = p != NULL ? TEXT_PER_PAGE - p->used : 0;
        if (room > 0) {
            va_start(ap, fmt);
            n = vsnprintf(p->bytes + p->used, room, fmt, ap);
            va_end(ap);
        }
        if (room > 0 && ((size_t)n < room || try == 1)) {
            n = (int)MIN((size_t)n, room - 1);
            p->used += (size_t)n;
            t->length += (size_t)n;
            return;
        }
        p = add_page(t);
        if (p == NULL)
            return;
    }
}

void
text_write(struct text *t, const void *bytes, size_t n)
{
    const char *src = bytes;

    while (n > 0 && !t->no_memory) {
        struct text_page *p = t->last;
        if (p == NULL || p->used == TEXT_PER_PAGE)
            p = add_page(t);
        if (p == NULL)
            return;
        size_t m = MIN(n, TEXT_PER_PAGE - p->used);
        memcpy(p->bytes + p->used, src, m);
        p->used += m;
        t->length += m;
        src += m;
        n -= m;
    }
}

void
text_free(struct text *t)
{
    struct text_page *p;

    while ((p = t->first) != NULL) {
        t->first = p->next;
        kfree(p);
    }
    *t = (struct text){0};
}

int
text_each(const struct text *t, int (*fn)(void *arg, const void *bytes, size_t n), void *arg)
{
    int err = 0;

    for (const struct text_page *p = t->first; p != NULL && err == 0; p = p->next)
        err = fn(arg, p->bytes, p->used);
    return err;
}

ssize_t
text_copy(const struct text *t, struct uio *u, off_t *pos)
{
    size_t start = u->left, skip = (size_t)*pos;
    int err = 0;

    for (const struct text_page *p = t->first; p != NULL && u->left > 0 && err == 0;
         p = p->next) {
        if (skip >= p->used) {
            skip -= p->used;
            continue;
        }
        size_t before = u->left;
        err = uio_put(u, p->bytes + skip, MIN(p->used - skip, u->left));
        *pos += (off_t)(before - u->left);
        skip = 0;
    }
    return start != u->left ? (ssize_t)(start - u->left) : err;
}

static int
text_open(struct file *f)
{
    f->private = kzalloc(sizeof(struct text));
    return f->private != NULL ? 0 : -ENOMEM;
}

void
text_release(struct file *f)
{
    text_free(f->private);
    kfree(f->private);
}

/* The offset's lock is held by the caller, save for pread: two at once make the text twice. */
static ssize_t
text_read(struct file *f, struct uio *u, off_t *pos)
{
    struct text *kept = f->private, made = {0};
    ssize_t n;

    if (pos == &f->offset && *pos != 0 && kept->first != NULL)
        return text_copy(kept, u, pos);
    int err = f->inode->ops->show(f->inode, &made);
    if (err == 0 && made.no_memory)
        err = -ENOMEM;
    n = err != 0 ? err : text_copy(&made, u, pos);
    if (pos == &f->offset && err == 0) {
        text_free(kept);
        *kept = made;
    } else {
        text_free(&made);
    }
    return n;
}

off_t
text_seek(struct file *f, off_t off, int whence)
{
    return whence == SEEK_END ? -EINVAL : inode_seek(f->inode, f->offset, off, whence);
}

const struct file_ops text_file_ops = {
    .open = text_open,
    .release = text_release,
    .read = text_read,
    .seek = text_seek,
};
