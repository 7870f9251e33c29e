/*
 * test_random.c - the cipher against RFC 8439, and what goes into the key.
 */
#include "kernel/lib/random.c"
#include "tests/unit/host.h"

#include "kernel/lib/string.c"

static uint64_t next_entropy;

static uint64_t
entropy(void)
{
    return next_entropy++;
}

/* RFC 8439 A.1, test vectors 1 and 3: the key is zero, and the block counter 0; then 1, and 1. */
static void
test_cipher(void)
{
    static const uint8_t zero[] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90,
                                   0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28};
    static const uint8_t one[] = {0x3a, 0xeb, 0x52, 0x24, 0xec, 0xf8, 0x49, 0x92,
                                  0x9b, 0x9d, 0x82, 0x8d, 0xb1, 0xce, 0xd4, 0xdd};
    uint32_t k[8] = {0}, block[BLOCK_WORDS];

    chacha_block(k, 0, block);
    CHECK(memcmp(block, zero, sizeof(zero)) == 0);
    k[7] = 1U << 24;
    chacha_block(k, 1, block);
    CHECK(memcmp(block, one, sizeof(one)) == 0);
}

static uint64_t
first(const char *seed)
{
    uint64_t v;

    memset(key, 0, sizeof(key));
    random_init(seed, entropy);
    random_bytes(&v, sizeof(v));
    return v;
}

static void
test_seeds(void)
{
    CHECK(first("1") == first("1"));
    CHECK(first("1") != first("2"));
    CHECK(first("1") != first("11"));
    next_entropy = 1;
    uint64_t v = first(NULL);
    CHECK(next_entropy == 5); /* 256 bits were asked for */
    CHECK(first(NULL) != v);
    next_entropy = 1;
    CHECK(first(NULL) == v);
}

/* Each bit of what is mixed in changes what comes out; nothing of what was there is lost. */
static void
test_mix(void)
{
    uint8_t material[RANDOM_KEY_SIZE];
    uint64_t seen[8 * RANDOM_KEY_SIZE + 2];
    unsigned n = 0;

    seen[n++] = first("1");
    for (unsigned bit = 0; bit < 8 * sizeof(material); bit++) {
        memset(material, 0, sizeof(material));
        material[bit / 8] = (uint8_t)(1 << bit % 8);
        (void)first("1");
        random_mix(material, sizeof(material));
        random_bytes(&seen[n++], sizeof(seen[0]));
    }
    (void)first("2");
    random_mix(material, sizeof(material));
    random_bytes(&seen[n++], sizeof(seen[0]));
    CHECK(n == ARRAY_SIZE(seen));
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < i; j++)
            CHECK(seen[i] != seen[j]);
}

/* A long answer is one stream: it does not repeat from block to block, nor the key. */
static void
test_long(void)
{
    uint8_t out[1000], again[1000];

    (void)first("1");
    random_bytes(out, sizeof(out));
    (void)first("1");
    random_bytes(again, sizeof(again));
    CHECK(memcmp(out, again, sizeof(out)) == 0);
    for (unsigned at = 0; at + 64 <= sizeof(out); at += 32)
        CHECK(memcmp(out + at, out + at + 32, 32) != 0 && memcmp(out + at, key, 32) != 0);
}

int
main(void)
{
    test_cipher();
    test_seeds();
    test_mix();
    test_long();
    printf("ok\n");
    return 0;
}
