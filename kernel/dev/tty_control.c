/*
 * tty_control.c - terminals and job control: sessions, foreground and background, ioctls.
 *
 * The rules are POSIX 11.1.1 to 11.1.4 (general terminal interface) and, for the ioctls,
 * Linux's ioctl_tty(2).  Processes are known here only by numbers, through the upcalls.
 *
 * Locks: T is never held across an upcall or a touch of user memory.
 */
#include "kernel/dev/tty_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/signal.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/restart.h"
#include "kernel/lib/string.h"

static const struct tty_upcalls *up;

void
tty_set_upcalls(const struct tty_upcalls *calls)
{
    up = calls;
}

struct tty *
tty_controlling(void)
{
    return up != NULL ? up->session_tty() : NULL;
}

int
tty_check_background(struct tty *tty, int sig)
{
    pid_t foreground, session, group;

    if (up == NULL)
        return 0;
    spin_lock(&tty->lock);
    foreground = tty->foreground;
    session = tty->session;
    spin_unlock(&tty->lock);
    if (session == 0 || foreground == 0 || session != up->caller_session())
        return 0;
    group = up->caller_pgrp();
    if (group == foreground)
        return 0;

    if (up->caller_blocks(sig))
        return sig == SIGTTIN ? -EIO : 0;
    if (up->group_orphaned(group))
        return -EIO;
    up->signal_group(group, sig);
    return -ERESTARTSYS;
}

void
tty_signal_foreground(struct tty *tty, int sig)
{
    pid_t group;

    spin_lock(&tty->lock);
    group = tty->foreground;
    spin_unlock(&tty->lock);
    if (up != NULL && group > 0)
        up->signal_group(group, sig);
}

/* Sessions. */

/* Makes @tty the terminal of the caller's session, if it is nobody's. Returns 0 or -EPERM. */
static int
acquire(struct tty *tty)
{
    pid_t session = up->caller_session();
    pid_t group = up->caller_pgrp();
    int err = 0;

    spin_lock(&tty->lock);
    if (tty->session != 0) {
        err = -EPERM;
    } else {
        tty->session = session;
        tty->foreground = group;
    }
    spin_unlock(&tty->lock);
    if (err == 0)
        up->set_session_tty(tty);
    return err;
}

void
tty_open(struct tty *tty, bool noctty)
{
    if (noctty || up == NULL || !up->caller_is_session_leader() || up->session_tty() != NULL)
        return;
    (void)acquire(tty); /* somebody else's: then it is just a file */
}

/* Is @tty the controlling terminal of the caller? */
static bool
controls_caller(struct tty *tty)
{
    return up != NULL && up->session_tty() == tty &&
           READ_ONCE(tty->session) == up->caller_session();
}

void
tty_session_ended(struct tty *tty, pid_t session)
{
    pid_t group = 0;

    spin_lock(&tty->lock);
    if (tty->session == session) {
        group = tty->foreground;
        tty->session = 0;
        tty->foreground = 0;
    }
    spin_unlock(&tty->lock);
    if (group <= 0 || up == NULL)
        return;
    up->signal_group(group, SIGHUP);
    up->signal_group(group, SIGCONT);
}

static int
set_controlling(struct tty *tty)
{
    if (up == NULL)
        return -EPERM;
    if (up->caller_is_session_leader() && controls_caller(tty))
        return 0;
    if (!up->caller_is_session_leader() || up->session_tty() != NULL)
        return -EPERM;
    return acquire(tty);
}

/*
 * SIMPLE: the controlling terminal belongs to the session as a whole, so a process that is not
 * its leader cannot give it up for itself alone, as it can on Linux; the call succeeds and
 * changes nothing.
 */
static int
give_up(struct tty *tty)
{
    if (!controls_caller(tty))
        return -ENOTTY;
    if (up->caller_is_session_leader()) {
        tty_session_ended(tty, up->caller_session());
        up->set_session_tty(NULL);
    }
    return 0;
}

/* Copies @n bytes of @tty, which others may be changing, to the user. */
static int
copy_out(struct tty *tty, vaddr_t arg, const void *field, size_t n)
{
    uint8_t copy[sizeof(struct termios)];

    ASSERT(n <= sizeof(copy));
    spin_lock(&tty->lock);
    memcpy(copy, field, n);
    spin_unlock(&tty->lock);
    return copy_to_user(arg, copy, n);
}

static int
get_group(struct tty *tty, vaddr_t arg, const pid_t *which)
{
    return controls_caller(tty) ? copy_out(tty, arg, which, sizeof(*which)) : -ENOTTY;
}

static int
set_group(struct tty *tty, vaddr_t arg)
{
    int err = tty_check_background(tty, SIGTTOU);
    pid_t group, session;

    if (err != 0)
        return err == -EIO ? -ENOTTY : err;
    if (!controls_caller(tty))
        return -ENOTTY;
    err = copy_from_user(&group, arg, sizeof(group));
    if (err != 0)
        return err;
    if (group < 0)
        return -EINVAL;
    session = up->group_session(group);
    if (session < 0)
        return -ESRCH;
    if (session != up->caller_session())
        return -EPERM;
    spin_lock(&tty->lock);
    if (tty->session == session)
        tty->foreground = group;
    spin_unlock(&tty->lock);
    return 0;
}

/* Settings. */

static int
set_termios(struct tty *tty, unsigned cmd, vaddr_t arg)
{
    struct termios t;
    int err = copy_from_user(&t, arg, sizeof(t));

    if (err != 0)
        return err;
    if (cmd != TCSETS)
        tty_drain(tty);
    spin_lock(&tty->lock);
    if (cmd == TCSETSF)
        line_flush(tty);
    line_set_termios(tty, &t);
    spin_unlock(&tty->lock);
    /* A reader that waits for a line may now have bytes, or the other way round. */
    waitq_wake_all(&tty->readable);
    waitq_wake_all(&tty->writable);
    return 0;
}

static int
set_winsize(struct tty *tty, vaddr_t arg)
{
    struct winsize w;
    int err = copy_from_user(&w, arg, sizeof(w));

    if (err != 0)
        return err;
    spin_lock(&tty->lock);
    bool changed = memcmp(&w, &tty->winsize, sizeof(w)) != 0;
    tty->winsize = w;
    spin_unlock(&tty->lock);
    if (changed)
        tty_signal_foreground(tty, SIGWINCH);
    return 0;
}

/* What was written is already the device's, so only input can be thrown away. */
static int
flush_queues(struct tty *tty, uint64_t which)
{
    if (which != TCIFLUSH && which != TCOFLUSH && which != TCIOFLUSH)
        return -EINVAL;
    if (which == TCOFLUSH)
        return 0;
    spin_lock(&tty->lock);
    line_flush(tty);
    spin_unlock(&tty->lock);
    return 0;
}

/* TCOOFF and TCOON; the other two would send ^S and ^Q to a terminal that knows neither. */
static int
set_flow(struct tty *tty, uint64_t action)
{
    if (action > TCION)
        return -EINVAL;
    spin_lock(&tty->lock);
    if (action == TCOOFF || action == TCOON)
        tty->stopped = action == TCOOFF;
    spin_unlock(&tty->lock);
    waitq_wake_all(&tty->writable);
    return 0;
}

static int
count_bytes(struct tty *tty, unsigned cmd, vaddr_t arg)
{
    int32_t n;

    spin_lock(&tty->lock);
    n = (int32_t)(cmd == FIONREAD ? line_readable_bytes(tty) : tty->ops->pending(tty));
    spin_unlock(&tty->lock);
    return copy_to_user(arg, &n, sizeof(n));
}

/* True for what a background process may not do without SIGTTOU, job control apart. */
static bool
changes_terminal(unsigned cmd)
{
    return cmd == TCSETS || cmd == TCSETSW || cmd == TCSETSF || cmd == TCFLSH ||
           cmd == TCXONC || cmd == TCSBRK || cmd == TCSBRKP;
}

int
tty_ioctl(struct tty *tty, unsigned cmd, uint64_t arg)
{
    int err = changes_terminal(cmd) ? tty_check_background(tty, SIGTTOU) : 0;

    if (err != 0)
        return err;
    switch (cmd) {
    case TCGETS:
        return copy_out(tty, arg, &tty->termios, sizeof(tty->termios));
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return set_termios(tty, cmd, arg);
    case TIOCGWINSZ:
        return copy_out(tty, arg, &tty->winsize, sizeof(tty->winsize));
    case TIOCSWINSZ:
        return set_winsize(tty, arg);
    case TIOCGPGRP:
        return get_group(tty, arg, &tty->foreground);
    case TIOCGSID:
        return get_group(tty, arg, &tty->session);
    case TIOCSPGRP:
        return set_group(tty, arg);
    case TIOCSCTTY:
        return set_controlling(tty);
    case TIOCNOTTY:
        return give_up(tty);
    case FIONREAD:
    case TIOCOUTQ:
        return count_bytes(tty, cmd, arg);
    case TCFLSH:
        return flush_queues(tty, arg);
    case TCXONC:
        return set_flow(tty, arg);
    case TCSBRK:
    case TCSBRKP: /* a break means nothing to a console: what remains is to wait */
        tty_drain(tty);
        return 0;
    default:
        return -ENOTTY;
    }
}
