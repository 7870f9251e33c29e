/*
 * test_aslr.c - four million layouts, measured: how many bits of surprise each place has, whether
 * all places are equally likely, and whether one tells anything about another.
 *
 * The bits are collision entropy: among N draws of n equally likely values N^2 / 2n pairs are
 * equal.  That works far beyond what could be counted value by value.  The generator has a fixed
 * seed, so the numbers are the same every time, and the bounds (six standard deviations) cannot
 * be missed by chance.
 */
/* flags: -O2 -fno-sanitize=all */
#include "mm/aslr.c"
#include "tests/unit/host.h"

#include "kernel/lib/random.c"
#include "kernel/lib/string.c"

#define DRAWS    (1U << 22)
#define BUCKETS  1024            /* of a chi-square test */
#define CHI_LOW  (1023 - 6 * 45) /* 1023 degrees of freedom: mean 1023, deviation 45 */
#define CHI_HIGH (1023 + 6 * 45)

enum { PROGRAM, MAPPINGS, STACK, HEAP, POINTER, PLACES };

static const struct {
    const char *name;
    unsigned bits;
} places[PLACES] = {[PROGRAM] = {"program", 33},
                    [MAPPINGS] = {"mappings", 33},
                    [STACK] = {"stack", 33},
                    [HEAP] = {"heap's distance", 28},
                    [POINTER] = {"pointer in its page", 8}};

static uint64_t drawn[PLACES][DRAWS]; /* in units, from 0 */

static double
log_2(double x)
{
    double result = 0;

    for (; x >= 2; x /= 2)
        result++;
    for (double bit = 0.5; bit > 0.001; bit /= 2) {
        x *= x;
        if (x >= 2) {
            x /= 2;
            result += bit;
        }
    }
    return result;
}

static void
draw_all(void)
{
    for (unsigned i = 0; i < DRAWS; i++) {
        struct layout l;

        aslr_draw(&l, false);
        CHECK(l.pie_base >= USER_BOTTOM && l.pie_base < QUARTER + USER_BOTTOM);
        CHECK(l.mmap_base >= 2 * QUARTER - STACK_ROOM &&
              l.mmap_base < 3 * QUARTER - STACK_ROOM);
        CHECK(l.stack_top >= 3 * QUARTER && l.stack_top <= USER_TOP);
        CHECK((l.pie_base | l.mmap_base | l.stack_top | l.brk_gap) % PAGE_SIZE == 0);
        CHECK(l.stack_skew % 16 == 0 && l.stack_skew < PAGE_SIZE);
        /* Program and heap stay below where mappings are put. */
        CHECK(l.pie_base + l.brk_gap < 2 * QUARTER - STACK_ROOM - QUARTER / 2);
        drawn[PROGRAM][i] = (l.pie_base - USER_BOTTOM) / PAGE_SIZE;
        drawn[MAPPINGS][i] = (l.mmap_base - (2 * QUARTER - STACK_ROOM)) / PAGE_SIZE;
        drawn[STACK][i] = (l.stack_top - 3 * QUARTER) / PAGE_SIZE;
        drawn[HEAP][i] = l.brk_gap / PAGE_SIZE;
        drawn[POINTER][i] = l.stack_skew / 16;
    }
}

/* Sorts by the 48 low bits, 12 at a time from the lowest: four times, and so back into @v. */
static void
sort(uint64_t *v)
{
    static uint64_t other[DRAWS];
    uint64_t *from = v, *to = other;

    for (unsigned shift = 0; shift < 48; shift += 12) {
        static unsigned start[4097];

        memset(start, 0, sizeof(start));
        for (unsigned i = 0; i < DRAWS; i++)
            start[(from[i] >> shift & 4095) + 1]++;
        for (unsigned digit = 0; digit < 4096; digit++)
            start[digit + 1] += start[digit];
        for (unsigned i = 0; i < DRAWS; i++)
            to[start[from[i] >> shift & 4095]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
}

/* Pairs of equal values among all draws; sorts them. */
static uint64_t
count_collisions(uint64_t *v)
{
    uint64_t pairs = 0, same = 0;

    sort(v);
    for (unsigned i = 1; i < DRAWS; i++) {
        same = v[i] == v[i - 1] ? same + 1 : 0;
        pairs += same;
    }
    return pairs;
}

/* At least @bits of collision entropy, up to chance. */
static void
check_entropy(const char *name, uint64_t *v, unsigned bits)
{
    uint64_t pairs = count_collisions(v);
    double expected = (double)DRAWS * DRAWS / 2 / (double)(1UL << bits);
    double above = (double)pairs - expected;

    printf("%-40s %8lu equal pairs, %.2f bits\n", name, pairs,
           log_2((double)DRAWS * DRAWS / 2 / (double)pairs));
    CHECK(above < 0 || above * above < 36 * expected);
}

/* Chi-square of how often each bucket was hit, against all being equally likely. */
static void
check_chi_square(const unsigned *hits, const char *what, const char *other)
{
    double chi = 0, expected = (double)DRAWS / BUCKETS;

    for (unsigned i = 0; i < BUCKETS; i++)
        chi += ((double)hits[i] - expected) * ((double)hits[i] - expected) / expected;
    if (chi < CHI_LOW || chi > CHI_HIGH)
        printf("%s, %s: chi-square %.0f\n", what, other, chi);
    CHECK(chi >= CHI_LOW && chi <= CHI_HIGH);
}

/* The @n highest or lowest bits of a place. */
static uint64_t
part(unsigned place, uint64_t value, bool high, unsigned n)
{
    return high ? value >> (places[place].bits - n) : value & ((1U << n) - 1);
}

static void
check_uniform(unsigned place)
{
    unsigned bits = MIN(places[place].bits, 10U);

    for (int high = 0; high < 2; high++) {
        static unsigned hits[BUCKETS];

        memset(hits, 0, sizeof(hits));
        /* The short one takes bits of its successor, which makes ten of them. */
        for (unsigned i = 0; i < DRAWS; i++)
            hits[part(place, drawn[place][i], high, bits) << (10 - bits) |
                 (drawn[place][(i + 1) % DRAWS] & ((1U << (10 - bits)) - 1))]++;
        check_chi_square(hits, places[place].name, high ? "high bits" : "low bits");
    }
}

/* Five bits of one and five of another, @later draws after it: all 1024 pairs equally likely. */
static void
check_independent(unsigned a, unsigned b, unsigned later)
{
    static unsigned hits[4][BUCKETS];

    memset(hits, 0, sizeof(hits));
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t x = drawn[a][i], y = drawn[b][(i + later) % DRAWS];

        for (int which = 0; which < 4; which++)
            hits[which][part(a, x, which & 1, 5) << 5 | part(b, y, which & 2, 5)]++;
    }
    for (int which = 0; which < 4; which++)
        check_chi_square(hits[which], places[a].name, places[b].name);
}

/* What an attacker who has one address would need: the distance to the other. */
static void
check_distance(unsigned a, unsigned b)
{
    static uint64_t distance[DRAWS];

    for (unsigned i = 0; i < DRAWS; i++)
        distance[i] = (1UL << 40) + drawn[a][i] - drawn[b][i];
    printf("%s from ", places[a].name);
    check_entropy(places[b].name, distance, places[a].bits);
}

static void
test_fixed(void)
{
    struct layout a, b;

    aslr_draw(&a, true);
    aslr_draw(&b, true);
    CHECK(memcmp(&a, &b, sizeof(a)) == 0);
    CHECK(a.stack_top <= USER_TOP && a.mmap_base < a.stack_top && a.pie_base < a.mmap_base);
    CHECK(a.brk_gap == 0 && a.stack_skew == 0);
}

int
main(void)
{
    random_init("layouts", NULL);
    draw_all();
    for (unsigned a = 0; a < PLACES; a++) {
        check_uniform(a);
        for (unsigned b = 0; b < PLACES; b++)
            check_independent(a, b, a <= b ? 1 : 0); /* in one draw, and from draw to draw */
    }
    check_distance(MAPPINGS, PROGRAM);
    check_distance(STACK, MAPPINGS);
    check_distance(STACK, PROGRAM);
    for (unsigned a = 0; a < PLACES; a++)
        check_entropy(places[a].name, drawn[a], places[a].bits);
    test_fixed();
    printf("ok\n");
    return 0;
}
