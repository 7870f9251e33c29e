/*
 * policy_fifo.c - first in, first out: the frame that came first goes first.
 *
 * It never asks whether a page is used, so it also takes the one that is used all the time;
 * and more memory can mean more faults (Belady's anomaly: L. A. Belady, R. A. Nelson and
 * G. S. Shedler, "An anomaly in space-time characteristics of certain programs running in a
 * paging machine", 1969).  It is here to be compared with.
 */
#include "mm/policy.h"

#include "mm/frame.h"

static struct list queue = LIST_INIT(queue);

static void
fifo_enter(struct frame *f)
{
    list_push_back(&queue, &f->link);
}

static void
fifo_leave(struct frame *f)
{
    list_del(&f->link);
}

/* A frame that could not go joins the end, or the next look would find it again. */
static struct frame *
fifo_next(struct tlb_batch *b UNUSED)
{
    struct list *first = list_rotate(&queue);

    return first == NULL ? NULL : list_entry(first, struct frame, link);
}

static bool
fifo_spare(struct frame *f UNUSED, struct tlb_batch *b UNUSED)
{
    return false;
}

const struct policy policy_fifo = {"fifo", fifo_enter, fifo_leave, fifo_next, fifo_spare};
