/*
 * poll.c - the places of one thread in many wait queues.
 *
 * The first few lie in the table itself, on the caller's stack; more come in pages of 15.
 */
#include "kernel/fs/poll.h"

#include "mm/kmalloc.h"

#define POLL_PER_PAGE 15

struct poll_page {
    struct poll_page *next;
    struct waiter waiters[POLL_PER_PAGE];
};
STATIC_ASSERT(sizeof(struct poll_page) <= 512);

void
poll_table_init(struct poll_table *t)
{
    t->used = 0;
    t->pages = NULL;
    t->no_memory = false;
}

/* A free place, or NULL. */
static struct waiter *
next_waiter(struct poll_table *t)
{
    unsigned size = t->pages == NULL ? POLL_INLINE : POLL_PER_PAGE;

    if (t->used == size) {
        struct poll_page *p = kmalloc(sizeof(*p));
        if (p == NULL)
            return NULL;
        p->next = t->pages;
        t->pages = p;
        t->used = 0;
    }
    return t->pages == NULL ? &t->first[t->used++] : &t->pages->waiters[t->used++];
}

void
poll_wait(struct poll_table *t, struct waitq *q)
{
    if (t == NULL)
        return;
    struct waiter *w = next_waiter(t);
    if (w == NULL)
        t->no_memory = true;
    else
        waitq_enter(q, w);
}

void
poll_leave(struct poll_table *t)
{
    struct poll_page *p;

    /* Only the newest page is not full; the table's own places are, once there is a page. */
    while ((p = t->pages) != NULL) {
        for (unsigned n = 0; n < t->used; n++)
            waitq_leave(&p->waiters[n]);
        t->pages = p->next;
        t->used = t->pages == NULL ? POLL_INLINE : POLL_PER_PAGE;
        kfree(p);
    }
    for (unsigned n = 0; n < t->used; n++)
        waitq_leave(&t->first[n]);
    t->used = 0;
}
