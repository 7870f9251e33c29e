/*
 * swapon_refuses.c - swapon and swapoff of what is no swap area.
 *
 * With arguments DEVICE PRIORITY it begins to use an area, for there is no swapon(8) that can.
 */
/* needs: root */
#include "test.h"

#include <sys/swap.h>

static void
result(const char *what, int r)
{
    say("%s: %s\n", what, r == 0 ? "ok" : errno_name(errno));
}

int
main(int argc, char **argv)
{
    const char *name = "/tmp/swapon_refuses";

    if (argc == 3)
        return swapon(argv[1], SWAP_FLAG_PREFER | atoi(argv[2])) != 0;
    close(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    result("swapon of nothing", swapon("/tmp/there/is/none", 0));
    result("swapon of an empty file", swapon(name, 0));
    result("swapon of a directory", swapon("/tmp", 0));
    result("swapon of /dev/null", swapon("/dev/null", 0));
    result("swapon of a bad address", swapon((char *)1, 0));
    result("swapoff of nothing", swapoff("/tmp/there/is/none"));
    result("swapoff of a file", swapoff(name));
    result("swapoff of a directory", swapoff("/tmp"));
    if (setuid(65534) != 0)
        say("setuid failed\n");
    result("swapon by somebody", swapon(name, 0));
    result("swapoff by somebody", swapoff(name));
    return 0;
}
