/*
 * tlbcheck.h - proof while it runs that no processor uses an entry that it remembers wrongly.
 *
 * The boot option `tlbcheck` turns it on; off, each of these looks at one pointer.
 *
 * Locks: a spin lock of its own, a leaf.  Nothing here sleeps.
 */
#pragma once

#include "kernel/lib/types.h"

struct frame;
struct pagetable;

/* Reads the option; after kernel stacks can be had, before the second CPU starts. */
void tlbcheck_init(void);

/*
 * The entry of @va in @pt (NULL: the kernel's half), which led to @f, allows less from now on.
 * Returns the CPUs that may remember it and are to be told. vm_lock held for a user's.
 */
uint32_t tlbcheck_downgraded(const struct pagetable *pt, vaddr_t va, const struct frame *f);

/* This CPU has just forgotten what it knew of [start, end) in @pt. */
void tlbcheck_forgot(const struct pagetable *pt, vaddr_t start, vaddr_t end);

/* This thread's downgrades are flushed: no CPU may remember one of them. */
void tlbcheck_flushed(void);

/* @f gets a new owner: no CPU may remember a way to it. */
void tlbcheck_frame(const struct frame *f);

/* The entry of @va will allow more: no CPU may remember it from before a downgrade. */
void tlbcheck_entry(const struct pagetable *pt, vaddr_t va);
