/*
 * earlycon.c - COM1, polled (16550: National Semiconductor PC16550D, "Registers").
 */
#include "kernel/arch/earlycon.h"

#include "kernel/arch/io.h"

#define COM1     0x3f8
#define COM_DATA (COM1 + 0) /* with DLAB: divisor, low byte */
#define COM_IER  (COM1 + 1) /* with DLAB: divisor, high byte */
#define COM_FCR  (COM1 + 2)
#define COM_LCR  (COM1 + 3)
#define COM_MCR  (COM1 + 4)
#define COM_LSR  (COM1 + 5)

#define LCR_8N1   0x03
#define LCR_DLAB  0x80
#define LSR_EMPTY 0x20

/* A byte takes 87 us at 115200 baud, a port read about 1 us. */
#define PATIENCE 10000

void
earlycon_init(void)
{
    outb(COM_IER, 0);
    outb(COM_LCR, LCR_DLAB);
    outb(COM_DATA, 1); /* 115200 / 1 */
    outb(COM_IER, 0);
    outb(COM_LCR, LCR_8N1);
    outb(COM_FCR, 0x07); /* FIFOs on, and emptied */
    outb(COM_MCR, 0x0b); /* DTR, RTS, and the interrupt line for whoever wants it later */
}

static void
put_byte(char c)
{
    for (int i = 0; i < PATIENCE && !(inb(COM_LSR) & LSR_EMPTY); i++)
        continue;
    outb(COM_DATA, c);
}

void
earlycon_write(const char *text, size_t len)
{
    for (; len > 0; len--, text++) {
        if (*text == '\n')
            put_byte('\r');
        put_byte(*text);
    }
}
