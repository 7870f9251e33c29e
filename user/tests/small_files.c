/*
 * small_files.c - two hundred files written, synced, read back and removed, with names
 * and contents that follow a rule.
 */
/* also: tmpfs */
#include "test.h"

int
main(void)
{
    char name[32], text[600], got[600];
    int wrong = 0;

    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        memset(text, 'a' + i % 26, sizeof(text));
        make_file(name, text, (size_t)(i * 3));
    }
    int fd = (int)MUST(open("f199", O_RDWR));
    show("fdatasync", fdatasync(fd));
    close(fd);
    for (int i = 199; i >= 0; i--) {
        snprintf(name, sizeof(name), "f%d", i);
        fd = (int)MUST(open(name, O_RDONLY));
        ssize_t n = read(fd, got, sizeof(got));
        wrong += n != i * 3 || !all_bytes(got, (size_t)(i * 3), (unsigned char)('a' + i % 26));
        close(fd);
    }
    show("wrong ones", wrong);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "f%d", (i * 7) % 200);
        wrong += unlink(name) != 0;
    }
    show("not removed", wrong);
    return finish();
}
