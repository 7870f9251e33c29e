/*
 * refs.h - a counted reference taken from one who may be on the way out.
 */
#pragma once

#include "kernel/lib/types.h"

/* One more, unless the last one has gone already: then false, and the object is not to be used. */
static inline bool
refs_try_get(uint32_t *refs)
{
    uint32_t n = READ_ONCE(*refs);

    while (n > 0)
        if (__atomic_compare_exchange_n(refs, &n, n + 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}
