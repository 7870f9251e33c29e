/*
 * find_list.c - a program with a bug: somebody has spoilt a list.
 *
 * Checkpoint: 1 before it dies: in which function, the pointer that it follows, and which record
 * is to blame.
 */
/* build: -O0 */
#include "labs/core/find.h"

#define RECORDS 24
#define TOO_FAR 27 /* letters of a name that reaches over the next record's pointer */

struct record {
    struct record *next;
    uint32_t id;
    char name[20];
};

static struct record records[RECORDS];

static uint32_t
sum_of_ids(const struct record *first)
{
    uint32_t sum = 0;

    for (const struct record *r = first; r != NULL; r = r->next)
        sum += r->id;
    return sum;
}

static uint32_t
highest_id(const struct record *first)
{
    uint32_t best = 0;

    for (const struct record *r = first; r != NULL; r = r->next)
        if (r->id > best)
            best = r->id;
    return best;
}

static uint32_t
count_odd_ids(const struct record *first)
{
    uint32_t odd = 0;

    for (const struct record *r = first; r != NULL; r = r->next)
        odd += r->id % 2;
    return odd;
}

static void
set_name(struct record *r, uint32_t number, uint32_t letters)
{
    for (uint32_t i = 0; i < letters; i++)
        r->name[i] = (char)('a' + drawn(number, r->id + i, 26));
    r->name[letters] = '\0';
}

static void
bug(uint32_t number)
{
    static uint32_t (*const uses[])(const struct record *) = {sum_of_ids, highest_id,
                                                              count_odd_ids};
    uint32_t use = drawn(number, 1, 3), long_one = drawn(number, 2, RECORDS - 1);

    for (uint32_t i = 0; i < RECORDS; i++) {
        records[i].id = 100 * i + drawn(number, 10 + i, 100);
        records[i].next = i == 7 ? NULL : &records[(i + 17) % RECORDS]; /* 0, 17, 10 ... 7 */
    }
    for (uint32_t i = 0; i < RECORDS; i++)
        set_name(&records[i], number, i == long_one ? TOO_FAR : 5 + drawn(number, 40 + i, 12));
    checkpoint(1, (void *)(uintptr_t)use, (long)records[long_one + 1].next,
               records[long_one].id);
    say("%u\n", uses[use](records));
}

int
main(int argc, char **argv)
{
    return leave_core(bug, argc, argv);
}
