/*
 * context.h - changing from one kernel stack to another.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * A thread that does not run is nothing but its stack pointer; the callee-saved registers lie
 * on its stack.
 */
struct context {
    uint64_t rsp;
};

/*
 * context_init - make a stack that, when first switched to, calls
 * @entry(@arg) with interrupts off.
 * @top: 16-byte-aligned end of the stack.
 */
void context_init(struct context *c, vaddr_t top, void (*entry)(void *), void *arg);

/* Saves the running context in *@from and goes on where *@to stopped.  Interrupts off. */
void context_switch(struct context *from, const struct context *to);
