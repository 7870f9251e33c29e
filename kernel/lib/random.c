/*
 * random.c - ChaCha20 (RFC 8439 2.3) as a random number generator.
 *
 * The state is one key.  Each request runs the cipher's stream from block 0: the first half of
 * the first block becomes the next key, so earlier output cannot be computed back from memory;
 * what follows is the answer.
 *
 * Locks: none is needed for one CPU, as the kernel is not preempted; a flag keeps CPUs apart.
 */
#include "kernel/lib/random.h"

#include "kernel/lib/string.h"

#define BLOCK_WORDS 16
#define BLOCK_BYTES 64

static uint32_t key[RANDOM_KEY_SIZE / sizeof(uint32_t)];
static uint32_t taken;

static uint32_t
rotate(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void
quarter_round(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 7);
}

/* One block of the stream of @k, with nonce 0. */
static void
chacha_block(const uint32_t k[8], uint64_t counter, uint32_t out[BLOCK_WORDS])
{
    /* "expand 32-byte k", the key, the counter, the nonce. */
    uint32_t in[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    memcpy(in + 4, k, 32);
    in[12] = (uint32_t)counter;
    in[13] = (uint32_t)(counter >> 32);
    memcpy(out, in, BLOCK_BYTES);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned n = 0; n < 4; n++)
            quarter_round(out, n, 4 + n, 8 + n, 12 + n);
        for (unsigned n = 0; n < 4; n++)
            quarter_round(out, n, 4 + (n + 1) % 4, 8 + (n + 2) % 4, 12 + (n + 3) % 4);
    }
    for (unsigned n = 0; n < BLOCK_WORDS; n++)
        out[n] += in[n];
}

/* Keeps other CPUs from the key. */
static void
take_key(void)
{
    while (__atomic_exchange_n(&taken, 1, __ATOMIC_ACQUIRE) != 0)
        __builtin_ia32_pause();
}

static void
give_key(void)
{
    __atomic_store_n(&taken, 0, __ATOMIC_RELEASE);
}

void
random_mix(const void *material, size_t n)
{
    uint32_t block[BLOCK_WORDS];
    const uint8_t *from = material;

    take_key();
    for (size_t i = 0; i < MIN(n, sizeof(key)); i++)
        ((uint8_t *)key)[i] ^= from[i];
    chacha_block(key, 0, block);
    memcpy(key, block, sizeof(key));
    give_key();
}

void
random_init(const char *seed, uint64_t (*entropy)(void))
{
    uint64_t material[RANDOM_KEY_SIZE / sizeof(uint64_t)] = {0};

    if (seed != NULL)
        memcpy(material, seed, strnlen(seed, sizeof(material)));
    for (unsigned i = 0; seed == NULL && i < ARRAY_SIZE(material); i++)
        material[i] = entropy();
    random_mix(material, sizeof(material));
}

void
random_bytes(void *buf, size_t n)
{
    uint32_t block[BLOCK_WORDS], k[8];
    size_t used = sizeof(key);
    uint8_t *out = buf;

    take_key();
    memcpy(k, key, sizeof(k));
    chacha_block(k, 0, block);
    memcpy(key, block, sizeof(key));
    give_key();

    for (uint64_t counter = 1; n > 0;) {
        size_t m = MIN(n, BLOCK_BYTES - used);
        memcpy(out, (uint8_t *)block + used, m);
        out += m;
        n -= m;
        used = 0;
        if (n > 0)
            chacha_block(k, counter++, block);
    }
    memset(k, 0, sizeof(k));
}
