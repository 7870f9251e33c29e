/*
 * fpu.h - x87, SSE and AVX state of a thread.
 *
 * Saved and restored at every context switch.  The area is in XSAVE's standard format (Intel
 * SDM vol. 1, 13.4) when the processor has XSAVE, else FXSAVE's 512 bytes.
 */
#pragma once

#include "kernel/lib/types.h"

#define FPU_ALIGN 64

/*
 * Bytes of one save area (at most PAGE_SIZE), and the feature mask in XCR0 (0 without XSAVE).
 */
size_t fpu_size(void);
uint64_t fpu_features(void);

void fpu_init_cpu(void);
void fpu_save(void *area);
void fpu_restore(const void *area);

/* Writes the state that a new program starts with. */
void fpu_init_area(void *area);

/*
 * fpu_sanitize - make an area that came from user memory safe to restore: reserved bits of
 * MXCSR and of the XSAVE header cleared.  Returns 0, or -EINVAL if it is beyond mending.
 */
int fpu_sanitize(void *area) MUST_CHECK;
