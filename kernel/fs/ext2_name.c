/*
 * ext2_name.c - names: what open, mkdir, link, unlink, rename and the like do to directories.
 *
 * Everything that can fail is done before anything that others can see: a new inode is complete
 * before its entry is added, and a rename has all its pages pinned before an entry changes.
 *
 * A directory is believed to be in another one only if its ".." says so too.  So a damaged disk
 * cannot give a directory two parents or make it its own ancestor, and locks have their order.
 */
#include "kernel/fs/ext2_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

/* --- lookup --- */

/* May @inode be an entry of @dir?  0 or -EIO, -ENOMEM. */
static int
check_parent(struct inode *dir, struct inode *inode)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    struct ext2_slot s;

    if (!S_ISDIR(inode->mode))
        return 0;
    if (inode->ino == EXT2_ROOT_INO)
        return ext2_corrupt(fs, "directory %lu contains the root", dir->ino);
    int err = ext2_dir_dotdot(inode, &s);
    if (err != 0)
        return err;
    uint32_t parent = s.de->inode;
    ext2_slot_put(inode, &s, false);
    if (parent == dir->ino)
        return 0;
    return ext2_corrupt(fs, "directory %lu is in %lu, but its \"..\" says %u", inode->ino,
                        dir->ino, parent);
}

static int
name_lookup(struct inode *dir, const char *name, struct inode **out)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    struct inode *inode;
    struct ext2_slot s;

    int err = ext2_dir_find(dir, name, &s);
    if (err != 0)
        return err;
    uint32_t ino = s.de->inode;
    ext2_slot_put(dir, &s, false);

    if (ino != EXT2_ROOT_INO && ino < fs->first_ino)
        return ext2_corrupt(fs, "directory %lu names the reserved inode %u", dir->ino, ino);
    err = inode_load(dir->super, ino, &inode);
    if (err != 0)
        return err;
    err = check_parent(dir, inode);
    if (err != 0)
        inode_put(inode);
    else
        *out = inode;
    return err;
}

/* --- creation --- */

/* It lives on while somebody uses it; the disk is not consistent before it is evicted. */
static void
lose_last_link(struct inode *i)
{
    if (i->nlink == 0) /* a damaged disk gave it two names and one link */
        return;
    i->nlink = 0;
    __atomic_add_fetch(&ext2_fs_of(i)->orphans, 1, __ATOMIC_RELAXED);
}

/* An inode that never got a name. */
static void
inode_undo(struct inode *i)
{
    lose_last_link(i);
    inode_forget(i);
    inode_put(i);
}

static void
set_rdev(struct inode *i, dev_t rdev)
{
    struct ext2_inode *ei = ext2_inode_of(i);

    if (!S_ISCHR(i->mode) && !S_ISBLK(i->mode))
        return;
    i->rdev = rdev;
    if (DEV_MAJOR(rdev) < 256 && DEV_MINOR(rdev) < 256)
        ei->block[0] = (uint32_t)rdev;
    else
        ei->block[1] = (uint32_t)rdev;
}

/* A new inode, in memory and marked dirty, with one link and no name. */
static int
inode_make(struct inode *dir, mode_t mode, dev_t rdev, struct inode **out)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    struct inode *i;
    uint32_t ino;

    if (dir->nlink == 0)
        return -ENOENT;
    int err = ext2_begin_change(fs);
    if (err == 0)
        err = ext2_inode_alloc(fs, (uint32_t)dir->ino, S_ISDIR(mode), &ino);
    if (err != 0)
        return err;
    err = inode_new(dir->super, ino, OBJECT_FILE, &ext2_object_ops, true, &i);
    if (err != 0) {
        ext2_inode_free(fs, ino, S_ISDIR(mode));
        return err;
    }
    ext2_inode_of(i)->fresh = true;
    inode_init_owner(i, dir, mode);
    set_rdev(i, rdev);
    ext2_set_ops(i);
    inode_mark_dirty(i);
    *out = i;
    return 0;
}

/* Gives a new inode its name, or undoes it when @err or the naming failed. */
static int
inode_name(struct inode *dir, const char *name, struct inode *i, int err)
{
    if (err == 0)
        err = ext2_dir_add(dir, name, (uint32_t)i->ino, i->mode);
    if (err != 0)
        inode_undo(i);
    return err;
}

static int
name_create(struct inode *dir, const char *name, mode_t mode, dev_t rdev, struct inode **out)
{
    int err = inode_make(dir, mode, rdev, out);

    return err != 0 ? err : inode_name(dir, name, *out, 0);
}

static int
name_mkdir(struct inode *dir, const char *name, mode_t mode, struct inode **out)
{
    if (dir->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    int err = inode_make(dir, (mode & ~S_IFMT) | S_IFDIR, 0, out);
    if (err != 0)
        return err;
    err = ext2_dir_make_empty(*out, (uint32_t)dir->ino);
    (*out)->nlink = 2;
    err = inode_name(dir, name, *out, err);
    if (err != 0)
        return err;
    dir->nlink++;
    inode_mark_dirty(*out);
    inode_mark_dirty(dir);
    return 0;
}

/* The target of a long link is the first block of its object. */
static int
link_write_target(struct inode *i, const char *target, size_t len)
{
    struct ext2_inode *ei = ext2_inode_of(i);
    struct frame *f;
    uint32_t block;

    int err = object_get_page(&i->object, 0, true, &f);
    if (err != 0)
        return err;
    mutex_lock(&ei->map_lock);
    err = ext2_map_alloc(ei, 0, &block);
    mutex_unlock(&ei->map_lock);
    if (err == 0)
        memcpy(frame_data(f), target, len);
    object_put_page(&i->object, f, err == 0);
    return err;
}

static int
name_symlink(struct inode *dir, const char *name, const char *target, struct inode **out)
{
    size_t len = strlen(target);

    if (len >= ext2_fs_of(dir)->block_size)
        return -ENAMETOOLONG;
    int err = inode_make(dir, S_IFLNK | S_IRWXUGO, 0, out);
    if (err != 0)
        return err;
    if (len < EXT2_FAST_LINK_SIZE)
        memcpy(ext2_inode_of(*out)->block, target, len);
    else
        err = link_write_target(*out, target, len);
    if (err == 0)
        object_resize(&(*out)->object, len);
    return inode_name(dir, name, *out, err);
}

static ssize_t
name_readlink(struct inode *i, char *buf, size_t size)
{
    size_t n = MIN(size, inode_size(i));
    struct frame *f;

    if (!ext2_has_blocks(i)) {
        memcpy(buf, ext2_inode_of(i)->block, n);
        return (ssize_t)n;
    }
    int err = object_get_page(&i->object, 0, false, &f);
    if (err != 0)
        return err;
    memcpy(buf, frame_data(f), n);
    object_put_page(&i->object, f, false);
    return (ssize_t)n;
}

/* --- links --- */

static int
name_link(struct inode *dir, const char *name, struct inode *inode)
{
    if (inode->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    if (dir->nlink == 0 || inode->nlink == 0)
        return -ENOENT;
    int err = ext2_begin_change(ext2_fs_of(dir));
    if (err == 0)
        err = ext2_dir_add(dir, name, (uint32_t)inode->ino, inode->mode);
    if (err != 0)
        return err;
    inode->nlink++;
    inode_mark_dirty(inode);
    return 0;
}

/* Finds the entry @name, which the caller knows to be of @inode. */
static int
find_entry_of(struct inode *dir, const char *name, struct inode *inode, struct ext2_slot *s)
{
    int err = ext2_dir_find(dir, name, s);

    if (err != 0 || s->de->inode == inode->ino)
        return err;
    ext2_slot_put(dir, s, false);
    return ext2_corrupt(ext2_fs_of(dir), "directory %lu: an entry changed by itself", dir->ino);
}

static void
drop_link(struct inode *i)
{
    if (i->nlink == 1)
        lose_last_link(i);
    else if (i->nlink > 1)
        i->nlink--;
    inode_mark_dirty(i);
}

static int
name_unlink(struct inode *dir, const char *name, struct inode *inode)
{
    struct ext2_slot s;

    int err = ext2_begin_change(ext2_fs_of(dir));
    if (err == 0)
        err = find_entry_of(dir, name, inode, &s);
    if (err != 0)
        return err;
    ext2_dir_remove(dir, &s);
    drop_link(inode);
    return 0;
}

static int
check_empty(struct inode *dir)
{
    int empty = ext2_dir_is_empty(dir);

    if (empty < 0)
        return empty;
    return empty ? 0 : -ENOTEMPTY;
}

/* The ".." of a directory no longer points to @parent, which has two links without any such. */
static void
drop_dotdot(struct inode *parent)
{
    if (parent->nlink > 2)
        drop_link(parent);
    else
        ext2_corrupt(ext2_fs_of(parent), "directory %lu: too few links", parent->ino);
}

/* A directory has lost its name: its own "." counts no more, and its ".." not in the parent. */
static void
drop_directory(struct inode *parent, struct inode *inode)
{
    lose_last_link(inode);
    inode_mark_dirty(inode);
    drop_dotdot(parent);
}

static int
name_rmdir(struct inode *dir, const char *name, struct inode *inode)
{
    struct ext2_slot s;

    int err = check_empty(inode);
    if (err == 0)
        err = ext2_begin_change(ext2_fs_of(dir));
    if (err == 0)
        err = find_entry_of(dir, name, inode, &s);
    if (err != 0)
        return err;
    ext2_dir_remove(dir, &s);
    drop_directory(dir, inode);
    return 0;
}

/* --- rename --- */

/* The refusals that need no entry. */
static int
rename_check(const struct rename *r)
{
    bool new_parent = S_ISDIR(r->inode->mode) && r->old_dir != r->new_dir;

    if (r->new_dir->nlink == 0)
        return -ENOENT;
    if (new_parent && r->victim == NULL && r->new_dir->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    if (r->victim != NULL && S_ISDIR(r->victim->mode))
        return check_empty(r->victim);
    return 0;
}

/* Puts the new name in place: into the victim's entry, or a new one. */
static int
rename_enter(const struct rename *r)
{
    uint32_t ino = (uint32_t)r->inode->ino;
    struct ext2_slot s;

    if (r->victim == NULL)
        return ext2_dir_add(r->new_dir, r->new_name, ino, r->inode->mode);
    int err = find_entry_of(r->new_dir, r->new_name, r->victim, &s);
    if (err == 0)
        ext2_dir_replace(r->new_dir, &s, ino, r->inode->mode);
    return err;
}

static void
rename_count_links(const struct rename *r)
{
    bool dir = S_ISDIR(r->inode->mode);

    if (dir && r->old_dir != r->new_dir) {
        drop_dotdot(r->old_dir);
        r->new_dir->nlink++;
        inode_mark_dirty(r->new_dir);
    }
    if (r->victim == NULL)
        return;
    if (S_ISDIR(r->victim->mode))
        drop_directory(r->new_dir, r->victim);
    else
        drop_link(r->victim);
}

static int
name_rename(const struct rename *r)
{
    bool new_parent = S_ISDIR(r->inode->mode) && r->old_dir != r->new_dir;
    struct ext2_slot old, dotdot;

    int err = rename_check(r);
    if (err == 0)
        err = ext2_begin_change(ext2_fs_of(r->inode));
    if (err == 0)
        err = find_entry_of(r->old_dir, r->old_name, r->inode, &old);
    if (err != 0)
        return err;
    if (new_parent)
        err = ext2_dir_dotdot(r->inode, &dotdot);
    if (err != 0)
        goto put_old;
    err = rename_enter(r);
    if (err != 0)
        goto put_dotdot;

    /* Nothing can fail any more.  rename_enter moves no entry: the old one is in its place. */
    if (new_parent)
        ext2_dir_replace(r->inode, &dotdot, (uint32_t)r->new_dir->ino, S_IFDIR);
    ext2_dir_remove(r->old_dir, &old);
    rename_count_links(r);
    return 0;

put_dotdot:
    if (new_parent)
        ext2_slot_put(r->inode, &dotdot, false);
put_old:
    ext2_slot_put(r->old_dir, &old, false);
    return err;
}

const struct inode_ops ext2_dir_ops = {
    .lookup = name_lookup,
    .create = name_create,
    .mkdir = name_mkdir,
    .symlink = name_symlink,
    .link = name_link,
    .unlink = name_unlink,
    .rmdir = name_rmdir,
    .rename = name_rename,
    .getdents = ext2_getdents,
};

const struct inode_ops ext2_file_ops = {.truncate = ext2_truncate};
const struct inode_ops ext2_link_ops = {.readlink = name_readlink};
const struct inode_ops ext2_special_ops = {.lookup = NULL};
