/*
 * cred.h - in whose name a thread acts.  Value type: copied at fork, changed only by its own
 * thread, with proc_lock held: under that others may read it.  (access() changes fsuid, fsgid and
 * cap_effective for a moment without it: others do not decide by these.)
 */
#pragma once

#include "kernel/lib/types.h"

#define CRED_GROUPS_MAX 32

struct cred {
    uid_t uid, euid, suid, fsuid;
    gid_t gid, egid, sgid, fsgid;
    unsigned ngroups;
    gid_t groups[CRED_GROUPS_MAX];
    uint64_t cap_effective, cap_permitted, cap_inheritable; /* a bit for each capability */
    bool no_new_privs; /* PR_SET_NO_NEW_PRIVS: exec gives nothing that was not there */
};

#define CAP_LAST 40
#define CAP_ALL  ((1UL << (CAP_LAST + 1)) - 1)

/*
 * True if it may do what root may.  SIMPLE: powers come together; who gives up one capability
 * can do no more than any user, while Linux asks for one of them in each place.
 */
static inline bool
cred_privileged(const struct cred *c)
{
    return c->cap_effective == CAP_ALL;
}

/* The same for files, which setfsuid takes away alone. */
static inline bool
cred_privileged_fs(const struct cred *c)
{
    return c->fsuid == 0 && cred_privileged(c);
}

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
