/*
 * dentry.c - the tree of names: find, enter, move, remove, forget.
 *
 * A dentry is in the hash (by parent and name) and among its parent's children until it is
 * removed or dropped.  One that nobody uses stands in the LRU list; the oldest go when there
 * are too many. A dropped dentry gives back its inode and its parent, which may then be dropped
 * in turn: a loop, not a recursion, because paths may be long and kernel stacks are not.
 *
 * Locks: everything by dcache_lock, a leaf; inodes are put after it was let go.
 */
#include "kernel/fs/dentry.h"

#include "kernel/abi/dirent.h"
#include "kernel/abi/errno.h"
#include "kernel/fs/super.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "mm/kmalloc.h"

#define DCACHE_BUCKETS 512U
#define DCACHE_MIN     256U
#define DCACHE_MAX     8192U
#define DENTRY_FIRST   2U /* position of the first name behind "." and ".." */

static struct spinlock dcache_lock = SPINLOCK_INIT("dcache");
static struct list dcache[DCACHE_BUCKETS];
static struct list dcache_lru = LIST_INIT(dcache_lru);
static unsigned dcache_unused;
static unsigned dcache_limit = DCACHE_MIN;
static uint64_t dentries_alive;

void
dentry_init(void)
{
    struct frame_stats st;

    for (unsigned k = 0; k < DCACHE_BUCKETS; k++)
        list_init(&dcache[k]);
    frame_get_stats(&st);
    dcache_limit = (unsigned)MIN(MAX(st.total / 16, DCACHE_MIN), DCACHE_MAX);
}

static uint32_t
name_hash(const struct dentry *parent, const char *name)
{
    uint64_t h = (uint64_t)(uintptr_t)parent ^ 0xcbf29ce484222325UL;

    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001b3UL; /* FNV-1a */
    return (uint32_t)(h ^ (h >> 32));
}

struct dentry *
dentry_alloc(const char *name)
{
    size_t len = strlen(name);
    struct dentry *d = kzalloc(sizeof(*d));

    if (d == NULL)
        return NULL;
    d->name = d->name_inline;
    if (len >= DENTRY_INLINE) {
        d->name = kmalloc(len + 1);
        if (d->name == NULL) {
            kfree(d);
            return NULL;
        }
    }
    memcpy(d->name, name, len + 1);
    list_init(&d->hash_link);
    list_init(&d->sibling);
    list_init(&d->children);
    list_init(&d->alias_link);
    list_init(&d->lru_link);
    return d;
}

void
dentry_discard(struct dentry *d)
{
    if (d == NULL)
        return;
    if (d->name != d->name_inline)
        kfree(d->name);
    kfree(d);
}

/* D held. */
static void
hash_enter(struct dentry *d)
{
    static uint64_t last_position = DENTRY_FIRST - 1;

    d->position = ++last_position;
    d->hash = name_hash(d->parent, d->name);
    list_push_front(&dcache[d->hash % DCACHE_BUCKETS], &d->hash_link);
    list_push_back(&d->parent->children, &d->sibling);
}

static void
hash_remove(struct dentry *d)
{
    list_del(&d->hash_link);
    list_del(&d->sibling);
}

static void
lru_leave(struct dentry *d)
{
    if (!d->on_lru)
        return;
    list_del(&d->lru_link);
    d->on_lru = false;
    dcache_unused--;
}

static void
use(struct dentry *d)
{
    d->refs++;
    lru_leave(d);
}

void
dentry_get(struct dentry *d)
{
    spin_lock(&dcache_lock);
    use(d);
    spin_unlock(&dcache_lock);
}

/* Do names of @s keep a reference of their own until they are removed? */
static bool
is_pinned(const struct super *s)
{
    return (s->flags & SUPER_IN_MEMORY) != 0;
}

/* What a new dentry is for; D held. */
static void
attach(struct dentry *d, struct super *s, struct inode *inode)
{
    d->super = s;
    d->inode = inode;
    list_push_back(&inode->dentries, &d->alias_link);
    __atomic_add_fetch(&inode->quiet_refs, 1, __ATOMIC_RELAXED);
    dentries_alive++;
}

void
dentry_enter(struct dentry *d, struct dentry *parent, struct inode *inode)
{
    d->refs = is_pinned(parent->super) ? 2 : 1;
    d->parent = parent;
    spin_lock(&dcache_lock);
    use(parent);
    hash_enter(d);
    attach(d, parent->super, inode);
    spin_unlock(&dcache_lock);
}

struct dentry *
dentry_add(struct dentry *parent, const char *name, struct inode *inode)
{
    struct dentry *d = dentry_alloc(name);

    if (d != NULL)
        dentry_enter(d, parent, inode);
    return d;
}

struct dentry *
dentry_root(struct super *s, struct inode *inode)
{
    struct dentry *d = dentry_alloc("/");

    if (d == NULL)
        return NULL;
    d->refs = 1;
    d->parent = d;
    spin_lock(&dcache_lock);
    attach(d, s, inode);
    spin_unlock(&dcache_lock);
    return d;
}

/* Out of every list; D held. Then the caller lets go of the lock and calls dentry_destroy. */
static void
dentry_detach(struct dentry *d)
{
    ASSERT(d->refs == 0 && list_empty(&d->children));
    lru_leave(d);
    hash_remove(d);
    list_del(&d->alias_link);
    dentries_alive--;
}

/* Gives back memory and inode; returns the parent, referenced for the caller, or NULL. */
static struct dentry *
dentry_destroy(struct dentry *d)
{
    struct dentry *parent = d->parent == d ? NULL : d->parent;

    __atomic_sub_fetch(&d->inode->quiet_refs, 1, __ATOMIC_RELAXED);
    inode_put(d->inode);
    dentry_discard(d);
    return parent;
}

void
dentry_put(struct dentry *d)
{
    while (d != NULL) {
        spin_lock(&dcache_lock);
        ASSERT(d->refs > 0);
        if (--d->refs > 0) {
            spin_unlock(&dcache_lock);
            return;
        }
        bool keep = !d->deleted && (d->super->flags & SUPER_VOLATILE) == 0 && d->parent != d;
        if (keep) {
            list_push_back(&dcache_lru, &d->lru_link);
            d->on_lru = true;
            dcache_unused++;
            spin_unlock(&dcache_lock);
            return;
        }
        dentry_detach(d);
        spin_unlock(&dcache_lock);
        d = dentry_destroy(d);
    }
}

struct dentry *
dentry_find_locked(struct dentry *parent, const char *name)
{
    uint32_t hash = name_hash(parent, name);
    struct dentry *d, *found = NULL;

    spin_lock(&dcache_lock);
    list_for_each (d, &dcache[hash % DCACHE_BUCKETS], hash_link) {
        if (d->hash == hash && d->parent == parent && strcmp(d->name, name) == 0) {
            use(d);
            found = d;
            break;
        }
    }
    spin_unlock(&dcache_lock);
    return found;
}

struct dentry *
dentry_find(struct dentry *parent, const char *name)
{
    struct dentry *d = dentry_find_locked(parent, name);

    if (d == NULL || d->inode->ops->still_valid == NULL || d->inode->ops->still_valid(d->inode))
        return d;
    dentry_remove(d);
    dentry_put(d);
    return NULL;
}

void
dentry_remove(struct dentry *d)
{
    spin_lock(&dcache_lock);
    d->deleted = true;
    d->refs -= is_pinned(d->super);
    ASSERT(d->refs > 0);
    hash_remove(d);
    spin_unlock(&dcache_lock);
}

int
dentry_rename_prepare(const char *name, char **spare)
{
    *spare = NULL;
    if (strlen(name) < DENTRY_INLINE)
        return 0;
    *spare = kstrdup(name);
    return *spare != NULL ? 0 : -ENOMEM;
}

struct dentry *
dentry_rename(struct dentry *d, struct dentry *parent, const char *name, char **spare)
{
    struct dentry *old_parent = d->parent;
    char *old_name = d->name == d->name_inline ? NULL : d->name;

    spin_lock(&dcache_lock);
    hash_remove(d);
    if (*spare != NULL) {
        d->name = *spare;
    } else {
        strlcpy(d->name_inline, name, DENTRY_INLINE);
        d->name = d->name_inline;
    }
    *spare = old_name;
    d->parent = parent;
    use(parent);
    hash_enter(d);
    spin_unlock(&dcache_lock);
    return old_parent;
}

bool
dentry_is_ancestor(struct dentry *a, struct dentry *d)
{
    bool found = false;

    spin_lock(&dcache_lock);
    for (;; d = d->parent) {
        if (d == a)
            found = true;
        if (found || d->parent == d)
            break;
    }
    spin_unlock(&dcache_lock);
    return found;
}

struct dentry *
dentry_dotdot(struct dentry *d, struct dentry *root)
{
    spin_lock(&dcache_lock);
    while (d != root && d->parent == d && d->super->covers != NULL)
        d = d->super->covers;
    if (d != root)
        d = d->parent;
    use(d);
    spin_unlock(&dcache_lock);
    return d;
}

struct dentry *
dentry_cross(struct dentry *d)
{
    struct super *s;

    /* Nothing is unmounted before the machine goes off, so what was seen once stays. */
    while ((s = READ_ONCE(d->mounted)) != NULL) {
        dentry_get(s->root);
        dentry_put(d);
        d = s->root;
    }
    return d;
}

/* Puts @text with a slash before it in front of what stands at *at. */
static bool
prepend(char *buf, size_t *at, const char *text)
{
    size_t len = strlen(text);

    if (len + 1 > *at)
        return false;
    *at -= len;
    memcpy(buf + *at, text, len);
    buf[--*at] = '/';
    return true;
}

ssize_t
dentry_path(struct dentry *d, struct dentry *root, char *buf, size_t size, bool *deleted)
{
    size_t at = size - 1;
    bool fits = size >= 2, gone = false;

    if (size == 0)
        return -ERANGE;
    buf[at] = '\0';
    spin_lock(&dcache_lock);
    while (fits && d != root) {
        if (d->parent == d) {
            if (d->super->covers == NULL)
                break;
            d = d->super->covers;
            continue;
        }
        gone |= d->deleted;
        fits = prepend(buf, &at, d->name);
        d = d->parent;
    }
    spin_unlock(&dcache_lock);
    if (fits && at == size - 1)
        fits = prepend(buf, &at, "");
    if (!fits)
        return -ERANGE;
    memmove(buf, buf + at, size - at);
    if (deleted != NULL)
        *deleted = gone;
    return (ssize_t)(size - 1 - at);
}

struct dentry *
dentry_of_inode(struct inode *inode)
{
    struct dentry *d, *best = NULL;

    spin_lock(&dcache_lock);
    list_for_each (d, &inode->dentries, alias_link) {
        if (best == NULL || (best->deleted && !d->deleted))
            best = d;
    }
    if (best != NULL)
        use(best);
    spin_unlock(&dcache_lock);
    return best;
}

int
dentry_getdents(struct inode *dir, uint64_t *pos, dir_emit_fn *emit, void *ctx)
{
    struct dentry *self, *d;
    bool more = true;

    spin_lock(&dcache_lock);
    self = list_first(&dir->dentries, struct dentry, alias_link);
    if (*pos == 0) {
        more = emit(ctx, ".", 1, dir->ino, DT_DIR, 1);
        *pos += more;
    }
    if (*pos == 1 && more) {
        more = emit(ctx, "..", 2, self->parent->inode->ino, DT_DIR, DENTRY_FIRST);
        *pos += more;
    }
    list_for_each (d, &self->children, sibling) {
        if (!more || d->position < *pos)
            continue;
        more = emit(ctx, d->name, strlen(d->name), d->inode->ino, DT_OF_MODE(d->inode->mode),
                    d->position + 1);
        if (more)
            *pos = d->position + 1;
    }
    spin_unlock(&dcache_lock);
    return 0;
}

bool
dentry_has_children(struct inode *dir)
{
    spin_lock(&dcache_lock);
    bool any = !list_empty(&list_first(&dir->dentries, struct dentry, alias_link)->children);
    spin_unlock(&dcache_lock);
    return any;
}

bool
dentry_known(struct inode *inode)
{
    spin_lock(&dcache_lock);
    bool known = !list_empty(&inode->dentries);
    spin_unlock(&dcache_lock);
    return known;
}

/* True if the inode is mapped or otherwise in use: then it wants its name. */
static bool
inode_in_use(const struct inode *i)
{
    return __atomic_load_n(&i->object.refs, __ATOMIC_RELAXED) >
           __atomic_load_n(&i->quiet_refs, __ATOMIC_RELAXED);
}

/* The oldest unused dentry whose inode is idle, detached; NULL: none, or no more than @keep. */
static struct dentry *
lru_take(unsigned keep)
{
    struct dentry *d, *taken = NULL;

    spin_lock(&dcache_lock);
    if (dcache_unused > keep) {
        list_for_each (d, &dcache_lru, lru_link) {
            if (inode_in_use(d->inode))
                continue;
            taken = d;
            break;
        }
    }
    if (taken != NULL)
        dentry_detach(taken);
    spin_unlock(&dcache_lock);
    return taken;
}

unsigned
dentry_shrink(unsigned keep)
{
    unsigned dropped = 0;
    struct dentry *d;

    while ((d = lru_take(keep)) != NULL) {
        dentry_put(dentry_destroy(d));
        dropped++;
    }
    return dropped;
}

void
dentry_trim(void)
{
    if (READ_ONCE(dcache_unused) <= dcache_limit)
        return;
    dentry_shrink(dcache_limit / 2);
    inode_shrink();
}

uint64_t
dentry_count(void)
{
    return READ_ONCE(dentries_alive);
}
