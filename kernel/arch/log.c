/*
 * log.c - the kernel's log: a ring of text, and the consoles that receive it.
 *
 * The contract is kernel/lib/printf.h's; it lives here because it takes a spin lock.
 * A position counts all bytes ever logged, so the ring holds [end - LOG_SIZE, end).
 * Consoles are called with the lock held and interrupts off, a piece of text at a time.
 */
#include "kernel/arch/log.h"

#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

#define SINKS_MAX 4

static struct {
    struct spinlock lock;      /* guards all below */
    uint64_t end;              /* bytes ever logged */
    log_sink sinks[SINKS_MAX]; /* the first nsinks */
    unsigned nsinks;
    bool panic;
} logbuf = {.lock = SPINLOCK_INIT("log")};

static char
    ring[LOG_SIZE]; /* guarded by logbuf.lock; apart, so that it costs nothing in the image */

static void
log_lock(void)
{
    if (!logbuf.panic)
        spin_lock(&logbuf.lock);
}

static void
log_unlock(void)
{
    if (!logbuf.panic)
        spin_unlock(&logbuf.lock);
}

static uint64_t
oldest(void)
{
    return logbuf.end > LOG_SIZE ? logbuf.end - LOG_SIZE : 0;
}

/* The text at @pos as far as it lies in one piece in the ring; its length goes to *len. */
static const char *
ring_piece(uint64_t pos, size_t *len)
{
    size_t at = pos % LOG_SIZE;

    *len = MIN(LOG_SIZE - at, logbuf.end - pos);
    return ring + at;
}

/* A format_sink. */
static void
log_text(void *arg UNUSED, const char *text, size_t len)
{
    for (unsigned i = 0; i < logbuf.nsinks; i++)
        logbuf.sinks[i](text, len);
    while (len > 0) {
        size_t at = logbuf.end % LOG_SIZE;
        size_t n = MIN(len, LOG_SIZE - at);

        memcpy(ring + at, text, n);
        logbuf.end += n;
        text += n;
        len -= n;
    }
}

void
kvprintf(const char *fmt, va_list ap)
{
    log_lock();
    vformat(log_text, NULL, fmt, ap);
    log_unlock();
}

void
kprintf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    kvprintf(fmt, ap);
    va_end(ap);
}

void
log_add_sink(log_sink sink)
{
    size_t len;

    log_lock();
    ASSERT(logbuf.nsinks < SINKS_MAX);
    for (uint64_t pos = oldest(); pos < logbuf.end; pos += len) {
        const char *text = ring_piece(pos, &len);
        sink(text, len);
    }
    logbuf.sinks[logbuf.nsinks++] = sink;
    log_unlock();
}

void
log_replace_sink(log_sink old, log_sink fresh)
{
    bool replaced = false;

    log_lock();
    for (unsigned i = 0; i < logbuf.nsinks && !replaced; i++)
        if (logbuf.sinks[i] == old) {
            logbuf.sinks[i] = fresh;
            replaced = true;
        }
    log_unlock();
    if (!replaced)
        log_add_sink(fresh);
}

size_t
log_read(uint64_t *pos, char *buf, size_t size)
{
    size_t done = 0;

    log_lock();
    *pos = MIN(MAX(*pos, oldest()), logbuf.end);
    while (done < size && *pos < logbuf.end) {
        size_t len;
        const char *text = ring_piece(*pos, &len);

        len = MIN(len, size - done);
        memcpy(buf + done, text, len);
        done += len;
        *pos += len;
    }
    log_unlock();
    return done;
}

void
log_enter_panic(void)
{
    logbuf.panic = true;
}
