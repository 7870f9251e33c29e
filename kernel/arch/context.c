/*
 * context.c - the first stack of a thread.
 *
 * The top of a kernel stack belongs to the frame of the next trap from user mode, so
 * a new thread's own frames begin below that place: it may fill the frame in
 * and leave by trap_return_to_user().
 */
#include "kernel/arch/context.h"

#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"

void context_start(void);

/* What context_switch pops, lowest address first. */
struct switch_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

/* Then rsp is a multiple of 16 when context_start calls. */
STATIC_ASSERT(sizeof(struct trapframe) % 16 == 0);

void
context_init(struct context *c, vaddr_t top, void (*entry)(void *), void *arg)
{
    ASSERT(top % 16 == 0);

    struct switch_frame *f = (void *)(top - sizeof(struct trapframe) - sizeof(*f));
    *f = (struct switch_frame){
        .rbx = (uint64_t)entry,
        .r12 = (uint64_t)arg,
        .rip = (uint64_t)context_start,
    };
    c->rsp = (uint64_t)f;
}
