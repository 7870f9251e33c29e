/*
 * musl_dynamic.c - a program whose interpreter is musl's loader.
 *
 * The kernel maps both, starts the loader, and tells it by AT_BASE, AT_PHDR and AT_ENTRY
 * what to do.
 */
/* build: dynamic */
#include "test.h"

#include <dlfcn.h>
#include <elf.h>
#include <sys/auxv.h>

extern const Elf64_Ehdr __ehdr_start;

int
main(void)
{
    const Elf64_Ehdr *eh = &__ehdr_start;
    unsigned long base = getauxval(AT_BASE);

    CHECK("AT_BASE is the loader", base != 0 && memcmp((void *)base, ELFMAG, SELFMAG) == 0);
    CHECK("AT_PHDR is the program's", getauxval(AT_PHDR) == (unsigned long)eh + eh->e_phoff);
    CHECK("AT_ENTRY is the program's",
          getauxval(AT_ENTRY) == eh->e_entry + (eh->e_type == ET_DYN ? (unsigned long)eh : 0));
    void *self = dlopen(NULL, RTLD_NOW);
    CHECK("dlopen of itself", self != NULL);
    CHECK("dlsym of the library", dlsym(self, "strlen") != NULL);
    CHECK("dlopen of nothing", dlopen("nobody.so", RTLD_NOW) == NULL);
    char *text = malloc(100000);
    memset(text, 'x', 99999);
    text[99999] = '\0';
    CHECK("malloc and strlen work", strlen(text) == 99999);
    free(text);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        _exit(strlen("seven!!"));
    show_status("a child calls through the same table", reap(pid));
    return finish();
}
