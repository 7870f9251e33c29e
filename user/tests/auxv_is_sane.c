/*
 * auxv_is_sane.c - the auxiliary vector tells the program what it needs to know.
 *
 * Values differ; what each must mean is checked against the program itself.
 */
#include "test.h"

#include <elf.h>
#include <sys/auxv.h>

extern char **environ;
extern const Elf64_Ehdr __ehdr_start;

int
main(int argc, char **argv)
{
    const Elf64_Phdr *phdr = (const void *)getauxval(AT_PHDR);
    unsigned char *random = (unsigned char *)getauxval(AT_RANDOM);
    const char *name = (const char *)getauxval(AT_EXECFN);
    const char *platform = (const char *)getauxval(AT_PLATFORM);

    CHECK("AT_PAGESZ", getauxval(AT_PAGESZ) == PAGE);
    CHECK("AT_PHENT", getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
    CHECK("AT_PHNUM", getauxval(AT_PHNUM) == __ehdr_start.e_phnum);
    CHECK("AT_PHDR", (const char *)phdr == (const char *)&__ehdr_start + __ehdr_start.e_phoff);
    CHECK("AT_ENTRY is in the program", getauxval(AT_ENTRY) == __ehdr_start.e_entry);
    CHECK("AT_BASE is 0 without an interpreter", getauxval(AT_BASE) == 0);
    CHECK("AT_UID and AT_EUID",
          getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
    CHECK("AT_GID and AT_EGID",
          getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
    CHECK("AT_SECURE", getauxval(AT_SECURE) == 0);
    CHECK("AT_CLKTCK", getauxval(AT_CLKTCK) == 100);
    CHECK("AT_FLAGS", getauxval(AT_FLAGS) == 0);
    CHECK("AT_RANDOM points to bytes", random != NULL && !all_bytes(random, 16, 0));
    CHECK("AT_EXECFN names the program", name != NULL && strstr(name, "auxv_is_sane") != NULL);
    CHECK("AT_PLATFORM", platform != NULL && strcmp(platform, "x86_64") == 0);
    CHECK("argc", argc == 1 && argv[0] != NULL && argv[1] == NULL);
    CHECK("argv is followed by the environment", environ == argv + argc + 1);
    return finish();
}
