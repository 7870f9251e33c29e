/*
 * tty.c - terminals: bytes from the device to the readers, and from the writers to the device.
 *
 * Input takes two steps, so that nothing slow happens in an interrupt: tty_receive puts bytes
 * into a small raw ring, and the terminal's own thread runs them through the line discipline
 * (tty_line.c), echoes, and sends signals.  Job control and ioctls are in tty_control.c.
 *
 * Locks: T (tty->lock) for settings and the edited ring, R (raw_lock) for the raw one; never
 *        both.
 */
#include "kernel/dev/tty.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/poll.h"
#include "kernel/abi/signal.h"
#include "kernel/arch/clock.h"
#include "kernel/dev/tty_internal.h"
#include "kernel/lib/restart.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"

#define CHUNK      256 /* bytes moved at a time between a program and a terminal */
#define VTIME_UNIT (100 * NSEC_PER_MSEC)
#define DRAIN_MAX  NSEC_PER_SEC

/* The device's side. */

void
tty_receive(struct tty *tty, const uint8_t *buf, size_t n)
{
    spin_lock(&tty->raw_lock);
    for (size_t i = 0; i < n && tty->raw_head - tty->raw_read < TTY_RAW_SIZE; i++)
        tty->raw[tty->raw_head++ % TTY_RAW_SIZE] = buf[i];
    spin_unlock(&tty->raw_lock);
    waitq_wake_one(&tty->raw_event);
}

size_t
tty_receive_room(struct tty *tty)
{
    spin_lock(&tty->raw_lock);
    size_t room = TTY_RAW_SIZE - (tty->raw_head - tty->raw_read);
    spin_unlock(&tty->raw_lock);
    return room;
}

void
tty_output_ready(struct tty *tty)
{
    waitq_wake_all(&tty->writable);
}

static bool
raw_waiting(struct tty *tty)
{
    return READ_ONCE(tty->raw_head) != READ_ONCE(tty->raw_read);
}

/* One byte out of the raw ring. Returns false when it is empty. */
static bool
raw_take(struct tty *tty, uint8_t *c)
{
    bool any;

    spin_lock(&tty->raw_lock);
    any = raw_waiting(tty);
    if (any)
        *c = tty->raw[tty->raw_read++ % TTY_RAW_SIZE];
    spin_unlock(&tty->raw_lock);
    return any;
}

/* The terminal's thread. */
static void
input_thread(void *arg)
{
    struct tty *tty = arg;
    bool was_stopped, stopped;
    uint8_t c;
    int sig;

    for (;;) {
        wait_event(&tty->raw_event, raw_waiting(tty));
        while (raw_take(tty, &c)) {
            spin_lock(&tty->lock);
            was_stopped = tty->stopped;
            sig = line_receive(tty, c);
            stopped = tty->stopped;
            spin_unlock(&tty->lock);

            if (sig != 0)
                tty_signal_foreground(tty, sig);
            if (was_stopped && !stopped)
                waitq_wake_all(&tty->writable);
        }
        waitq_wake_all(&tty->readable);
        tty->ops->receive_more(tty);
    }
}

int
tty_init(struct tty *tty, const char *name, const struct tty_ops *ops)
{
    struct thread *t;

    memset(tty, 0, sizeof(*tty));
    tty->lock = (struct spinlock)SPINLOCK_INIT("tty");
    tty->raw_lock = (struct spinlock)SPINLOCK_INIT("tty raw");
    tty->name = name;
    tty->ops = ops;
    tty->termios = line_default_termios;
    tty->winsize = (struct winsize){.ws_row = 24, .ws_col = 80};
    waitq_init(&tty->readable);
    waitq_init(&tty->writable);
    waitq_init(&tty->raw_event);

    t = thread_create("tty", input_thread, tty);
    if (t == NULL)
        return -ENOMEM;
    thread_start(t);
    return 0;
}

/* Reading. */

/* What a reader waits for: input, the end, or another mode than it began with. */
static bool
read_event(struct tty *tty, uint32_t mode)
{
    bool event;

    spin_lock(&tty->lock);
    event = line_ready(tty) || ((tty->termios.c_lflag ^ mode) & ICANON);
    spin_unlock(&tty->lock);
    return event;
}

/* How one read() goes on; decided by VMIN and VTIME in raw mode (POSIX 11.1.7). */
struct reading {
    struct uio *uio;
    ssize_t total;
    uint32_t mode;      /* c_lflag at the time of the last look */
    unsigned min, time; /* the same for VMIN and VTIME */
};

enum read_next { READ_WAIT, READ_DONE, READ_MORE };

/* Moves one chunk of what is there to the reader. Returns enum read_next, or -EFAULT. */
static int
read_chunk(struct tty *tty, struct reading *r)
{
    uint8_t buf[CHUNK];
    size_t n, size = MIN(sizeof(buf), r->uio->left);
    bool end, more;

    spin_lock(&tty->lock);
    r->mode = tty->termios.c_lflag;
    r->min = tty->termios.c_cc[VMIN];
    r->time = tty->termios.c_cc[VTIME];
    n = line_take(tty, buf, size, &end);
    more = line_ready(tty);
    spin_unlock(&tty->lock);

    if (n > 0 && uio_put(r->uio, buf, n) != 0)
        return -EFAULT;
    r->total += (ssize_t)n;
    if (end || r->uio->left == 0)
        return READ_DONE;
    if (n == size && n > 0 && more)
        return READ_MORE;
    if (r->mode & ICANON)
        return r->total > 0 ? READ_DONE : READ_WAIT;
    if (r->total >= (ssize_t)MAX(r->min, 1U) || (r->min == 0 && r->time == 0))
        return READ_DONE;
    return READ_WAIT;
}

/* When to stop waiting: VTIME counts from the start if VMIN is 0, else between bytes. */
static nsec_t
read_deadline(const struct reading *r)
{
    if ((r->mode & ICANON) || r->time == 0 || (r->min > 0 && r->total == 0))
        return UINT64_MAX;
    return clock_now() + r->time * VTIME_UNIT;
}

ssize_t
tty_read(struct tty *tty, struct uio *u, bool nonblock)
{
    struct reading r = {.uio = u};
    int err;

    if (u->left == 0)
        return 0;
    for (;;) {
        err = tty_check_background(tty, SIGTTIN);
        if (err == 0)
            err = read_chunk(tty, &r);
        if (err == READ_MORE)
            continue;
        if (err == READ_DONE)
            return r.total;
        if (err == READ_WAIT && nonblock)
            err = -EAGAIN;
        if (err < 0)
            return r.total > 0 ? r.total : err;

        err = wait_event_full(&tty->readable, read_event(tty, r.mode), SLEEP_INTERRUPTIBLE,
                              read_deadline(&r));
        if (err == -ETIMEDOUT)
            return r.total;
        if (err != 0)
            return r.total > 0 ? r.total : -ERESTARTSYS;
    }
}

/* Writing. */

/* Sends @n bytes if that can be done now. False: there is no room, or ^S. */
static bool
try_output(struct tty *tty, const char *buf, size_t n)
{
    spin_lock(&tty->lock);
    bool can = !tty->stopped && tty->ops->room(tty) >= n * LINE_EXPANSION;
    if (can)
        line_output(tty, buf, n);
    spin_unlock(&tty->lock);
    return can;
}

/* The same, waiting until it can be done. Returns 0, -EAGAIN or -ERESTARTSYS. */
static int
output(struct tty *tty, const char *buf, size_t n, bool nonblock)
{
    if (try_output(tty, buf, n))
        return 0;
    if (nonblock)
        return -EAGAIN;
    return wait_event_interruptible(&tty->writable, try_output(tty, buf, n)) != 0 ? -ERESTARTSYS
                                                                                  : 0;
}

ssize_t
tty_write(struct tty *tty, struct uio *u, bool nonblock)
{
    char buf[CHUNK];
    ssize_t total = 0;
    int err = 0;

    while (u->left > 0 && err == 0) {
        struct uio before = *u;
        size_t n = MIN(sizeof(buf), u->left);

        if (READ_ONCE(tty->termios.c_lflag) & TOSTOP)
            err = tty_check_background(tty, SIGTTOU);
        if (err == 0)
            err = uio_take(u, buf, n);
        if (err == 0)
            err = output(tty, buf, n, nonblock);
        if (err == 0)
            total += (ssize_t)n;
        else
            *u = before; /* taken but not sent: as if never taken */
    }
    return total > 0 ? total : err;
}

unsigned
tty_poll(struct tty *tty)
{
    unsigned mask = 0;

    spin_lock(&tty->lock);
    if (line_ready(tty))
        mask |= POLLIN | POLLRDNORM;
    if (!tty->stopped && tty->ops->room(tty) >= CHUNK * LINE_EXPANSION)
        mask |= POLLOUT | POLLWRNORM;
    spin_unlock(&tty->lock);
    return mask;
}

void
tty_drain(struct tty *tty)
{
    (void)wait_event_full(&tty->writable, tty->ops->pending(tty) == 0, SLEEP_INTERRUPTIBLE,
                          clock_now() + DRAIN_MAX);
}
