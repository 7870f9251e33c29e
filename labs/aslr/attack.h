/*
 * attack.h - what an attacker has: the victim's file, and two pipes to the victim itself.
 *
 * All words are of eight bytes.
 */
#pragma once

#include "labs/lab.h"

#include <elf.h>

/* symbol - of the victim's file: how far from the program's first byte, and how many bytes. */
struct symbol {
    uint64_t offset, size;
};

/* tell - say one word to the victim. */
SHARED void
tell(uint64_t word)
{
    if (write(1, &word, sizeof(word)) != sizeof(word))
        _exit(1);
}

/* hear - the next word that the victim says. */
SHARED uint64_t
hear(void)
{
    uint64_t word;
    size_t done = 0;

    while (done < sizeof(word)) {
        ssize_t n = read(0, (char *)&word + done, sizeof(word) - done);
        if (n <= 0)
            _exit(1);
        done += (size_t)n;
    }
    return word;
}

/* symbol_of - a function of the victim, such as "opened"; ends the program if there is none. */
SHARED struct symbol
symbol_of(const char *name)
{
    static char file[1 << 20];
    int fd = (int)MUST(open("/lab/victim", O_RDONLY));
    ssize_t size = MUST(read(fd, file, sizeof(file)));
    const Elf64_Ehdr *e = (const Elf64_Ehdr *)file;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(file + e->e_shoff);

    MUST(size < (ssize_t)sizeof(file) ? 0 : -1);
    close(fd);
    for (const Elf64_Shdr *s = sections; s < sections + e->e_shnum; s++) {
        const Elf64_Sym *symbols = (const Elf64_Sym *)(file + s->sh_offset);
        const char *names = file + sections[s->sh_link].sh_offset;

        for (size_t i = 0; s->sh_type == SHT_SYMTAB && i < s->sh_size / sizeof(*symbols); i++)
            if (strcmp(names + symbols[i].st_name, name) == 0)
                return (struct symbol){symbols[i].st_value, symbols[i].st_size};
    }
    dprintf(2, "the victim has no function %s\n", name);
    _exit(1);
}
