/*
 * cred.c - the system calls about users and groups. Rules: credentials(7), setresuid(2).
 */
#include "kernel/sys/table.h"

#include "kernel/sched/cred.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "mm/space.h"

#define KEEP 0xffffffffU /* -1: leave as it is */

static const struct cred *
mine(void)
{
    return current_thread()->cred;
}

/* Others look at it under this lock: they see all of a change, or none. */
static void
become(const struct cred *c)
{
    spin_lock(&proc_lock);
    *current_thread()->cred = *c;
    spin_unlock(&proc_lock);
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
    return cred_privileged(mine()) || id == KEEP || id == real || id == effective ||
           id == saved;
}

/* Root's capabilities go with the last of its numbers, and stay put aside while @c has one. */
static void
fit_capabilities(struct cred *c, uid_t uid, uid_t euid, uid_t suid)
{
    bool had = uid == 0 || euid == 0 || suid == 0;

    if (had && c->uid != 0 && c->euid != 0 && c->suid != 0)
        c->cap_permitted = c->cap_effective = 0;
    else if (euid == 0 && c->euid != 0)
        c->cap_effective = 0;
    else if (euid != 0 && c->euid == 0)
        c->cap_effective = c->cap_permitted;
}

/* What was read in the name of @now may not lie in a core that @id can read. */
static void
set_dumpable(uint32_t id, uint32_t now)
{
    if (id != KEEP && id != now)
        current_thread()->space->dumpable = false;
}

static int64_t
set_uids(uint32_t r, uint32_t e, uint32_t s)
{
    struct cred c = *mine();

    if (!may_take(r, c.uid, c.euid, c.suid) || !may_take(e, c.uid, c.euid, c.suid) ||
        !may_take(s, c.uid, c.euid, c.suid))
        return -EPERM;
    const uid_t uid = c.uid, euid = c.euid, suid = c.suid;

    set_dumpable(e, euid);
    c.uid = r != KEEP ? r : uid;
    c.euid = e != KEEP ? e : euid;
    c.suid = s != KEEP ? s : suid;
    c.fsuid = c.euid;
    fit_capabilities(&c, uid, euid, suid);
    become(&c);
    return 0;
}

static int64_t
set_gids(uint32_t r, uint32_t e, uint32_t s)
{
    struct cred c = *mine();

    if (!may_take(r, c.gid, c.egid, c.sgid) || !may_take(e, c.gid, c.egid, c.sgid) ||
        !may_take(s, c.gid, c.egid, c.sgid))
        return -EPERM;
    set_dumpable(e, c.egid);
    c.gid = r != KEEP ? r : c.gid;
    c.egid = e != KEEP ? e : c.egid;
    c.sgid = s != KEEP ? s : c.sgid;
    c.fsgid = c.egid;
    become(&c);
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
    return cred_privileged(mine()) ? set_uids(id, id, id) : set_uids(KEEP, id, KEEP);
}

int64_t
sys_setgid(const uint64_t a[6])
{
    uint32_t id = (uint32_t)a[0];

    if (id == KEEP)
        return -EINVAL;
    return cred_privileged(mine()) ? set_gids(id, id, id) : set_gids(KEEP, id, KEEP);
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
    struct cred c = *mine();
    uint32_t old = c.fsuid, id = (uint32_t)a[0];

    if (id != KEEP && (id == old || may_take(id, c.uid, c.euid, c.suid))) {
        set_dumpable(id, old);
        c.fsuid = id;
        become(&c);
    }
    return old;
}

int64_t
sys_setfsgid(const uint64_t a[6])
{
    struct cred c = *mine();
    uint32_t old = c.fsgid, id = (uint32_t)a[0];

    if (id != KEEP && (id == old || may_take(id, c.gid, c.egid, c.sgid))) {
        set_dumpable(id, old);
        c.fsgid = id;
        become(&c);
    }
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
    struct cred c = *mine();

    if (!cred_privileged(&c))
        return -EPERM;
    if (a[0] > CRED_GROUPS_MAX)
        return -EINVAL;
    if (copy_from_user(c.groups, a[1], a[0] * sizeof(c.groups[0])) != 0)
        return -EFAULT;
    c.ngroups = (unsigned)a[0];
    become(&c);
    return 0;
}

/* ---- capabilities: capget(2), capabilities(7) ---- */

#define CAPABILITY_V1 0x19980330U /* sets of 32 bits */
#define CAPABILITY_V2 0x20071026U
#define CAPABILITY_V3 0x20080522U

struct capability_header {
    uint32_t version;
    int32_t pid;
};

struct capability_data {
    uint32_t effective, permitted, inheritable;
};

/* Reads the header. 0 with *words, how many pieces the sets come in; else -EINVAL, -EFAULT. */
static int
read_header(vaddr_t uheader, struct capability_header *h, unsigned *words)
{
    uint32_t best = CAPABILITY_V3;

    if (copy_from_user(h, uheader, sizeof(*h)) != 0)
        return -EFAULT;
    *words = h->version == CAPABILITY_V1 ? 1 : 2;
    if (h->version == CAPABILITY_V1 || h->version == CAPABILITY_V2 ||
        h->version == CAPABILITY_V3)
        return 0;
    return copy_to_user(uheader, &best, sizeof(best)) != 0 ? -EFAULT : -EINVAL;
}

int64_t
sys_capget(const uint64_t a[6])
{
    struct capability_data d[2];
    struct capability_header h;
    unsigned words;
    int err = read_header(a[0], &h, &words);

    if (a[1] == 0) /* asks for the version */
        return err == -EINVAL ? 0 : err;
    if (err != 0 || h.pid < 0)
        return err != 0 ? err : -EINVAL;
    spin_lock(&proc_lock);
    const struct task *t = h.pid == 0 ? current_task() : task_find_locked(h.pid);
    const struct cred *c = t != NULL ? t->thread->cred : NULL;

    for (unsigned k = 0; k < 2 && c != NULL; k++)
        d[k] = (struct capability_data){(uint32_t)(c->cap_effective >> 32 * k),
                                        (uint32_t)(c->cap_permitted >> 32 * k),
                                        (uint32_t)(c->cap_inheritable >> 32 * k)};
    spin_unlock(&proc_lock);
    return c == NULL ? -ESRCH : copy_to_user(a[1], d, words * sizeof(d[0]));
}

int64_t
sys_capset(const uint64_t a[6])
{
    struct capability_data d[2] = {{0, 0, 0}, {0, 0, 0}};
    struct capability_header h;
    struct cred c = *mine();
    unsigned words;
    int err = read_header(a[0], &h, &words);

    if (err != 0)
        return err;
    if (h.pid != 0 && h.pid != current_task()->tid)
        return -EPERM;
    if (copy_from_user(d, a[1], words * sizeof(d[0])) != 0)
        return -EFAULT;

    uint64_t effective = (d[0].effective | (uint64_t)d[1].effective << 32) & CAP_ALL;
    uint64_t permitted = (d[0].permitted | (uint64_t)d[1].permitted << 32) & CAP_ALL;
    uint64_t inheritable = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & CAP_ALL;

    /* What was given up does not come back. */
    if ((effective & ~permitted) || (permitted & ~c.cap_permitted) ||
        (inheritable & ~(c.cap_inheritable | c.cap_permitted) && !cred_privileged(&c)))
        return -EPERM;
    c.cap_effective = effective;
    c.cap_permitted = permitted;
    c.cap_inheritable = inheritable;
    become(&c);
    return 0;
}
