/*
 * sysvshm.c - System V shared memory: the table of segments, attaching and detaching.
 *
 *     shmget --> in the table --IPC_RMID--> removed, still attached --last detach--> gone
 *                                   '------- nobody is attached -------------------^
 *
 * The references of the object count everything: one for each region that shows the segment, one
 * for the table until IPC_RMID.  So fork, a split, exec and exit keep the number of attaches right
 * without knowing of it, and the last reference takes the segment out of the table.
 *
 * Once no reference is left a segment may still be found in the table, by somebody who was faster
 * than its end; segment_get refuses it then.
 *
 * Locks: T = shm_lock, a mutex, taken before vm_lock.  No lock is held when it is taken.
 */
#include "kernel/proc/sysvshm.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/text.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/refs.h"
#include "kernel/proc/process.h"
#include "mm/anon.h"
#include "mm/commit.h"
#include "mm/kmalloc.h"
#include "mm/mmap.h"
#include "mm/object.h"
#include "mm/rmap.h"
#include "mm/space.h"

#define PLACES 32768 /* an id is a place in the table, and how often places were used anew */

struct segment {
    struct object object; /* first: they are freed as one */
    struct list link;     /* T */
    int id;               /* C */
    int32_t key;          /* C: as asked for; it counts no more once SHM_DEST is set */
    uint32_t mode;        /* T */
    uid_t uid, cuid;      /* T, C: owner, creator */
    gid_t gid, cgid;
    uint64_t size; /* C: bytes, as asked for */
    int64_t atime, dtime, ctime;
    pid_t cpid, lpid; /* C, T: who made it, who attached or detached last */
};

static struct mutex shm_lock = MUTEX_INIT(shm_lock, "System V shm");
static struct list segments = LIST_INIT(segments); /* T: by place */
static unsigned count;                             /* T */
static uint64_t total_pages;                       /* T */
static int last_place, generation;                 /* T: of the youngest id */

static struct segment *
segment_of(struct object *o)
{
    return container_of(o, struct segment, object);
}

static int
place_of(const struct segment *g)
{
    return g->id % PLACES;
}

static int64_t
seconds(void)
{
    return (int64_t)(clock_realtime() / NSEC_PER_SEC);
}

static pid_t
caller(void)
{
    return current_process() != NULL ? current_process()->pid : 0;
}

static uint64_t
pages_of(const struct segment *g)
{
    return page_ceil(g->size) / PAGE_SIZE;
}

static int32_t
key_of(const struct segment *g)
{
    return g->mode & SHM_DEST ? IPC_PRIVATE : g->key;
}

/* How many regions show it. */
static uint64_t
attaches(const struct segment *g)
{
    return READ_ONCE(g->object.refs) - !(g->mode & SHM_DEST);
}

/* ---- as an object ---- */

static void
segment_release(struct object *o)
{
    struct segment *g = segment_of(o);

    mutex_lock(&shm_lock);
    list_del(&g->link);
    count--;
    total_pages -= pages_of(g);
    mutex_unlock(&shm_lock);
    object_set_locked(o, false);
    object_drop_pages(o);
    commit_release(o->promised);
    kfree(g);
}

static void
segment_describe(struct object *o, char *path, size_t size, dev_t *dev, ino_t *ino)
{
    struct segment *g = segment_of(o);

    snprintf(path, size, "/SYSV%08x (deleted)", (unsigned)g->key);
    *dev = 1;
    *ino = (ino_t)g->id;
}

/* SIMPLE: the time stays where only an edge of an attach is unmapped; Linux notes that too. */
static void
segment_unmapped(struct object *o)
{
    struct segment *g = segment_of(o);

    mutex_lock(&shm_lock);
    g->dtime = seconds();
    g->lpid = caller();
    mutex_unlock(&shm_lock);
}

static const struct object_ops segment_ops = {
    .release = segment_release,
    .describe = segment_describe,
    .unmapped = segment_unmapped,
};

/* One more reference, unless the last one is gone and the segment on its way out. */
static bool
segment_get(struct segment *g)
{
    return refs_try_get(&g->object.refs);
}

/* ---- finding and judging; T held ---- */

static struct segment *
find_key(int32_t key)
{
    struct segment *g;

    list_for_each (g, &segments, link)
        if (key_of(g) == key && key != IPC_PRIVATE)
            return g;
    return NULL;
}

static struct segment *
find_id(int id)
{
    struct segment *g;

    list_for_each (g, &segments, link)
        if (g->id == id)
            return g;
    return NULL;
}

static struct segment *
find_place(int place)
{
    struct segment *g;

    list_for_each (g, &segments, link)
        if (place_of(g) == place)
            return g;
    return NULL;
}

/* @wanted: bits rwx, in any of the three places of a mode. */
static bool
allowed(const struct segment *g, unsigned wanted)
{
    const struct cred *c = current_thread()->cred;
    unsigned granted = g->mode;

    if (c->euid == g->uid || c->euid == g->cuid)
        granted >>= 6;
    else if (cred_in_group(c, g->gid) || cred_in_group(c, g->cgid))
        granted >>= 3;
    wanted = (wanted >> 6 | wanted >> 3 | wanted) & 7;
    return cred_privileged(c) || (wanted & ~granted) == 0;
}

static bool
owned(const struct segment *g)
{
    const struct cred *c = current_thread()->cred;

    return cred_privileged(c) || c->euid == g->uid || c->euid == g->cuid;
}

/* ---- shmget ---- */

/* Gives the new segment the lowest free place and an id that was not used lately. */
static void
enter_table(struct segment *g)
{
    struct segment *next;
    int place = 0;

    list_for_each (next, &segments, link) {
        if (place_of(next) > place)
            break;
        place++;
    }
    if (place <= last_place)
        generation = (generation + 1) % (INT32_MAX / PLACES);
    last_place = place;
    g->id = generation * PLACES + place;
    list_push_back(&next->link, &g->link); /* before the next one, or at the end */
    count++;
    total_pages += pages_of(g);
}

static int
judge_new(uint64_t size, unsigned flags)
{
    if (size == 0 || size > SHMMAX || (flags & SHM_HUGETLB))
        return -EINVAL;
    if (count >= SHMMNI || page_ceil(size) / PAGE_SIZE > SHMALL - total_pages)
        return -ENOSPC;
    return 0;
}

static int
create(int32_t key, uint64_t size, unsigned flags)
{
    const struct cred *c = current_thread()->cred;
    int err = judge_new(size, flags);
    struct segment *g = err == 0 ? kzalloc(sizeof(*g)) : NULL;

    if (g == NULL)
        return err != 0 ? err : -ENOMEM;
    if (object_init_shm(&g->object, &segment_ops, page_ceil(size), !(flags & SHM_NORESERVE)) !=
        0) {
        kfree(g);
        return -ENOMEM;
    }
    g->size = size;
    g->key = key;
    g->mode = flags & 0777;
    g->uid = g->cuid = c->euid;
    g->gid = g->cgid = c->egid;
    g->ctime = seconds();
    g->cpid = caller();
    enter_table(g);
    return g->id;
}

static int
judge_found(const struct segment *g, uint64_t size, unsigned flags)
{
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    if (!allowed(g, flags))
        return -EACCES;
    return size > g->size ? -EINVAL : 0;
}

int
sysvshm_get(int32_t key, uint64_t size, unsigned flags)
{
    int result;

    mutex_lock(&shm_lock);
    struct segment *g = find_key(key);

    if (g != NULL)
        result = judge_found(g, size, flags) ?: g->id;
    else if (key != IPC_PRIVATE && !(flags & IPC_CREAT))
        result = -ENOENT;
    else
        result = create(key, size, flags);
    mutex_unlock(&shm_lock);
    return result;
}

/* ---- shmat, shmdt ---- */

/* The segment for somebody who wants to attach it, with a reference. */
static int
take_for_attach(int id, unsigned prot, struct segment **out)
{
    int err = 0;

    mutex_lock(&shm_lock);
    struct segment *g = find_id(id);

    if (g == NULL)
        err = -EINVAL;
    else if (!allowed(g, 4 | (prot & PROT_WRITE) | (prot & PROT_EXEC ? 1 : 0)))
        err = -EACCES;
    else if (!segment_get(g))
        err = -EINVAL;
    mutex_unlock(&shm_lock);
    *out = g;
    return err;
}

/* Puts the attach into words of mmap. */
static int
judge_attach(vaddr_t addr, unsigned flags, struct mmap_request *q)
{
    if ((flags & SHM_REMAP) && (flags & SHM_RND ? page_floor(addr) : addr) == 0)
        return -EINVAL;
    if (!page_aligned(addr) && !(flags & SHM_RND))
        return -EINVAL;
    q->addr = page_floor(addr);
    q->flags = MAP_SHARED;
    if (addr != 0)
        q->flags |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    q->prot = PROT_READ | (flags & SHM_EXEC ? PROT_EXEC : 0);
    q->max_prot = PROT_READ | PROT_EXEC;
    if (!(flags & SHM_RDONLY)) {
        q->prot |= PROT_WRITE;
        q->max_prot |= PROT_WRITE;
    }
    return 0;
}

int64_t
sysvshm_attach(int id, vaddr_t addr, unsigned flags)
{
    struct mmap_request q = {0};
    struct segment *g;
    int64_t result = judge_attach(addr, flags, &q);

    if (result == 0)
        result = take_for_attach(id, q.prot, &g);
    if (result != 0)
        return result;
    q.object = &g->object;
    q.len = page_ceil(g->size);
    result = vm_mmap(current_thread()->space, &q);
    if (result > 0) {
        mutex_lock(&shm_lock);
        g->atime = seconds();
        g->lpid = caller();
        mutex_unlock(&shm_lock);
    }
    object_put(&g->object);
    return result == -EEXIST ? -EINVAL : result;
}

/* True if @r shows the page of a segment that an attach at @addr would put there. */
static bool
is_attach(const struct region *r, vaddr_t addr)
{
    return r->object != NULL && r->object->ops == &segment_ops &&
           r->start - addr == r->offset * PAGE_SIZE;
}

/* The first region that is left of an attach at @addr; *o: its segment. */
static struct region *
find_attach(struct space *s, vaddr_t addr)
{
    struct region *r = space_find_from(s, addr);

    while (r != NULL && (r->start < addr || !is_attach(r, addr)))
        r = region_next(s, r);
    return r;
}

int
sysvshm_detach(vaddr_t addr)
{
    struct space *s = current_thread()->space;
    struct list dead = LIST_INIT(dead);

    if (!page_aligned(addr))
        return -EINVAL;
    mutex_lock(&s->lock);
    struct region *r = find_attach(s, addr), *next;
    struct object *o = r != NULL ? r->object : NULL;
    vaddr_t end = o != NULL ? addr + o->size : addr;

    /* What was unmapped, or covered by other mappings, is no part of it any more. */
    for (; r != NULL && r->start < end; r = next) {
        next = region_next(s, r);
        if (r->object != o || !is_attach(r, addr))
            continue;
        int err = space_remove(s, r->start, r->end, &dead);

        ASSERT(err == 0); /* nothing is cut in two */
    }
    mutex_unlock(&s->lock);
    region_free_list(&dead);
    return o != NULL ? 0 : -EINVAL;
}

/* ---- shmctl ---- */

int
sysvshm_stat(int id, unsigned cmd, struct shmid_ds *ds)
{
    int result = cmd == IPC_STAT ? 0 : -EINVAL;

    *ds = (struct shmid_ds){.segsz = 0};
    mutex_lock(&shm_lock);
    const struct segment *g = cmd == IPC_STAT ? find_id(id) : find_place(id);

    if (g == NULL) {
        result = -EINVAL;
    } else if (cmd != SHM_STAT_ANY && !allowed(g, 4)) {
        result = -EACCES;
    } else {
        result = cmd == IPC_STAT ? 0 : g->id;
        ds->perm.key = key_of(g);
        ds->perm.uid = g->uid;
        ds->perm.gid = g->gid;
        ds->perm.cuid = g->cuid;
        ds->perm.cgid = g->cgid;
        ds->perm.mode = g->mode;
        ds->perm.seq = (uint16_t)(g->id / PLACES);
        ds->segsz = g->size;
        ds->atime = g->atime;
        ds->dtime = g->dtime;
        ds->ctime = g->ctime;
        ds->cpid = g->cpid;
        ds->lpid = g->lpid;
        ds->nattch = attaches(g);
    }
    mutex_unlock(&shm_lock);
    return result;
}

/* SIMPLE: what nobody has mapped goes to swap even so. */
static int
set_locked(struct segment *g, bool locked)
{
    struct process *p = current_process();

    if (!cred_privileged(current_thread()->cred) &&
        (!owned(g) || (locked && p->rlimits[RLIMIT_MEMLOCK].soft == 0)))
        return -EPERM;
    g->mode = locked ? g->mode | SHM_LOCKED : g->mode & ~(uint32_t)SHM_LOCKED;
    object_set_locked(&g->object, locked);
    return 0;
}

static int
set_owner(struct segment *g, const struct shmid_ds *ds)
{
    if (ds->perm.uid == UINT32_MAX || ds->perm.gid == UINT32_MAX)
        return -EINVAL;
    g->uid = ds->perm.uid;
    g->gid = ds->perm.gid;
    g->mode = (g->mode & ~0777U) | (ds->perm.mode & 0777);
    g->ctime = seconds();
    return 0;
}

int
sysvshm_control(int id, unsigned cmd, const struct shmid_ds *ds)
{
    struct object *let_go = NULL;
    int err = 0;

    mutex_lock(&shm_lock);
    struct segment *g = find_id(id);

    if (g == NULL) {
        err = -EINVAL;
    } else if (cmd == SHM_LOCK || cmd == SHM_UNLOCK) {
        err = set_locked(g, cmd == SHM_LOCK);
    } else if (!owned(g)) {
        err = -EPERM;
    } else if (cmd == IPC_SET) {
        err = set_owner(g, ds);
    } else if (!(g->mode & SHM_DEST)) {
        g->mode |= SHM_DEST;
        let_go = &g->object;
    }
    mutex_unlock(&shm_lock);
    if (let_go != NULL)
        object_put(let_go); /* the table's reference */
    return err;
}

/* ---- the whole table ---- */

/* Pages in memory and in swap. T held. */
static void
count_pages(const struct segment *g, uint64_t *in_memory, uint64_t *in_swap)
{
    const struct anon *a;

    *in_memory = *in_swap = 0;
    mutex_lock(&vm_lock);
    for (uint64_t i = 0; (a = radix_next(&g->object.pages, &i, UINT64_MAX)) != NULL; i++)
        *(a->frame != NULL ? in_memory : in_swap) += 1;
    mutex_unlock(&vm_lock);
}

int
sysvshm_sum(struct shm_info *info)
{
    uint64_t in_memory, in_swap;
    struct segment *g;

    *info = (struct shm_info){.used_ids = 0};
    mutex_lock(&shm_lock);
    list_for_each (g, &segments, link) {
        count_pages(g, &in_memory, &in_swap);
        info->shm_rss += in_memory;
        info->shm_swp += in_swap;
    }
    info->used_ids = (int32_t)count;
    info->shm_tot = total_pages;
    g = list_last(&segments, struct segment, link);
    int highest = g != NULL ? place_of(g) : 0;
    mutex_unlock(&shm_lock);
    return highest;
}

void
sysvshm_show(struct text *t)
{
    uint64_t in_memory, in_swap;
    struct segment *g;

    text_printf(t,
                "       key      shmid perms                  size  cpid  lpid nattch   uid   "
                "gid  cuid  cgid      atime      dtime      ctime                   rss"
                "                  swap\n");
    mutex_lock(&shm_lock);
    list_for_each (g, &segments, link) {
        count_pages(g, &in_memory, &in_swap);
        text_printf(t, "%10d %10d  %4o %21lu %5d %5d  %5lu %5u %5u %5u %5u %10ld %10ld %10ld ",
                    key_of(g), g->id, g->mode, g->size, g->cpid, g->lpid, attaches(g), g->uid,
                    g->gid, g->cuid, g->cgid, g->atime, g->dtime, g->ctime);
        text_printf(t, "%21lu %21lu\n", in_memory * PAGE_SIZE, in_swap * PAGE_SIZE);
    }
    mutex_unlock(&shm_lock);
}
