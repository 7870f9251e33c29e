/*
 * linux_init.c - pid 1 of the Linux that Vitrine is measured beside.
 *
 * It loads the drivers in /modules in the order of their names, mounts /proc and /dev, takes
 * the first disk as /disk (ext2) and the second, if there is one, for swap, starts /bin/vmbench
 * with the words of /arguments, each ended by a NUL, and switches the machine off.
 */
/* build: -mgeneral-regs-only */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void
load_modules(void)
{
    struct dirent **names;
    int n = scandir("/modules", &names, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        char path[300];
        snprintf(path, sizeof(path), "/modules/%s", names[i]->d_name);
        int fd = names[i]->d_name[0] == '.' ? -1 : open(path, O_RDONLY);
        if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0) < 0)
            perror(path);
        close(fd);
    }
}

static void
mount_all(void)
{
    mkdir("/proc", 0755);
    mkdir("/dev", 0755);
    mkdir("/disk", 0755);
    mount("proc", "/proc", "proc", 0, "");
    mount("dev", "/dev", "devtmpfs", 0, "");
    if (access("/dev/vda", F_OK) == 0 && mount("/dev/vda", "/disk", "ext2", MS_RDONLY, "") < 0)
        perror("/dev/vda");
    if (access("/dev/vdb", F_OK) == 0 && swapon("/dev/vdb", 0) < 0)
        perror("/dev/vdb");
}

static void
run_benchmark(void)
{
    static char words[4096], *argv[128];
    int fd = open("/arguments", O_RDONLY), n = 0;
    ssize_t size = read(fd, words, sizeof(words) - 1);

    close(fd);
    for (char *word = words; word < words + size && n < 127; word += strlen(word) + 1)
        argv[n++] = word;
    execv("/bin/vmbench", argv);
    perror("/bin/vmbench");
    _exit(127);
}

int
main(void)
{
    load_modules();
    mount_all();
    if (fork() == 0)
        run_benchmark();
    wait(NULL);
    reboot(RB_POWER_OFF);
    return 1;
}
