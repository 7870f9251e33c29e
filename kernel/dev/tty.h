/*
 * tty.h - terminals: the line discipline between a device and the programs.
 *
 *   - Bytes come in from interrupts by tty_receive; a kernel thread runs them through the line
 *     discipline (editing, echo, signals), so signals are sent from a thread, with no lock
 *     held.
 *   - A tty belongs to at most one session; one of its groups is in the foreground.
 *   - What processes, groups and sessions are, proc/ knows: it registers struct tty_upcalls.
 *
 * Locks: T = tty->lock (spin; may be taken under no other lock but may take the devices').
 */
#pragma once

#include "kernel/abi/termios.h"
#include "kernel/arch/uio.h"
#include "kernel/lib/types.h"
#include "kernel/sched/waitq.h"

#define TTY_INPUT_SIZE 4096 /* bytes of edited input; also the longest line */
#define TTY_RAW_SIZE   1024 /* bytes from the device that the thread has not seen yet */

struct tty;

struct tty_ops {
    /* Room for output, in bytes. T held. */
    size_t (*room)(struct tty *tty);
    /* Sends @n <= room bytes. T held. */
    void (*write)(struct tty *tty, const char *buf, size_t n);
    /* Bytes not yet on the wire. */
    size_t (*pending)(struct tty *tty);
    /* tty_receive_room has grown. No lock held. */
    void (*receive_more)(struct tty *tty);
};

struct tty {
    struct spinlock lock;
    const char *name; /* "console" */
    const struct tty_ops *ops;
    struct termios termios; /* T */
    struct winsize winsize; /* T */
    pid_t session;          /* T: 0: nobody's controlling terminal */
    pid_t foreground;       /* T: process group; 0: none */
    bool stopped;           /* T: output held by ^S */
    bool literal_next;      /* T: ^V was typed */
    unsigned column;        /* T: of the output cursor, for tabs and erasing */
    unsigned line_column;   /* T: where the line that is typed began */

    /* T: edited input, a ring with free-running positions: read <= canon <= head. */
    uint32_t read, canon, head;
    uint8_t input[TTY_INPUT_SIZE];
    uint64_t line_end[TTY_INPUT_SIZE / 64]; /* bit set: a line ends with this byte */

    struct waitq readable; /* input came */
    struct waitq writable; /* room came, or ^Q */

    struct spinlock raw_lock;    /* R */
    uint32_t raw_read, raw_head; /* R */
    uint8_t raw[TTY_RAW_SIZE];   /* R */
    struct waitq raw_event;
};

/*
 * What tty needs to know of processes; "caller" is the running thread's process. All are called
 * from a thread with no lock held; they may sleep.
 */
struct tty_upcalls {
    void (*signal_group)(pid_t pgrp, int sig);
    pid_t (*caller_pgrp)(void);
    pid_t (*caller_session)(void);
    bool (*caller_is_session_leader)(void);
    bool (*caller_blocks)(int sig); /* blocked or ignored */
    bool (*group_orphaned)(pid_t pgrp);
    pid_t (*group_session)(pid_t pgrp);       /* session of a group; -ESRCH: no such group */
    struct tty *(*session_tty)(void);         /* controlling tty of the caller's session */
    void (*set_session_tty)(struct tty *tty); /* make it that; NULL takes it away */
};

/* Registers them; once, before the first process. */
void tty_set_upcalls(const struct tty_upcalls *up);

/* The controlling terminal of the caller's session, or NULL: what /dev/tty opens. No lock held. */
struct tty *tty_controlling(void);

/* Makes a tty with the usual settings over a device; starts its thread. 0 or -ENOMEM. */
int tty_init(struct tty *tty, const char *name, const struct tty_ops *ops) MUST_CHECK;

/* Input from the device. Any context; what finds no room is dropped. */
void tty_receive(struct tty *tty, const uint8_t *buf, size_t n);

/* How many bytes tty_receive would take now. Any context. */
size_t tty_receive_room(struct tty *tty);

/* Writers may go on: the device has room again. Any context. */
void tty_output_ready(struct tty *tty);

/*
 * tty_open - what open() means beyond the file: a session leader without a terminal gets this
 * one.
 * @noctty: O_NOCTTY.
 */
void tty_open(struct tty *tty, bool noctty);

/*
 * tty_read, tty_write - as read() and write() on a terminal (POSIX 11.1).
 * Sleep, interruptibly, unless @nonblock; no lock held.
 * Return: bytes moved; 0 for ^D; -EAGAIN; -EIO; -EFAULT;
 *         -ERESTARTSYS when a signal came first, a SIGTTIN or SIGTTOU to the caller's group
 *         included.
 */
ssize_t tty_read(struct tty *tty, struct uio *u, bool nonblock);
ssize_t tty_write(struct tty *tty, struct uio *u, bool nonblock);

/*
 * tty_ioctl - the calls of abi/termios.h.
 * @arg: a user address or a number, as the command says.
 * Returns: 0; -ENOTTY for an unknown command; -EFAULT, -EINVAL, -EPERM, -EIO, -ESRCH,
 *          -ERESTARTSYS.
 */
int tty_ioctl(struct tty *tty, unsigned cmd, uint64_t arg);

/* POLLIN and POLLOUT as they hold now. Wait on tty->readable and tty->writable. */
unsigned tty_poll(struct tty *tty);

/*
 * tty_session_ended - the leader of the session that @tty controls exits or gives it up: the
 * foreground group gets SIGHUP and SIGCONT, the tty is free for another session. Does nothing
 * when @session does not own it.
 */
void tty_session_ended(struct tty *tty, pid_t session);

/* Pushes what was written to the wire: waits, at most a second. */
void tty_drain(struct tty *tty);
