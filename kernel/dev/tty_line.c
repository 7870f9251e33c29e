/*
 * tty_line.c - the line discipline: what happens to each byte between the device and the
 * programs.
 *
 * Input is one ring with three free-running positions.  In canonical mode
 *
 *     read ........ canon ........ head
 *       whole lines        line being typed: erase and kill reach back to canon
 *
 * and a bit beside the last byte of each line marks its end; ^D is a zero byte that is marked.
 * In raw mode canon == head, and the marks mean nothing. Meanings of the flags: POSIX 11.1 and
 * 11.2, and Linux's termios(3) for those that POSIX lacks.
 *
 * Locks: T for everything.  Called by tty.c (thread, read, write) and tty_control.c (settings).
 */
#include "kernel/dev/tty_internal.h"

#include "kernel/abi/signal.h"

#include "kernel/lib/string.h"

#define TAB    8
#define DELETE 0x7f

const struct termios line_default_termios = {
    .c_iflag = ICRNL | IXON | IUTF8,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .c_cc = {[VINTR] = 'C' & 0x1f,
             [VQUIT] = '\\' & 0x1f,
             [VERASE] = DELETE,
             [VKILL] = 'U' & 0x1f,
             [VEOF] = 'D' & 0x1f,
             [VMIN] = 1,
             [VSTART] = 'Q' & 0x1f,
             [VSTOP] = 'S' & 0x1f,
             [VSUSP] = 'Z' & 0x1f,
             [VWERASE] = 'W' & 0x1f,
             [VLNEXT] = 'V' & 0x1f},
};

static bool
input_flag(const struct tty *tty, uint32_t flag)
{
    return tty->termios.c_iflag & flag;
}

static bool
local_flag(const struct tty *tty, uint32_t flag)
{
    return tty->termios.c_lflag & flag;
}

/* True if @c is the special character @which, and that is not turned off. */
static bool
special(const struct tty *tty, uint8_t c, unsigned which)
{
    return c != 0 && tty->termios.c_cc[which] == c;
}

/* Output. */

struct out {
    struct tty *tty;
    size_t n;
    char buf[128];
};

static void
out_flush(struct out *o)
{
    if (o->n > 0)
        o->tty->ops->write(o->tty, o->buf, o->n);
    o->n = 0;
}

static void
out_byte(struct out *o, char c)
{
    if (o->n == sizeof(o->buf))
        out_flush(o);
    o->buf[o->n++] = c;
}

/* One byte under OPOST; keeps track of the column. */
static void
out_processed(struct out *o, char c)
{
    struct tty *tty = o->tty;
    bool newline = c == '\n' && (tty->termios.c_oflag & ONLCR) != 0;

    if (newline)
        out_byte(o, '\r');
    if (newline || c == '\r')
        tty->column = 0;
    else if (c == '\t')
        tty->column = (tty->column / TAB + 1) * TAB;
    else if (c == '\b')
        tty->column -= tty->column > 0;
    else if ((uint8_t)c >= ' ' && c != DELETE && ((uint8_t)c & 0xc0) != 0x80)
        tty->column++; /* UTF-8 counts by its first byte; SIMPLE: wide characters count once */
    out_byte(o, c);
}

void
line_output(struct tty *tty, const char *buf, size_t n)
{
    struct out o = {.tty = tty};

    if (!(tty->termios.c_oflag & OPOST)) {
        tty->ops->write(tty, buf, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out_processed(&o, buf[i]);
    out_flush(&o);
}

/* Echo. A device that has no room for it loses it: typing must not wait. */

static void
echo_text(struct tty *tty, const char *text, size_t n)
{
    if (tty->ops->room(tty) >= n * LINE_EXPANSION)
        line_output(tty, text, n);
}

/* True for what ECHOCTL shows as ^X. */
static bool
shown_as_control(const struct tty *tty, uint8_t c)
{
    return local_flag(tty, ECHOCTL) && (c < ' ' || c == DELETE) && c != '\t' && c != '\n';
}

static void
echo_byte(struct tty *tty, uint8_t c)
{
    char text[2] = {'^', (char)(c ^ 0x40)};

    if (shown_as_control(tty, c))
        echo_text(tty, text, 2);
    else
        echo_text(tty, (const char *)&c, 1);
}

static void
echo_if_on(struct tty *tty, uint8_t c)
{
    if (!local_flag(tty, ECHO))
        return;
    if (tty->head == tty->canon)
        tty->line_column = tty->column;
    echo_byte(tty, c);
}

/* The ring. */

static uint8_t
byte_at(const struct tty *tty, uint32_t pos)
{
    return tty->input[pos % TTY_INPUT_SIZE];
}

static void
set_line_end(struct tty *tty, uint32_t pos, bool on)
{
    uint64_t bit = 1UL << pos % 64;
    uint64_t *word = &tty->line_end[pos % TTY_INPUT_SIZE / 64];

    *word = on ? *word | bit : *word & ~bit;
}

static bool
is_line_end(const struct tty *tty, uint32_t pos)
{
    return tty->line_end[pos % TTY_INPUT_SIZE / 64] >> pos % 64 & 1;
}

static bool
is_eof(const struct tty *tty, uint32_t pos)
{
    return is_line_end(tty, pos) && byte_at(tty, pos) == 0;
}

/* True if one more byte finds room; the last place is kept for a line's end. */
static bool
has_room(const struct tty *tty, bool ends_line)
{
    return tty->head - tty->read < TTY_INPUT_SIZE - (ends_line ? 0 : 1);
}

static void
store(struct tty *tty, uint8_t c, bool ends_line)
{
    if (!has_room(tty, ends_line))
        return;
    tty->input[tty->head % TTY_INPUT_SIZE] = c;
    set_line_end(tty, tty->head, ends_line);
    tty->head++;
    if (ends_line || !local_flag(tty, ICANON))
        tty->canon = tty->head;
}

bool
line_ready(const struct tty *tty)
{
    return tty->read != tty->canon;
}

size_t
line_take(struct tty *tty, uint8_t *buf, size_t size, bool *end)
{
    bool canonical = local_flag(tty, ICANON);
    size_t n = 0;

    *end = false;
    while (tty->read != tty->canon && n < size && !*end) {
        bool eof = canonical && is_eof(tty, tty->read);

        *end = canonical && is_line_end(tty, tty->read);
        if (!eof)
            buf[n++] = byte_at(tty, tty->read);
        tty->read++;
    }
    /* A ^D right behind what filled the buffer belongs to it: the next read goes on. */
    if (canonical && n == size && !*end && tty->read != tty->canon && is_eof(tty, tty->read))
        tty->read++;
    return n;
}

unsigned
line_readable_bytes(const struct tty *tty)
{
    unsigned n = 0;

    for (uint32_t pos = tty->read; pos != tty->canon; pos++)
        n += !(local_flag(tty, ICANON) && is_eof(tty, pos));
    return n;
}

void
line_flush(struct tty *tty)
{
    tty->read = tty->canon = tty->head;
}

void
line_set_termios(struct tty *tty, const struct termios *t)
{
    bool was_canonical = local_flag(tty, ICANON);

    tty->termios = *t;
    if (was_canonical != local_flag(tty, ICANON))
        tty->canon = tty->head;
    if (!input_flag(tty, IXON))
        tty->stopped = false;
    tty->literal_next = false;
}

/* Editing. */

/* The column behind the first bytes of the typed line, up to @end. */
static unsigned
column_at(const struct tty *tty, uint32_t end)
{
    unsigned column = tty->line_column;

    for (uint32_t pos = tty->canon; pos != end; pos++) {
        uint8_t c = byte_at(tty, pos);

        if (c == '\t')
            column = (column / TAB + 1) * TAB;
        else if (shown_as_control(tty, c))
            column += 2;
        else if (c >= ' ' && !(input_flag(tty, IUTF8) && (c & 0xc0) == 0x80))
            column++;
    }
    return column;
}

/* Takes the typed line back to @to, on the screen too. */
static void
erase_to(struct tty *tty, uint32_t to)
{
    unsigned columns = column_at(tty, tty->head) - column_at(tty, to);

    tty->head = to;
    while (columns-- > 0)
        echo_text(tty, "\b \b", 3);
}

/* Where the character before @pos begins. */
static uint32_t
character_before(const struct tty *tty, uint32_t pos)
{
    do
        pos--;
    while (pos != tty->canon && input_flag(tty, IUTF8) && (byte_at(tty, pos) & 0xc0) == 0x80);
    return pos;
}

static bool
is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '_' || c >= 0x80;
}

/* Where the last word begins: blanks and signs behind it go with it. */
static uint32_t
word_start(const struct tty *tty)
{
    uint32_t pos = tty->head;
    bool in_word = false;

    while (pos != tty->canon) {
        bool word = is_word(byte_at(tty, pos - 1));

        if (in_word && !word)
            break;
        in_word = word;
        pos--;
    }
    return pos;
}

static void
erase(struct tty *tty, uint8_t c, uint32_t to)
{
    if (tty->head == tty->canon)
        return;
    if (!local_flag(tty, ECHO)) {
        tty->head = to;
    } else if (local_flag(tty, ECHOE)) {
        erase_to(tty, to);
    } else {
        tty->head = to;
        echo_byte(tty, c);
    }
}

/* A line's end: Enter, ^D or the extra character. Returns false if @c is none. */
static bool
receive_line_end(struct tty *tty, uint8_t c)
{
    if (c == '\n') {
        if (local_flag(tty, ECHO) || local_flag(tty, ECHONL))
            echo_byte(tty, c);
        store(tty, c, true);
        return true;
    }
    if (special(tty, c, VEOF)) {
        store(tty, 0, true);
        return true;
    }
    if (special(tty, c, VEOL)) {
        echo_if_on(tty, c);
        store(tty, c, true);
        return true;
    }
    return false;
}

/* Canonical mode's editing characters. Returns false if @c is none. */
static bool
receive_edit(struct tty *tty, uint8_t c)
{
    bool extended = local_flag(tty, IEXTEN);

    if (special(tty, c, VERASE)) {
        if (tty->head != tty->canon)
            erase(tty, c, character_before(tty, tty->head));
    } else if (special(tty, c, VWERASE) && extended) {
        erase(tty, c, word_start(tty));
    } else if (special(tty, c, VKILL)) {
        erase(tty, c, tty->canon);
    } else if (special(tty, c, VLNEXT) && extended) {
        tty->literal_next = true;
        if (local_flag(tty, ECHO) && local_flag(tty, ECHOCTL))
            echo_text(tty, "^\b", 2);
    } else {
        return false;
    }
    return true;
}

/* ^S and ^Q. Returns true if @c was used up. */
static bool
receive_flow(struct tty *tty, uint8_t c)
{
    if (!input_flag(tty, IXON))
        return false;
    if (special(tty, c, VSTART)) {
        tty->stopped = false;
        return true;
    }
    if (special(tty, c, VSTOP)) {
        tty->stopped = true;
        return true;
    }
    return false;
}

/* Returns the signal that @c means, or 0. */
static int
receive_signal(struct tty *tty, uint8_t c)
{
    int sig = 0;

    if (!local_flag(tty, ISIG))
        return 0;
    if (special(tty, c, VINTR))
        sig = SIGINT;
    else if (special(tty, c, VQUIT))
        sig = SIGQUIT;
    else if (special(tty, c, VSUSP))
        sig = SIGTSTP;
    if (sig == 0)
        return 0;

    if (!local_flag(tty, NOFLSH))
        line_flush(tty);
    tty->stopped = false;
    if (local_flag(tty, ECHO))
        echo_byte(tty, c);
    return sig;
}

/* CR and NL as c_iflag maps them. Returns false if the byte is to be dropped. */
static bool
map_newline(const struct tty *tty, uint8_t *c)
{
    if (*c == '\r' && input_flag(tty, IGNCR))
        return false;
    if (*c == '\r' && input_flag(tty, ICRNL))
        *c = '\n';
    else if (*c == '\n' && input_flag(tty, INLCR))
        *c = '\r';
    return true;
}

int
line_receive(struct tty *tty, uint8_t c)
{
    int sig;

    if (tty->literal_next) {
        tty->literal_next = false;
        echo_if_on(tty, c);
        store(tty, c, false);
        return 0;
    }
    if (receive_flow(tty, c))
        return 0;
    sig = receive_signal(tty, c);
    if (sig != 0 || !map_newline(tty, &c))
        return sig;
    if (local_flag(tty, ICANON) && (receive_edit(tty, c) || receive_line_end(tty, c)))
        return 0;
    echo_if_on(tty, c);
    store(tty, c, false);
    return 0;
}
