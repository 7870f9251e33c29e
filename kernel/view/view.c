/*
 * view.c - which picture is on the screen, and what the pictures are made of: rows of text.
 *
 * The keyboard's interrupt only counts: the thread shows what the number of presses asks for.
 * The way back to the console does not wait for the thread, which may wait for vm_lock, and who
 * holds that may be what the console has to tell of.
 *
 * Locks: presses is written by the interrupt alone; all else is the thread's.
 */
#include "kernel/view/view.h"

#include "boot/bootinfo.h"
#include "kernel/arch/clock.h"
#include "kernel/dev/keyboard.h"
#include "kernel/dev/screen.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/fault.h"
#include "mm/frame.h"
#include "mm/kvmap.h"
#include "mm/rmap.h"
#include "mm/swap.h"

#define PERIOD   (NSEC_PER_SEC / 4)
#define ROWS_MIN 25 /* a smaller screen is the console's alone */
#define COLS_MIN 80

/* By number of presses; NULL: the console. */
static const struct view *const views[] = {NULL, &view_frame_map, &view_processes};

/* The report's colours on its dark ground (tools/vitrine/report/style.css), by enum view_color. */
static const uint8_t colors[16][3] = {
    [VIEW_GROUND] = {0x12, 0x15, 0x18},  [VIEW_FREE] = {0x27, 0x2c, 0x32},
    [VIEW_OUTSIDE] = {0xb9, 0xc0, 0xc8}, [VIEW_SWAP] = {0xee, 0x77, 0x33},
    [VIEW_PAGETABLE] = {0xe6, 0x9f, 0},  [VIEW_KERNEL] = {0x8c, 0x96, 0xa2},
    [VIEW_KMALLOC] = {0x5c, 0x65, 0x6f}, [VIEW_ANON] = {0x4a, 0xa3, 0xdf},
    [VIEW_OBJECT] = {0x1f, 0xb5, 0x8a},  [VIEW_BROKEN] = {0xff, 0x20, 0x20},
    [VIEW_SHARED] = {0xdd, 0x8f, 0xbb},  [VIEW_ZERO] = {0xf0, 0xe4, 0x42},
    [VIEW_INK] = {0xe7, 0xe9, 0xec},
};

static unsigned presses;
static struct waitq pressed = WAITQ_INIT(pressed);
static struct vt_cell *row_cells; /* the row that is being made */
static unsigned row_used;

unsigned view_rows, view_cols;

/* Rows. */

static void
put_text(void *arg, const char *text, size_t len)
{
    for (size_t i = 0; i < len && row_used < view_cols; i++)
        row_cells[row_used++] = (struct vt_cell){(uint8_t)text[i], *(uint8_t *)arg};
}

void
view_put(enum view_color color, const char *fmt, ...)
{
    uint8_t attribute = (uint8_t)(color | VIEW_GROUND << 4);
    va_list ap;

    va_start(ap, fmt);
    (void)vformat(put_text, &attribute, fmt, ap);
    va_end(ap);
}

void
view_put_swatch(enum view_color color, char letter)
{
    uint8_t attribute = (uint8_t)(VIEW_GROUND | color << 4);

    put_text(&attribute, &letter, 1);
}

void
view_pad(unsigned column)
{
    while (row_used < MIN(column, view_cols))
        view_put(VIEW_INK, " ");
}

void
view_end_row(unsigned row)
{
    screen_view_row(row, row_cells, row_used);
    row_used = 0;
}

void
view_title(const char *title, const char *next)
{
    struct frame_stats f;

    mutex_lock(&vm_lock);
    uint64_t minor = fault_total.minor, major = fault_total.major;
    uint64_t slots = swap_slots(), taken = slots - swap_free_slots();
    mutex_unlock(&vm_lock);
    frame_get_stats(&f);
    view_put(VIEW_INK, "%s  ", title);
    view_put(VIEW_KERNEL, "free %lu/%lu  swap %lu/%lu  faults %lu, %lu from disk  ", f.free,
             f.total, taken, slots, minor + major, major);
    view_pad(view_cols - (unsigned)strlen(next) - 4);
    view_put(VIEW_INK, "F2: %s", next);
    view_end_row(0);
}

/* Which picture. */

static void
f2_pressed(void)
{
    unsigned now = presses + 1;

    WRITE_ONCE(presses, now);
    if (views[now % ARRAY_SIZE(views)] == NULL)
        screen_end_view();
    waitq_wake_all(&pressed);
}

static void
view_thread(void *unused UNUSED)
{
    unsigned drawn = 0;

    for (;;) {
        unsigned now = READ_ONCE(presses);
        const struct view *v = views[now % ARRAY_SIZE(views)];

        if (v == NULL)
            screen_end_view(); /* again: that press may have come while a view began */
        else if (now != drawn)
            screen_begin_view(colors);
        if (v != NULL)
            v->draw(now != drawn);
        drawn = now;
        (void)wait_event_full(&pressed, READ_ONCE(presses) != drawn, SLEEP_FIRM,
                              v != NULL ? clock_now() + PERIOD : UINT64_MAX);
    }
}

/* Starting. */

/* screen=NAME begins with that picture. */
static unsigned
first_picture(void)
{
    char value[16];

    if (boot_option("screen", value, sizeof(value)))
        for (unsigned i = 1; i < ARRAY_SIZE(views); i++)
            if (strcmp(value, views[i]->name) == 0)
                return i;
    return 0;
}

static bool
init_views(void)
{
    row_cells = dma_alloc(1);
    if (row_cells == NULL)
        return false;
    view_cols = MIN(view_cols, PAGE_SIZE / sizeof(*row_cells));
    for (unsigned i = 1; i < ARRAY_SIZE(views); i++)
        if (views[i]->init != NULL && !views[i]->init())
            return false;
    return true;
}

void
view_init(void)
{
    screen_size(&view_rows, &view_cols);
    if (view_rows < ROWS_MIN || view_cols < COLS_MIN)
        return;

    struct thread *t = init_views() ? thread_create("views", view_thread, NULL) : NULL;

    if (t == NULL) {
        kprintf("views: no memory for pictures of memory, F2 shows none\n");
        return;
    }
    presses = first_picture();
    thread_start(t);
    keyboard_take_f2(f2_pressed);
}
