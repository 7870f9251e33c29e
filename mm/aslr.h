/*
 * aslr.h - where stack, program, libraries, heap and mappings go.
 */
#pragma once

#include "kernel/lib/types.h"

struct layout {
    vaddr_t stack_top; /* page-aligned end of the stack region */
    uint64_t
        stack_skew; /* bytes left unused at the stack's top, a multiple of 16 below PAGE_SIZE */
    vaddr_t mmap_base; /* page-aligned end of the area for mappings */
    vaddr_t pie_base;  /* page-aligned: where a position-independent program begins */
    uint64_t brk_gap;  /* page-aligned distance of the heap from the end of the program */
};

/*
 * aslr_draw - a layout for one exec.
 * @fixed: the same for every exec (aslr=off, ADDR_NO_RANDOMIZE).
 */
void aslr_draw(struct layout *l, bool fixed);
