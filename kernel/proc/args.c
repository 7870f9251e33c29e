/*
 * args.c - argv, envp and auxv: collected page by page, laid out on the new stack.
 *
 *     stack_top ->  | 8 zero bytes                  |
 *                   | name of the program           |
 *                   | environment strings           |
 *                   | argument strings              |
 *                   | "x86_64", 16 random bytes     |
 *                   | auxv, ending with AT_NULL     |
 *                   | envp, ending with NULL        |
 *                   | argv, ending with NULL        |
 *            sp ->  | argc                          |
 */
#include "kernel/proc/args.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/random.h"
#include "kernel/lib/string.h"
#include "kernel/proc/elf.h"
#include "kernel/proc/process.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

#define PAGES_MAX   (PAGE_SIZE / sizeof(char *)) /* 2 MiB of strings */
#define STRING_MAX  (32 * PAGE_SIZE)             /* one string, as on Linux */
#define LIMIT_LEAST (32 * PAGE_SIZE)
#define AUXV_MAX    (AUXV_WORDS / 2)

int
args_init(struct args *a, uint64_t stack_limit)
{
    memset(a, 0, sizeof(*a));
    a->limit = MIN(MAX(stack_limit / 4, LIMIT_LEAST), PAGES_MAX * PAGE_SIZE);
    a->pages = kzalloc(PAGE_SIZE);
    return a->pages != NULL ? 0 : -ENOMEM;
}

void
args_free(struct args *a)
{
    /* They were filled in order. */
    for (size_t i = 0; a->pages != NULL && i < PAGES_MAX && a->pages[i] != NULL; i++)
        kfree(a->pages[i]);
    kfree(a->pages);
    a->pages = NULL;
}

/* Where the next byte goes, and how many fit in a row; NULL: E2BIG or no memory (*err). */
static char *
room(struct args *a, size_t *fits, int *err)
{
    size_t page = a->len / PAGE_SIZE;

    *err = -E2BIG;
    if (a->len + (a->argc + a->envc) * sizeof(uint64_t) >= a->limit || page >= PAGES_MAX)
        return NULL;
    *err = -ENOMEM;
    if (a->pages[page] == NULL && (a->pages[page] = kmalloc(PAGE_SIZE)) == NULL)
        return NULL;
    *fits = PAGE_SIZE - a->len % PAGE_SIZE;
    return a->pages[page] + a->len % PAGE_SIZE;
}

int
args_add(struct args *a, const char *s)
{
    size_t left = strlen(s) + 1;

    while (left > 0) {
        size_t fits;
        int err;
        char *to = room(a, &fits, &err);

        if (to == NULL)
            return err;
        fits = MIN(fits, left);
        memcpy(to, s, fits);
        s += fits;
        left -= fits;
        a->len += fits;
    }
    return 0;
}

/* One string from user memory, with its NUL. */
static int
add_user_string(struct args *a, vaddr_t s)
{
    for (size_t total = 0;;) {
        size_t fits;
        int err;
        char *to = room(a, &fits, &err);

        if (to == NULL)
            return err;

        /* Up to the end of the user's page at most: the next one may not exist. */
        fits = MIN(fits, PAGE_SIZE - (s & PAGE_MASK));
        ssize_t n = strncpy_from_user(to, s, fits);

        if (n == -EFAULT)
            return -EFAULT;
        if (n >= 0) {
            a->len += (size_t)n + 1;
            return 0;
        }
        a->len += fits;
        s += fits;
        total += fits;
        if (total >= STRING_MAX)
            return -E2BIG;
    }
}

int
args_add_user(struct args *a, vaddr_t array, unsigned skip)
{
    int n = 0;

    if (array == 0)
        return 0;
    for (vaddr_t p = array;; p += sizeof(uint64_t)) {
        uint64_t s;

        if (copy_from_user(&s, p, sizeof(s)) != 0)
            return -EFAULT;
        if (s == 0)
            return n;
        if (skip > 0) {
            skip--;
            continue;
        }

        int err = add_user_string(a, s);

        if (err != 0)
            return err;
        n++;
    }
}

/* Copies all strings to @to in the current space. */
static int
copy_strings(const struct args *a, vaddr_t to)
{
    for (size_t done = 0; done < a->len; done += PAGE_SIZE)
        if (copy_to_user(to + done, a->pages[done / PAGE_SIZE],
                         MIN(PAGE_SIZE, a->len - done)) != 0)
            return -ENOMEM;
    return 0;
}

/* The offset behind the string that begins at @off. */
static size_t
next_string(const struct args *a, size_t off)
{
    while (a->pages[off / PAGE_SIZE][off % PAGE_SIZE] != '\0')
        off++;
    return off + 1;
}

/*
 * Writes @n pointers to successive strings, and NULL. *off: offset of the
 * first; moved behind the last.
 */
static int
put_pointers(const struct args *a, vaddr_t strings, size_t *off, unsigned n, vaddr_t *to)
{
    uint64_t p;

    for (; n > 0; n--, *to += sizeof(p)) {
        p = strings + *off;
        if (copy_to_user(*to, &p, sizeof(p)) != 0)
            return -ENOMEM;
        *off = next_string(a, *off);
    }
    p = 0;
    if (copy_to_user(*to, &p, sizeof(p)) != 0)
        return -ENOMEM;
    *to += sizeof(p);
    return 0;
}

struct aux {
    uint64_t type, value;
};

/* @execfn, @extra: user addresses of the name, and of platform string and random bytes. */
static unsigned
fill_auxv(struct aux *v, const struct start_info *info, vaddr_t execfn, vaddr_t platform,
          vaddr_t random)
{
    const struct elf_image *img = info->program;
    const struct cred *c = info->cred;
    const struct aux all[] = {
        {AT_PHDR, img->phdr},
        {AT_PHENT, sizeof(struct elf_phdr)},
        {AT_PHNUM, img->phnum},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_BASE, info->interpreter_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, img->entry},
        {AT_UID, c->uid},
        {AT_EUID, c->euid},
        {AT_GID, c->gid},
        {AT_EGID, c->egid},
        {AT_SECURE, info->secure},
        {AT_CLKTCK, 100},
        {AT_HWCAP, cpu_features.hwcap},
        {AT_HWCAP2, cpu_features.hwcap2},
        {AT_RANDOM, random},
        {AT_PLATFORM, platform},
        {AT_EXECFN, execfn},
        {AT_NULL, 0},
    };

    STATIC_ASSERT(ARRAY_SIZE(all) <= AUXV_MAX);
    memcpy(v, all, sizeof(all));
    return ARRAY_SIZE(all);
}

/* The pointers and the vector: everything below the strings, from @sp up. */
static int
put_vectors(const struct args *a, vaddr_t sp, vaddr_t strings, const struct aux *auxv,
            unsigned naux)
{
    struct space *s = current_thread()->space;
    uint64_t argc = a->argc;
    vaddr_t to = sp;
    size_t off = 0;

    if (copy_to_user(to, &argc, sizeof(argc)) != 0)
        return -ENOMEM;
    to += sizeof(argc);
    s->arg_start = strings;
    if (put_pointers(a, strings, &off, a->argc, &to) != 0)
        return -ENOMEM;
    s->arg_end = s->env_start = strings + off;
    if (put_pointers(a, strings, &off, a->envc, &to) != 0)
        return -ENOMEM;
    s->env_end = strings + off;
    memcpy(s->auxv, auxv, naux * sizeof(*auxv));
    return copy_to_user(to, auxv, naux * sizeof(*auxv)) != 0 ? -ENOMEM : 0;
}

/* The string that lies last: the program's name. */
static size_t
last_string(const struct args *a)
{
    size_t off = 0;

    for (unsigned i = 0; i < a->argc + a->envc; i++)
        off = next_string(a, off);
    return off;
}

int
args_layout(const struct args *a, const struct start_info *info, vaddr_t *sp)
{
    static const char platform[16] = "x86_64";
    struct aux auxv[AUXV_MAX];
    uint8_t random[16];
    vaddr_t strings = info->stack_top - sizeof(uint64_t) - a->len;
    vaddr_t extra = ROUND_DOWN(strings, 16) - sizeof(platform) - sizeof(random);
    unsigned naux =
        fill_auxv(auxv, info, strings + last_string(a), extra, extra + sizeof(platform));
    size_t vectors =
        (1 + a->argc + 1 + a->envc + 1) * sizeof(uint64_t) + naux * sizeof(auxv[0]);
    uint64_t end = 0;

    *sp = ROUND_DOWN(extra - vectors, 16);
    random_bytes(random, sizeof(random));
    if (copy_to_user(info->stack_top - sizeof(end), &end, sizeof(end)) != 0 ||
        copy_strings(a, strings) != 0 || copy_to_user(extra, platform, sizeof(platform)) != 0 ||
        copy_to_user(extra + sizeof(platform), random, sizeof(random)) != 0)
        return -ENOMEM;
    return put_vectors(a, *sp, strings, auxv, naux);
}
