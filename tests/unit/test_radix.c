/*
 * test_radix.c - the radix tree against an array of (index, value), with a memory that
 * sometimes says no.
 */
#include "kernel/lib/radix.c"
#include "tests/unit/host.h"

#define ENTRIES 300
#define STEPS   60000

static uint64_t nodes;
static unsigned refuse_one_in; /* 0: never */

void *
kzalloc(size_t size)
{
    if (refuse_one_in != 0 && host_random() % refuse_one_in == 0)
        return NULL;
    nodes++;
    return calloc(1, size);
}

void
kfree(void *p)
{
    nodes -= p != NULL;
    free(p);
}

void
panic(const char *fmt, ...)
{
    printf("panic: %s\n", fmt);
    abort();
}

static struct {
    uint64_t index;
    void *value; /* NULL: not in the tree */
} model[ENTRIES];

static uint64_t
random_index(unsigned kind)
{
    switch (kind % 4) {
    case 0:
        return host_random() % 100;
    case 1:
        return 0x7fffff000 + host_random() % 200; /* a stack's pages */
    case 2:
        return host_random() % (1 << 20);
    default:
        return host_random() >> host_random() % 64;
    }
}

static bool
in_model(uint64_t index)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (model[i].index == index)
            return true;
    return false;
}

static void
make_model(unsigned kind)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        model[i].index = UINT64_MAX - i; /* 0 stands for the largest of all */
        model[i].value = NULL;
    }
    model[1].index = 0;
    for (unsigned i = 2; i < ENTRIES; i++) {
        uint64_t index = random_index(kind == 3 ? 3 : i);

        if (!in_model(index))
            model[i].index = index;
    }
}

/* The smallest index of the model in [from, end); ENTRIES when there is none. */
static unsigned
model_next(uint64_t from, uint64_t end)
{
    unsigned best = ENTRIES;

    for (unsigned i = 0; i < ENTRIES; i++)
        if (model[i].value != NULL && model[i].index >= from && model[i].index < end &&
            (best == ENTRIES || model[i].index < model[best].index))
            best = i;
    return best;
}

static void
check_next(struct radix *r)
{
    uint64_t from = model[host_random() % ENTRIES].index + host_random() % 3 - 1;
    uint64_t end = host_random() % 2 ? UINT64_MAX : from + host_random() % 5000;
    unsigned want = model_next(from, end);
    uint64_t index = from;
    void *value = radix_next(r, &index, end);

    CHECK(value == (want == ENTRIES ? NULL : model[want].value));
    CHECK(value == NULL || index == model[want].index);
}

static void
step(struct radix *r)
{
    unsigned i = host_random() % ENTRIES;
    void *value = (void *)(16 + host_random() % 1000 * 16);
    uint64_t nodes_before = nodes;

    switch (host_random() % 5) {
    case 0:
    case 1:
        if (radix_set(r, model[i].index, value) == 0)
            model[i].value = value;
        else
            CHECK(nodes == nodes_before && refuse_one_in != 0);
        break;
    case 2:
    case 3:
        CHECK(radix_del(r, model[i].index) == model[i].value);
        model[i].value = NULL;
        break;
    default:
        if (radix_reserve(r, model[i].index) == 0) {
            unsigned saved = refuse_one_in;

            refuse_one_in = 1;
            CHECK(radix_set(r, model[i].index, value) == 0);
            refuse_one_in = saved;
            model[i].value = value;
        }
        break;
    }
    CHECK(radix_get(r, model[i].index) == model[i].value);
}

static void
test_against_model(unsigned kind)
{
    struct radix r = {0};

    make_model(kind);
    for (unsigned n = 0; n < STEPS; n++) {
        refuse_one_in = n / 1000 % 2 ? 3 : 0;
        step(&r);
        if (n % 8 == 0)
            check_next(&r);
        if (n % 1000 == 0)
            for (unsigned i = 0; i < ENTRIES; i++)
                CHECK(radix_get(&r, model[i].index) == model[i].value);
    }
    refuse_one_in = 0;
    for (unsigned i = 0; i < ENTRIES; i++)
        CHECK(radix_del(&r, model[i].index) == model[i].value);
    CHECK(nodes == 0 && r.root == NULL && r.height == 0);
}

/* A failed radix_set must not take away what somebody else has reserved. */
static void
test_reservation_survives(void)
{
    struct radix r = {0};

    CHECK(radix_reserve(&r, 5) == 0);
    refuse_one_in = 1;
    CHECK(radix_set(&r, 1UL << 40, &r) == -ENOMEM);
    CHECK(radix_set(&r, 5, &r) == 0);
    refuse_one_in = 0;
    CHECK(radix_del(&r, 5) == &r && nodes == 0);
}

static void
test_height(void)
{
    struct radix r = {0};

    CHECK(radix_set(&r, 3, &r) == 0 && r.height == 1 && nodes == 1);
    CHECK(radix_set(&r, 64, &r) == 0 && r.height == 2 && nodes == 3);
    CHECK(radix_del(&r, 64) == &r && r.height == 1 && nodes == 1);
    CHECK(radix_del(&r, 3) == &r && r.height == 0 && nodes == 0);
}

int
main(void)
{
    for (unsigned kind = 0; kind < 4; kind++)
        test_against_model(kind);
    test_reservation_survives();
    test_height();
    printf("ok\n");
    return 0;
}
