/*
 * serial.c - COM1, a 16550 UART: 115200 8n1, both directions by interrupt.
 *
 * Registers are from National Semiconductor's PC16550D data sheet, section 8. Sending goes
 * through a ring: whoever fills it also feeds the UART as long as that takes bytes at once, the
 * interrupt does the rest.  So under QEMU, where a UART is always ready, a log line is out when
 * serial_write returns, and a crash right after does not eat it.
 *
 * Locks: lock (spin) guards ring and registers; the terminal's raw_lock may follow.  Nothing is
 *        logged while it is held.
 */
#include "kernel/dev/serial.h"

#include "kernel/arch/cpu.h"
#include "kernel/arch/earlycon.h"
#include "kernel/arch/io.h"
#include "kernel/arch/log.h"
#include "kernel/arch/panic.h"
#include "kernel/arch/spinlock.h"
#include "kernel/arch/trap.h"
#include "kernel/dev/tty.h"
#include "kernel/lib/printf.h"

#define COM1     0x3f8
#define COM1_IRQ 4

#define REG_DATA    0 /* divisor low while DLAB */
#define REG_ENABLE  1 /* divisor high while DLAB */
#define REG_IDENT   2 /* FIFO control when written */
#define REG_LINE    3
#define REG_MODEM   4
#define REG_STATUS  5
#define REG_SCRATCH 7

#define ENABLE_RECEIVED 0x01
#define ENABLE_EMPTY    0x02
#define FIFO_ON_CLEAR   0x87 /* on, both emptied, interrupt at 8 bytes */
#define LINE_8N1        0x03
#define LINE_DLAB       0x80
#define MODEM_DTR_RTS   0x0b /* and OUT2, which lets the interrupt through on a PC */
#define STATUS_DATA     0x01
#define STATUS_EMPTY    0x20 /* the FIFO */
#define STATUS_IDLE     0x40 /* and the shift register */
#define FIFO_SIZE       16
#define DIVISOR_115200  1

#define RING_SIZE      8192    /* a power of two */
#define PANIC_PATIENCE 10000   /* the same for one byte in a panic */
#define SPIN_LIMIT     1000000 /* looks at a UART that takes nothing */

static struct {
    struct spinlock lock;
    bool present;
    bool sending; /* ENABLE_EMPTY is set */
    bool full;    /* ENABLE_RECEIVED is not: nobody has room for what comes */
    uint32_t tail, head;
    char ring[RING_SIZE];
    struct tty *tty;
} serial = {.lock = SPINLOCK_INIT("serial")};

static bool
uart_ready(void)
{
    return inb(COM1 + REG_STATUS) & STATUS_EMPTY;
}

/* Which interrupts the UART may raise. lock held. */
static void
set_enable(void)
{
    outb(COM1 + REG_ENABLE,
         (uint8_t)((serial.full ? 0 : ENABLE_RECEIVED) | (serial.sending ? ENABLE_EMPTY : 0)));
}

/* Gives the UART what it takes now; its interrupt is on while bytes are left. lock held. */
static void
feed(void)
{
    bool left;

    while (serial.tail != serial.head && uart_ready())
        for (int i = 0; i < FIFO_SIZE && serial.tail != serial.head; i++)
            outb(COM1 + REG_DATA, (uint8_t)serial.ring[serial.tail++ % RING_SIZE]);

    left = serial.tail != serial.head;
    if (left != serial.sending) {
        serial.sending = left;
        set_enable();
    }
}

/* Waits until there is room for a byte; a dead UART loses the oldest one. lock held. */
static void
make_room(void)
{
    for (int i = 0; i < SPIN_LIMIT && serial.head - serial.tail == RING_SIZE; i++) {
        feed();
        cpu_relax();
    }
    if (serial.head - serial.tail == RING_SIZE)
        serial.tail++;
}

void
serial_write(const char *buf, size_t n)
{
    if (!serial.present)
        return;
    spin_lock(&serial.lock);
    for (size_t i = 0; i < n; i++) {
        if (serial.head - serial.tail == RING_SIZE)
            make_room();
        serial.ring[serial.head++ % RING_SIZE] = buf[i];
    }
    feed();
    spin_unlock(&serial.lock);
}

size_t
serial_room(void)
{
    return RING_SIZE - serial_pending();
}

size_t
serial_pending(void)
{
    spin_lock(&serial.lock);
    size_t n = serial.head - serial.tail;
    spin_unlock(&serial.lock);
    return n;
}

/* What the ring holds goes out first. No lock: who holds it may never go on. */
static void
panic_log(const char *text, size_t len)
{
    for (; serial.tail != serial.head; serial.tail++) {
        char c = serial.ring[serial.tail % RING_SIZE];

        for (int i = 0; i < PANIC_PATIENCE && !uart_ready(); i++)
            cpu_relax();
        outb(COM1 + REG_DATA, (uint8_t)c);
    }
    earlycon_write(text, len);
}

/* The log's lines end in \n alone, a terminal wants \r\n. */
static void
serial_log(const char *text, size_t len)
{
    size_t start = 0;

    if (panic_in_progress()) {
        panic_log(text, len);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\n')
            continue;
        serial_write(text + start, i - start);
        serial_write("\r\n", 2);
        start = i + 1;
    }
    serial_write(text + start, len - start);
}

/* Takes what the UART has received, if there is room for it. lock held. Returns how many bytes. */
static size_t
take_received(uint8_t buf[FIFO_SIZE])
{
    size_t n = 0;

    if (tty_receive_room(serial.tty) < FIFO_SIZE) {
        serial.full = true;
        set_enable();
        return 0;
    }
    while (n < FIFO_SIZE && (inb(COM1 + REG_STATUS) & STATUS_DATA))
        buf[n++] = inb(COM1 + REG_DATA);
    return n;
}

void
serial_receive_more(void)
{
    /* Under the lock, or we may look just before the interrupt that finds no room says so. */
    spin_lock(&serial.lock);
    if (serial.full) {
        serial.full = false;
        set_enable(); /* bytes that wait raise the interrupt at once */
    }
    spin_unlock(&serial.lock);
}

static void
serial_interrupt(void *arg UNUSED)
{
    uint8_t buf[FIFO_SIZE];
    bool was_sending;
    size_t n;

    do {
        spin_lock(&serial.lock);
        n = take_received(buf);
        was_sending = serial.sending;
        feed();
        spin_unlock(&serial.lock);
        if (n > 0)
            tty_receive(serial.tty, buf, n);
        if (was_sending)
            tty_output_ready(serial.tty);
    } while (n == sizeof(buf));
}

bool
serial_init(struct tty *tty)
{
    outb(COM1 + REG_SCRATCH, 0x5a);
    if (inb(COM1 + REG_SCRATCH) != 0x5a)
        return false;
    serial.tty = tty;
    for (int i = 0; i < SPIN_LIMIT && !(inb(COM1 + REG_STATUS) & STATUS_IDLE); i++)
        cpu_relax(); /* the FIFO is emptied below, but not of what earlycon put there */
    outb(COM1 + REG_ENABLE, 0);
    outb(COM1 + REG_LINE, LINE_DLAB);
    outb(COM1 + REG_DATA, DIVISOR_115200);
    outb(COM1 + REG_ENABLE, 0);
    outb(COM1 + REG_LINE, LINE_8N1);
    outb(COM1 + REG_IDENT, FIFO_ON_CLEAR);
    outb(COM1 + REG_MODEM, MODEM_DTR_RTS);
    if (irq_route_isa(COM1_IRQ, serial_interrupt, NULL) != 0)
        kprintf("serial: no interrupt vector left, nothing can be received\n");
    serial.present = true;
    outb(COM1 + REG_ENABLE, ENABLE_RECEIVED);
    log_replace_sink(earlycon_write, serial_log);
    return true;
}
