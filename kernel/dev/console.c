/*
 * console.c - the system console: one terminal made of COM1, the keyboard and the screen.
 *
 * What is typed on either goes to the same line discipline, what programs write goes to both.
 * The serial line sets the pace: the screen takes whatever comes.
 */
#include "kernel/dev/console.h"

#include "boot/bootinfo.h"
#include "kernel/dev/keyboard.h"
#include "kernel/dev/screen.h"
#include "kernel/dev/serial.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"

static struct tty console;

static size_t
console_room(struct tty *tty UNUSED)
{
    return serial_room();
}

static void
console_write(struct tty *tty UNUSED, const char *buf, size_t n)
{
    serial_write(buf, n);
    screen_write(buf, n);
}

static size_t
console_pending(struct tty *tty UNUSED)
{
    return serial_pending();
}

static void
console_receive_more(struct tty *tty UNUSED)
{
    serial_receive_more();
}

static const struct tty_ops console_ops = {
    .room = console_room,
    .write = console_write,
    .pending = console_pending,
    .receive_more = console_receive_more,
};

/* winsize=COLUMNSxROWS says how large the terminal at the other end of the serial line is. */
static void
set_size(void)
{
    char value[16];
    const char *end;
    uint64_t cols, rows;

    if (!boot_option("winsize", value, sizeof(value)))
        return;
    cols = strtou64(value, &end, 10);
    if (*end != 'x')
        return;
    rows = strtou64(end + 1, &end, 10);
    if (*end != '\0' || cols == 0 || rows == 0 || cols > 1000 || rows > 1000) {
        kprintf("console: winsize=%s is not COLUMNSxROWS\n", value);
        return;
    }
    console.winsize.ws_col = (uint16_t)cols;
    console.winsize.ws_row = (uint16_t)rows;
}

/* The tty is ready before its devices: an interrupt may bring a byte at once. */
void
console_init(void)
{
    unsigned rows, cols;

    if (tty_init(&console, "console", &console_ops) != 0)
        panic("no memory for the console's thread");
    set_size();
    kprintf(serial_init(&console) ? "serial: COM1, 115200 8n1\n" : "serial: no UART at COM1\n");
    if (screen_init()) {
        screen_size(&rows, &cols);
        kprintf("screen: %u by %u characters\n", cols, rows);
    } else {
        kprintf("screen: none\n");
    }
    kprintf(keyboard_init(&console) ? "keyboard: PS/2, US layout\n" : "keyboard: none\n");
}

struct tty *
console_tty(void)
{
    return &console;
}
