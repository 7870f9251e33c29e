/*
 * identity.c - the name of the host, which can be changed while it is read.
 *
 * Called by uname() and sethostname() in kernel/sys and by /proc/sys/kernel/hostname.
 */
#include "kernel/proc/identity.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/string.h"

static struct spinlock identity_lock = SPINLOCK_INIT("identity");
static char hostname[HOSTNAME_MAX + 1] = "vitrine"; /* identity_lock */

void
identity_get_hostname(char *buf)
{
    spin_lock(&identity_lock);
    memcpy(buf, hostname, sizeof(hostname));
    spin_unlock(&identity_lock);
}

int
identity_set_hostname(const char *name, size_t n)
{
    if (n > HOSTNAME_MAX)
        return -EINVAL;
    spin_lock(&identity_lock);
    memset(hostname, 0, sizeof(hostname));
    memcpy(hostname, name, n);
    spin_unlock(&identity_lock);
    return 0;
}
