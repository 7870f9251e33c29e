/* flags: @tests/unit/test_files.flags */
/*
 * test_files.c - the file layer and its system calls, side by side with the host's.
 *
 * The kernel's sources run here over a fake of memory and scheduler, with a tmpfs as
 * root.  Long random sequences of system calls are made twice, once to our handlers and
 * once to Linux in a folder of its own, and every result, errno included, must agree.  At
 * the end nothing may be left over.
 *
 * Run as root it changes its file system ids now and then, so permissions are compared as well.
 */
#include "kernel/abi/dirent.h"
#include "kernel/abi/errno.h"
#include "kernel/abi/poll.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/bdev.h"
#include "kernel/fs/chrdev.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/super.h"
#include "kernel/fs/tmpfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/random.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/thread.h"
#include "kernel/sys/file.h"
#include "mm/fault.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "tests/unit/host.h"

long syscall(long number, ...);
int *__errno_location(void);
void *aligned_alloc(size_t align, size_t size);
char *getenv(const char *name);

/* ---- fakes: processor, locks, sleeping ---- */

static struct cred the_cred = {.cap_permitted = CAP_ALL, .cap_effective = CAP_ALL};
static struct task the_task;
static struct thread the_thread = {.cred = &the_cred, .task = &the_task};
static long spins, mutexes, mallocs;
static unsigned no_memory; /* one allocation in so many fails */

struct thread *
current_thread(void)
{
    return &the_thread;
}

void
panic(const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    printf("panic: %s\n", text);
    abort();
}

void
kprintf(const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    printf("log: %s", text);
}

nsec_t
clock_realtime(void)
{
    static nsec_t now = 1767225600UL * NSEC_PER_SEC;

    return now += 1000003;
}

nsec_t
clock_now(void)
{
    return clock_realtime();
}

void
spin_lock(struct spinlock *l)
{
    CHECK(l->held == 0);
    l->held = 1;
    spins++;
}

void
spin_unlock(struct spinlock *l)
{
    CHECK(l->held == 1);
    l->held = 0;
    spins--;
}

void
mutex_init(struct mutex *m, const char *name)
{
    *m = (struct mutex){.name = name};
}

void
mutex_lock(struct mutex *m)
{
    CHECK(spins == 0 && m->owner == NULL);
    m->owner = &the_thread;
    mutexes++;
}

void
mutex_lock_nested(struct mutex *m)
{
    mutex_lock(m);
}

void
mutex_unlock(struct mutex *m)
{
    CHECK(m->owner == &the_thread);
    m->owner = NULL;
    mutexes--;
}

bool
mutex_held(const struct mutex *m)
{
    return m->owner != NULL;
}

struct mutex vm_lock;

void
waitq_init(struct waitq *q)
{
    *q = (struct waitq)WAITQ_INIT(*q);
}

void
waitq_enter(struct waitq *q, struct waiter *w)
{
    w->queue = q;
    list_push_back(&q->waiters, &w->link);
}

void
waitq_leave(struct waiter *w)
{
    list_del(&w->link);
}

/* There is no other process, so process_vm_readv finds none. */
struct spinlock proc_lock = SPINLOCK_INIT("processes");

struct task *
task_find_locked(pid_t tid UNUSED)
{
    return NULL;
}

bool
process_may_control_locked(struct process *target UNUSED)
{
    return false;
}

struct space *
space_get(struct space *s)
{
    return s;
}

void
space_put(struct space *s UNUSED)
{
}

void
object_drop_clean(struct object *o UNUSED, pgidx_t start UNUSED, pgidx_t end UNUSED)
{
}

int
vm_copy(struct space *s UNUSED, vaddr_t va UNUSED, void *buf UNUSED, size_t n UNUSED,
        unsigned access UNUSED)
{
    return -EFAULT;
}

void
waitq_wake_all(struct waitq *q UNUSED)
{
}

void
sched_prepare_sleep(void)
{
}

void
sched_cancel_sleep(void)
{
}

bool
sched_go_on(void)
{
    return true;
}

/* Nobody will ever wake us: a deadline passes at once, for ever means a signal comes. */
int
sched_sleep(enum sleep_kind kind, nsec_t deadline)
{
    CHECK(spins == 0 && mutexes == 0 && kind == SLEEP_INTERRUPTIBLE);
    return deadline == UINT64_MAX ? -EINTR : -ETIMEDOUT;
}

int
signal_set_temp_mask(vaddr_t mask, size_t size)
{
    return mask != 0 && size != 8 ? -EINVAL : 0;
}

/* ---- fakes: memory ---- */

static bool
fails(void)
{
    return no_memory != 0 && host_random() % no_memory == 0;
}

void *
kmalloc(size_t size)
{
    CHECK(size > 0 && size <= PAGE_SIZE);
    if (fails())
        return NULL;
    mallocs++;
    void *p = malloc(size);
    memset(p, 0xa5, size);
    return p;
}

void *
kzalloc(size_t size)
{
    void *p = kmalloc(size);

    return p != NULL ? memset(p, 0, size) : NULL;
}

void
kfree(void *p)
{
    mallocs -= p != NULL;
    free(p);
}

char *
kstrdup(const char *s)
{
    char *p = kmalloc(strlen(s) + 1);

    return p != NULL ? memcpy(p, s, strlen(s) + 1) : NULL;
}

void *
kvmap_alloc(unsigned pages)
{
    if (fails())
        return NULL;
    mallocs++;
    return calloc(pages, PAGE_SIZE);
}

void
kvmap_free(void *p, unsigned pages UNUSED)
{
    kfree(p);
}

size_t
strlcpy(char *dst, const char *src, size_t size)
{
    size_t n = strlen(src);

    if (size > 0) {
        size_t m = MIN(n, size - 1);
        memcpy(dst, src, m);
        dst[m] = '\0';
    }
    return n;
}

int
reclaim_wait(struct space *s UNUSED)
{
    return fails() ? -ENOMEM : 0;
}

int
reclaim_ask(struct space *s UNUSED)
{
    return fails() ? -ENOMEM : 0;
}

void
reclaim_throttle(void)
{
    CHECK(spins == 0);
}

#define FRAMES 4096U

static unsigned char *arena;
static struct frame frames[FRAMES];
static bool frame_used[FRAMES];
vaddr_t fake_frames_base;
struct frame *frame_zero;
static long frames_used;

static struct frame *
take_frame(void)
{
    for (unsigned n = 0; n < FRAMES; n++) {
        if (!frame_used[n]) {
            frame_used[n] = true;
            frames_used++;
            frames[n] = (struct frame){.owner = FRAME_OBJECT};
            memset(arena + n * PAGE_SIZE, 0, PAGE_SIZE);
            return &frames[n];
        }
    }
    return NULL;
}

static void
memory_init(void)
{
    arena = aligned_alloc(PAGE_SIZE, FRAMES * PAGE_SIZE);
    fake_frames_base = (vaddr_t)frames - ((vaddr_t)arena >> PAGE_SHIFT) * sizeof(struct frame);
    frame_zero = take_frame();
}

void
frame_get_stats(struct frame_stats *s)
{
    *s = (struct frame_stats){.total = FRAMES / 2, .free = FRAMES / 2};
}

/* Objects whose pages never leave memory. */
void
object_init(struct object *o, enum object_kind kind, const struct object_ops *ops)
{
    memset(o, 0, sizeof(*o));
    o->refs = 1;
    o->kind = kind;
    o->ops = ops;
    list_init(&o->dirty_link);
}

void
object_get(struct object *o)
{
    CHECK(o->refs > 0);
    o->refs++;
}

void
object_put(struct object *o)
{
    CHECK(o->refs > 0 && spins == 0);
    if (--o->refs == 0)
        o->ops->release(o);
}

int
object_get_page(struct object *o, pgidx_t index, bool overwrite UNUSED, struct frame **out)
{
    CHECK(spins == 0 && !mutex_held(&vm_lock));
    struct frame *f = radix_get(&o->pages, index);
    if (f == NULL) {
        if (fails() || (f = take_frame()) == NULL)
            return -ENOMEM;
        CHECK(radix_set(&o->pages, index, f) == 0 || no_memory != 0);
        if (radix_get(&o->pages, index) == NULL) {
            frame_used[f - frames] = false;
            frames_used--;
            return -ENOMEM;
        }
        f->object = o;
        o->npages++;
    }
    f->pins++;
    *out = f;
    return 0;
}

void
object_put_page(struct object *o UNUSED, struct frame *f, bool dirty UNUSED)
{
    CHECK(f->pins > 0);
    f->pins--;
}

static void
drop_from(struct object *o, pgidx_t start)
{
    struct frame *f;

    for (uint64_t n = start; (f = radix_next(&o->pages, &n, UINT64_MAX)) != NULL; n++) {
        CHECK(f->pins == 0);
        radix_del(&o->pages, n);
        frame_used[f - frames] = false;
        frames_used--;
        o->npages--;
    }
}

void
object_resize(struct object *o, uint64_t size)
{
    struct frame *f = radix_get(&o->pages, size >> PAGE_SHIFT);
    size_t in = size & PAGE_MASK;

    if (size < o->size && f != NULL)
        memset((char *)frame_data(f) + in, 0, PAGE_SIZE - in);
    drop_from(o, page_ceil(size) >> PAGE_SHIFT);
    o->size = size;
}

bool
object_retire(struct object *o)
{
    drop_from(o, 0);
    return true;
}

int
object_sync(struct object *o UNUSED, pgidx_t start UNUSED, pgidx_t end UNUSED)
{
    return 0;
}

int
object_write_back(struct object *o UNUSED)
{
    return 0;
}

/* ---- fakes: user memory is ours, but for the lowest pages ---- */

static size_t
reachable(vaddr_t a, size_t n)
{
    return a >= 65536 && range_ok(a, n) ? n : 0;
}

size_t
copy_from_user_partial(void *dst, vaddr_t src, size_t n)
{
    CHECK(spins == 0);
    n = reachable(src, n);
    memcpy(dst, (const void *)(n > 0 ? src : (vaddr_t)dst), n);
    return n;
}

size_t
copy_to_user_partial(vaddr_t dst, const void *src, size_t n)
{
    CHECK(spins == 0);
    n = reachable(dst, n);
    if (n > 0)
        memcpy((void *)dst, src, n);
    return n;
}

int
copy_from_user(void *dst, vaddr_t src, size_t n)
{
    return n == 0 || copy_from_user_partial(dst, src, n) == n ? 0 : -EFAULT;
}

int
copy_to_user(vaddr_t dst, const void *src, size_t n)
{
    return n == 0 || copy_to_user_partial(dst, src, n) == n ? 0 : -EFAULT;
}

ssize_t
strncpy_from_user(char *dst, vaddr_t src, size_t size)
{
    if (reachable(src, 1) == 0)
        return -EFAULT;
    size_t n = strnlen((const char *)src, size);
    if (n == size)
        return -ENAMETOOLONG;
    memcpy(dst, (const char *)src, n + 1);
    return (ssize_t)n;
}

void
uio_init_user(struct uio *u, struct iovec *iov, vaddr_t base, size_t len)
{
    *iov = (struct iovec){base, len};
    *u = (struct uio){.iov = iov, .count = 1, .left = len};
}

void
uio_init_kernel(struct uio *u, struct iovec *iov, void *base, size_t len)
{
    uio_init_user(u, iov, (vaddr_t)base, len);
    u->kernel = true;
}

static int
uio_move(struct uio *u, char *buf, size_t n, bool put)
{
    CHECK(n <= u->left && !mutex_held(&vm_lock));
    while (n > 0) {
        if (u->done_in_piece == u->iov->len) {
            u->iov++;
            u->count--;
            u->done_in_piece = 0;
            continue;
        }
        size_t m = MIN(n, u->iov->len - u->done_in_piece);
        vaddr_t at = u->iov->base + u->done_in_piece;
        size_t k = put ? copy_to_user_partial(at, buf, m) : copy_from_user_partial(buf, at, m);
        u->done_in_piece += k;
        u->left -= k;
        if (k < m)
            return -EFAULT;
        buf += m;
        n -= m;
    }
    return 0;
}

int
uio_put(struct uio *u, const void *src, size_t n)
{
    return uio_move(u, (char *)(uintptr_t)src, n, true);
}

int
uio_take(struct uio *u, void *dst, size_t n)
{
    return uio_move(u, dst, n, false);
}

/* ---- fakes: what is not under test ---- */

const struct file_ops chrdev_file_ops, blkdev_file_ops;

void
super_init(struct super *s, const struct super_ops *ops)
{
    static dev_t last;

    *s = (struct super){.ops = ops, .dev = ++last, .block_size = 4096};
    list_init(&s->dirty_inodes);
}

int
fs_sync_all(void)
{
    return 0;
}

int
fs_sync_super(struct super *s UNUSED, bool final UNUSED)
{
    return 0;
}

int
fs_sync_super_metadata(struct super *s UNUSED, bool final UNUSED)
{
    return 0;
}

struct block_device *
bdev_of_number(dev_t number UNUSED)
{
    return NULL;
}

int
bdev_sync(struct block_device *dev UNUSED)
{
    return 0;
}

/* ---- both worlds ---- */

/* Linux x86-64 numbers of the calls under test, and our handlers. */
enum {
    NR_read,
    NR_write,
    NR_open,
    NR_close,
    NR_stat,
    NR_fstat,
    NR_lstat,
    NR_poll,
    NR_lseek,
    NR_pread64 = 17,
    NR_pwrite64,
    NR_readv,
    NR_writev,
    NR_access,
    NR_pipe,
    NR_select,
    NR_dup = 32,
    NR_dup2,
    NR_sendfile = 40,
    NR_fcntl = 72,
    NR_flock,
    NR_fsync,
    NR_truncate = 76,
    NR_ftruncate,
    NR_getdents,
    NR_getcwd,
    NR_chdir,
    NR_fchdir,
    NR_rename,
    NR_mkdir,
    NR_rmdir,
    NR_creat,
    NR_link,
    NR_unlink,
    NR_symlink,
    NR_readlink,
    NR_chmod,
    NR_fchmod,
    NR_chown,
    NR_fchown,
    NR_lchown,
    NR_umask,
    NR_mknod = 133,
    NR_getdents64 = 217,
    NR_openat = 257,
    NR_newfstatat = 262,
    NR_unlinkat = 263,
    NR_utimensat = 280,
    NR_fallocate = 285,
    NR_pipe2 = 293,
    NR_renameat2 = 316,
    NR_LAST = 400,
};

static syscall_fn *const handlers[NR_LAST] = {
    [NR_read] = sys_read,
    [NR_write] = sys_write,
    [NR_open] = sys_open,
    [NR_close] = sys_close,
    [NR_stat] = sys_stat,
    [NR_fstat] = sys_fstat,
    [NR_lstat] = sys_lstat,
    [NR_poll] = sys_poll,
    [NR_lseek] = sys_lseek,
    [NR_pread64] = sys_pread64,
    [NR_pwrite64] = sys_pwrite64,
    [NR_readv] = sys_readv,
    [NR_writev] = sys_writev,
    [NR_access] = sys_access,
    [NR_pipe] = sys_pipe,
    [NR_select] = sys_select,
    [NR_dup] = sys_dup,
    [NR_dup2] = sys_dup2,
    [NR_sendfile] = sys_sendfile,
    [NR_fcntl] = sys_fcntl,
    [NR_flock] = sys_flock,
    [NR_fsync] = sys_fsync,
    [NR_truncate] = sys_truncate,
    [NR_ftruncate] = sys_ftruncate,
    [NR_getdents] = sys_getdents,
    [NR_getcwd] = sys_getcwd,
    [NR_chdir] = sys_chdir,
    [NR_fchdir] = sys_fchdir,
    [NR_rename] = sys_rename,
    [NR_mkdir] = sys_mkdir,
    [NR_rmdir] = sys_rmdir,
    [NR_creat] = sys_creat,
    [NR_link] = sys_link,
    [NR_unlink] = sys_unlink,
    [NR_symlink] = sys_symlink,
    [NR_readlink] = sys_readlink,
    [NR_chmod] = sys_chmod,
    [NR_fchmod] = sys_fchmod,
    [NR_chown] = sys_chown,
    [NR_fchown] = sys_fchown,
    [NR_lchown] = sys_lchown,
    [NR_umask] = sys_umask,
    [NR_mknod] = sys_mknod,
    [NR_getdents64] = sys_getdents64,
    [NR_openat] = sys_openat,
    [NR_newfstatat] = sys_newfstatat,
    [NR_unlinkat] = sys_unlinkat,
    [NR_utimensat] = sys_utimensat,
    [NR_fallocate] = sys_fallocate,
    [NR_pipe2] = sys_pipe2,
    [NR_renameat2] = sys_renameat2,
};

static int64_t
ours(unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    uint64_t args[6] = {a, b, c, d, e, 0};
    int64_t r = handlers[nr](args);

    CHECK(spins == 0 && mutexes == 0);
    return r;
}

static int64_t
theirs(unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    long r = syscall(nr, a, b, c, d, e, 0);

    return r == -1 ? -*__errno_location() : r;
}

static uint64_t step;
static char what[600]; /* the call being compared */

static void
same(int64_t our, int64_t their)
{
    if (our == their)
        return;
    printf("step %lu: %s: ours %ld, Linux's %ld\n", step, what, our, their);
    exit(1);
}

/* A call whose arguments mean the same in both worlds. */
static int64_t
both(unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    int64_t r = ours(nr, a, b, c, d, e);

    same(r, theirs(nr, a, b, c, d, e));
    return r;
}

#define P(x) ((uint64_t)(x))

static unsigned
pick(unsigned n)
{
    return (unsigned)(host_random() >> 20) % n;
}

static char long_name[300];

/* A random relative path of a few short names. */
static void
random_path(char *buf, size_t size)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", ".", "..", "a", "b", "c"};
    size_t n = 0;

    buf[0] = '\0';
    for (unsigned depth = 1 + pick(3); depth > 0; depth--) {
        const char *name = pick(200) == 0 ? long_name : names[pick(ARRAY_SIZE(names))];
        /* Out of the folder there is another world. */
        if (n == 0 && name[0] == '.' && name[1] == '.')
            name = "a";
        n += (size_t)snprintf(buf + n, size - n, "%s%s", name,
                              depth > 1 ? pick(20) == 0 ? "//" : "/" : "");
    }
    if (pick(12) == 0)
        snprintf(buf + n, size - n, "/");
    else if (pick(300) == 0)
        buf[0] = '\0';
}

/* Ids that permissions go by, in both worlds. */
static void
become(uid_t uid)
{
    syscall(123 /* setfsgid */, uid);
    syscall(122 /* setfsuid */, uid);
    the_cred.fsuid = uid;
    the_cred.fsgid = uid;
}

/* ---- comparing what there is ---- */

static void
same_stat(unsigned nr, uint64_t what_file)
{
    struct abi_stat s[2];

    int64_t r = ours(nr, what_file, P(&s[0]), 0, 0, 0);
    same(r, theirs(nr, what_file, P(&s[1]), 0, 0, 0));
    if (r != 0)
        return;
    same(s[0].st_mode, s[1].st_mode);
    same(s[0].st_uid, s[1].st_uid);
    same(s[0].st_gid, s[1].st_gid);
    if (!S_ISDIR(s[0].st_mode)) {
        same((int64_t)s[0].st_nlink, (int64_t)s[1].st_nlink);
        same(s[0].st_size, s[1].st_size);
    }
}

/* The sum of all names and types of a directory: the order is the file system's own affair. */
static int64_t
names_of(int64_t call(unsigned, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t),
         const char *path)
{
    static char buf[4096] ALIGNED(8);
    int64_t fd = call(NR_open, P(path), O_RDONLY | O_DIRECTORY, 0, 0, 0), sum = 0, n;

    if (fd < 0)
        return fd;
    while ((n = call(NR_getdents64, (uint64_t)fd, P(buf), 64 + pick(2) * 4000, 0, 0)) > 0) {
        for (int64_t at = 0; at < n;) {
            struct abi_dirent64 *d = (struct abi_dirent64 *)(buf + at);
            uint64_t h = d->d_type + 7U;
            for (const char *c = d->d_name; *c != '\0'; c++)
                h = h * 131 + (uint8_t)*c;
            sum += (int64_t)(h & 0xffffffff);
            at += d->d_reclen;
        }
    }
    call(NR_close, (uint64_t)fd, 0, 0, 0, 0);
    return n < 0 ? n : sum;
}

/* ---- one random call ---- */

static const mode_t modes[] = {0777, 0755, 0700, 0644, 0600, 0000, 0111, 04755, 02775};

static void
op_name(const char *p, const char *q)
{
    static const struct {
        unsigned nr;
        const char *name;
    } two[] = {{NR_link, "link"}, {NR_symlink, "symlink"}, {NR_rename, "rename"}};
    unsigned k = pick(3);

    if (k == 0 && the_cred.fsuid != 0) /* fs.protected_hardlinks is not ours */
        k = 2;
    snprintf(what, sizeof(what), "%s(%s, %s) as %u", two[k].name, p, q, the_cred.fsuid);
    both(two[k].nr, P(p), P(q), 0, 0, 0);
}

static void
op_make(const char *p)
{
    mode_t mode = modes[pick(ARRAY_SIZE(modes))];

    switch (pick(5)) {
    case 0:
        snprintf(what, sizeof(what), "mknod(%s) as %u", p, the_cred.fsuid);
        both(NR_mknod, P(p), S_IFIFO | mode, 0, 0, 0);
        break;
    case 1:
        snprintf(what, sizeof(what), "mknod reg(%s) as %u", p, the_cred.fsuid);
        both(NR_mknod, P(p), S_IFREG | mode, 0, 0, 0);
        break;
    default:
        snprintf(what, sizeof(what), "mkdir(%s, %o) as %u", p, mode, the_cred.fsuid);
        both(NR_mkdir, P(p), mode, 0, 0, 0);
        break;
    }
}

static void
op_remove(const char *p)
{
    if (pick(2) == 0) {
        snprintf(what, sizeof(what), "rmdir(%s) as %u", p, the_cred.fsuid);
        both(NR_rmdir, P(p), 0, 0, 0, 0);
    } else {
        snprintf(what, sizeof(what), "unlink(%s) as %u", p, the_cred.fsuid);
        both(NR_unlink, P(p), 0, 0, 0, 0);
    }
}

static void
op_ask(const char *p)
{
    char buf[2][300];
    int64_t n;

    switch (pick(5)) {
    case 0:
        snprintf(what, sizeof(what), "stat(%s) as %u", p, the_cred.fsuid);
        same_stat(NR_stat, P(p));
        break;
    case 1:
        snprintf(what, sizeof(what), "lstat(%s) as %u", p, the_cred.fsuid);
        same_stat(NR_lstat, P(p));
        break;
    case 2:
        snprintf(what, sizeof(what), "readlink(%s) as %u", p, the_cred.fsuid);
        n = ours(NR_readlink, P(p), P(buf[0]), 300, 0, 0);
        same(n, theirs(NR_readlink, P(p), P(buf[1]), 300, 0, 0));
        if (n > 0)
            same(0, memcmp(buf[0], buf[1], (size_t)n));
        break;
    case 3:
        snprintf(what, sizeof(what), "access(%s) as %u", p, the_cred.fsuid);
        if (the_cred.fsuid == 0) /* it goes by the real ids */
            both(NR_access, P(p), pick(8), 0, 0, 0);
        break;
    default:
        snprintf(what, sizeof(what), "getdents(%s) as %u", p, the_cred.fsuid);
        same(names_of(ours, p), names_of(theirs, p));
        break;
    }
}

static void
op_change(const char *p)
{
    mode_t mode = modes[pick(ARRAY_SIZE(modes))];
    uint64_t size = pick(3) * 5000;

    switch (pick(4)) {
    case 0:
        snprintf(what, sizeof(what), "truncate(%s, %lu) as %u", p, size, the_cred.fsuid);
        both(NR_truncate, P(p), size, 0, 0, 0);
        break;
    case 1:
        snprintf(what, sizeof(what), "chown(%s) as %u", p, the_cred.fsuid);
        both(pick(2) == 0 ? NR_chown : NR_lchown, P(p), pick(2) * 1000, pick(2) * 1000, 0, 0);
        break;
    case 2:
        snprintf(what, sizeof(what), "utimensat(%s) as %u", p, the_cred.fsuid);
        both(NR_utimensat, P((int64_t)AT_FDCWD), P(p), 0, pick(2) * AT_SYMLINK_NOFOLLOW, 0);
        break;
    default:
        snprintf(what, sizeof(what), "chmod(%s, %o) as %u", p, mode, the_cred.fsuid);
        both(NR_chmod, P(p), mode, 0, 0, 0);
        break;
    }
}

/* Opens a file on both sides, does something with it, closes it. */
static void
op_open(const char *p)
{
    static char data[2][9000];
    static const unsigned extra[] = {0,
                                     O_CREAT,
                                     O_CREAT,
                                     O_CREAT | O_EXCL,
                                     O_TRUNC,
                                     O_CREAT | O_TRUNC,
                                     O_DIRECTORY,
                                     O_NOFOLLOW,
                                     O_CREAT | O_NOFOLLOW,
                                     O_CREAT | O_APPEND,
                                     O_PATH};
    unsigned flags = extra[pick(ARRAY_SIZE(extra))] | pick(3) | O_NONBLOCK;
    mode_t mode = modes[pick(ARRAY_SIZE(modes))];

    snprintf(what, sizeof(what), "open(%s, %o, %o) as %u", p, flags, mode, the_cred.fsuid);
    int64_t fd[2] = {ours(NR_open, P(p), flags, mode, 0, 0),
                     theirs(NR_open, P(p), flags, mode, 0, 0)};
    same(fd[0] < 0 ? fd[0] : 0, fd[1] < 0 ? fd[1] : 0);
    if (fd[0] < 0)
        return;
    for (unsigned n = pick(4); n > 0; n--) {
        size_t len = pick(4) == 0 ? pick(9000) : pick(100);
        uint64_t off = pick(12000), op = pick(6);
        unsigned nr = op == 0   ? NR_read
                      : op == 1 ? NR_write
                      : op == 2 ? NR_pread64
                      : op == 3 ? NR_pwrite64
                      : op == 4 ? NR_lseek
                                : NR_ftruncate;
        for (unsigned k = 0; k < sizeof(data[0]); k++)
            data[0][k] = data[1][k] = (char)(k + step);
        uint64_t a = nr == NR_lseek ? off : nr == NR_ftruncate ? off : P(data[0]);
        uint64_t b = nr == NR_lseek ? pick(3) : nr == NR_ftruncate ? 0 : len;
        snprintf(what, sizeof(what), "fd of (%s, %o): call %u(%lu, %lu)", p, flags, nr, b, off);
        int64_t r = ours(nr, (uint64_t)fd[0], a, b, off, 0);
        a = a == P(data[0]) ? P(data[1]) : a;
        same(r, theirs(nr, (uint64_t)fd[1], a, b, off, 0));
        same(0, memcmp(data[0], data[1], sizeof(data[0])));
    }
    struct abi_stat s[2];
    same(ours(NR_fstat, (uint64_t)fd[0], P(&s[0]), 0, 0, 0),
         theirs(NR_fstat, (uint64_t)fd[1], P(&s[1]), 0, 0, 0));
    same(s[0].st_mode, s[1].st_mode);
    if (!S_ISDIR(s[0].st_mode))
        same(s[0].st_size, s[1].st_size);
    same(ours(NR_close, (uint64_t)fd[0], 0, 0, 0, 0),
         theirs(NR_close, (uint64_t)fd[1], 0, 0, 0, 0));
}

static void
random_step(bool root)
{
    char p[1200], q[1200];

    random_path(p, sizeof(p));
    random_path(q, sizeof(q));
    if (root)
        become(pick(3) == 0 ? 1000 : 0);
    switch (pick(6)) {
    case 0:
        op_name(p, q);
        break;
    case 1:
        op_make(p);
        break;
    case 2:
        op_remove(p);
        break;
    case 3:
        op_ask(p);
        break;
    case 4:
        op_change(p);
        break;
    default:
        op_open(p);
        break;
    }
}

/* ---- the machine ---- */

static struct super root_super;

static void
boot(void)
{
    mutex_init(&vm_lock, "vm");
    memory_init();
    dentry_init();
    pipe_init();
    CHECK(tmpfs_init() == 0);
    super_init(&root_super, NULL);
    CHECK(tmpfs_mount(&root_super) == 0);
    root_super.root = dentry_root(&root_super, root_super.root_inode);
    fs_root_dentry = root_super.root;
    the_thread.files = files_new();
    the_thread.fs = fs_context_new();
    int64_t fd = ours(NR_open, P("/"), O_RDONLY, 0, 0, 0); /* the table's first chunk stays */
    CHECK(fd == 0 && ours(NR_close, 0, 0, 0, 0, 0) == 0);
}

/* Empties a directory of ours, whoever made what is in it. */
static void
empty(const char *path)
{
    static char buf[4096] ALIGNED(8);
    char name[900];

    ours(NR_chmod, P(path), 0777, 0, 0, 0);
    for (;;) {
        int64_t fd = ours(NR_open, P(path), O_RDONLY | O_DIRECTORY, 0, 0, 0);
        CHECK(fd >= 0);
        int64_t n = ours(NR_getdents64, (uint64_t)fd, P(buf), sizeof(buf), 0, 0);
        ours(NR_close, (uint64_t)fd, 0, 0, 0, 0);
        struct abi_dirent64 *d = NULL;
        for (int64_t at = 0; at < n; at += d->d_reclen) {
            d = (struct abi_dirent64 *)(buf + at);
            if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
                break;
            d = at + d->d_reclen < n ? d : NULL;
            if (d == NULL)
                return;
        }
        snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
        if (ours(NR_unlink, P(name), 0, 0, 0, 0) == 0)
            continue;
        char inner[900];
        strlcpy(inner, name, sizeof(inner));
        empty(inner);
        CHECK(ours(NR_rmdir, P(inner), 0, 0, 0, 0) == 0);
    }
}

static void
no_leaks(long mallocs_before, long frames_before)
{
    dentry_shrink(0);
    inode_shrink();
    if (mallocs != mallocs_before || frames_used != frames_before) {
        printf("left over: %ld allocations, %ld frames\n", mallocs - mallocs_before,
               frames_used - frames_before);
        exit(1);
    }
}

/*
 * A folder deep enough that no path leads out of it, in both worlds or in ours
 * alone; and away with ours.
 */
static void
enter_folder(bool both_worlds)
{
    static const char *const dirs[] = {"x", "y", "work"};

    for (unsigned n = 0; n < ARRAY_SIZE(dirs); n++) {
        CHECK(ours(NR_mkdir, P(dirs[n]), 0777, 0, 0, 0) == 0);
        CHECK(ours(NR_chdir, P(dirs[n]), 0, 0, 0, 0) == 0);
        CHECK(ours(NR_chmod, P("."), 0777, 0, 0, 0) == 0);
        if (!both_worlds)
            continue;
        CHECK(theirs(NR_mkdir, P(dirs[n]), 0777, 0, 0, 0) == 0);
        CHECK(theirs(NR_chdir, P(dirs[n]), 0, 0, 0, 0) == 0);
        CHECK(theirs(NR_chmod, P("."), 0777, 0, 0, 0) == 0);
    }
}

static void
leave_folder(void)
{
    CHECK(ours(NR_chdir, P("/"), 0, 0, 0, 0) == 0);
    empty("/");
}

static void
test_random(bool root, uint64_t steps)
{
    long m = mallocs, f = frames_used;

    memset(long_name, 'x', sizeof(long_name) - 1);
    enter_folder(true);
    for (step = 0; step < steps; step++)
        random_step(root);
    become(0);
    leave_folder();
    no_leaks(m, f);
}

/*
 * The same without a comparison, while memory runs out now and then:
 * nothing may break or be lost.
 */
static void
test_no_memory(uint64_t steps)
{
    static char data[9000];
    char p[1200], q[1200];
    struct files *kept = the_thread.files;
    long m = mallocs, f = frames_used;

    the_thread.files = files_new();
    enter_folder(false);
    for (step = 0; step < steps; step++) {
        random_path(p, sizeof(p));
        random_path(q, sizeof(q));
        no_memory = 2 + pick(10);
        static const unsigned calls[] = {NR_mkdir,  NR_rmdir,   NR_unlink, NR_link,
                                         NR_rename, NR_symlink, NR_mknod,  NR_stat};
        ours(calls[pick(ARRAY_SIZE(calls))], P(p), P(pick(2) == 0 ? q : p), 0, 0, 0);
        int64_t fd = ours(NR_open, P(p), O_CREAT | O_RDWR | O_NONBLOCK, 0777, 0, 0);
        if (fd >= 0) {
            ours(NR_write, (uint64_t)fd, P(data), pick(9000), 0, 0);
            ours(NR_dup2, (uint64_t)fd, 70 + pick(200), 0, 0, 0);
            ours(NR_close, (uint64_t)fd, 0, 0, 0, 0);
        }
        struct files *t = files_fork(the_thread.files);
        files_put(t);
    }
    no_memory = 0;
    for (int fd = files_next(the_thread.files, 0); fd >= 0;
         fd = files_next(the_thread.files, fd))
        CHECK(fd_close(fd) == 0);
    leave_folder();
    files_put(the_thread.files);
    the_thread.files = kept;
    no_leaks(m, f);
}

/* Pipes: the bytes, their order, room, atomicity, ends. */
static void
test_pipe(void)
{
    static char data[70000], back[70000];
    long m = mallocs;
    int32_t fd[2];
    uint64_t in = 0, out = 0;

    for (unsigned k = 0; k < sizeof(data); k++)
        data[k] = (char)(k * 7 + (k >> 8));
    CHECK(ours(NR_pipe2, P(fd), O_NONBLOCK, 0, 0, 0) == 0);
    for (unsigned n = 0; n < 20000; n++) {
        size_t len = 1 + pick(n % 3 == 0 ? 30000 : 300);
        size_t used = in - out;
        if (pick(2) == 0) {
            int64_t r = ours(NR_write, (uint64_t)fd[1], P(data), len, 0, 0);
            size_t room = PIPE_SIZE - used;
            if (len <= PIPE_BUF)
                CHECK(r == (len <= room ? (int64_t)len : -EAGAIN));
            else
                CHECK(r == (room == 0 ? -EAGAIN : (int64_t)MIN(len, room)));
            for (int64_t k = 0; k < r; k++)
                back[(in + (uint64_t)k) % PIPE_SIZE] = data[k];
            in += r > 0 ? (uint64_t)r : 0;
        } else {
            static char got[30001];
            int64_t r = ours(NR_read, (uint64_t)fd[0], P(got), len, 0, 0);
            CHECK(r == (used == 0 ? -EAGAIN : (int64_t)MIN(len, used)));
            for (int64_t k = 0; k < r; k++)
                CHECK(got[k] == back[(out + (uint64_t)k) % PIPE_SIZE]);
            out += r > 0 ? (uint64_t)r : 0;
        }
    }
    struct abi_pollfd pfd[2] = {{fd[0], POLLIN, 0}, {fd[1], POLLOUT, 0}};
    ours(NR_close, (uint64_t)fd[1], 0, 0, 0, 0);
    CHECK(ours(NR_poll, P(pfd), 2, 0, 0, 0) == 2);
    CHECK((pfd[0].revents & POLLHUP) != 0 && pfd[1].revents == (int16_t)POLLNVAL);
    while (ours(NR_read, (uint64_t)fd[0], P(back), sizeof(back), 0, 0) > 0)
        continue;
    CHECK(ours(NR_read, (uint64_t)fd[0], P(back), 1, 0, 0) == 0);
    ours(NR_close, (uint64_t)fd[0], 0, 0, 0, 0);
    CHECK(ours(NR_pipe, P(fd), 0, 0, 0, 0) == 0);
    ours(NR_close, (uint64_t)fd[0], 0, 0, 0, 0);
    CHECK(ours(NR_write, (uint64_t)fd[1], P(data), 1, 0, 0) == -EPIPE);
    ours(NR_close, (uint64_t)fd[1], 0, 0, 0, 0);
    no_leaks(m, frames_used);
}

int
main(void)
{
    char folder[64];
    bool root = syscall(102 /* getuid */) == 0;
    const char *many = getenv("FILES_STEPS");
    uint64_t steps = 40000;

    for (steps = many != NULL ? 0 : steps; many != NULL && *many != '\0'; many++)
        steps = steps * 10 + (uint64_t)(*many - '0');
    boot();
    the_cred = (struct cred){.cap_permitted = CAP_ALL, .cap_effective = CAP_ALL};
    if (!root)
        the_cred = (struct cred){.uid = 1000, .euid = 1000, .fsuid = 1000, .fsgid = 1000};
    snprintf(folder, sizeof(folder), "/tmp/test_files.%ld", syscall(39 /* getpid */));
    CHECK(theirs(NR_mkdir, P(folder), 0777, 0, 0, 0) == 0);
    CHECK(theirs(NR_chdir, P(folder), 0, 0, 0, 0) == 0);
    ours(NR_umask, 022, 0, 0, 0, 0);
    theirs(NR_umask, 022, 0, 0, 0, 0);
    if (root)
        test_random(true, steps);
    test_pipe();
    test_no_memory(steps / 4);
    printf("ok\n");
    return 0;
}
