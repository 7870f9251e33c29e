/*
 * screen.c - the machine's display as a text console: the loader's framebuffer, or VGA text
 * memory.
 *
 * vt.c keeps what should be seen, `shown` what is; after each write only the cells that differ
 * are drawn.  So scrolling costs what changes on the screen, and a burst of text is drawn once,
 * in its last state.  A view (screen.h) is drawn by the same comparison; what the console gets
 * meanwhile waits in vt.
 *
 * Locks: lock (spin) for everything.  Nothing is logged while it is held.
 */
#include "kernel/dev/screen.h"

#include "boot/bootinfo.h"
#include "kernel/arch/io.h"
#include "kernel/arch/panic.h"
#include "kernel/arch/spinlock.h"
#include "kernel/dev/font.h"
#include "kernel/dev/vt.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"
#include "mm/layout.h"

#define VGA_TEXT      0xb8000
#define VGA_ROWS      25
#define VGA_COLS      80
#define VGA_CRTC      0x3d4 /* index; data is the next port */
#define CRTC_CURSOR_H 0x0e
#define CRTC_CURSOR_L 0x0f

#define MAX_ROWS 200
#define MAX_COLS 400
#define NOWHERE  UINT32_MAX
#define PIXEL    4 /* bytes */

static struct {
    struct spinlock lock;
    bool present;
    bool view; /* a view is shown, not vt */
    struct vt vt;
    struct vt_cell *shown;  /* as vt.cells, but what is drawn; all zeros: unknown */
    uint32_t cursor_shown;  /* cell that is drawn as the cursor, or NOWHERE */
    volatile uint16_t *vga; /* VGA text memory, or NULL for a framebuffer */
    volatile uint8_t *pixels;
    unsigned pitch;
    uint32_t palettes[2][16]; /* as pixels: the console's, the view's */
} screen = {.lock = SPINLOCK_INIT("screen"), .cursor_shown = NOWHERE};

/* IBM's sixteen colours, red, green, blue. */
static const uint8_t colors[16][3] = {
    {0x00, 0x00, 0x00}, {0x20, 0x40, 0xa8}, {0x20, 0x90, 0x40}, {0x20, 0x98, 0xa8},
    {0xb8, 0x30, 0x30}, {0x98, 0x40, 0xa0}, {0xa8, 0x78, 0x20}, {0xc8, 0xc8, 0xc8},
    {0x68, 0x68, 0x68}, {0x60, 0x90, 0xff}, {0x60, 0xe0, 0x80}, {0x60, 0xe0, 0xf0},
    {0xff, 0x70, 0x68}, {0xe8, 0x88, 0xf0}, {0xff, 0xe0, 0x70}, {0xff, 0xff, 0xff},
};

/* Drawing. */

static uint32_t
pixel_of(const uint8_t rgb[3])
{
    return (uint32_t)rgb[0] << bootinfo.fb.red_shift |
           (uint32_t)rgb[1] << bootinfo.fb.green_shift |
           (uint32_t)rgb[2] << bootinfo.fb.blue_shift;
}

/* A row of eight pixels, two in one store. */
static void
draw_row(volatile uint8_t *at, uint8_t bits, uint64_t fg, uint64_t bg)
{
    volatile uint64_t *out = (volatile uint64_t *)at;
    const uint64_t pair[4] = {bg | bg << 32, bg | fg << 32, fg | bg << 32, fg | fg << 32};

    for (int i = 0; i < FONT_WIDTH / 2; i++, bits = (uint8_t)(bits << 2))
        out[i] = pair[bits >> 6];
}

static void
draw_pixels(uint32_t cell, struct vt_cell c)
{
    unsigned row = cell / screen.vt.cols, col = cell % screen.vt.cols;
    volatile uint8_t *at = screen.pixels + (size_t)row * FONT_HEIGHT * screen.pitch +
                           (size_t)col * FONT_WIDTH * PIXEL;
    const uint32_t *palette = screen.palettes[screen.view];
    uint32_t fg = palette[c.color & 15], bg = palette[c.color >> 4];
    const uint8_t *glyph =
        font_glyphs[(c.ch < FONT_FIRST || c.ch > FONT_NONE ? FONT_NONE : c.ch) - FONT_FIRST];

    for (int y = 0; y < FONT_HEIGHT; y++, at += screen.pitch)
        draw_row(at, glyph[y], fg, bg);
}

static void
draw_cell(uint32_t cell, bool cursor)
{
    struct vt_cell c = screen.shown[cell];

    if (screen.vga != NULL) {
        screen.vga[cell] = (uint16_t)(c.ch | c.color << 8);
        return;
    }
    if (cursor)
        c.color = (uint8_t)(c.color << 4 | c.color >> 4);
    draw_pixels(cell, c);
}

static void
move_vga_cursor(uint32_t cell)
{
    unsigned at =
        cell == NOWHERE ? VGA_ROWS * VGA_COLS : cell; /* behind the last row it is not seen */

    outb(VGA_CRTC, CRTC_CURSOR_H);
    outb(VGA_CRTC + 1, (uint8_t)(at >> 8));
    outb(VGA_CRTC, CRTC_CURSOR_L);
    outb(VGA_CRTC + 1, (uint8_t)at);
}

/* The cursor leaves its old place and is drawn at the new one. */
static void
show_cursor(void)
{
    uint32_t old = screen.cursor_shown;
    uint32_t now =
        screen.vt.cursor_on ? screen.vt.row * screen.vt.cols + screen.vt.col : NOWHERE;

    screen.cursor_shown = now;
    if (screen.vga != NULL) {
        if (old != now)
            move_vga_cursor(now);
        return;
    }
    if (old != NOWHERE && old != now)
        draw_cell(old, false);
    if (now != NOWHERE)
        draw_cell(now, true);
}

static void
show_cell(uint32_t cell, struct vt_cell c)
{
    if (c.ch == screen.shown[cell].ch && c.color == screen.shown[cell].color)
        return;
    screen.shown[cell] = c;
    draw_cell(cell, false);
}

/* Draws what differs; a row that does not is skipped by one comparison. lock held. */
static void
refresh(void)
{
    struct vt *vt = &screen.vt;

    if (screen.view)
        return;
    for (unsigned row = vt->dirty_from; row < vt->dirty_to; row++) {
        uint32_t start = row * vt->cols;

        if (memcmp(vt->cells + start, screen.shown + start,
                   vt->cols * sizeof(struct vt_cell)) == 0)
            continue;
        for (uint32_t i = start; i < start + vt->cols; i++)
            show_cell(i, vt->cells[i]);
    }
    vt->dirty_from = vt->rows;
    vt->dirty_to = 0;
    show_cursor();
}

/* Another picture than before: nothing of what is drawn stays. lock held. */
static void
change_picture(bool view)
{
    screen.view = view;
    memset(screen.shown, 0, (size_t)screen.vt.rows * screen.vt.cols * sizeof(struct vt_cell));
    screen.vt.dirty_from = 0;
    screen.vt.dirty_to = screen.vt.rows;
    screen.cursor_shown = NOWHERE;
    refresh();
}

void
screen_write(const char *buf, size_t n)
{
    if (!screen.present)
        return;
    spin_lock(&screen.lock);
    vt_write(&screen.vt, buf, n);
    refresh();
    spin_unlock(&screen.lock);
}

/*
 * The log's lines end in \n alone, and come in pieces: what has no end yet is drawn with the
 * rest of its line.  A panic takes no lock, because who holds it may never go on.
 */
static void
screen_log(const char *text, size_t len)
{
    bool locked = !panic_in_progress();
    size_t start = 0;

    if (locked)
        spin_lock(&screen.lock);
    else if (screen.view)
        change_picture(false);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\n')
            continue;
        vt_write(&screen.vt, text + start, i - start);
        vt_write(&screen.vt, "\r\n", 2);
        start = i + 1;
    }
    vt_write(&screen.vt, text + start, len - start);
    if (start > 0)
        refresh();
    if (locked)
        spin_unlock(&screen.lock);
}

/* Views. */

/* Row @row is @n cells, and blanks. lock held, a view is shown. */
static void
show_row(unsigned row, const struct vt_cell *cells, unsigned n)
{
    const struct vt_cell blank = {' ', 0};

    for (unsigned col = 0; col < screen.vt.cols; col++)
        show_cell(row * screen.vt.cols + col, col < n ? cells[col] : blank);
}

void
screen_begin_view(const uint8_t rgb[16][3])
{
    spin_lock(&screen.lock);
    for (int i = 0; i < 16; i++)
        screen.palettes[true][i] = pixel_of(rgb[i]);
    change_picture(true);
    if (screen.vga != NULL)
        move_vga_cursor(NOWHERE);
    for (unsigned row = 0; row < screen.vt.rows; row++)
        show_row(row, NULL, 0);
    spin_unlock(&screen.lock);
}

void
screen_end_view(void)
{
    spin_lock(&screen.lock);
    if (screen.view)
        change_picture(false);
    spin_unlock(&screen.lock);
}

void
screen_view_row(unsigned row, const struct vt_cell *cells, unsigned n)
{
    spin_lock(&screen.lock);
    if (screen.view && row < screen.vt.rows)
        show_row(row, cells, n);
    spin_unlock(&screen.lock);
}

void
screen_view_box(unsigned x, unsigned y, unsigned width, unsigned height, uint8_t color)
{
    spin_lock(&screen.lock);
    if (screen.view && screen.pixels != NULL) {
        volatile uint8_t *line = screen.pixels + (size_t)y * screen.pitch + (size_t)x * PIXEL;

        for (unsigned i = 0; i < height; i++, line += screen.pitch)
            for (unsigned k = 0; k < width; k++)
                ((volatile uint32_t *)line)[k] = screen.palettes[true][color];
    }
    spin_unlock(&screen.lock);
}

bool
screen_pixels(unsigned *width, unsigned *height)
{
    *width = screen.vt.cols * FONT_WIDTH;
    *height = screen.vt.rows * FONT_HEIGHT;
    return screen.pixels != NULL;
}

/* Starting. */

/* Returns false if the loader left no framebuffer of a kind that we can draw on. */
static bool
init_framebuffer(unsigned *rows, unsigned *cols)
{
    if (bootinfo.fb.addr == 0 || bootinfo.fb.bpp != PIXEL * 8)
        return false;
    *rows = MIN(bootinfo.fb.height / FONT_HEIGHT, MAX_ROWS);
    *cols = MIN(bootinfo.fb.width / FONT_WIDTH, MAX_COLS);
    if (*rows < 2 || *cols < 2 || bootinfo.fb.pitch < bootinfo.fb.width * PIXEL)
        return false;
    screen.pixels =
        kvmap_device(bootinfo.fb.addr, (size_t)bootinfo.fb.pitch * bootinfo.fb.height, true);
    if (screen.pixels == NULL)
        return false;
    screen.pitch = bootinfo.fb.pitch;
    for (int i = 0; i < 16; i++)
        screen.palettes[false][i] = pixel_of(colors[i]);
    return true;
}

/* Text memory is there if it keeps what is written; machines without VGA read back ones. */
static bool
init_vga(unsigned *rows, unsigned *cols)
{
    if (bootinfo.fb.addr != 0)
        return false; /* a graphics mode is on, nobody would see it */
    screen.vga = kvmap_device(VGA_TEXT, VGA_ROWS * VGA_COLS * 2, false);
    if (screen.vga == NULL)
        return false;
    screen.vga[0] = 0x0755;
    if (screen.vga[0] != 0x0755) {
        screen.vga = NULL;
        return false;
    }
    *rows = VGA_ROWS;
    *cols = VGA_COLS;
    return true;
}

static bool
init_cells(unsigned rows, unsigned cols)
{
    size_t size = (size_t)rows * cols * sizeof(struct vt_cell);
    unsigned pages = (unsigned)(page_ceil(size) / PAGE_SIZE);
    struct vt_cell *cells = dma_alloc(pages);

    screen.shown = dma_alloc(pages);
    if (cells == NULL || screen.shown == NULL)
        return false;
    /* All of `shown` is zeros, as no cell of an empty screen is: everything is drawn first. */
    vt_init(&screen.vt, cells, rows, cols);
    return true;
}

bool
screen_init(void)
{
    unsigned rows, cols;
    char value[8];

    if (boot_option("screen", value, sizeof(value)) && strcmp(value, "off") == 0)
        return false;
    if (!init_framebuffer(&rows, &cols) && !init_vga(&rows, &cols))
        return false;
    if (!init_cells(rows, cols)) {
        kprintf("screen: no memory for its text\n");
        return false;
    }
    screen.present = true;
    log_add_sink(screen_log);
    return true;
}

void
screen_size(unsigned *rows, unsigned *cols)
{
    *rows = screen.present ? screen.vt.rows : 0;
    *cols = screen.present ? screen.vt.cols : 0;
}
