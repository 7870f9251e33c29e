/*
 * trace.c - the rings, and how a record gets into one.
 *
 * A CPU alone writes its ring, so there is no lock: one instruction takes a place, which an
 * interrupt comes before or after, and then the place is filled.  Until that is done its head is 0,
 * so that a reader on the host, who looks at any moment, knows a half-written record.
 *
 * Called from everywhere; calls frame.c, once for each CPU.
 */
#include "kernel/trace/trace.h"

#include "boot/bootinfo.h"
#include "kernel/arch/acpi.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"

#define MEMORY_PART 4 /* all rings together are at most this part of free memory */

struct vitrine_trace vitrine_trace;
bool trace_on;

static uint64_t ring_bytes; /* of each CPU; a power of two, whole pages */

void
trace_write(uint64_t head, uint64_t a, uint64_t b)
{
    const struct cpu *c = this_cpu();
    struct trace_ring *ring = &vitrine_trace.rings[c->id];
    uint64_t n = 1;

    if (ring->records == NULL)
        return;
    __asm__ volatile("xaddq %0, %1" : "+r"(n), "+m"(ring->next) : : "memory");

    struct trace_record *r = &ring->records[n & (ring->capacity - 1)];

    WRITE_ONCE(r->head, 0);
    WRITE_ONCE(r->time, clock_cycles());
    WRITE_ONCE(r->a, a);
    WRITE_ONCE(r->b, b);
    /* Last: stores become visible in their order (Intel SDM vol. 3A 8.2.2). */
    WRITE_ONCE(r->head, head | c->id << 16 | (uint64_t)(uint32_t)c->trace_id << 32);
}

int
trace_name(const char *name)
{
    static unsigned named; /* A */
    unsigned n = __atomic_fetch_add(&named, 1, __ATOMIC_RELAXED);

    if (n >= TRACE_NAMES) /* there are not so many; the last place is shared then */
        n = TRACE_NAMES - 1;
    strlcpy(vitrine_trace.names[n], name, sizeof(vitrine_trace.names[n]));
    return -1 - (int)n;
}

/* Bytes of "4096", "64K" or "1M"; 0: it is none of these, or less than a page. */
static uint64_t
parse_size(const char *text)
{
    const char *end;
    uint64_t n = strtou64(text, &end, 10);
    unsigned shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : 0;

    end += shift > 0;
    return end == text || *end != '\0' || n > UINT64_MAX >> 20 || n << shift < PAGE_SIZE
               ? 0
               : n << shift;
}

/* A power of two that memory has room for, on every CPU. */
static uint64_t
fitting(uint64_t bytes)
{
    uint64_t room =
        frame_free_count() * PAGE_SIZE / MEMORY_PART / MAX(1, MIN(acpi_info.ncpus, CPU_MAX));

    while (bytes & (bytes - 1))
        bytes &= bytes - 1;
    if (bytes > room)
        kprintf("trace: %lu KiB for each CPU would be more than a quarter of memory\n",
                bytes / KIB);
    while (bytes > room)
        bytes /= 2;
    return MAX(bytes, PAGE_SIZE);
}

void
trace_init_cpu(unsigned id)
{
    struct frame *f =
        ring_bytes == 0 ? NULL : frame_alloc_contiguous((unsigned)(ring_bytes / PAGE_SIZE));

    if (f == NULL) {
        if (ring_bytes != 0)
            kprintf("trace: no memory for the ring of CPU %u, which records nothing\n", id);
        return;
    }
    vitrine_trace.rings[id].capacity = ring_bytes / sizeof(struct trace_record);
    vitrine_trace.rings[id].records = frame_data(f);
}

void
trace_init(void)
{
    char text[16];

    clock_get_tsc(&vitrine_trace.tsc_hz, &vitrine_trace.tsc_start);
    if (!boot_option("trace", text, sizeof(text)) || strcmp(text, "off") == 0)
        return;
    ring_bytes = parse_size(text);
    if (ring_bytes == 0) {
        kprintf("trace: \"%s\" is not a size of at least 4K, such as trace=64K or trace=4M; "
                "it is off\n",
                text);
        return;
    }
    ring_bytes = fitting(ring_bytes);
    trace_init_cpu(0);
    trace_on = vitrine_trace.rings[0].records != NULL;
    kprintf("trace: %lu KiB for each CPU\n", ring_bytes / KIB);
}
