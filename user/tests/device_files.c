/*
 * device_files.c - /dev/null, zero, full, random and urandom do what their names say.
 */
#include "test.h"

int
main(void)
{
    unsigned char buf[4096], other[4096];
    struct stat st;

    memset(buf, 'x', sizeof(buf));
    int null = (int)MUST(open("/dev/null", O_RDWR)),
        zero = (int)MUST(open("/dev/zero", O_RDWR));
    int full = (int)MUST(open("/dev/full", O_RDWR)),
        random = (int)MUST(open("/dev/urandom", O_RDONLY));
    show("read null", read(null, buf, sizeof(buf)));
    show("write null", write(null, buf, sizeof(buf)));
    show("read zero", read(zero, buf, sizeof(buf)));
    CHECK("zeros", all_bytes(buf, sizeof(buf), 0));
    show("write zero", write(zero, buf, sizeof(buf)));
    show("read full", read(full, buf, sizeof(buf)));
    show("write full", write(full, buf, 1));
    show("read urandom", read(random, buf, sizeof(buf)));
    show("again", read(random, other, sizeof(other)));
    CHECK("not the same", memcmp(buf, other, sizeof(buf)) != 0);
    int kinds = 0;
    for (int i = 0; i < 256; i++)
        kinds += memchr(buf, i, sizeof(buf)) != NULL;
    CHECK("nearly all bytes occur", kinds > 240);
    show_ok("/dev/random", open("/dev/random", O_RDONLY));
    MUST(fstat(null, &st));
    CHECK("null is a character device", S_ISCHR(st.st_mode));
    say("null is %u:%u\n", (unsigned)(st.st_rdev >> 8), (unsigned)(st.st_rdev & 255));
    MUST(fstat(zero, &st));
    say("zero is %u:%u\n", (unsigned)(st.st_rdev >> 8), (unsigned)(st.st_rdev & 255));
    show("O_TRUNC on null", open("/dev/null", O_WRONLY | O_TRUNC) >= 0);
    show_ok("a device that is not there", open("/dev/nobody", O_RDONLY));
    char *map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, null, 0);
    show_ok("map null", (long)map);
    return finish();
}
