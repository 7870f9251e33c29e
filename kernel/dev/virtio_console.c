/*
 * virtio_console.c - one byte stream to the host over a virtio console device (virtio 1.2,
 * 5.3).
 *
 * Owns the buffers of both directions, a page each, and hands what comes to the layer above.
 * With VIRTIO_CONSOLE_F_MULTIPORT two more queues carry control messages: the device tells
 * which ports it has, and we open one of them (virtio 1.2, 5.3.6.2).
 *
 * Locks: lock guards the queues and the buffers' state; it is let go before the layer above is
 *        called.
 */
#include "kernel/dev/virtio_console.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/dev/pci.h"
#include "kernel/dev/virtio.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"
#include "mm/layout.h"

#define DEVICE_TRANSITIONAL 0x1003
#define DEVICE_MODERN       0x1043

#define F_MULTIPORT (1UL << 1)

#define PORT          1
#define SEND_BUFFERS  8
#define RECV_BUFFERS  2
#define CONTROL_COUNT 8
#define CONTROL_SIZE  64
#define QUEUE_SIZE    16
#define CONTROL_RECV  2 /* queue numbers: virtio 1.2, 5.3.2 */
#define CONTROL_SEND  3
#define PORT_RECV     4
#define PORT_SEND     5
#define OPEN_TIMEOUT  (NSEC_PER_SEC / 2)

enum control_event {
    CONTROL_DEVICE_READY = 0,
    CONTROL_PORT_ADD = 1,
    CONTROL_PORT_READY = 3,
    CONTROL_PORT_OPEN = 6,
};

struct control {
    uint32_t port;
    uint16_t event;
    uint16_t value;
};

STATIC_ASSERT(sizeof(struct control) == 8);

struct buffer {
    uint8_t *data; /* one page of DMA memory */
    struct buffer *next;
};

static struct {
    struct virtio_device virtio;
    struct virtqueue recv, send;
    struct virtqueue control_recv, control_send;
    bool open; /* the device has our port */
    struct spinlock lock;
    struct buffer recv_buffers[RECV_BUFFERS];
    struct buffer send_buffers[SEND_BUFFERS];
    struct buffer *send_free;
    unsigned sending; /* buffers that the device has */
    uint8_t *control_page;
    const struct virtio_console_events *events;
} console = {.lock = SPINLOCK_INIT("virtio-console")};

static void
queue_page(struct virtqueue *vq, struct buffer *b, size_t n, bool device_writes)
{
    struct virtio_piece piece = {virt_to_phys(b->data), (uint32_t)n, device_writes};

    virtqueue_add(vq, &piece, 1, b);
}

/* Control messages, console.lock held. */

/* The lower half of the control page is the device's to write, the upper half ours. */
static void
control_give(uint8_t *at)
{
    struct virtio_piece piece = {virt_to_phys(at), CONTROL_SIZE, true};

    virtqueue_add(&console.control_recv, &piece, 1, at);
}

static void
control_send(uint32_t port, enum control_event event, uint16_t value)
{
    uint8_t *at = console.control_page + PAGE_SIZE / 2 +
                  CONTROL_SIZE * virtqueue_head(&console.control_send);
    struct virtio_piece piece = {virt_to_phys(at), sizeof(struct control), false};

    if (console.control_send.free_count == 0)
        return; /* a device that takes no answers gets none */
    *(struct control *)at = (struct control){port, (uint16_t)event, value};
    virtqueue_add(&console.control_send, &piece, 1, at);
    virtqueue_kick(&console.control_send);
}

/* Our port is opened; to the others we say that they are not ours. */
static void
control_handle(const struct control *c)
{
    if (c->event != CONTROL_PORT_ADD)
        return;
    control_send(c->port, CONTROL_PORT_READY, c->port == PORT);
    if (c->port != PORT || console.open)
        return;
    console.open = true;
    control_send(PORT, CONTROL_PORT_OPEN, 1);
    for (unsigned i = 0; i < RECV_BUFFERS; i++)
        queue_page(&console.recv, &console.recv_buffers[i], PAGE_SIZE, true);
    virtqueue_kick(&console.recv);
}

static void
control_poll(void)
{
    uint32_t len;
    uint8_t *at;

    while (virtqueue_next(&console.control_send, &len) != NULL)
        ;
    while ((at = virtqueue_next(&console.control_recv, &len)) != NULL) {
        struct control c;

        memcpy(&c, at, sizeof(c));
        if (len >= sizeof(c))
            control_handle(&c);
        control_give(at);
        virtqueue_kick(&console.control_recv);
    }
}

/* Data. */

/* Takes the sent buffers back. Returns true if there were any. console.lock held. */
static bool
reap_sent(void)
{
    struct buffer *b;
    uint32_t len;
    bool any = false;

    while ((b = virtqueue_next(&console.send, &len)) != NULL) {
        b->next = console.send_free;
        console.send_free = b;
        console.sending--;
        any = true;
    }
    return any;
}

static void
poll_received(void)
{
    struct virtqueue *vq = &console.recv;
    struct buffer *b;
    uint32_t len;

    for (;;) {
        spin_lock(&console.lock);
        b = virtqueue_next(vq, &len);
        spin_unlock(&console.lock);
        if (b == NULL)
            return;
        console.events->receive(b->data, MIN(len, PAGE_SIZE));
        spin_lock(&console.lock);
        queue_page(vq, b, PAGE_SIZE, true);
        virtqueue_kick(vq);
        spin_unlock(&console.lock);
    }
}

static void
console_interrupt(void *arg UNUSED)
{
    spin_lock(&console.lock);
    control_poll();
    bool sent = reap_sent();
    spin_unlock(&console.lock);

    if (sent)
        console.events->sent();
    poll_received();
}

bool
virtio_console_send(const void *head, size_t nhead, const void *buf, size_t n)
{
    struct buffer *b;

    if (!console.open)
        return false;
    spin_lock(&console.lock);
    b = console.send_free;
    if (b != NULL) {
        console.send_free = b->next;
        console.sending++;
        memcpy(b->data, head, nhead);
        memcpy(b->data + nhead, buf, n);
        queue_page(&console.send, b, nhead + n, false);
        virtqueue_kick(&console.send);
    }
    spin_unlock(&console.lock);
    return b != NULL;
}

bool
virtio_console_drained(void)
{
    console_interrupt(NULL);
    return READ_ONCE(console.sending) == 0;
}

/* Bringing it up. */

static int
alloc_buffers(void)
{
    uint8_t *pages = dma_alloc(RECV_BUFFERS + SEND_BUFFERS + 1);

    if (pages == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < RECV_BUFFERS; i++, pages += PAGE_SIZE)
        console.recv_buffers[i].data = pages;
    for (unsigned i = 0; i < SEND_BUFFERS; i++, pages += PAGE_SIZE) {
        console.send_buffers[i].data = pages;
        console.send_buffers[i].next = console.send_free;
        console.send_free = &console.send_buffers[i];
    }
    console.control_page = pages;
    return 0;
}

static int
init_queues(void)
{
    static const struct {
        struct virtqueue *queue;
        unsigned index;
    } queues[] = {
        {&console.control_recv, CONTROL_RECV},
        {&console.control_send, CONTROL_SEND},
        {&console.recv, PORT_RECV},
        {&console.send, PORT_SEND},
    };
    int err = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(queues) && err == 0; i++)
        err = virtqueue_init(queues[i].queue, &console.virtio, queues[i].index, QUEUE_SIZE);
    return err;
}

/*
 * Waits by looking, not by sleeping: under -icount an idle machine's clock jumps straight to
 * the deadline, before the host has had time to answer.
 */
static void
open_port(void)
{
    nsec_t deadline = clock_now() + OPEN_TIMEOUT;

    spin_lock(&console.lock);
    for (unsigned i = 0; i < CONTROL_COUNT; i++)
        control_give(console.control_page + i * CONTROL_SIZE);
    virtqueue_kick(&console.control_recv);
    control_send(0, CONTROL_DEVICE_READY, 1);
    spin_unlock(&console.lock);

    while (!READ_ONCE(console.open) && clock_now() < deadline) {
        console_interrupt(NULL);
        cpu_relax();
    }
}

bool
virtio_console_init(const struct virtio_console_events *ev)
{
    struct pci_device *pci = pci_find(VIRTIO_VENDOR, DEVICE_TRANSITIONAL, DEVICE_MODERN, NULL);
    int err;

    if (pci == NULL)
        return false;
    console.events = ev;
    err = virtio_start(&console.virtio, pci, console_interrupt, NULL);
    if (err == 0)
        err = virtio_negotiate(&console.virtio, F_MULTIPORT);
    if (err == 0)
        err = console.virtio.features & F_MULTIPORT ? init_queues() : -ENODEV;
    if (err == 0)
        err = alloc_buffers();
    if (err != 0) {
        virtio_fail(&console.virtio);
        kprintf("virtio-console: cannot be used, error %d\n", -err);
        return false;
    }
    virtio_ready(&console.virtio);
    open_port();
    return console.open;
}
