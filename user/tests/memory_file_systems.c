/*
 * memory_file_systems.c - files in /tmp and /dev/shm behave as files on the disk do, and
 * can be mapped and shared.
 */
#include "test.h"

static void
check_in(const char *where)
{
    char path[128], other[128], buf[64] = "";
    struct stat st;

    snprintf(path, sizeof(path), "%s/vitrine-test-%d", where, (int)getpid());
    snprintf(other, sizeof(other), "%s/vitrine-other-%d", where, (int)getpid());
    say("%s\n", where);
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
    show_ok("  create", fd);
    show("  ftruncate", ftruncate(fd, 100000));
    char *map = mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    show_ok("  map", (long)map);
    strcpy(map + 50000, "through the mapping");
    show("  read", pread(fd, buf, 20, 50000));
    say("  %s\n", buf);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        strcpy(map + 50000, "from the child");
        _exit(0);
    }
    reap(pid);
    MUST(pread(fd, buf, 20, 50000));
    say("  %s\n", buf);
    show("  rename", rename(path, other));
    show("  the old name", access(path, F_OK));
    MUST(stat(other, &st));
    show("  size", st.st_size);
    show("  link", link(other, path));
    MUST(stat(other, &st));
    show("  links", (long)st.st_nlink);
    show("  unlink", unlink(path) + unlink(other));
    show("  still open", pread(fd, buf, 20, 50000));
    show("  mkdir", mkdir(path, 0700));
    show("  symlink", symlink("x", other));
    show("  mkdir over it", mkdir(other, 0700));
    show("  rmdir, unlink", rmdir(path) + unlink(other));
    show("  to another file system", rename("f", path));
    show("  link there", link("f", path));
    munmap(map, 100000);
    close(fd);
}

int
main(void)
{
    make_file("f", "f", 1);
    struct stat here, tmp;
    MUST(stat(".", &here));
    check_in("/dev/shm");
    MUST(stat("/tmp", &tmp));
    CHECK("/tmp is a sticky directory", (tmp.st_mode & 07777) == 01777);
    return finish();
}
