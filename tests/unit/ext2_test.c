/*
 * ext2_test.c - the kernel's ext2 on an image, on the host.
 *
 *     ext2_test random IMAGE SEED STEPS    operations against a model; the image is written
 *     back ext2_test fill   IMAGE SEED STEPS    the same, and what was made stays
 *     ext2_test full   IMAGE SEED STEPS    the same on a disk that is full most of the time
 *     ext2_test memory IMAGE SEED STEPS    the same with memory that runs out
 *     ext2_test huge   IMAGE               blocks at every depth of the tree, and cutting them
 *     off ext2_test ruin   IMAGE SEED ROUNDS   bits of the metadata are flipped; nothing may
 *     crash
 *
 * The model knows for each file its type, bytes and links.  It is compared on the way, and all
 * of it after a second mount.  What the disk then looks like is e2fsck's to say: see
 * tests/test_ext2.py.
 */
#include "kernel/abi/errno.h"
#include "kernel/fs/ext2_internal.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "tests/unit/ext2_fake.h"
#include "tests/unit/ext2_host.h"

#define NODES    400
#define NAMES    60 /* in one directory */
#define LINKS    6
#define FILE_MAX 700000

struct node {
    mode_t mode; /* 0: unused */
    unsigned nlink;
    unsigned char *bytes; /* of a file; a link's target */
    size_t size, room;
    uint32_t entry[NAMES]; /* of a directory: name number -> node + 1 */
    struct node *dir[LINKS];
    unsigned name[LINKS]; /* where its links are; those of a directory: one */
    unsigned parent_links;
};

static struct node *nodes;
static struct super sb;
static unsigned char *image;
static size_t image_size;
static bool keep;     /* leave all that was made on the image */
static bool may_fail; /* -ENOSPC and -ENOMEM are among what is expected */

/* Names of many lengths; the same number always gives the same. */
static const char *
name_text(unsigned n)
{
    static char text[EXT2_NAME_MAX + 1];
    unsigned len = n % 7 == 6 ? EXT2_NAME_MAX - n : n % 5 == 4 ? 20 + n : 0;

    snprintf(text, sizeof(text), "n%u", n);
    while (strlen(text) < len) {
        size_t end = strlen(text);
        text[end] = 'x';
        text[end + 1] = '\0';
    }
    return text;
}

/* --- names in the model --- */

static struct node *
node_new(mode_t mode)
{
    for (unsigned i = 1; i < NODES; i++) {
        if (nodes[i].mode != 0)
            continue;
        nodes[i] = (struct node){.mode = mode};
        return &nodes[i];
    }
    return NULL;
}

static void
node_link(struct node *dir, unsigned name, struct node *n)
{
    CHECK(dir->entry[name] == 0 && n->nlink < LINKS);
    dir->entry[name] = (uint32_t)(n - nodes) + 1;
    n->dir[n->nlink] = dir;
    n->name[n->nlink++] = name;
}

static void
node_unlink(struct node *dir, unsigned name, struct node *n)
{
    unsigned i = 0;

    while (n->dir[i] != dir || n->name[i] != name)
        i++;
    n->nlink--;
    n->dir[i] = n->dir[n->nlink];
    n->name[i] = n->name[n->nlink];
    dir->entry[name] = 0;
    if (n->nlink == 0) {
        host_free(n->bytes);
        *n = (struct node){0};
    }
}

static struct node *
node_at(struct node *dir, unsigned name)
{
    return dir->entry[name] == 0 ? NULL : &nodes[dir->entry[name] - 1];
}

static struct node *
random_node(mode_t type)
{
    unsigned start = fake_random(NODES);

    for (unsigned i = 0; i < NODES; i++) {
        struct node *n = &nodes[(start + i) % NODES];
        if ((n->mode & S_IFMT) == type)
            return n;
    }
    return NULL;
}

static unsigned
node_subdirs(const struct node *dir)
{
    unsigned n = 0;

    for (unsigned i = 0; i < NAMES; i++)
        n += dir->entry[i] != 0 && S_ISDIR(nodes[dir->entry[i] - 1].mode);
    return n;
}

static bool
node_empty(const struct node *dir)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (dir->entry[i] != 0)
            return false;
    return true;
}

static bool
is_above(const struct node *a, const struct node *d)
{
    while (d != a && d != nodes)
        d = d->dir[0];
    return d == a;
}

/* --- the same in the file system --- */

/* An error that is allowed to happen now. */
static bool
excused(int err)
{
    return may_fail && (err == -ENOSPC || err == -ENOMEM);
}

static int
lookup(struct inode *dir, unsigned name, struct inode **out)
{
    struct fake_faults saved = fake_faults;

    fake_faults.no_memory = 0;
    mutex_lock(&dir->lock);
    int err = dir->ops->lookup(dir, name_text(name), out);
    mutex_unlock(&dir->lock);
    fake_faults = saved;
    return err;
}

/* The inode of a node, referenced: by its name, from the root. */
static struct inode *
inode_of(struct node *n)
{
    struct inode *i;

    if (n == nodes) {
        inode_get(sb.root_inode);
        return sb.root_inode;
    }
    struct inode *dir = inode_of(n->dir[0]);
    int err = lookup(dir, n->name[0], &i);
    if (err != 0)
        fake_fail("lookup of a name that exists: %d", err);
    inode_put(dir);
    CHECK((i->mode & S_IFMT) == (n->mode & S_IFMT));
    CHECK(i->nlink == (S_ISDIR(n->mode) ? 2 + node_subdirs(n) : n->nlink));
    return i;
}

static void
do_create(void)
{
    static const mode_t modes[] = {S_IFREG | 0644, S_IFREG | 0755, S_IFDIR | 0700, S_IFLNK,
                                   S_IFIFO | 0600, S_IFCHR | 0666, S_IFBLK | 0660};
    struct node *dir = random_node(S_IFDIR);
    unsigned name = fake_random(NAMES), len = 1 + fake_random(fake_random(2) ? 900 : 70);
    mode_t mode = modes[fake_random(ARRAY_SIZE(modes))];
    struct node *n = node_at(dir, name) == NULL ? node_new(mode) : NULL;
    struct inode *i, *d = inode_of(dir);
    char target[1000];
    int err;

    if (n == NULL) {
        inode_put(d);
        return;
    }
    memset(target, 'a' + (int)(len % 26), len);
    target[len] = '\0';
    mutex_lock(&d->lock);
    if (S_ISDIR(mode))
        err = d->ops->mkdir(d, name_text(name), mode, &i);
    else if (S_ISLNK(mode))
        err = d->ops->symlink(d, name_text(name), target, &i);
    else
        err = d->ops->create(d, name_text(name), mode, DEV_MAKE(len, len * 3), &i);
    if (err == 0)
        inode_touch(d, INODE_MTIME | INODE_CTIME);
    mutex_unlock(&d->lock);
    inode_put(d);
    if (err != 0) {
        CHECK(excused(err));
        n->mode = 0;
        return;
    }
    node_link(dir, name, n);
    if (S_ISLNK(mode) || S_ISCHR(mode)) {
        n->bytes = host_malloc(len);
        memcpy(n->bytes, target, len);
        n->size = len;
    }
    inode_put(i);
}

static void
do_remove(void)
{
    struct node *dir = random_node(S_IFDIR);
    unsigned name = fake_random(NAMES);
    struct node *n = node_at(dir, name);
    struct inode *i, *d;

    if (n == NULL)
        return;
    d = inode_of(dir);
    CHECK(lookup(d, name, &i) == 0);
    bool is_dir = S_ISDIR(n->mode);
    mutex_lock(&d->lock);
    mutex_lock(&i->lock);
    int err =
        is_dir ? d->ops->rmdir(d, name_text(name), i) : d->ops->unlink(d, name_text(name), i);
    mutex_unlock(&i->lock);
    mutex_unlock(&d->lock);
    bool gone = i->nlink == 0;
    if (err == 0 && gone)
        inode_forget(i);
    if (fake_random(3) == 0)
        fake_background();
    inode_put(i);
    inode_put(d);
    if (is_dir && !node_empty(n)) {
        CHECK(err == -ENOTEMPTY || excused(err));
        return;
    }
    if (err != 0) {
        CHECK(excused(err));
        return;
    }
    CHECK(gone == (n->nlink == 1));
    node_unlink(dir, name, n);
}

static void
do_link(void)
{
    struct node *dir = random_node(S_IFDIR), *n = random_node(S_IFREG);
    unsigned name = fake_random(NAMES);

    if (n == NULL || n->nlink >= LINKS || node_at(dir, name) != NULL)
        return;
    struct inode *d = inode_of(dir), *i = inode_of(n);
    mutex_lock(&d->lock);
    mutex_lock(&i->lock);
    int err = d->ops->link(d, name_text(name), i);
    mutex_unlock(&i->lock);
    mutex_unlock(&d->lock);
    inode_put(d);
    inode_put(i);
    if (err == 0)
        node_link(dir, name, n);
    else
        CHECK(excused(err));
}

/* May @n at @to replace what is there? */
static bool
rename_fits(struct node *n, struct node *to, struct node *victim)
{
    if (victim == n || (S_ISDIR(n->mode) && is_above(n, to)) || n->nlink >= LINKS)
        return false;
    return victim == NULL || S_ISDIR(n->mode) == S_ISDIR(victim->mode);
}

static void
do_rename(void)
{
    struct node *from = random_node(S_IFDIR), *to = random_node(S_IFDIR);
    unsigned old = fake_random(NAMES), new = fake_random(NAMES);
    struct node *n = node_at(from, old), *victim = node_at(to, new);
    char old_name[EXT2_NAME_MAX + 1], new_name[EXT2_NAME_MAX + 1];

    if (n == NULL || !rename_fits(n, to, victim))
        return;
    struct inode *vi = NULL, *i, *d1 = inode_of(from), *d2 = inode_of(to);
    CHECK(lookup(d1, old, &i) == 0);
    if (victim != NULL)
        CHECK(lookup(d2, new, &vi) == 0);
    strlcpy(old_name, name_text(old), sizeof(old_name));
    strlcpy(new_name, name_text(new), sizeof(new_name));
    mutex_lock(&d1->lock);
    if (d1 != d2)
        mutex_lock(&d2->lock);
    struct rename r = {d1, d2, old_name, new_name, i, vi};
    int err = d1->ops->rename(&r);
    if (d1 != d2)
        mutex_unlock(&d2->lock);
    mutex_unlock(&d1->lock);
    if (vi != NULL && vi->nlink == 0)
        inode_forget(vi);
    inode_put(vi);
    inode_put(i);
    inode_put(d1);
    inode_put(d2);
    if (victim != NULL && S_ISDIR(victim->mode) && !node_empty(victim)) {
        CHECK(err == -ENOTEMPTY || excused(err));
        return;
    }
    if (err != 0) {
        CHECK(excused(err));
        return;
    }
    if (victim != NULL)
        node_unlink(to, new, victim);
    node_link(to, new, n);
    node_unlink(from, old, n);
}

/* --- bytes --- */

static void
node_resize(struct node *n, size_t size)
{
    if (size > n->room) {
        size_t room = size * 2;
        unsigned char *bytes = host_malloc(room);
        if (n->size > 0)
            memcpy(bytes, n->bytes, n->size);
        host_free(n->bytes);
        n->bytes = bytes;
        n->room = room;
    }
    if (size > n->size)
        memset(n->bytes + n->size, 0, size - n->size);
    n->size = size;
}

/* As rw.c writes: one page's worth. Inode lock held. */
static int
write_page(struct inode *i, const void *src, size_t n, uint64_t pos)
{
    struct object *o = &i->object;
    size_t in = pos & PAGE_MASK;
    bool whole = in == 0 && (n == PAGE_SIZE || pos + n >= o->size);
    struct frame *f;

    int err = o->ops->prepare_write(o, pos >> PAGE_SHIFT);
    if (err != 0)
        return err;
    err = object_get_page(o, pos >> PAGE_SHIFT, whole, &f);
    if (err != 0)
        return err;
    memcpy((char *)frame_data(f) + in, src, n);
    object_put_page(o, f, true);
    if (pos + n > o->size)
        object_resize(o, pos + n);
    return 0;
}

static void
do_write(void)
{
    struct node *n = random_node(S_IFREG);
    unsigned char bytes[PAGE_SIZE];

    if (n == NULL)
        return;
    struct inode *i = inode_of(n);
    uint64_t pos =
        fake_random(3) == 0 ? fake_random(FILE_MAX) : fake_random((uint32_t)n->size + 1);
    unsigned pages = 1 + fake_random(fake_random(8) == 0 ? 60 : 4);
    while (pages-- > 0 && pos < FILE_MAX) {
        size_t len = 1 + fake_random(2 * PAGE_SIZE);

        len = MIN(len, PAGE_SIZE - (pos & PAGE_MASK));
        memset(bytes, (int)(1 + fake_random(255)), len);
        mutex_lock(&i->lock);
        int err = write_page(i, bytes, len, pos);
        if (err == 0)
            inode_touch(i, INODE_MTIME | INODE_CTIME);
        mutex_unlock(&i->lock);
        if (err != 0) {
            CHECK(excused(err));
            break;
        }
        if (pos + len > n->size)
            node_resize(n, pos + len);
        memcpy(n->bytes + pos, bytes, len);
        pos += len;
        if (fake_random(4) == 0)
            fake_background();
    }
    inode_put(i);
}

/* A store through a shared mapping: the page is prepared once and dirtied later. */
static void
do_mapped_store(void)
{
    struct node *n = random_node(S_IFREG);
    struct frame *f;

    if (n == NULL || n->size == 0)
        return;
    struct inode *i = inode_of(n);
    size_t pos = fake_random((uint32_t)n->size);
    bool prepare = fake_random(4) != 0 || sb.block_size == PAGE_SIZE || may_fail;
    int err = prepare ? i->object.ops->prepare_write(&i->object, pos >> PAGE_SHIFT) : 0;
    if (err == 0)
        err = object_get_page(&i->object, pos >> PAGE_SHIFT, false, &f);
    if (err == 0) {
        ((unsigned char *)frame_data(f))[pos & PAGE_MASK] = 0x77;
        object_put_page(&i->object, f, true);
        n->bytes[pos] = 0x77;
    } else {
        CHECK(excused(err));
    }
    inode_put(i);
}

static void
do_truncate(void)
{
    struct node *n = random_node(S_IFREG);

    if (n == NULL)
        return;
    struct inode *i = inode_of(n);
    size_t size =
        fake_random(2) == 0 ? fake_random((uint32_t)n->size + 1) : fake_random(FILE_MAX);
    if (fake_random(4) == 0)
        size = ROUND_DOWN(size, 1024UL);
    struct fake_faults saved = fake_faults;
    fake_faults.no_memory =
        0; /* what cannot be freed then stays allocated: e2fsck would say so */
    mutex_lock(&i->lock);
    int err = i->ops->truncate(i, size);
    mutex_unlock(&i->lock);
    fake_faults = saved;
    CHECK(err == 0);
    node_resize(n, size);
    inode_put(i);
}

/* --- comparing --- */

static void
compare_bytes(struct node *n, struct inode *i)
{
    struct frame *f;

    CHECK(inode_size(i) == n->size);
    for (size_t pos = 0; pos < n->size; pos += PAGE_SIZE) {
        CHECK(object_get_page(&i->object, pos >> PAGE_SHIFT, false, &f) == 0);
        size_t len = MIN(PAGE_SIZE, n->size - pos);
        if (memcmp(frame_data(f), n->bytes + pos, len) != 0)
            fake_fail("inode %lu differs in the page at %lu", i->ino, pos);
        object_put_page(&i->object, f, false);
    }
}

struct listing {
    struct node *dir;
    unsigned seen, dots, left;
};

static bool
list_entry_check(void *ctx, const char *name, size_t len, ino_t ino UNUSED, unsigned type,
                 uint64_t next)
{
    struct listing *l = ctx;
    char text[EXT2_NAME_MAX + 1];

    CHECK(next > 0 && len > 0 && len <= EXT2_NAME_MAX);
    if (l->left-- == 0)
        return false;
    memcpy(text, name, len);
    text[len] = '\0';
    if (name[0] == '.' || strcmp(text, "lost+found") == 0) {
        l->dots++;
        return true;
    }
    unsigned n = 0;
    for (size_t k = 1; k < len && text[k] != 'x'; k++)
        n = n * 10 + (unsigned)(text[k] - '0');
    CHECK(n < NAMES && strcmp(name_text(n), text) == 0);
    struct node *child = node_at(l->dir, n);
    CHECK(child != NULL);
    CHECK(type == 0 || type == (child->mode & S_IFMT) >> 12);
    l->seen++;
    return true;
}

static void
compare_listing(struct node *n, struct inode *i)
{
    struct listing l = {.dir = n};
    uint64_t pos = 0, last;
    unsigned count = 0;

    do {
        last = pos;
        l.left = 1 + fake_random(10);
        mutex_lock(&i->lock);
        CHECK(i->ops->getdents(i, &pos, list_entry_check, &l) == 0);
        mutex_unlock(&i->lock);
    } while (pos != last && pos < inode_size(i));
    for (unsigned k = 0; k < NAMES; k++)
        count += n->entry[k] != 0;
    CHECK(l.seen == count && l.dots == (n == nodes ? 3 : 2));
}

static void
compare_node(struct node *n)
{
    struct fake_faults saved = fake_faults;
    char target[1100];

    fake_faults.no_memory = 0;
    struct inode *i = inode_of(n);
    if (S_ISREG(n->mode)) {
        compare_bytes(n, i);
    } else if (S_ISDIR(n->mode)) {
        compare_listing(n, i);
    } else if (S_ISLNK(n->mode)) {
        ssize_t len = i->ops->readlink(i, target, sizeof(target));
        CHECK(len == (ssize_t)n->size && memcmp(target, n->bytes, n->size) == 0);
    } else if (S_ISCHR(n->mode)) {
        CHECK(i->rdev == DEV_MAKE(n->size, n->size * 3));
    }
    inode_put(i);
    fake_faults = saved;
}

static void
compare_all(void)
{
    for (unsigned i = 0; i < NODES; i++)
        if (nodes[i].mode != 0)
            compare_node(&nodes[i]);
}

/* --- runs --- */

static void
mount(void)
{
    int err = fake_mount(&sb);

    if (err != 0)
        fake_fail("mount: %d", err);
}

static void
model_init(void)
{
    nodes = host_malloc(NODES * sizeof(*nodes));
    nodes[0].mode = S_IFDIR | 0755;
}

static void
one_step(void)
{
    unsigned kind = fake_random(100);

    if (kind < 22)
        do_create();
    else if (kind < 36)
        do_remove();
    else if (kind < 41)
        do_link();
    else if (kind < 55)
        do_rename();
    else if (kind < 77)
        do_write();
    else if (kind < 82)
        do_mapped_store();
    else if (kind < 90)
        do_truncate();
    fake_background();
}

static void
remove_all(void)
{
    for (unsigned tries = 0; tries < 1000000 && !node_empty(&nodes[0]); tries++)
        do_remove();
    CHECK(node_empty(&nodes[0]));
}

static void
run_random(unsigned steps)
{
    struct abi_statfs before, after;

    mount();
    sb.ops->statfs(&sb, &before);
    model_init();
    for (unsigned k = 0; k < steps; k++) {
        struct node *n = &nodes[fake_random(NODES)];

        one_step();
        if (n->mode != 0 && fake_random(40) == 0)
            compare_node(n);
        if (fake_random(400) == 0)
            CHECK(fake_sync(&sb, fake_random(2)) == 0 || may_fail);
        if (fake_random(500) == 0)
            inode_shrink();
    }
    fake_faults.no_memory = 0;
    compare_all();
    fake_unmount(&sb);
    fake_check_leaks();
    mount();
    compare_all();
    if (!keep && fake_random(2) == 0) {
        remove_all();
        CHECK(fake_sync(&sb, false) == 0);
        sb.ops->statfs(&sb, &after);
        CHECK(before.f_ffree == after.f_ffree);
        CHECK(before.f_bfree - after.f_bfree <= 40); /* a directory does not shrink */
    }
    fake_unmount(&sb);
    CHECK(fake_log_lines == 0);
}

/* --- every depth of the tree --- */

static void
write_word(struct inode *i, uint64_t pos)
{
    mutex_lock(&i->lock);
    CHECK(write_page(i, &pos, sizeof(pos), pos) == 0);
    mutex_unlock(&i->lock);
}

static void
check_word(struct inode *i, uint64_t pos, uint64_t want)
{
    struct frame *f;
    uint64_t got;

    CHECK(object_get_page(&i->object, pos >> PAGE_SHIFT, false, &f) == 0);
    memcpy(&got, (char *)frame_data(f) + (pos & PAGE_MASK), sizeof(got));
    object_put_page(&i->object, f, false);
    if (got != want)
        fake_fail("at %lu: %lu, not %lu", pos, got, want);
}

/* Writes @places, reads them after a second mount, and cuts the file off behind each. */
static void
run_huge(void)
{
    mount();
    uint64_t fan = sb.block_size / 4, bs = sb.block_size;
    uint64_t places[] = {0,
                         11 * bs,
                         12 * bs,
                         (12 + fan - 1) * bs,
                         (12 + fan) * bs,
                         (12 + fan + 5 * fan + 3) * bs,
                         (12 + fan + fan * fan - 1) * bs,
                         (12 + fan + fan * fan) * bs,
                         (12 + fan + fan * fan * 3 + 77) * bs,
                         MIN(sb.max_size, (12 + fan + fan * fan + fan * fan * fan) * bs) - bs};
    unsigned n = ARRAY_SIZE(places);
    struct inode *i;

    mutex_lock(&sb.root_inode->lock);
    CHECK(sb.root_inode->ops->create(sb.root_inode, "n0", S_IFREG | 0644, 0, &i) == 0);
    mutex_unlock(&sb.root_inode->lock);
    for (unsigned k = 0; k < n; k++)
        write_word(i, places[k]);
    CHECK(inode_size(i) == places[n - 1] + 8);
    inode_put(i);
    fake_unmount(&sb);

    mount();
    CHECK(lookup(sb.root_inode, 0, &i) == 0);
    CHECK(inode_size(i) == places[n - 1] + 8);
    for (unsigned k = 0; k < n; k++) {
        check_word(i, places[k], places[k]);
        check_word(i, places[k] + 8, 0);
    }
    check_word(i, 40 * bs, 0);
    uint64_t blocks = i->blocks;
    for (unsigned k = n; k-- > 1;) {
        mutex_lock(&i->lock);
        CHECK(i->ops->truncate(i, places[k] + 4) == 0);
        CHECK(i->ops->truncate(i, places[k]) == 0);
        mutex_unlock(&i->lock);
        CHECK(inode_sync(i) == 0);
        CHECK(i->blocks < blocks);
        blocks = i->blocks;
        check_word(i, places[k - 1], places[k - 1]);
    }
    CHECK(blocks == bs / 512 * (bs == PAGE_SIZE ? 11 : 1) || blocks <= 12 * bs / 512);
    mutex_lock(&i->lock);
    CHECK(i->ops->truncate(i, 0) == 0 && i->blocks == 0);
    write_page(i, "tail", 4, places[n - 2]);
    mutex_unlock(&i->lock);
    inode_put(i);
    fake_unmount(&sb);
    fake_check_leaks();
    CHECK(fake_log_lines == 0);
}

/* --- ruins --- */

/* Where damage hurts most: the first blocks of each group; else anywhere. */
static size_t
ruin_place(bool super)
{
    uint32_t groups = (uint32_t)(image_size / (8192 * 1024)) + 1;

    if (super)
        return 1024 + fake_random(fake_random(2) ? 200 : 5000);
    if (fake_random(4) > 0)
        return (fake_random(groups) * 8192UL + fake_random(120)) * 1024 + fake_random(1024);
    return fake_random((uint32_t)image_size);
}

static void
ruin(unsigned count, bool super)
{
    while (count-- > 0) {
        size_t place = ruin_place(super);
        unsigned char *p = image + MIN(place, image_size - 5);

        switch (fake_random(4)) {
        case 0:
            *p = (unsigned char)fake_random(256);
            break;
        case 1:
            memset(p, fake_random(2) ? 0xff : 0, 4);
            break;
        case 2: {
            uint32_t block = fake_random((uint32_t)(image_size / 1024));
            memcpy(image + ((size_t)(p - image) & ~3UL), &block, 4);
            break;
        }
        default:
            *p ^= (unsigned char)(1U << fake_random(8));
        }
    }
}

struct found {
    char name[EXT2_NAME_MAX + 1];
    unsigned skip;
};

static bool
take_name(void *ctx, const char *name, size_t len, ino_t ino UNUSED, unsigned type UNUSED,
          uint64_t next UNUSED)
{
    struct found *f = ctx;

    CHECK(len > 0 && len <= EXT2_NAME_MAX);
    if (len <= 2 && name[0] == '.')
        return true;
    memcpy(f->name, name, len);
    f->name[len] = '\0';
    return f->skip-- > 0;
}

/* Some name in a directory, by the rules of a path: no '/', no NUL. */
static bool
pick_name(struct inode *dir, struct found *f)
{
    uint64_t pos = 0;

    f->name[0] = '\0';
    f->skip = fake_random(12);
    mutex_lock(&dir->lock);
    (void)dir->ops->getdents(dir, &pos, take_name, f);
    mutex_unlock(&dir->lock);
    return f->name[0] != '\0' && strchr(f->name, '/') == NULL;
}

static void
use_file(struct inode *i)
{
    char target[4096];
    struct frame *f;

    if (S_ISLNK(i->mode))
        (void)i->ops->readlink(i, target, sizeof(target));
    if (!S_ISREG(i->mode))
        return;
    for (unsigned k = 0; k < 5; k++) {
        uint64_t page = inode_size(i) >> PAGE_SHIFT;
        page = fake_random(2) == 0 ? fake_random(20) : page * fake_random(100) / 100;
        if (object_get_page(&i->object, page, false, &f) == 0)
            object_put_page(&i->object, f, false);
        mutex_lock(&i->lock);
        if (page << PAGE_SHIFT < sb.max_size)
            (void)write_page(i, target, 100, page << PAGE_SHIFT);
        if (fake_random(2) == 0)
            (void)i->ops->truncate(i, fake_random(4) == 0 ? 0 : page * 3000);
        mutex_unlock(&i->lock);
    }
}

static void
make_things(struct inode *dir)
{
    const char *name = name_text(100 + fake_random(50));
    struct inode *i = NULL;

    mutex_lock(&dir->lock);
    int err = dir->ops->lookup(dir, name, &i);
    if (err == -ENOENT && fake_random(2) == 0)
        err = dir->ops->mkdir(dir, name, S_IFDIR | 0755, &i);
    else if (err == -ENOENT)
        err = dir->ops->create(dir, name, S_IFREG | 0644, 0, &i);
    mutex_unlock(&dir->lock);
    if (err == 0)
        inode_put(i);
}

/* Renames or removes the entry @name, which is @i, of @dir. */
static void
change_entry(struct inode *dir, const char *name, struct inode *i)
{
    bool is_dir = S_ISDIR(i->mode);

    mutex_lock(&dir->lock);
    struct rename r = {dir, dir, name, "another", i, NULL};
    struct inode *other = NULL;
    if (fake_random(2) == 0) {
        int err = dir->ops->lookup(dir, "another", &other);
        if (err != 0)
            other = NULL;
        if (err == -ENOENT)
            (void)dir->ops->rename(&r);
    } else if (i != dir) {
        mutex_lock(&i->lock);
        (void)(is_dir ? dir->ops->rmdir(dir, name, i) : dir->ops->unlink(dir, name, i));
        mutex_unlock(&i->lock);
    }
    mutex_unlock(&dir->lock);
    inode_put(other);
    if (i->nlink == 0)
        inode_forget(i);
}

/* Walks down from the root at random, using and changing what it meets. */
static void
wander(void)
{
    struct inode *dir = sb.root_inode, *i;
    struct found f;

    inode_get(dir);
    for (unsigned depth = 0; depth < 6; depth++) {
        if (fake_random(3) == 0)
            make_things(dir);
        if (!pick_name(dir, &f))
            break;
        mutex_lock(&dir->lock);
        int err = dir->ops->lookup(dir, f.name, &i);
        mutex_unlock(&dir->lock);
        if (err != 0)
            break;
        use_file(i);
        if (fake_random(4) == 0)
            change_entry(dir, f.name, i);
        if (!S_ISDIR(i->mode)) {
            inode_put(i);
            break;
        }
        inode_put(dir);
        dir = i;
    }
    inode_put(dir);
    fake_background();
}

static void
run_ruin(unsigned rounds)
{
    unsigned char *good = host_malloc(image_size);
    unsigned mounted = 0;
    struct abi_statfs st;

    memcpy(good, image, image_size);
    fake_quiet = true;
    for (unsigned k = 0; k < rounds; k++) {
        memcpy(image, good, image_size);
        bool super = fake_random(8) == 0;
        ruin(1 + fake_random(super ? 3 : fake_random(2) ? 20 : 400), super);
        fake_log_lines = 1;
        host_alarm(20);
        if (fake_mount(&sb) == 0) {
            mounted++;
            fake_faults.read_error = fake_faults.write_error = fake_random(4) == 0 ? 300 : 0;
            for (unsigned n = 0; n < 40; n++)
                wander();
            sb.ops->statfs(&sb, &st);
            fake_faults = (struct fake_faults){0};
            fake_unmount(&sb);
        }
        fake_check_leaks();
    }
    CHECK(mounted > 0);
    memcpy(image, good, image_size);
    host_free(good);
}

int
main(int argc, char **argv)
{
    CHECK(argc >= 3);
    image = host_load(argv[2], &image_size);
    fake_init(image, image_size);
    fake_seed(argc > 3 ? host_number(argv[3]) : 1);
    unsigned count = argc > 4 ? (unsigned)host_number(argv[4]) : 1;

    keep = strcmp(argv[1], "fill") == 0;
    may_fail = strcmp(argv[1], "full") == 0 || strcmp(argv[1], "memory") == 0;
    if (strcmp(argv[1], "memory") == 0)
        fake_faults.no_memory = 60;
    if (strcmp(argv[1], "huge") == 0)
        run_huge();
    else if (strcmp(argv[1], "ruin") == 0)
        run_ruin(count);
    else
        run_random(count);
    host_save(argv[2], image, image_size);
    return 0;
}
