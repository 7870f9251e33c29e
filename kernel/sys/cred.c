/*
 * cred.c - the system calls about users and groups. Rules: credentials(7), setresuid(2).
 */
#include "kernel/sys/table.h"

#include "kernel/sched/cred.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"

#define KEEP 0xffffffffU /* -1: leave as it is */

static struct cred *
mine(void)
{
    return current_thread()->cred;
}

int64_t
sys_getuid(const uint64_t a[6])
{
    (void)a;
    return mine()->uid;
}

int64_t
sys_geteuid(const uint64_t a[6])
{
    (void)a;
    return mine()->euid;
}

int64_t
sys_getgid(const uint64_t a[6])
{
    (void)a;
    return mine()->gid;
}

int64_t
sys_getegid(const uint64_t a[6])
{
    (void)a;
    return mine()->egid;
}

/* May a process that is not root take @id, given the three it has? */
static bool
may_take(uint32_t id, uint32_t real, uint32_t effective, uint32_t saved)
{
    return mine()->euid == 0 || id == KEEP || id == real || id == effective || id == saved;
}

static int64_t
set_uids(uint32_t r, uint32_t e, uint32_t s)
{
    struct cred *c = mine();

    if (!may_take(r, c->uid, c->euid, c->suid) || !may_take(e, c->uid, c->euid, c->suid) ||
        !may_take(s, c->uid, c->euid, c->suid))
        return -EPERM;
    c->uid = r != KEEP ? r : c->uid;
    c->euid = e != KEEP ? e : c->euid;
    c->suid = s != KEEP ? s : c->suid;
    c->fsuid = c->euid;
    return 0;
}

static int64_t
set_gids(uint32_t r, uint32_t e, uint32_t s)
{
    struct cred *c = mine();

    if (!may_take(r, c->gid, c->egid, c->sgid) || !may_take(e, c->gid, c->egid, c->sgid) ||
        !may_take(s, c->gid, c->egid, c->sgid))
        return -EPERM;
    c->gid = r != KEEP ? r : c->gid;
    c->egid = e != KEEP ? e : c->egid;
    c->sgid = s != KEEP ? s : c->sgid;
    c->fsgid = c->egid;
    return 0;
}

int64_t
sys_setresuid(const uint64_t a[6])
{
    return set_uids((uint32_t)a[0], (uint32_t)a[1], (uint32_t)a[2]);
}

int64_t
sys_setresgid(const uint64_t a[6])
{
    return set_gids((uint32_t)a[0], (uint32_t)a[1], (uint32_t)a[2]);
}

/*
 * The saved id follows the effective one when the real one is set, or it becomes
 * another than the real one.
 */
int64_t
sys_setreuid(const uint64_t a[6])
{
    uint32_t r = (uint32_t)a[0], e = (uint32_t)a[1];
    bool saved = r != KEEP || (e != KEEP && e != mine()->uid);

    return set_uids(r, e, saved ? (e != KEEP ? e : mine()->euid) : KEEP);
}

int64_t
sys_setregid(const uint64_t a[6])
{
    uint32_t r = (uint32_t)a[0], e = (uint32_t)a[1];
    bool saved = r != KEEP || (e != KEEP && e != mine()->gid);

    return set_gids(r, e, saved ? (e != KEEP ? e : mine()->egid) : KEEP);
}

int64_t
sys_setuid(const uint64_t a[6])
{
    uint32_t id = (uint32_t)a[0];

    if (id == KEEP)
        return -EINVAL;
    return mine()->euid == 0 ? set_uids(id, id, id) : set_uids(KEEP, id, KEEP);
}

int64_t
sys_setgid(const uint64_t a[6])
{
    uint32_t id = (uint32_t)a[0];

    if (id == KEEP)
        return -EINVAL;
    return mine()->euid == 0 ? set_gids(id, id, id) : set_gids(KEEP, id, KEEP);
}

static int64_t
put_three(const uint64_t a[6], uint32_t x, uint32_t y, uint32_t z)
{
    if (copy_to_user(a[0], &x, sizeof(x)) != 0 || copy_to_user(a[1], &y, sizeof(y)) != 0 ||
        copy_to_user(a[2], &z, sizeof(z)) != 0)
        return -EFAULT;
    return 0;
}

int64_t
sys_getresuid(const uint64_t a[6])
{
    return put_three(a, mine()->uid, mine()->euid, mine()->suid);
}

int64_t
sys_getresgid(const uint64_t a[6])
{
    return put_three(a, mine()->gid, mine()->egid, mine()->sgid);
}

int64_t
sys_setfsuid(const uint64_t a[6])
{
    struct cred *c = mine();
    uint32_t old = c->fsuid, id = (uint32_t)a[0];

    if (id != KEEP && (id == old || may_take(id, c->uid, c->euid, c->suid)))
        c->fsuid = id;
    return old;
}

int64_t
sys_setfsgid(const uint64_t a[6])
{
    struct cred *c = mine();
    uint32_t old = c->fsgid, id = (uint32_t)a[0];

    if (id != KEEP && (id == old || may_take(id, c->gid, c->egid, c->sgid)))
        c->fsgid = id;
    return old;
}

int64_t
sys_getgroups(const uint64_t a[6])
{
    const struct cred *c = mine();

    if ((int)a[0] < 0)
        return -EINVAL;
    if (a[0] == 0)
        return c->ngroups;
    if ((unsigned)a[0] < c->ngroups)
        return -EINVAL;
    if (copy_to_user(a[1], c->groups, c->ngroups * sizeof(c->groups[0])) != 0)
        return -EFAULT;
    return c->ngroups;
}

int64_t
sys_setgroups(const uint64_t a[6])
{
    gid_t groups[CRED_GROUPS_MAX];
    struct cred *c = mine();

    if (c->euid != 0)
        return -EPERM;
    if (a[0] > CRED_GROUPS_MAX)
        return -EINVAL;
    if (copy_from_user(groups, a[1], a[0] * sizeof(groups[0])) != 0)
        return -EFAULT;
    memcpy(c->groups, groups, a[0] * sizeof(groups[0]));
    c->ngroups = (unsigned)a[0];
    return 0;
}
