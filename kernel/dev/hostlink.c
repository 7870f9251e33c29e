/*
 * hostlink.c - the line to the program on the host that started this machine (./vm run).
 *
 * Owns the frames: packs what programs write, asks for input and unpacks the answers. The bytes
 * travel over virtio_console.c.  At most one 'R' is unanswered at any time, and it asks for no
 * more than the ring can hold, so what comes from an honest host always finds room; input that
 * comes after its reader was interrupted stays in the ring for the next one.
 *
 * Locks: link.lock guards the ring and the state of the conversation; it may be held while
 *        sending.
 */
#include "kernel/dev/hostlink.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/poll.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/dev/virtio_console.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/restart.h"
#include "kernel/lib/string.h"

#define HEADER       8
#define PAYLOAD_MAX  (VIRTIO_CONSOLE_MESSAGE_MAX - HEADER)
#define RING_SIZE    8192 /* a power of two, more than one full answer */
#define ASK          4096
#define EXIT_TIMEOUT (10 * NSEC_PER_SEC)

struct frame_header {
    uint8_t type;
    uint8_t zero[3];
    uint32_t length;
};

STATIC_ASSERT(sizeof(struct frame_header) == HEADER);

static struct {
    struct spinlock lock;
    bool present;
    bool asked;          /* an 'R' is not answered yet */
    bool ended;          /* end of input, for ever */
    bool broken;         /* the host sent what was not asked for: the rest cannot be read */
    uint32_t input_left; /* bytes of an 'I' frame still to be read */
    uint32_t tail, head; /* free-running */
    uint8_t ring[RING_SIZE];
} link = {.lock = SPINLOCK_INIT("hostlink")};

struct waitq hostlink_event = WAITQ_INIT(hostlink_event);

static uint32_t
ring_count(void)
{
    return link.head - link.tail;
}

/* Copies @n bytes out of the ring, which has them. */
static void
ring_take(void *buf, uint32_t n)
{
    uint8_t *to = buf;

    for (uint32_t i = 0; i < n; i++)
        to[i] = link.ring[(link.tail + i) % RING_SIZE];
    link.tail += n;
}

/* From the interrupt. */
static void
link_receive(const uint8_t *buf, size_t n)
{
    spin_lock(&link.lock);
    if (n > RING_SIZE - ring_count())
        link.broken = true;
    for (size_t i = 0; i < n && !link.broken; i++)
        link.ring[link.head++ % RING_SIZE] = buf[i];
    spin_unlock(&link.lock);
    waitq_wake_all(&hostlink_event);
}

static void
link_sent(void)
{
    waitq_wake_all(&hostlink_event);
}

static const struct virtio_console_events events = {link_receive, link_sent};

/* Reads headers, until there is input, or nothing to read any more. link.lock held. */
static void
parse(void)
{
    struct frame_header h;

    while (link.input_left == 0 && !link.ended && ring_count() >= HEADER) {
        ring_take(&h, HEADER);
        link.asked = false;
        link.input_left = h.type == 'I' ? h.length : 0;
        link.ended = link.input_left == 0;
    }
    if (link.broken && ring_count() == 0)
        link.ended = true;
}

/* Asks for input unless it is here or on its way. link.lock held. False: no room to ask. */
static bool
ask(void)
{
    struct frame_header h = {.type = 'R', .length = sizeof(uint32_t)};
    uint32_t max = ASK;

    if (!link.asked && !link.ended && link.input_left == 0)
        link.asked = virtio_console_send(&h, HEADER, &max, sizeof(max));
    return link.asked || link.ended || link.input_left > 0;
}

/* What can be read now: bytes; 0 at the end; -EAGAIN if there is nothing yet. */
static ssize_t
take_input(void *buf, size_t n)
{
    ssize_t got = -EAGAIN;
    uint32_t ready;

    spin_lock(&link.lock);
    parse();
    ready = (uint32_t)MIN((size_t)MIN(link.input_left, ring_count()), n);
    if (ready > 0) {
        ring_take(buf, ready);
        link.input_left -= ready;
        got = ready;
    } else if (link.ended) {
        got = 0;
    } else {
        (void)ask(); /* without room now, once more when link_sent wakes us */
    }
    spin_unlock(&link.lock);
    return got;
}

ssize_t
hostlink_read(void *buf, size_t n, bool nonblock)
{
    ssize_t got;
    int err;

    if (!link.present)
        return -ENXIO;
    got = take_input(buf, n);
    if (got != -EAGAIN || nonblock)
        return got;
    err = wait_event_interruptible(&hostlink_event, (got = take_input(buf, n)) != -EAGAIN);
    return err == 0 ? got : -ERESTARTSYS;
}

/* Queues one frame, sleeping for room. Returns 0 or -ERESTARTSYS. */
static int
send_frame(uint8_t type, const void *buf, size_t n)
{
    struct frame_header h = {.type = type, .length = (uint32_t)n};
    int err;

    if (virtio_console_send(&h, HEADER, buf, n))
        return 0;
    err = wait_event_interruptible(&hostlink_event, virtio_console_send(&h, HEADER, buf, n));
    return err == 0 ? 0 : -ERESTARTSYS;
}

ssize_t
hostlink_write(enum hostlink_stream stream, const void *buf, size_t n)
{
    size_t done = 0;

    if (!link.present)
        return -ENXIO;
    while (done < n) {
        size_t chunk = MIN(n - done, (size_t)PAYLOAD_MAX);
        int err = send_frame((uint8_t)stream, (const char *)buf + done, chunk);

        if (err != 0)
            return done > 0 ? (ssize_t)done : err;
        done += chunk;
    }
    return (ssize_t)done;
}

unsigned
hostlink_poll(void)
{
    unsigned mask = 0;

    if (!link.present)
        return POLLERR;
    spin_lock(&link.lock);
    parse();
    if (link.ended || MIN(link.input_left, ring_count()) > 0)
        mask |= POLLIN | POLLRDNORM;
    else
        (void)ask();
    spin_unlock(&link.lock);
    return mask;
}

/*
 * Waits by looking, not by sleeping: under -icount an idle machine's clock jumps straight to
 * the deadline, before the host has had time to read.
 */
void
hostlink_exit(uint32_t status, uint32_t check_failed)
{
    struct frame_header h = {.type = 'X', .length = 2 * sizeof(uint32_t)};
    uint32_t payload[2] = {status, check_failed};
    nsec_t deadline = clock_now() + EXIT_TIMEOUT;
    bool sent = false;

    if (!link.present)
        return;
    while (clock_now() < deadline) {
        bool drained = virtio_console_drained();

        if (sent && drained)
            return;
        if (!sent)
            sent = virtio_console_send(&h, HEADER, payload, sizeof(payload));
        cpu_relax();
    }
    kprintf("hostlink: the host does not take the last message\n");
}

bool
hostlink_present(void)
{
    return link.present;
}

bool
hostlink_init(void)
{
    link.present = virtio_console_init(&events);
    return link.present;
}
