/*
 * types.h - the words that every other file is written in.
 *
 * Integers that carry a unit have a type of their own, so that a prototype says what it takes.
 * Ranges are half open, [start, end), everywhere.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t; /* a physical address, in bytes */
typedef uint64_t vaddr_t; /* a virtual address, in bytes */
typedef uint64_t pgidx_t; /* a page's index in an object: byte offset / PAGE_SIZE */
typedef uint32_t slot_t;  /* a page-sized place on a swap device; 0 means none */
typedef uint64_t nsec_t;  /* nanoseconds */

typedef int64_t ssize_t;
typedef int64_t off_t;
typedef int32_t pid_t;
typedef uint32_t uid_t;
typedef uint32_t gid_t;
typedef uint32_t mode_t;
typedef uint64_t dev_t;
typedef uint64_t ino_t;

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1)

#define KIB (1UL << 10)
#define MIB (1UL << 20)
#define GIB (1UL << 30)

#define NSEC_PER_SEC  1000000000UL
#define NSEC_PER_MSEC 1000000UL
#define NSEC_PER_USEC 1000UL

#define MUST_CHECK             __attribute__((warn_unused_result))
#define NORETURN               __attribute__((noreturn))
#define NOINLINE               __attribute__((noinline))
#define PACKED                 __attribute__((packed))
#define ALIGNED(n)             __attribute__((aligned(n)))
#define UNUSED                 __attribute__((unused))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define STATIC_ASSERT(cond) _Static_assert(cond, #cond)
#define ARRAY_SIZE(a)       (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)           ((a) < (b) ? (a) : (b))
#define MAX(a, b)           ((a) > (b) ? (a) : (b))
#define ROUND_DOWN(x, to)   ((x) / (to) * (to))
#define ROUND_UP(x, to)     (((x) + (to)-1) / (to) * (to))

/* The structure of which @ptr is the field @member. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* A load or store that the compiler neither repeats, tears nor leaves out. */
#define READ_ONCE(x)     (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

static inline bool
page_aligned(uint64_t n)
{
    return (n & PAGE_MASK) == 0;
}

static inline uint64_t
page_floor(uint64_t n)
{
    return n & ~PAGE_MASK;
}

/* Rounds up; the caller has made sure that @n is not in the last page of 2^64. */
static inline uint64_t
page_ceil(uint64_t n)
{
    return (n + PAGE_MASK) & ~PAGE_MASK;
}
