/*
 * fpu.c - x87, SSE and AVX state: XSAVE's standard format, or FXSAVE's.
 *
 * Eager: the state goes with every switch between threads that have one.  The
 * kernel itself uses none of these registers, so traps leave them alone.
 *
 * Sources: Intel SDM vol. 1, 10.5 (FXSAVE area), 13.4 (XSAVE area), 13.8 (XRSTOR's rules).
 */
#include "kernel/arch/fpu.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

#define XCR0_X87    (1UL << 0)
#define XCR0_SSE    (1UL << 1)
#define XCR0_AVX    (1UL << 2)
#define XCR0_AVX512 (7UL << 5) /* opmask, ZMM_Hi256, Hi16_ZMM: all or none */

#define FXSAVE_SIZE        512
#define FCW_INITIAL        0x037f /* all exceptions masked, 64-bit mantissa, to nearest */
#define MXCSR_INITIAL      0x1f80 /* the same */
#define MXCSR_DEFAULT_MASK 0xffbfU

#define XCOMP_COMPACTED (1UL << 63)

/* The part of both formats that we touch. */
struct fxsave {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[480];
    /* With XSAVE, its header follows. */
    uint64_t xstate_bv, xcomp_bv;
    uint64_t header_reserved[6];
};

STATIC_ASSERT(offsetof(struct fxsave, xstate_bv) == FXSAVE_SIZE);
STATIC_ASSERT(sizeof(struct fxsave) == FXSAVE_SIZE + 64);

static uint64_t xcr0;
static size_t area_size = FXSAVE_SIZE;
static uint32_t mxcsr_mask = MXCSR_DEFAULT_MASK;

size_t
fpu_size(void)
{
    return area_size;
}

uint64_t
fpu_features(void)
{
    return xcr0;
}

static void
xsetbv(uint32_t reg, uint64_t v)
{
    __asm__ volatile("xsetbv" ::"c"(reg), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

/* SIMPLE: not PKRU, MPX or AMX; a program that finds them missing in XCR0 does not use them. */
static uint64_t
choose_features(void)
{
    uint32_t r[4];

    cpuid(0xd, 0, r);
    uint64_t have = ((uint64_t)r[3] << 32) | r[0];
    uint64_t want = XCR0_X87 | XCR0_SSE;
    if (have & XCR0_AVX)
        want |= XCR0_AVX;
    if ((have & XCR0_AVX512) == XCR0_AVX512 && (want & XCR0_AVX))
        want |= XCR0_AVX512;
    return want;
}

/* FXSAVE tells which bits of MXCSR exist; a 1 in any other makes FXRSTOR fault. */
static void
find_mxcsr_mask(void)
{
    static struct fxsave probe ALIGNED(FPU_ALIGN);

    __asm__ volatile("fxsave64 %0" : "=m"(probe));
    if (probe.mxcsr_mask != 0)
        mxcsr_mask = probe.mxcsr_mask;
}

void
fpu_init_cpu(void)
{
    uint32_t mxcsr = MXCSR_INITIAL;
    uint32_t r[4];

    __asm__ volatile("fninit");
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    find_mxcsr_mask();
    if (!cpu_features.xsave)
        return;
    xcr0 = choose_features();
    xsetbv(0, xcr0);
    cpuid(0xd, 0, r); /* EBX: the size for what is now in XCR0 */
    area_size = r[1];
    ASSERT(area_size >= sizeof(struct fxsave) && area_size <= PAGE_SIZE);
}

void
fpu_save(void *area)
{
    if (xcr0 != 0)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void
fpu_restore(const void *area)
{
    if (xcr0 != 0)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void
fpu_init_area(void *area)
{
    struct fxsave *f = area;

    memset(area, 0, area_size);
    f->fcw = FCW_INITIAL;
    f->mxcsr = MXCSR_INITIAL;
    f->mxcsr_mask = mxcsr_mask;
    if (xcr0 != 0)
        f->xstate_bv = XCR0_X87 | XCR0_SSE; /* AVX's part is absent: XRSTOR makes it zero */
}

int
fpu_sanitize(void *area)
{
    struct fxsave *f = area;

    f->mxcsr &= mxcsr_mask;
    if (xcr0 == 0)
        return 0;
    if (f->xcomp_bv & XCOMP_COMPACTED)
        return -EINVAL; /* its parts lie elsewhere than ours */
    f->xstate_bv &= xcr0;
    f->xcomp_bv = 0;
    memset(f->header_reserved, 0, sizeof(f->header_reserved));
    return 0;
}
