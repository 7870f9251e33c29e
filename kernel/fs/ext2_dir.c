/*
 * ext2_dir.c - the entries of one directory.
 *
 * A directory's blocks are pages of its own object.  Each block is a row of entries without
 * gaps, so an entry is taken out by making the one before it longer, and added where one is
 * longer than it needs to be, or in a new block.  Entries therefore never move, and a position
 * for getdents is the byte offset of an entry.
 *
 * A block is judged as a whole (dir_block_check) each time before its entries are used.
 *
 * Locks: the directory's inode lock, save where the header says otherwise.
 */
#include "kernel/fs/ext2_internal.h"

#include "kernel/abi/dirent.h"
#include "kernel/abi/errno.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

/* One block of a directory, in a page that is pinned. */
struct dir_block {
    struct frame *frame;
    char *start, *end;
};

/* Where getdents' entries go. */
struct emitter {
    dir_emit_fn *emit;
    void *ctx;
};

static struct ext2_dirent *
dirent_next(struct ext2_dirent *de)
{
    return (struct ext2_dirent *)((char *)de + de->rec_len);
}

/* The types of entries as getdents has them, by EXT2_FT_xxx. */
static const uint8_t dt_of_type[] = {
    [EXT2_FT_REG] = DT_REG,     [EXT2_FT_DIR] = DT_DIR,   [EXT2_FT_CHR] = DT_CHR,
    [EXT2_FT_BLK] = DT_BLK,     [EXT2_FT_FIFO] = DT_FIFO, [EXT2_FT_SOCK] = DT_SOCK,
    [EXT2_FT_SYMLINK] = DT_LNK,
};

static uint8_t
dirent_type(const struct ext2_fs *fs, mode_t mode)
{
    uint8_t type = sizeof(dt_of_type) - 1;

    while (type > 0 && dt_of_type[type] != DT_OF_MODE(mode))
        type--;
    return fs->filetype ? type : EXT2_FT_UNKNOWN;
}

static unsigned
dirent_dt(const struct ext2_fs *fs, const struct ext2_dirent *de)
{
    bool known = fs->filetype && de->file_type < sizeof(dt_of_type);

    return known ? dt_of_type[de->file_type] : DT_UNKNOWN;
}

/* Are the entries of a block such that one can walk from the first to the last? */
static bool
dir_block_check(const struct ext2_fs *fs, const struct dir_block *b)
{
    const char *p = b->start;

    while (p < b->end) {
        const struct ext2_dirent *de = (const void *)p;
        size_t left = (size_t)(b->end - p);

        if (de->rec_len < sizeof(*de) || de->rec_len % 4 != 0 || de->rec_len > left)
            return false;
        if (de->inode > fs->inodes_count || (de->inode != 0 && de->name_len == 0))
            return false;
        if (de->inode != 0 && EXT2_DIRENT_SIZE(de->name_len) > de->rec_len)
            return false;
        p += de->rec_len;
    }
    return true;
}

/* Pins the block that begins at byte @offset < size of a directory, and judges it. */
static int
dir_block_get(struct inode *dir, uint64_t offset, struct dir_block *b)
{
    struct ext2_fs *fs = ext2_fs_of(dir);

    int err = object_get_page(&dir->object, offset >> PAGE_SHIFT, false, &b->frame);
    if (err != 0)
        return err;
    b->start = (char *)frame_data(b->frame) + offset % PAGE_SIZE;
    b->end = b->start + fs->block_size;
    if (dir_block_check(fs, b))
        return 0;
    object_put_page(&dir->object, b->frame, false);
    return ext2_corrupt(fs, "directory %lu: bad entry in the block at %lu", dir->ino, offset);
}

static void
dir_block_put(struct inode *dir, struct dir_block *b)
{
    object_put_page(&dir->object, b->frame, false);
}

void
ext2_slot_put(struct inode *dir, struct ext2_slot *s, bool dirty)
{
    object_put_page(&dir->object, s->frame, dirty);
    s->frame = NULL;
}

/* Looks for a name in one block. */
static bool
dir_block_find(const struct dir_block *b, const char *name, size_t len, struct ext2_slot *s)
{
    struct ext2_dirent *de = (struct ext2_dirent *)b->start;

    for (; (char *)de < b->end; de = dirent_next(de)) {
        /* Names that were numbered differ at their ends: that saves most comparisons. */
        if (de->inode == 0 || de->name_len != len || de->name[len - 1] != name[len - 1] ||
            memcmp(de->name, name, len) != 0)
            continue;
        *s = (struct ext2_slot){b->frame, de};
        return true;
    }
    return false;
}

int
ext2_dir_find(struct inode *dir, const char *name, struct ext2_slot *s)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    size_t len = strlen(name);
    struct dir_block b;

    for (uint64_t offset = 0; offset < inode_size(dir); offset += fs->block_size) {
        int err = dir_block_get(dir, offset, &b);
        if (err != 0)
            return err;
        if (dir_block_find(&b, name, len, s))
            return 0; /* the slot keeps the pin */
        dir_block_put(dir, &b);
    }
    return -ENOENT;
}

int
ext2_dir_dotdot(struct inode *dir, struct ext2_slot *s)
{
    int err = ext2_dir_find(dir, "..", s);

    if (err != -ENOENT)
        return err;
    return ext2_corrupt(ext2_fs_of(dir), "directory %lu has no \"..\"", dir->ino);
}

static void
dirent_fill(const struct ext2_fs *fs, struct ext2_dirent *de, const char *name, uint32_t ino,
            mode_t mode)
{
    de->inode = ino;
    de->name_len = (uint8_t)strlen(name);
    de->file_type = dirent_type(fs, mode);
    memcpy(de->name, name, de->name_len);
}

/* An entry of the block that has room for @need more bytes, or NULL. */
static struct ext2_dirent *
dir_block_find_room(const struct dir_block *b, unsigned need)
{
    struct ext2_dirent *de = (struct ext2_dirent *)b->start;

    for (; (char *)de < b->end; de = dirent_next(de)) {
        unsigned used = de->inode == 0 ? 0 : EXT2_DIRENT_SIZE(de->name_len);
        if (de->rec_len >= used + need)
            return de;
    }
    return NULL;
}

/* The free part of an entry with room becomes an entry of its own. */
static struct ext2_dirent *
dirent_split(struct ext2_dirent *de)
{
    if (de->inode == 0)
        return de;
    unsigned used = EXT2_DIRENT_SIZE(de->name_len);
    struct ext2_dirent *rest = (struct ext2_dirent *)((char *)de + used);

    rest->rec_len = (uint16_t)(de->rec_len - used);
    de->rec_len = (uint16_t)used;
    return rest;
}

/* The entries no longer stand in the order that the index, if there is one, says. */
static void
dir_drop_index(struct inode *dir)
{
    struct ext2_inode *ei = ext2_inode_of(dir);

    if ((ei->flags & EXT2_FLAG_INDEX) != 0) {
        ei->flags &= ~EXT2_FLAG_INDEX;
        inode_mark_dirty(dir);
    }
}

/* One block more, holding one free entry, pinned. Nothing has changed when it fails. */
static int
dir_grow(struct inode *dir, struct dir_block *b)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    struct ext2_inode *ei = ext2_inode_of(dir);
    uint64_t size = inode_size(dir);
    bool new_page = size % PAGE_SIZE == 0;
    uint32_t block;

    if (size + fs->block_size > UINT32_MAX / 4)
        return -ENOSPC;
    /* The page first: what is read into it must not be the new block's old bytes. */
    int err = object_get_page(&dir->object, size >> PAGE_SHIFT, new_page, &b->frame);
    if (err != 0)
        return err;
    mutex_lock(&ei->map_lock);
    err = ext2_map_alloc(ei, size >> fs->block_shift, &block);
    mutex_unlock(&ei->map_lock);
    if (err != 0) {
        object_put_page(&dir->object, b->frame, false);
        return err;
    }
    object_resize(&dir->object, size + fs->block_size);
    inode_mark_dirty(dir);
    b->start = (char *)frame_data(b->frame) + size % PAGE_SIZE;
    b->end = b->start + fs->block_size;
    memset(b->start, 0, fs->block_size);
    ((struct ext2_dirent *)b->start)->rec_len = (uint16_t)fs->block_size;
    return 0;
}

int
ext2_dir_add(struct inode *dir, const char *name, uint32_t ino, mode_t mode)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    unsigned need = EXT2_DIRENT_SIZE(strlen(name));
    struct ext2_inode *ei = ext2_inode_of(dir);
    struct ext2_dirent *room = NULL;
    struct dir_block b;
    int err;

    for (; ei->full < inode_size(dir); ei->full += fs->block_size) {
        err = dir_block_get(dir, ei->full, &b);
        if (err != 0)
            return err;
        room = dir_block_find_room(&b, need);
        if (room != NULL)
            break;
        dir_block_put(dir, &b);
    }
    if (room == NULL) {
        err = dir_grow(dir, &b);
        if (err != 0)
            return err;
        room = (struct ext2_dirent *)b.start;
    }
    dirent_fill(fs, dirent_split(room), name, ino, mode);
    object_put_page(&dir->object, b.frame, true);
    dir_drop_index(dir);
    return 0;
}

/* The entry before it becomes longer; the first one of a block is marked as free. */
void
ext2_dir_remove(struct inode *dir, struct ext2_slot *s)
{
    uintptr_t block = ROUND_DOWN((uintptr_t)s->de, (uintptr_t)ext2_fs_of(dir)->block_size);
    struct ext2_dirent *prev = (struct ext2_dirent *)block;

    if (prev == s->de) {
        s->de->inode = 0;
    } else {
        while (dirent_next(prev) != s->de)
            prev = dirent_next(prev);
        prev->rec_len = (uint16_t)(prev->rec_len + s->de->rec_len);
    }
    ext2_slot_put(dir, s, true);
    ext2_inode_of(dir)->full = 0;
    dir_drop_index(dir);
}

void
ext2_dir_replace(struct inode *dir, struct ext2_slot *s, uint32_t ino, mode_t mode)
{
    s->de->inode = ino;
    s->de->file_type = dirent_type(ext2_fs_of(dir), mode);
    ext2_slot_put(dir, s, true);
}

int
ext2_dir_make_empty(struct inode *dir, uint32_t parent)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    struct dir_block b;

    int err = dir_grow(dir, &b);
    if (err != 0)
        return err;
    struct ext2_dirent *de = (struct ext2_dirent *)b.start;
    dirent_fill(fs, de, ".", (uint32_t)dir->ino, S_IFDIR);
    de = dirent_split(de);
    dirent_fill(fs, de, "..", parent, S_IFDIR);
    object_put_page(&dir->object, b.frame, true);
    return 0;
}

static bool
is_dot_or_dotdot(const struct ext2_dirent *de)
{
    return de->name[0] == '.' &&
           (de->name_len == 1 || (de->name_len == 2 && de->name[1] == '.'));
}

int
ext2_dir_is_empty(struct inode *dir)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    bool empty = true;
    struct dir_block b;

    for (uint64_t offset = 0; offset < inode_size(dir) && empty; offset += fs->block_size) {
        int err = dir_block_get(dir, offset, &b);
        if (err != 0)
            return err;
        struct ext2_dirent *de = (struct ext2_dirent *)b.start;
        for (; (char *)de < b.end; de = dirent_next(de))
            if (de->inode != 0 && !is_dot_or_dotdot(de))
                empty = false;
        dir_block_put(dir, &b);
    }
    return empty;
}

/* Emits a block's entries that begin at or behind *pos. Returns false when told to stop. */
static bool
dir_block_emit(const struct ext2_fs *fs, const struct dir_block *b, uint64_t block_pos,
               uint64_t *pos, const struct emitter *e)
{
    struct ext2_dirent *de = (struct ext2_dirent *)b->start;

    for (; (char *)de < b->end; de = dirent_next(de)) {
        uint64_t here = block_pos + (uint64_t)((char *)de - b->start);
        if (here < *pos)
            continue;
        if (de->inode != 0 && !e->emit(e->ctx, de->name, de->name_len, de->inode,
                                       dirent_dt(fs, de), here + de->rec_len)) {
            *pos = here;
            return false;
        }
    }
    return true;
}

/* A position that is no entry's any more (it was merged) means the next entry behind it. */
int
ext2_getdents(struct inode *dir, uint64_t *pos, dir_emit_fn *emit, void *ctx)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    struct emitter e = {emit, ctx};
    struct dir_block b;

    while (*pos < inode_size(dir)) {
        uint64_t block_pos = ROUND_DOWN(*pos, (uint64_t)fs->block_size);

        int err = dir_block_get(dir, block_pos, &b);
        if (err != 0)
            return err;
        bool more = dir_block_emit(fs, &b, block_pos, pos, &e);
        dir_block_put(dir, &b);
        if (!more)
            return 0;
        *pos = block_pos + fs->block_size;
    }
    return 0;
}
