/*
 * cred.h - in whose name a thread acts.  Value type: copied at fork,
 * changed only by its own thread.
 */
#pragma once

#include "kernel/lib/types.h"

#define CRED_GROUPS_MAX 32

struct cred {
    uid_t uid, euid, suid, fsuid;
    gid_t gid, egid, sgid, fsgid;
    unsigned ngroups;
    gid_t groups[CRED_GROUPS_MAX];
};

/* True if a file of group @gid belongs to a group of this one. */
static inline bool
cred_in_group(const struct cred *c, gid_t gid)
{
    for (unsigned k = 0; k < c->ngroups; k++) {
        if (c->groups[k] == gid)
            return true;
    }
    return c->fsgid == gid;
}
