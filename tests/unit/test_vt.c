/*
 * test_vt.c - the terminal's screen: known sequences with known results, then noise.
 */
#include "kernel/dev/vt.c"
#include "kernel/lib/string.c"
#include "tests/unit/host.h"

#define ROWS 4
#define COLS 10

static struct vt vt;
static struct vt_cell cells[ROWS * COLS];

/* A fresh screen after @text. */
static void
show(const char *text)
{
    vt_init(&vt, cells, ROWS, COLS);
    vt_write(&vt, text, strlen(text));
}

/* True if row @row begins with @text and is blank behind it. */
static bool
row_is(unsigned row, const char *text)
{
    for (unsigned col = 0; col < COLS; col++) {
        char want = *text != '\0' ? *text++ : ' ';

        if (cells[row * COLS + col].ch != (uint8_t)want)
            return false;
    }
    return true;
}

static bool
cursor_at(unsigned row, unsigned col)
{
    return vt.row == row && vt.col == col;
}

static void
test_text(void)
{
    show("ab\r\ncd\tx\b\by");
    CHECK(row_is(0, "ab") && row_is(1, "cd     yx") && cursor_at(1, 8));
    show("0123456789");
    CHECK(cursor_at(0, 9) && vt.wrap_pending);
    show("0123456789X");
    CHECK(row_is(0, "0123456789") && row_is(1, "X"));
    show("1\r\n2\r\n3\r\n4\r\n5");
    CHECK(row_is(0, "2") && row_is(3, "5"));
    show("a\xe2\x94\x80\xc3\xa9\xff\xe2"
         "b");
    CHECK(row_is(0, "a-\x7f\x7f\x7f"
                    "b"));
    show("\033(0lqk\033(Bq");
    CHECK(row_is(0, "+-+q"));
}

static void
test_cursor(void)
{
    show("\033[3;4Hx");
    CHECK(row_is(2, "   x") && cursor_at(2, 4));
    show("\033[99;99H");
    CHECK(cursor_at(3, 9));
    show("\033[2;2H\033[A\033[A\033[2C\033[D");
    CHECK(cursor_at(0, 2));
    show("\0337\033[3;3H\0338");
    CHECK(cursor_at(0, 0));
    show("\033[4;1H\033[7G\033[2d");
    CHECK(cursor_at(1, 6));
}

static void
test_erase(void)
{
    show("0123456789\033[1;5H\033[K");
    CHECK(row_is(0, "0123"));
    show("0123456789\033[1;5H\033[1K");
    CHECK(row_is(0, "     56789"));
    show("a\r\nb\r\nc\033[2;1H\033[J");
    CHECK(row_is(0, "a") && row_is(1, "") && row_is(2, ""));
    show("a\r\nb\033[2J");
    CHECK(row_is(0, "") && row_is(1, "") && cursor_at(1, 1));
    show("012345\033[1;2H\033[2P\033[1@x");
    CHECK(row_is(0, "0x345"));
    show("012345\033[1;2H\033[3X");
    CHECK(row_is(0, "0   45"));
}

static void
test_lines(void)
{
    show("1\r\n2\r\n3\r\n4\033[2;1H\033[L");
    CHECK(row_is(0, "1") && row_is(1, "") && row_is(2, "2") && row_is(3, "3"));
    show("1\r\n2\r\n3\r\n4\033[2;1H\033[M");
    CHECK(row_is(1, "3") && row_is(2, "4") && row_is(3, ""));
    show("1\r\n2\r\n3\r\n4\033[2;3r\033[3;1H\nx");
    CHECK(row_is(0, "1") && row_is(1, "3") && row_is(2, "x") && row_is(3, "4"));
    show("1\r\n2\r\n3\r\n4\033[2;3r\033[2;1H\033M");
    CHECK(row_is(1, "") && row_is(2, "2") && row_is(3, "4"));
}

static void
test_colors(void)
{
    show("\033[31;1;44mx\033[my\033[7mz\033[0;38;5;9ma\033[38;2;0;0;255mb");
    CHECK(cells[0].color == (12 | 1 << 4) && cells[1].color == 7 && cells[2].color == 7 << 4);
    CHECK(cells[3].color == 12 && cells[4].color == 12);
}

/* Strings and unknown sequences leave nothing behind. */
static void
test_swallowed(void)
{
    show("a\033]0;title\ab\033P1;2q\033\\c\033[?2004h\033[>4;1md\033[1 qe\033[5\030f");
    CHECK(row_is(0, "abcdef"));
}

static void
test_noise(void)
{
    static const char likely[] =
        "\033\033[[0123456789;;?ABCDEFGHJKLMPSTXd@`rmhlsuf()078\n\r\t\bxyz \xe2\x94";

    for (int round = 0; round < 300; round++) {
        unsigned rows = 2 + host_random() % 30, cols = 2 + host_random() % 90;
        struct vt_cell *some = malloc(rows * cols * sizeof(*some));

        vt_init(&vt, some, rows, cols);
        for (int i = 0; i < 5000; i++) {
            uint64_t r = host_random();
            char c = r % 8 == 0 ? (char)(r >> 8) : likely[(r >> 8) % (sizeof(likely) - 1)];

            vt_write(&vt, &c, 1);
            CHECK(vt.row < rows && vt.col < cols);
            CHECK(vt.top < vt.bottom && vt.bottom <= rows && vt.dirty_to <= rows);
        }
        free(some);
    }
}

int
main(void)
{
    test_text();
    test_cursor();
    test_erase();
    test_lines();
    test_colors();
    test_swallowed();
    test_noise();
    printf("ok\n");
    return 0;
}
