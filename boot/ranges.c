/*
 * ranges.c - a short sorted list of address ranges.
 *
 * Adding takes everything out that the new range swallows, makes it larger by that
 * and puts it in its place.  Removing is a pass that copies what is left of each
 * range.  The lists are short and this runs once, so all is linear.
 */
#include "boot/ranges.h"

static void
delete_at(struct ranges *r, unsigned i)
{
    for (r->count--; i < r->count; i++)
        r->at[i] = r->at[i + 1];
}

static void
insert_at(struct ranges *r, unsigned i, struct boot_range x)
{
    for (unsigned k = r->count++; k > i; k--)
        r->at[k] = r->at[k - 1];
    r->at[i] = x;
}

static uint64_t
size_of(struct boot_range x)
{
    return x.end - x.start;
}

/* Makes room by leaving out the smallest.  False if that is @x itself. */
static bool
make_room(struct ranges *r, struct boot_range x)
{
    unsigned smallest = 0;

    if (r->count < r->max)
        return true;
    for (unsigned i = 1; i < r->count; i++)
        if (size_of(r->at[i]) < size_of(r->at[smallest]))
            smallest = i;
    if (r->max == 0 || size_of(x) <= size_of(r->at[smallest])) {
        r->lost += size_of(x);
        return false;
    }
    r->lost += size_of(r->at[smallest]);
    delete_at(r, smallest);
    return true;
}

static void
insert_sorted(struct ranges *r, struct boot_range x)
{
    unsigned i = 0;

    if (!make_room(r, x))
        return;
    while (i < r->count && r->at[i].start < x.start)
        i++;
    insert_at(r, i, x);
}

void
ranges_add(struct ranges *r, uint64_t start, uint64_t end)
{
    struct boot_range x = {start, end};

    if (start >= end)
        return;
    for (unsigned i = 0; i < r->count;) {
        if (r->at[i].end < x.start || r->at[i].start > x.end) {
            i++;
            continue;
        }
        x.start = MIN(x.start, r->at[i].start);
        x.end = MAX(x.end, r->at[i].end);
        delete_at(r, i);
    }
    insert_sorted(r, x);
}

void
ranges_remove(struct ranges *r, uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < r->count && start < end;) {
        struct boot_range x = r->at[i];

        if (x.end <= start || x.start >= end) {
            i++;
            continue;
        }
        delete_at(r, i);
        if (x.start < start)
            insert_at(r, i++, (struct boot_range){x.start, start});
        if (x.end > end)
            insert_sorted(r, (struct boot_range){end, x.end});
    }
}

void
ranges_align(struct ranges *r)
{
    for (unsigned i = 0; i < r->count;) {
        uint64_t end = page_floor(r->at[i].end);

        /* Rounding up may wrap only in a range whose end is rounded down below it. */
        r->at[i].start = r->at[i].start > end ? end : page_ceil(r->at[i].start);
        r->at[i].end = end;
        if (r->at[i].start >= end)
            delete_at(r, i);
        else
            i++;
    }
}

uint64_t
ranges_sum(const struct ranges *r)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < r->count; i++)
        sum += size_of(r->at[i]);
    return sum;
}
