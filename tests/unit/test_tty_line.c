/*
 * test_tty_line.c - the line discipline: typed bytes in, lines, echo and signals out.
 */
#include "kernel/dev/tty_line.c"
#include "kernel/lib/string.c"
#include "tests/unit/host.h"

static struct tty tty;
static char screen[8192];
static size_t shown;

static size_t
room(struct tty *t UNUSED)
{
    return 1 << 20;
}

static void
output(struct tty *t UNUSED, const char *buf, size_t n)
{
    for (size_t i = 0; i < n && shown < sizeof(screen); i++)
        screen[shown++] = buf[i];
}

static const struct tty_ops ops = {.room = room, .write = output, .pending = room};

/* The ring's positions start just below their wrap, where a mistake would show. */
static void
start(void)
{
    tty = (struct tty){.ops = &ops};
    tty.termios = line_default_termios;
    tty.read = tty.canon = tty.head = UINT32_MAX - 10;
    shown = 0;
}

/* Types @text; returns the last signal that it meant. */
static int
type(const char *text)
{
    int last = 0;

    for (; *text != '\0'; text++) {
        int sig = line_receive(&tty, (uint8_t)*text);

        last = sig != 0 ? sig : last;
    }
    return last;
}

/* True if the next read of @size bytes gives just @want. */
static bool
reads(size_t size, const char *want)
{
    uint8_t buf[256];
    bool end;
    size_t n = line_take(&tty, buf, size, &end);

    return n == strlen(want) && memcmp(buf, want, n) == 0;
}

static bool
echoed(const char *want)
{
    return shown == strlen(want) && memcmp(screen, want, shown) == 0;
}

static void
test_lines(void)
{
    start();
    type("hello");
    CHECK(!line_ready(&tty));
    type("\r");
    CHECK(line_ready(&tty) && line_readable_bytes(&tty) == 6);
    CHECK(reads(3, "hel") && reads(200, "lo\n") && !line_ready(&tty));
    CHECK(echoed("hello\r\n"));
    type("one\ntwo\n");
    CHECK(reads(200, "one\n") && reads(200, "two\n"));
}

static void
test_end_of_file(void)
{
    start();
    type("abc\004");
    CHECK(line_readable_bytes(&tty) == 3 && reads(3, "abc"));
    CHECK(!line_ready(&tty)); /* the ^D went with the read that it ended */
    type("\004");
    CHECK(line_ready(&tty) && reads(200, ""));
}

static void
test_erase(void)
{
    start();
    type("abc\177\177X\n");
    CHECK(reads(200, "aX\n") && echoed("abc\b \b\b \bX\r\n"));
    start();
    type("\303\251\177z\n");
    CHECK(reads(200, "z\n") && echoed("\303\251\b \bz\r\n"));
    start();
    type("a\tb\177\177c\n");
    CHECK(reads(200, "ac\n"));
    start();
    type("one two  \027x\n");
    CHECK(reads(200, "one x\n"));
    start();
    type("gone\025\177kept\n");
    CHECK(reads(200, "kept\n"));
}

static void
test_signals(void)
{
    start();
    CHECK(type("ab\003") == SIGINT && echoed("ab^C"));
    type("c\n");
    CHECK(reads(200, "c\n"));
    CHECK(type("\032") == SIGTSTP && type("\034") == SIGQUIT);
    CHECK(type("\026\003\n") == 0 && reads(200, "\003\n"));
    tty.termios.c_lflag &= ~ISIG;
    CHECK(type("\003\n") == 0 && reads(200, "\003\n"));
}

static void
test_modes(void)
{
    struct termios t = line_default_termios;

    start();
    type("half");
    t.c_lflag &= ~(ICANON | ECHO);
    line_set_termios(&tty, &t);
    CHECK(reads(200, "half")); /* what was typed becomes readable */
    type("\177\004x");
    CHECK(reads(200, "\177\004x") && echoed("half"));
    t.c_iflag &= ~ICRNL;
    line_set_termios(&tty, &t);
    type("\r");
    CHECK(reads(200, "\r"));
}

static void
test_full(void)
{
    uint8_t buf[TTY_INPUT_SIZE];
    bool end;

    start();
    for (int i = 0; i < 5000; i++)
        type("x");
    type("\n");
    CHECK(line_take(&tty, buf, sizeof(buf), &end) == TTY_INPUT_SIZE && end);
    CHECK(buf[TTY_INPUT_SIZE - 1] == '\n');
}

static void
test_output(void)
{
    start();
    line_output(&tty, "a\tb\nc", 5);
    CHECK(echoed("a\tb\r\nc") && tty.column == 1);
    start();
    tty.termios.c_oflag = 0;
    line_output(&tty, "x\n", 2);
    CHECK(echoed("x\n"));
}

static void
test_noise(void)
{
    static const uint8_t likely[] = "ab \t\n\177\004\025\027\026";

    start();
    for (int i = 0; i < 500000; i++) {
        uint64_t r = host_random();
        uint8_t buf[64];
        bool end;

        line_receive(&tty, r % 4 == 0 ? (uint8_t)(r >> 8) : likely[r % 10]);
        if (r % 97 == 0) {
            struct termios t = tty.termios;

            t.c_lflag ^= 1U << (r >> 16) % 16;
            line_set_termios(&tty, &t);
        }
        if (r % 31 == 0)
            CHECK(line_take(&tty, buf, 1 + r % 64, &end) <= 64);
        CHECK(tty.head - tty.read <= TTY_INPUT_SIZE);
        CHECK(tty.canon - tty.read <= tty.head - tty.read);
        CHECK((tty.termios.c_lflag & ICANON) || tty.canon == tty.head);
        shown = 0;
    }
}

int
main(void)
{
    test_lines();
    test_end_of_file();
    test_erase();
    test_signals();
    test_modes();
    test_full();
    test_output();
    test_noise();
    printf("ok\n");
    return 0;
}
