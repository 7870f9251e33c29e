/*
 * commit.c - the account of promises.
 *
 * SIMPLE: pages of tmpfs are not in the account; it limits itself to half of RAM, which is the
 * half that strict accounting leaves out.  Linux also keeps a little back for root.
 */
#include "mm/commit.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/swap.h"

static enum commit_mode mode;
static uint64_t promised; /* atomic: pages */

static uint64_t
ram_pages(void)
{
    struct frame_stats f;

    frame_get_stats(&f);
    return f.total;
}

uint64_t
commit_total(void)
{
    return READ_ONCE(promised);
}

uint64_t
commit_limit(void)
{
    return ram_pages() * COMMIT_RAM_PERCENT / 100 + swap_slots();
}

int
commit_charge(uint64_t pages)
{
    if (mode == COMMIT_HEURISTIC && pages > ram_pages() + swap_slots())
        return -ENOMEM;

    uint64_t now = __atomic_add_fetch(&promised, pages, __ATOMIC_RELAXED);

    if (mode != COMMIT_STRICT || pages == 0 || now <= commit_limit())
        return 0;
    commit_release(pages);
    return -ENOMEM;
}

void
commit_release(uint64_t pages)
{
    uint64_t now = __atomic_sub_fetch(&promised, pages, __ATOMIC_RELAXED);

    ASSERT(now + pages >= pages);
}

enum promise
commit_promise(unsigned prot, bool noreserve)
{
    if (noreserve && mode != COMMIT_STRICT)
        return PROMISE_NEVER;
    return prot & PROT_WRITE ? PROMISE_MADE : PROMISE_NONE;
}

enum commit_mode
commit_get_mode(void)
{
    return mode;
}

void commit_set_mode(enum commit_mode new)
{
    mode = new;
}

void
commit_init(void)
{
    static const char *const names[] = {"heuristic", "always", "strict"};
    char text[16];

    if (!boot_option("overcommit", text, sizeof(text)))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i]) == 0 || (text[0] == (char)('0' + i) && text[1] == '\0')) {
            mode = i;
            return;
        }
    kprintf("commit: there is no overcommit=%s: heuristic (0), always (1) or strict (2); it is "
            "heuristic\n",
            text);
}
