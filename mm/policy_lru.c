/*
 * policy_lru.c - an approximation of least recently used, with two lists.
 *
 *     enter --> [ inactive ] -- used a second time --> [ active ]
 *                |     ^ ^                                |
 *              taken   | +------ used once: once more     |
 *                      +------ the active list is long ---+
 *
 * Every page is used once, by the fault that brought it; only one that is used again has shown
 * that it is worth keeping.  So a program that reads a large file once passes through the
 * inactive list and leaves alone what others work with.  The active list gives its oldest back
 * when it holds more than two thirds of all frames.
 */
#include "mm/policy.h"

#include "mm/frame.h"
#include "mm/rmap.h"

enum rank { FRESH, USED_ONCE, ACTIVE };

static struct list inactive = LIST_INIT(inactive), active = LIST_INIT(active);
static uint64_t inactive_length, active_length;
static uint64_t asked; /* candidates since one last left */

static void
enter_as(struct frame *f, enum rank rank)
{
    f->rank = rank;
    list_push_back(rank == ACTIVE ? &active : &inactive, &f->link);
    (*(rank == ACTIVE ? &active_length : &inactive_length))++;
}

static void
lru_enter(struct frame *f)
{
    enter_as(f, FRESH);
}

static void
lru_leave(struct frame *f)
{
    list_del(&f->link);
    (*(f->rank == ACTIVE ? &active_length : &inactive_length))--;
    asked = 0;
}

/* The oldest active frame starts anew, and has to show itself. */
static void
deactivate(struct tlb_batch *b)
{
    struct frame *oldest = list_first(&active, struct frame, link);

    (void)rmap_test_clear_accessed(oldest, b);
    list_del(&oldest->link);
    active_length--;
    enter_as(oldest, USED_ONCE);
}

static struct frame *
lru_next(struct tlb_batch *b)
{
    /* After a whole turn that found nothing the active ones have to do, all of them. */
    bool in_vain = asked++ > inactive_length;

    while (active_length > (in_vain ? 0 : 2 * inactive_length))
        deactivate(b);
    if (inactive_length == 0)
        return NULL;
    return list_entry(list_rotate(&inactive), struct frame, link);
}

static bool
lru_spare(struct frame *f, struct tlb_batch *b)
{
    if (!rmap_test_clear_accessed(f, b))
        return false;
    list_del(&f->link);
    inactive_length--;
    enter_as(f, f->rank == FRESH ? USED_ONCE : ACTIVE);
    return true;
}

const struct policy policy_lru = {"lru", lru_enter, lru_leave, lru_next, lru_spare};
