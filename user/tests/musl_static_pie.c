/*
 * musl_static_pie.c - a program without a fixed address: the kernel chooses one, the
 * program relocates itself with what the auxiliary vector tells.
 */
/* build: static-pie */
#include "test.h"

#include <elf.h>
#include <sys/auxv.h>

extern const Elf64_Ehdr __ehdr_start;

static int value = 5;
static int *const pointer = &value; /* needs a relocation */
static const char *const words[] = {"relocated", "pointers", "to", "strings"};

int
main(void)
{
    const Elf64_Ehdr *eh = &__ehdr_start;

    CHECK("it is ET_DYN", eh->e_type == ET_DYN);
    CHECK("AT_PHDR", getauxval(AT_PHDR) == (unsigned long)eh + eh->e_phoff);
    CHECK("AT_ENTRY", getauxval(AT_ENTRY) == (unsigned long)eh + eh->e_entry);
    CHECK("AT_BASE is 0", getauxval(AT_BASE) == 0);
    CHECK("it is aligned to pages", ((unsigned long)eh & (PAGE - 1)) == 0);
    CHECK("not at the bottom", (unsigned long)eh > (1UL << 32));
    CHECK("a pointer in data", *pointer == 5);
    say("%s %s %s %s\n", words[0], words[1], words[2], words[3]);
    return finish();
}
