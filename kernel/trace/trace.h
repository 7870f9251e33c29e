/*
 * trace.h - what the kernel does with memory, as records that the host reads out of RAM.
 *
 *   - trace_KIND(...), one for each kind in events.toml, may be called in any context: it
 *     takes no lock, and an interrupt in the middle of it may record too.
 *   - Each CPU has a ring of its own, in frames taken at boot; a full ring loses its oldest.
 *   - Off (the default), each looks at one global; on, see docs/trace.md for what it costs.
 *
 * The host finds everything by the symbol vitrine_trace; tools/vitrine/trace.py knows this layout.
 */
#pragma once

#include "kernel/arch/clock.h"
#include "kernel/lib/types.h"

struct trace_record {
    uint64_t time; /* TSC */
    uint64_t head; /* kind, 16 bits; cpu, 8; detail, 8; tid, 32. 0: being written */
    uint64_t a, b;
};

STATIC_ASSERT(sizeof(struct trace_record) == 32);

struct trace_ring {
    struct trace_record *records; /* NULL: this CPU records nothing */
    uint64_t capacity;            /* a power of two */
    uint64_t next;                /* so many were ever written; only its own CPU changes it */
};

#define TRACE_NAMES 8

struct vitrine_trace {
    struct trace_ring rings[CPU_MAX];
    uint64_t tsc_hz, tsc_start;  /* the TSC's rate, and what it was at clock_now() == 0 */
    char names[TRACE_NAMES][16]; /* of the kernel's threads: [n] has the id -1 - n */
};

extern struct vitrine_trace vitrine_trace;
extern bool trace_on; /* constant after boot */

/* Reads the option `trace`, makes the boot CPU's ring. After clock_init(), before sched_init(). */
void trace_init(void);

/* The ring of another CPU, before it starts. */
void trace_init_cpu(unsigned id);

/* The id by which the trace knows a thread of the kernel's own. @name is copied. Never 0. */
int trace_name(const char *name);

/* The time now if the trace is on, else 0: what begins here will be recorded with its duration. */
static inline uint64_t
trace_begin(void)
{
    return unlikely(trace_on) ? clock_cycles() : 0;
}

/* The generated functions' own: one record. @head without cpu and tid. */
void trace_write(uint64_t head, uint64_t a, uint64_t b);

#include "kernel/trace/events.h"
