/*
 * elf.c - mapping an ELF program: each PT_LOAD segment becomes one or two regions.
 *
 *     file:    [ segment's bytes ]
 *     memory:  [ private file mapping     |tail| anonymous ]
 *              p_vaddr          p_filesz--^    ^--next page  p_memsz
 *
 * The tail, from the segment's last byte in the file to the end of that page, is zeroed, which
 * breaks that one page's sharing with the file.  Everything else is loaded by faults.
 *
 * Headers come from an untrusted file: every sum is checked for wrapping before it is used.
 */
#include "kernel/proc/elf.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"
#include "mm/layout.h"
#include "mm/mmap.h"
#include "mm/space.h"

#define PHDRS_MAX (PAGE_SIZE / sizeof(struct elf_phdr))

static int
judge_header(const struct elf_header *h, size_t n)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

    if (n < sizeof(*h) || memcmp(h->ident, ident, sizeof(ident)) != 0)
        return -ENOEXEC;
    if ((h->type != ET_EXEC && h->type != ET_DYN) || h->machine != EM_X86_64)
        return -ENOEXEC;
    if (h->phentsize != sizeof(struct elf_phdr) || h->phnum == 0 || h->phnum > PHDRS_MAX)
        return -ENOEXEC;
    return 0;
}

/* Exactly @n bytes at @off, or -ENOEXEC when the file is too short. */
static int
read_exactly(struct file *f, void *buf, size_t n, uint64_t off)
{
    if (off > INT64_MAX - n)
        return -ENOEXEC;

    ssize_t got = inode_read_kernel(f->inode, buf, n, (off_t)off);

    if (got < 0)
        return (int)got;
    return (size_t)got == n ? 0 : -ENOEXEC;
}

/* A segment that could be mapped somewhere at all. */
static int
judge_segment(const struct elf_phdr *p)
{
    if (p->filesz > p->memsz || p->memsz > USER_TOP || p->vaddr > USER_TOP - p->memsz)
        return -ENOEXEC;
    if (p->offset > INT64_MAX - p->filesz || ((p->vaddr - p->offset) & PAGE_MASK) != 0)
        return -ENOEXEC;
    return 0;
}

/* [*low, *high): page-aligned span of all segments; -ENOEXEC if one is broken or there is none. */
static int
span(const struct elf_phdr *p, unsigned n, vaddr_t *low, vaddr_t *high)
{
    *low = UINT64_MAX;
    *high = 0;
    for (; n > 0; n--, p++) {
        if (p->type != PT_LOAD)
            continue;
        if (judge_segment(p) != 0)
            return -ENOEXEC;
        *low = MIN(*low, page_floor(p->vaddr));
        *high = MAX(*high, page_ceil(p->vaddr + p->memsz));
    }
    return *high > *low ? 0 : -ENOEXEC;
}

static unsigned
segment_prot(const struct elf_phdr *p)
{
    return (p->flags & PF_R ? PROT_READ : 0) | (p->flags & PF_W ? PROT_WRITE : 0) |
           (p->flags & PF_X ? PROT_EXEC : 0);
}

/* Maps [start, end) at a fixed place. @f: NULL for zeros. */
static int
map_fixed(vaddr_t start, vaddr_t end, unsigned prot, struct file *f, uint64_t offset)
{
    struct mmap_request q = {
        .addr = start,
        .len = end - start,
        .prot = prot,
        /* Zeros are not refused by a guess: what is not touched costs nothing. */
        .flags = MAP_PRIVATE | MAP_FIXED | (f == NULL ? MAP_ANONYMOUS | MAP_NORESERVE : 0),
        .object = f == NULL ? NULL : &f->inode->object,
        .offset = offset,
        .max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
    };

    if (start >= end)
        return 0;

    int64_t at = vm_mmap(current_thread()->space, &q);

    return at < 0 ? (at == -ENOMEM ? -ENOMEM : -ENOEXEC) : 0;
}

static int
map_segment(struct file *f, const struct elf_phdr *p, vaddr_t base)
{
    vaddr_t start = base + page_floor(p->vaddr);
    vaddr_t file_end = base + p->vaddr + p->filesz;
    vaddr_t mem_end = base + page_ceil(p->vaddr + p->memsz);
    unsigned prot = segment_prot(p);
    vaddr_t zeros = p->filesz > 0 ? page_ceil(file_end) : start;
    int err = 0;

    if (p->filesz > 0)
        err = map_fixed(start, zeros, prot, f, page_floor(p->offset));
    if (err == 0)
        err = map_fixed(zeros, mem_end, prot, NULL, 0);
    if (err == 0 && p->filesz > 0 && p->memsz > p->filesz && (prot & PROT_WRITE) &&
        !page_aligned(file_end))
        err = clear_user(file_end, zeros - file_end) != 0 ? -EIO : 0;
    return err;
}

/* What is added to the file's addresses; 0 with ET_EXEC. UINT64_MAX: no room. */
static vaddr_t
choose_base(const struct elf_header *h, enum elf_place place, vaddr_t pie_base, vaddr_t low,
            vaddr_t high)
{
    struct space *s = current_thread()->space;
    vaddr_t at;

    if (h->type == ET_EXEC)
        return low >= USER_BOTTOM ? 0 : UINT64_MAX;
    if (place == ELF_PROGRAM) {
        at = pie_base;
    } else {
        mutex_lock(&s->lock);
        at = space_place(s, high - low, USER_BOTTOM, s->mmap_base);
        mutex_unlock(&s->lock);
    }
    return at == 0 || high - low > USER_TOP - at ? UINT64_MAX : at - low;
}

static int
read_interpreter(struct file *f, const struct elf_phdr *p, struct elf_image *img)
{
    if (img->interpreter != NULL)
        return 0;
    if (p->filesz < 2 || p->filesz > PAGE_SIZE)
        return -ENOEXEC;
    img->interpreter = kzalloc(p->filesz);
    if (img->interpreter == NULL)
        return -ENOMEM;

    int err = read_exactly(f, img->interpreter, p->filesz, p->offset);

    return err == 0 && img->interpreter[p->filesz - 1] != '\0' ? -ENOEXEC : err;
}

static void
note_segment(struct elf_image *img, const struct elf_header *h, const struct elf_phdr *p)
{
    vaddr_t at = img->base + p->vaddr;

    if (p->offset <= h->phoff && h->phoff - p->offset < p->filesz)
        img->phdr = at + (h->phoff - p->offset);
    if (p->flags & PF_X) {
        img->code_start = img->code_start == 0 ? at : MIN(img->code_start, at);
        img->code_end = MAX(img->code_end, at + p->filesz);
    }
}

static int
load_segments(struct file *f, const struct elf_header *h, const struct elf_phdr *phdrs,
              struct elf_image *img)
{
    int err = 0;

    for (unsigned i = 0; i < h->phnum && err == 0; i++) {
        const struct elf_phdr *p = &phdrs[i];

        if (p->type == PT_LOAD) {
            err = p->memsz == 0 ? 0 : map_segment(f, p, img->base);
            note_segment(img, h, p);
        } else if (p->type == PT_INTERP) {
            err = read_interpreter(f, p, img);
        } else if (p->type == PT_GNU_STACK) {
            img->exec_stack = p->flags & PF_X;
        }
    }
    return err;
}

int
elf_load(struct file *f, const void *head, size_t n, enum elf_place place, vaddr_t pie_base,
         struct elf_image *img)
{
    struct elf_header h;
    vaddr_t low, high;
    int err;

    memset(img, 0, sizeof(*img));
    if (n < sizeof(h))
        return -ENOEXEC;
    memcpy(&h, head, sizeof(h));
    err = judge_header(&h, n);
    if (err != 0)
        return err;

    struct elf_phdr *phdrs = kmalloc(PAGE_SIZE);

    if (phdrs == NULL)
        return -ENOMEM;
    err = read_exactly(f, phdrs, h.phnum * sizeof(*phdrs), h.phoff);
    if (err == 0)
        err = span(phdrs, h.phnum, &low, &high);
    if (err == 0) {
        img->base = choose_base(&h, place, pie_base, low, high);
        err = img->base == UINT64_MAX ? -ENOMEM : 0;
    }
    if (err == 0) {
        img->start = img->base + low;
        img->end = img->base + high;
        img->entry = img->base + h.entry;
        img->phnum = h.phnum;
        err = load_segments(f, &h, phdrs, img);
    }
    kfree(phdrs);
    if (err != 0) {
        kfree(img->interpreter);
        img->interpreter = NULL;
    }
    return err;
}
