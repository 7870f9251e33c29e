/*
 * test_ranges.c - the boot code's list of address ranges against an array of booleans.
 */
#include "boot/ranges.c"
#include "tests/unit/host.h"

#define UNIT  (PAGE_SIZE / 4) /* so that edges are often not page-aligned */
#define UNITS 200

static bool model[UNITS];
static struct boot_range storage[BOOT_RANGES_MAX];

static void
check_same(const struct ranges *r)
{
    bool seen[UNITS] = {0};

    for (unsigned i = 0; i < r->count; i++) {
        CHECK(r->at[i].start < r->at[i].end);
        CHECK(i == 0 || r->at[i - 1].end < r->at[i].start);
        for (uint64_t u = r->at[i].start / UNIT; u < r->at[i].end / UNIT; u++)
            seen[u] = true;
    }
    for (unsigned u = 0; u < UNITS; u++)
        CHECK(seen[u] == model[u]);
}

/* What ranges_align must leave: the pages of which every unit is in the set. */
static void
align_model(void)
{
    for (unsigned page = 0; page < UNITS / 4; page++) {
        bool *u = &model[page * 4];
        bool all = u[0] && u[1] && u[2] && u[3];

        u[0] = u[1] = u[2] = u[3] = all;
    }
}

static void
random_changes(void)
{
    struct ranges r = {.at = storage, .max = ARRAY_SIZE(storage)};

    for (unsigned u = 0; u < UNITS; u++)
        model[u] = false;
    for (unsigned n = 0; n < 60; n++) {
        unsigned a = host_random() % UNITS;
        unsigned b = a + host_random() % 30;
        bool add = host_random() % 3 != 0;

        b = MIN(b, UNITS);
        for (unsigned u = a; u < b; u++)
            model[u] = add;
        if (add)
            ranges_add(&r, a * UNIT, b * UNIT);
        else
            ranges_remove(&r, a * UNIT, b * UNIT);
        check_same(&r);
    }
    ranges_align(&r);
    align_model();
    /* Neighbours that alignment pulled apart by nothing may touch; that is all the same here. */
    bool seen[UNITS] = {0};
    for (unsigned i = 0; i < r.count; i++)
        for (uint64_t u = r.at[i].start / UNIT; u < r.at[i].end / UNIT; u++)
            seen[u] = true;
    for (unsigned u = 0; u < UNITS; u++)
        CHECK(seen[u] == model[u]);
    CHECK(r.lost == 0);
}

static void
test_full(void)
{
    struct boot_range two[2];
    struct ranges r = {.at = two, .max = 2};

    ranges_add(&r, 0, 10);
    ranges_add(&r, 20, 25);
    ranges_add(&r, 40, 60); /* pushes the smallest out */
    CHECK(r.count == 2 && r.lost == 5 && two[0].end == 10 && two[1].start == 40);
    ranges_add(&r, 70, 71); /* is the smallest itself */
    CHECK(r.count == 2 && r.lost == 6);
    ranges_remove(&r, 45, 46); /* makes three of two */
    CHECK(r.count == 2 && ranges_sum(&r) + r.lost == 6 + 10 + 19);
}

static void
test_extremes(void)
{
    struct ranges r = {.at = storage, .max = ARRAY_SIZE(storage)};

    ranges_add(&r, 0, UINT64_MAX);
    ranges_add(&r, UINT64_MAX - 5, UINT64_MAX);
    CHECK(r.count == 1);
    ranges_remove(&r, 4096, UINT64_MAX - 2);
    CHECK(r.count == 2);
    ranges_align(&r); /* the piece at the very top has no whole page */
    CHECK(r.count == 1 && storage[0].end == 4096);
    ranges_add(&r, 9, 9);
    ranges_remove(&r, 9, 9);
    CHECK(r.count == 1 && ranges_sum(&r) == 4096);
}

int
main(void)
{
    for (unsigned n = 0; n < 2000; n++)
        random_changes();
    test_full();
    test_extremes();
    printf("ok\n");
    return 0;
}
