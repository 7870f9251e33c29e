/*
 * vt.c - what a terminal's screen shows: text with escape sequences in, a rectangle of coloured
 * cells out.
 *
 * A state machine over bytes (the states are those of ECMA-48: text, ESC, CSI with parameters,
 * and strings that are skipped).  Functions are named in ECMA-48's words: ED erase in page, EL
 * erase in line, IL insert line, and so on; the letters of the sequences stand at the switch in
 * run_csi().
 *
 * Invariants: row < rows, col < cols, top < bottom <= rows.
 */
#include "kernel/dev/vt.h"

#include "kernel/lib/string.h"

#define ESC         033
#define TAB         8
#define PARAM_MAX   9999
#define DEFAULT_FG  7
#define DEFAULT_BG  0
#define BRIGHT      8
#define REPLACEMENT 0x7f

static const struct vt_pen pen_default = {.fg = DEFAULT_FG, .bg = DEFAULT_BG};

/* ANSI counts red 1, green 2, blue 4; IBM the other way round. */
static const uint8_t ibm_color[8] = {0, 4, 2, 6, 1, 5, 3, 7};

/* Cells. */

static uint8_t
pen_color(const struct vt_pen *pen)
{
    uint8_t fg = pen->fg | (pen->bold ? BRIGHT : 0);
    uint8_t bg = pen->bg;

    return pen->reverse ? (uint8_t)(bg | fg << 4) : (uint8_t)(fg | bg << 4);
}

static void
mark_dirty(struct vt *vt, unsigned from, unsigned to)
{
    vt->dirty_from = MIN(vt->dirty_from, from);
    vt->dirty_to = MAX(vt->dirty_to, to);
}

/* Blanks the cells [from, to), counted from the first; they take the background that is set. */
static void
clear_cells(struct vt *vt, unsigned from, unsigned to)
{
    struct vt_cell blank = {' ', (uint8_t)(DEFAULT_FG | vt->pen.bg << 4)};

    mark_dirty(vt, from / vt->cols, (to + vt->cols - 1) / vt->cols);
    for (unsigned i = from; i < to; i++)
        vt->cells[i] = blank;
}

static void
move_rows(struct vt *vt, unsigned to, unsigned from, unsigned count)
{
    mark_dirty(vt, to, to + count);
    memmove(vt->cells + to * vt->cols, vt->cells + from * vt->cols,
            (size_t)count * vt->cols * sizeof(struct vt_cell));
}

/* Moves the rows of [top, bottom) up by @n; blank ones come in below. */
static void
scroll_up(struct vt *vt, unsigned top, unsigned bottom, unsigned n)
{
    n = MIN(n, bottom - top);
    move_rows(vt, top, top + n, bottom - top - n);
    clear_cells(vt, (bottom - n) * vt->cols, bottom * vt->cols);
}

static void
scroll_down(struct vt *vt, unsigned top, unsigned bottom, unsigned n)
{
    n = MIN(n, bottom - top);
    move_rows(vt, top + n, top, bottom - top - n);
    clear_cells(vt, top * vt->cols, (top + n) * vt->cols);
}

static void
index_down(struct vt *vt)
{
    vt->wrap_pending = false;
    if (vt->row + 1 == vt->bottom)
        scroll_up(vt, vt->top, vt->bottom, 1);
    else if (vt->row + 1 < vt->rows)
        vt->row++;
}

static void
index_up(struct vt *vt)
{
    vt->wrap_pending = false;
    if (vt->row == vt->top)
        scroll_down(vt, vt->top, vt->bottom, 1);
    else if (vt->row > 0)
        vt->row--;
}

static void
move_cursor(struct vt *vt, unsigned row, unsigned col)
{
    vt->row = MIN(row, vt->rows - 1);
    vt->col = MIN(col, vt->cols - 1);
    vt->wrap_pending = false;
}

/* Shifts the rest of the cursor's row by @n cells: to the right (ICH) or to the left (DCH). */
static void
shift_row(struct vt *vt, unsigned n, bool right)
{
    unsigned start = vt->row * vt->cols + vt->col, end = (vt->row + 1) * vt->cols;
    struct vt_cell *at = vt->cells + start;
    unsigned keep;

    n = MIN(n, end - start);
    keep = end - start - n;
    mark_dirty(vt, vt->row, vt->row + 1);
    if (right) {
        memmove(at + n, at, keep * sizeof(*at));
        clear_cells(vt, start, start + n);
    } else {
        memmove(at, at + n, keep * sizeof(*at));
        clear_cells(vt, end - n, end);
    }
    vt->wrap_pending = false;
}

/* Characters. */

/* DEC's line drawing set, where it has an ASCII likeness; below, Unicode's box drawing. */
static char
graphics_likeness(char c)
{
    if (c == 'q')
        return '-';
    if (c == 'x')
        return '|';
    if ((c >= 'j' && c <= 'n') || (c >= 't' && c <= 'w'))
        return '+';
    return c == '`' ? '*' : c == 'a' ? '#' : c == '~' ? '.' : c;
}

static uint8_t
unicode_likeness(uint32_t code)
{
    if (code < 0x7f)
        return (uint8_t)code;
    if (code == 0x2500 || code == 0x2501 || code == 0x2550 ||
        (code >= 0x2010 && code <= 0x2015))
        return '-';
    if (code == 0x2502 || code == 0x2503 || code == 0x2551)
        return '|';
    if (code >= 0x250c && code < 0x2580)
        return '+';
    if (code == 0x2018 || code == 0x2019)
        return '\'';
    if (code == 0x201c || code == 0x201d)
        return '"';
    return code == 0xa0 ? ' ' : REPLACEMENT;
}

static void
put_character(struct vt *vt, uint8_t ch)
{
    if (vt->wrap_pending && vt->autowrap) {
        index_down(vt);
        vt->col = 0;
    }
    vt->wrap_pending = false;
    mark_dirty(vt, vt->row, vt->row + 1);
    vt->cells[vt->row * vt->cols + vt->col] = (struct vt_cell){ch, pen_color(&vt->pen)};
    if (vt->col + 1 < vt->cols)
        vt->col++;
    else
        vt->wrap_pending = true;
}

/* One byte of UTF-8; a sequence that breaks off shows one box and goes on with the new byte. */
static void
put_utf8(struct vt *vt, uint8_t c)
{
    if (vt->more > 0 && (c & 0xc0) == 0x80) {
        vt->code = vt->code << 6 | (c & 0x3f);
        if (--vt->more == 0)
            put_character(vt, unicode_likeness(vt->code));
        return;
    }
    if (vt->more > 0)
        put_character(vt, REPLACEMENT);
    vt->more = c >= 0xf0 && c < 0xf8   ? 3
               : c >= 0xe0 && c < 0xf0 ? 2
               : c >= 0xc0 && c < 0xe0 ? 1
                                       : 0;
    vt->code = c & (0x3fU >> vt->more);
    if (vt->more > 0)
        return;
    if (c >= 0x80)
        put_character(vt, REPLACEMENT);
    else
        put_character(vt, (uint8_t)(vt->pen.graphics ? graphics_likeness((char)c) : (char)c));
}

static void
control(struct vt *vt, uint8_t c)
{
    switch (c) {
    case '\b':
        move_cursor(vt, vt->row, vt->col > 0 ? vt->col - 1 : 0);
        break;
    case '\t':
        move_cursor(vt, vt->row, (vt->col / TAB + 1) * TAB);
        break;
    case '\n':
    case '\v':
    case '\f':
        index_down(vt);
        break;
    case '\r':
        move_cursor(vt, vt->row, 0);
        break;
    case 016: /* shift out and in: the other character set */
    case 017:
        vt->pen.graphics = c == 016;
        break;
    case ESC:
        vt->state = VT_ESCAPE;
        break;
    default:
        break;
    }
}

/* Sequences. */

/* Parameter @i; 0 or missing means @otherwise. */
static unsigned
param(const struct vt *vt, unsigned i, unsigned otherwise)
{
    return i < vt->count && vt->params[i] != 0 ? vt->params[i] : otherwise;
}

/* ED and EL: 0 from the cursor, 1 up to and with the cursor, 2 all. */
static void
erase(struct vt *vt, unsigned start, unsigned end)
{
    unsigned cursor = vt->row * vt->cols + vt->col, which = param(vt, 0, 0);

    clear_cells(vt, which == 0 ? cursor : start, which == 1 ? cursor + 1 : end);
    vt->wrap_pending = false;
}

/*
 * 38;5;n and 38;2;r;g;b (48 likewise). Returns how many parameters after the first it took.
 * SIMPLE: of xterm's 256 colours only the first sixteen are shown as such.
 */
static unsigned
extended_color(const struct vt *vt, unsigned i, uint8_t *color)
{
    unsigned kind = param(vt, i + 1, 0), n = param(vt, i + 2, 0);

    if (kind == 5 && n < 16)
        *color = (uint8_t)(ibm_color[n & 7] | (n & BRIGHT));
    return kind == 5 ? 2 : kind == 2 ? 4 : 1;
}

/* One parameter of SGR (ECMA-48 8.3.117) that stands alone. */
static void
select_rendition(struct vt_pen *pen, unsigned n)
{
    if (n == 0)
        *pen = (struct vt_pen){DEFAULT_FG, DEFAULT_BG, false, false, pen->graphics};
    else if (n == 1 || n == 22)
        pen->bold = n == 1;
    else if (n == 7 || n == 27)
        pen->reverse = n == 7;
    else if (n >= 30 && n <= 37)
        pen->fg = ibm_color[n - 30];
    else if (n == 39)
        pen->fg = DEFAULT_FG;
    else if (n >= 40 && n <= 47)
        pen->bg = ibm_color[n - 40];
    else if (n == 49)
        pen->bg = DEFAULT_BG;
    else if (n >= 90 && n <= 97)
        pen->fg = ibm_color[n - 90] | BRIGHT;
    else if (n >= 100 && n <= 107)
        pen->bg = ibm_color[n - 100] | BRIGHT;
}

static void
select_renditions(struct vt *vt)
{
    for (unsigned i = 0; i < MAX(vt->count, 1U); i++) {
        unsigned n = param(vt, i, 0);

        if (n == 38)
            i += extended_color(vt, i, &vt->pen.fg);
        else if (n == 48)
            i += extended_color(vt, i, &vt->pen.bg);
        else
            select_rendition(&vt->pen, n);
    }
}

static void
save_cursor(struct vt *vt)
{
    vt->saved.row = vt->row;
    vt->saved.col = vt->col;
    vt->saved.pen = vt->pen;
}

static void
restore_cursor(struct vt *vt)
{
    move_cursor(vt, vt->saved.row, vt->saved.col);
    vt->pen = vt->saved.pen;
}

/*
 * xterm's private modes.  SIMPLE: there is no second screen for 1049 to switch to; the screen
 * is cleared when a program takes it and when it gives it back.
 */
static void
set_private_mode(struct vt *vt, unsigned mode, bool on)
{
    switch (mode) {
    case 7:
        vt->autowrap = on;
        break;
    case 25:
        vt->cursor_on = on;
        break;
    case 47:
    case 1047:
    case 1049:
        if (on && mode == 1049)
            save_cursor(vt);
        clear_cells(vt, 0, vt->rows * vt->cols);
        if (!on && mode == 1049)
            restore_cursor(vt);
        break;
    default:
        break;
    }
}

static void
set_modes(struct vt *vt, bool on)
{
    for (unsigned i = 0; i < vt->count && vt->private == '?'; i++)
        set_private_mode(vt, vt->params[i], on);
}

static void
set_scroll_region(struct vt *vt)
{
    unsigned top = param(vt, 0, 1) - 1, bottom = MIN(param(vt, 1, vt->rows), vt->rows);

    if (top + 1 >= bottom)
        return;
    vt->top = top;
    vt->bottom = bottom;
    move_cursor(vt, 0, 0);
}

/* IL and DL work from the cursor's row to the end of the scroll region, and only inside it. */
static void
shift_lines(struct vt *vt, bool insert)
{
    if (vt->row < vt->top || vt->row >= vt->bottom)
        return;
    if (insert)
        scroll_down(vt, vt->row, vt->bottom, param(vt, 0, 1));
    else
        scroll_up(vt, vt->row, vt->bottom, param(vt, 0, 1));
    move_cursor(vt, vt->row, 0);
}

/* Cursor up and down stop at the scroll region's edge when they begin inside it. */
static void
move_vertically(struct vt *vt, bool down, unsigned n)
{
    unsigned low = vt->row >= vt->top ? vt->top : 0;
    unsigned high = vt->row < vt->bottom ? vt->bottom - 1 : vt->rows - 1;
    unsigned row;

    if (down)
        row = MIN(vt->row + n, high);
    else
        row = vt->row - low > n ? vt->row - n : low;
    move_cursor(vt, row, vt->col);
}

/* Cursor movements. Returns false if @c is not one. */
static bool
run_cursor(struct vt *vt, char c)
{
    unsigned n = param(vt, 0, 1);

    switch (c) {
    case 'A':
    case 'B':
        move_vertically(vt, c != 'A', n);
        break;
    case 'C':
        move_cursor(vt, vt->row, vt->col + n);
        break;
    case 'D':
        move_cursor(vt, vt->row, vt->col > n ? vt->col - n : 0);
        break;
    case 'E':
    case 'F':
        move_vertically(vt, c == 'E', n);
        move_cursor(vt, vt->row, 0);
        break;
    case 'G':
        move_cursor(vt, vt->row, n - 1);
        break;
    case 'd':
        move_cursor(vt, n - 1, vt->col);
        break;
    case 'H':
    case 'f':
        move_cursor(vt, n - 1, param(vt, 1, 1) - 1);
        break;
    default:
        return false;
    }
    return true;
}

/* Everything that changes cells. */
static void
run_edit(struct vt *vt, char c)
{
    unsigned n = param(vt, 0, 1), row = vt->row * vt->cols, cursor = row + vt->col;

    switch (c) {
    case 'J':
        erase(vt, 0, vt->rows * vt->cols);
        break;
    case 'K':
        erase(vt, row, row + vt->cols);
        break;
    case 'X':
        clear_cells(vt, cursor, MIN(cursor + n, row + vt->cols));
        break;
    case '@':
    case 'P':
        shift_row(vt, n, c == '@');
        break;
    case 'L':
    case 'M':
        shift_lines(vt, c == 'L');
        break;
    case 'S':
        scroll_up(vt, vt->top, vt->bottom, n);
        break;
    case 'T':
        scroll_down(vt, vt->top, vt->bottom, n);
        break;
    default:
        break;
    }
}

static void
run_csi(struct vt *vt, char c)
{
    if (c == 'h' || c == 'l') {
        set_modes(vt, c == 'h');
        return;
    }
    if (vt->private != 0 || vt->intermediate || run_cursor(vt, c))
        return;
    switch (c) {
    case 'm':
        select_renditions(vt);
        break;
    case 'r':
        set_scroll_region(vt);
        break;
    case 's':
        save_cursor(vt);
        break;
    case 'u':
        restore_cursor(vt);
        break;
    default:
        run_edit(vt, c);
        break;
    }
}

/* A byte inside ESC [ ... */
static void
take_csi(struct vt *vt, uint8_t c)
{
    if (c >= '0' && c <= '9') {
        if (vt->count == 0)
            vt->count = 1;
        unsigned *p = &vt->params[vt->count - 1];

        *p = MIN(*p * 10 + (c - '0'), PARAM_MAX);
    } else if (c == ';' || c == ':') {
        if (vt->count == 0)
            vt->count = 1;
        if (vt->count < VT_PARAMS)
            vt->count++;
    } else if (c >= '<' && c <= '?') {
        vt->private = (char)c;
    } else if (c >= 0x20 && c <= 0x2f) {
        vt->intermediate = true;
    } else {
        vt->state = VT_TEXT;
        if (c >= 0x40 && c < 0x7f)
            run_csi(vt, (char)c);
    }
}

/* The byte after ESC. */
static void
take_escape(struct vt *vt, uint8_t c)
{
    vt->state = VT_TEXT;
    switch (c) {
    case '[':
        vt->state = VT_CSI;
        vt->private = 0;
        vt->intermediate = false;
        vt->count = 0;
        memset(vt->params, 0, sizeof(vt->params));
        break;
    case ']': /* strings for a window's title and the like */
    case 'P':
    case 'X':
    case '^':
    case '_':
        vt->state = VT_STRING;
        break;
    case '(':
    case ')':
    case '*':
    case '+':
        vt->state = VT_CHARSET;
        vt->charset = (char)c;
        break;
    case '7':
        save_cursor(vt);
        break;
    case '8':
        restore_cursor(vt);
        break;
    case 'D':
    case 'E':
        index_down(vt);
        if (c == 'E')
            vt->col = 0;
        break;
    case 'M':
        index_up(vt);
        break;
    case 'c':
        vt_init(vt, vt->cells, vt->rows, vt->cols);
        break;
    default:
        break;
    }
}

static void
take_byte(struct vt *vt, uint8_t c)
{
    if (vt->state == VT_STRING || vt->state == VT_STRING_ESCAPE) {
        /* Ends with BEL, or with ESC and any byte (a backslash, if all is right). */
        if (c == '\a' || vt->state == VT_STRING_ESCAPE)
            vt->state = VT_TEXT;
        else if (c == ESC)
            vt->state = VT_STRING_ESCAPE;
    } else if (c == 0x18 || c == 0x1a) {
        vt->state = VT_TEXT; /* CAN and SUB break a sequence off */
    } else if (c < ' ') {
        control(vt, c); /* these work also in the middle of a sequence */
    } else if (vt->state == VT_ESCAPE) {
        take_escape(vt, c);
    } else if (vt->state == VT_CSI) {
        take_csi(vt, c);
    } else if (vt->state == VT_CHARSET) {
        vt->state = VT_TEXT;
        if (vt->charset == '(')
            vt->pen.graphics = c == '0';
    } else if (c != 0x7f) {
        put_utf8(vt, c);
    }
}

void
vt_write(struct vt *vt, const char *buf, size_t n)
{
    for (size_t i = 0; i < n; i++)
        take_byte(vt, (uint8_t)buf[i]);
}

void
vt_init(struct vt *vt, struct vt_cell *cells, unsigned rows, unsigned cols)
{
    *vt = (struct vt){
        .cells = cells,
        .rows = rows,
        .cols = cols,
        .bottom = rows,
        .pen = pen_default,
        .cursor_on = true,
        .autowrap = true,
        .saved = {.pen = pen_default},
    };
    clear_cells(vt, 0, rows * cols);
}
