/*
 * keyboard.c - a PS/2 keyboard behind the i8042 controller: US layout, as bytes of a terminal.
 *
 * The controller translates to scancode set 1: a byte for a key pressed, the same with bit 7
 * for released, 0xe0 before the keys that came later.  Keys become what xterm would send:
 * ASCII, Ctrl as control codes, Alt as an ESC before, arrows and the rest as escape sequences.
 * Ports and commands: IBM PS/2 Technical Reference, "Keyboard/Auxiliary Device Controller".
 */
#include "kernel/dev/keyboard.h"

#include "kernel/arch/cpu.h"
#include "kernel/arch/io.h"
#include "kernel/arch/trap.h"
#include "kernel/dev/tty.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"

#define PORT_DATA    0x60
#define PORT_STATUS  0x64
#define PORT_COMMAND 0x64
#define KEYBOARD_IRQ 1

#define STATUS_OUTPUT 0x01 /* a byte for us */
#define STATUS_INPUT  0x02 /* the controller has not taken ours yet */
#define STATUS_MOUSE  0x20

#define COMMAND_READ_CONFIG  0x20
#define COMMAND_WRITE_CONFIG 0x60
#define COMMAND_DISABLE_2    0xa7
#define COMMAND_SELF_TEST    0xaa
#define COMMAND_DISABLE_1    0xad
#define COMMAND_ENABLE_1     0xae
#define CONFIG_IRQ_1         0x01
#define CONFIG_IRQ_2         0x02
#define CONFIG_TRANSLATE     0x40
#define SELF_TEST_OK         0x55
#define KEYBOARD_SCAN        0xf4
#define SPIN_LIMIT           100000

#define CODE_EXTENDED 0xe0
#define CODE_PAUSE    0xe1 /* two more bytes follow, and no release */
#define CODE_RELEASED 0x80

enum {
    KEY_CTRL = 0x1d,
    KEY_SHIFT_LEFT = 0x2a,
    KEY_SHIFT_RIGHT = 0x36,
    KEY_ALT = 0x38,
    KEY_CAPS = 0x3a,
    KEY_F2 = 0x3c,
};

static struct {
    bool shift_left, shift_right, ctrl, alt, caps;
    bool extended;
    int skip; /* bytes of a Pause key still to come */
    struct tty *tty;
    void (*f2_pressed)(void); /* NULL: F2 is a key as others are */
    bool f2_down;
} keyboard;

/* By scancode 0x00 .. 0x39; 0: no character. */
static const char plain[] = "\0\033"
                            "1234567890-=\177\t"
                            "qwertyuiop[]\r\0"
                            "asdfghjkl;'`\0\\"
                            "zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033"
                              "!@#$%^&*()_+\177\t"
                              "QWERTYUIOP{}\r\0"
                              "ASDFGHJKL:\"~\0|"
                              "ZXCVBNM<>?\0*\0 ";

STATIC_ASSERT(sizeof(plain) == 0x3a + 1 && sizeof(shifted) == sizeof(plain));

/* The numeric pad, 0x47 .. 0x53, without NumLock: the same keys as the extended ones. */
static const char *const pad[] = {
    "\033[H", "\033[A", "\033[5~", "-",       "\033[D",  NULL,      "\033[C",
    "+",      "\033[F", "\033[B",  "\033[6~", "\033[2~", "\033[3~",
};

static const char *const function_keys[] = {
    "\033OP",   "\033OQ",   "\033OR",   "\033OS",   "\033[15~",
    "\033[17~", "\033[18~", "\033[19~", "\033[20~", "\033[21~",
};

static void
send(const char *text)
{
    tty_receive(keyboard.tty, (const uint8_t *)text, strlen(text));
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Ctrl turns @ to _ and the letters into 0 .. 31, as terminals do. */
static char
control_of(char c)
{
    if (is_letter(c) || (c >= '@' && c <= '_'))
        return c & 0x1f;
    if (c == ' ' || c == '2')
        return 0;
    return c == '/' ? 0x1f : c == '?' ? 0x7f : c;
}

static void
send_character(unsigned code)
{
    bool shift = keyboard.shift_left || keyboard.shift_right;
    char c = plain[code];
    uint8_t out[2];
    size_t n = 0;

    if (c == '\0')
        return;
    if (is_letter(c) && keyboard.caps)
        shift = !shift;
    if (shift)
        c = shifted[code];
    if (keyboard.ctrl)
        c = control_of(c);
    if (keyboard.alt)
        out[n++] = 033;
    out[n++] = (uint8_t)c;
    tty_receive(keyboard.tty, out, n);
}

static void
key_pressed(unsigned code, bool extended)
{
    if (extended && code == 0x1c) {
        send("\r");
    } else if (extended && code == 0x35) {
        send("/");
    } else if (code >= 0x47 && code <= 0x53) {
        if (pad[code - 0x47] != NULL)
            send(pad[code - 0x47]);
    } else if (code >= 0x3b && code <= 0x44) {
        send(function_keys[code - 0x3b]);
    } else if (code == 0x57 || code == 0x58) {
        send(code == 0x57 ? "\033[23~" : "\033[24~");
    } else if (!extended && code < sizeof(plain) - 1) {
        send_character(code);
    }
}

/* Returns true if the key is one that changes what others mean. */
static bool
modifier(unsigned code, bool pressed, bool extended)
{
    switch (code) {
    case KEY_SHIFT_LEFT:
        if (!extended) /* e0 2a comes around Print Screen and means nothing */
            keyboard.shift_left = pressed;
        return true;
    case KEY_SHIFT_RIGHT:
        if (!extended)
            keyboard.shift_right = pressed;
        return true;
    case KEY_CTRL:
        keyboard.ctrl = pressed;
        return true;
    case KEY_ALT:
        keyboard.alt = pressed;
        return true;
    case KEY_CAPS:
        keyboard.caps ^= pressed;
        return true;
    default:
        return false;
    }
}

/* Returns true if the key was F2 and somebody in the kernel takes it. */
static bool
taken(unsigned code, bool pressed)
{
    bool modified =
        keyboard.shift_left || keyboard.shift_right || keyboard.ctrl || keyboard.alt;

    if (code != KEY_F2 || keyboard.f2_pressed == NULL)
        return false;
    bool repeats = keyboard.f2_down;

    keyboard.f2_down = pressed;
    if (modified)
        return false;
    if (pressed && !repeats)
        keyboard.f2_pressed();
    return true;
}

static void
scancode(uint8_t byte)
{
    bool extended = keyboard.extended;
    bool pressed = !(byte & CODE_RELEASED);
    unsigned code = byte & ~CODE_RELEASED;

    if (keyboard.skip > 0) {
        keyboard.skip--;
        return;
    }
    keyboard.extended = byte == CODE_EXTENDED;
    if (byte == CODE_EXTENDED)
        return;
    if (byte == CODE_PAUSE) {
        keyboard.skip = 2;
        return;
    }
    if (!modifier(code, pressed, extended) && !taken(code, pressed) && pressed)
        key_pressed(code, extended);
}

static void
keyboard_interrupt(void *arg UNUSED)
{
    /* Bounded, so that a controller gone mad does not hold the processor. */
    for (int i = 0; i < 32; i++) {
        uint8_t status = inb(PORT_STATUS);

        if (!(status & STATUS_OUTPUT))
            break;
        uint8_t byte = inb(PORT_DATA);

        if (!(status & STATUS_MOUSE))
            scancode(byte);
    }
}

/* Waits until the status has @bits as in @want. Returns false when it never does. */
static bool
wait_status(uint8_t bits, uint8_t want)
{
    for (int i = 0; i < SPIN_LIMIT; i++) {
        if ((inb(PORT_STATUS) & bits) == want)
            return true;
        cpu_relax();
    }
    return false;
}

/* Sends a byte to PORT_COMMAND or PORT_DATA, when the controller can take it. */
static bool
controller_write(uint16_t port, uint8_t v)
{
    bool ready = wait_status(STATUS_INPUT, 0);

    if (ready)
        outb(port, v);
    return ready;
}

static int
read_data(void)
{
    return wait_status(STATUS_OUTPUT, STATUS_OUTPUT) ? inb(PORT_DATA) : -1;
}

static void
flush(void)
{
    for (int i = 0; i < 32 && (inb(PORT_STATUS) & STATUS_OUTPUT); i++)
        (void)inb(PORT_DATA);
}

/* The self-test may reset the configuration, so that is read before and written after. */
static bool
start_controller(void)
{
    int config;

    if (inb(PORT_STATUS) == 0xff || !controller_write(PORT_COMMAND, COMMAND_DISABLE_1) ||
        !controller_write(PORT_COMMAND, COMMAND_DISABLE_2))
        return false;
    flush();
    if (!controller_write(PORT_COMMAND, COMMAND_READ_CONFIG) || (config = read_data()) < 0)
        return false;
    if (!controller_write(PORT_COMMAND, COMMAND_SELF_TEST) || read_data() != SELF_TEST_OK)
        return false;
    config = (config | CONFIG_IRQ_1 | CONFIG_TRANSLATE) & ~CONFIG_IRQ_2;
    return controller_write(PORT_COMMAND, COMMAND_WRITE_CONFIG) &&
           controller_write(PORT_DATA, (uint8_t)config) &&
           controller_write(PORT_COMMAND, COMMAND_ENABLE_1);
}

void
keyboard_take_f2(void (*pressed)(void))
{
    keyboard.f2_pressed = pressed;
}

bool
keyboard_init(struct tty *tty)
{
    keyboard.tty = tty;
    if (!start_controller())
        return false;
    /* The keyboard answers 0xfa, taken here, before anybody could take it for a key. */
    if (controller_write(PORT_DATA, KEYBOARD_SCAN))
        (void)read_data();
    flush();
    if (irq_route_isa(KEYBOARD_IRQ, keyboard_interrupt, NULL) != 0) {
        kprintf("keyboard: no interrupt vector left\n");
        return false;
    }
    return true;
}
