/*
 * cow_after_mprotect.c - taking the write right away and giving it back does not make
 * a shared page writable for two.
 *
 * mprotect must not turn the read-only mapping of a shared page into a writable one.
 */
#include "test.h"

static char *map, *file;

static void
child(void *arg)
{
    (void)arg;
    MUST(mprotect(map, 2 * PAGE, PROT_READ));
    MUST(mprotect(map, 2 * PAGE, PROT_READ | PROT_WRITE));
    MUST(mprotect(file, PAGE, PROT_READ));
    MUST(mprotect(file, PAGE, PROT_READ | PROT_WRITE));
    map[0] = 'c';
    file[0] = 'c';
    CHECK("the child's store", map[0] == 'c' && map[1] == 'p' && file[0] == 'c');
}

int
main(void)
{
    make_file("f", "text", 5);
    int fd = (int)MUST(open("f", O_RDONLY));
    file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    map = pages(2);
    memset(map, 'p', 2 * PAGE);
    CHECK("the file is mapped", file[0] == 't' && other[0] == 't');
    show_status("child", in_child(child, NULL));
    CHECK("the parent's page", all_bytes(map, 2 * PAGE, 'p'));
    CHECK("the parent's file page", file[0] == 't');
    CHECK("the file itself", other[0] == 't');
    MUST(mprotect(map, PAGE, PROT_READ));
    MUST(mprotect(map, PAGE, PROT_READ | PROT_WRITE));
    map[0] = 'x';
    CHECK("the parent writes in place", map[0] == 'x');
    return finish();
}
