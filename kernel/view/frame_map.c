/*
 * frame_map.c - the map of frames on the screen: a dot for each frame, or for a few of them.
 *
 * A dot has the colour of the commonest owner among its frames.  The numbers and the owners are
 * those of `vm mem`.  Each second the invariants are recomputed (mm/check.c), and a dot is red
 * while one of its frames breaks one.
 *
 * In text memory a dot is a letter, and has no marks.
 *
 * Locks: vm_lock, let go after every few dots; the check holds it for as long as it takes.
 */
#include "kernel/view/view.h"

#include "boot/bootinfo.h"
#include "kernel/arch/clock.h"
#include "kernel/dev/font.h"
#include "kernel/dev/screen.h"
#include "kernel/lib/string.h"
#include "mm/check.h"
#include "mm/frame.h"
#include "mm/kvmap.h"
#include "mm/rmap.h"

#define TOP         2 /* first row of the map */
#define BOTTOM      6 /* rows below it */
#define KEY_WIDTH   26
#define DOT_MAX     16 /* pixels of a dot's side, with the gap to the next */
#define DOT_MIN     4
#define DOTS_A_LOOK 64 /* under one hold of vm_lock */

/* What a frame is for: its owner, or one of these. */
enum { KIND_SHARED = FRAME_OWNERS, KIND_OUTSIDE, KINDS };

static const struct {
    const char *name; /* as in the report: names.js */
    enum view_color color;
    char letter; /* as in `vm mem` */
} kinds[KINDS] = {
    [FRAME_FREE] = {"free", VIEW_FREE, '.'},
    [FRAME_KERNEL] = {"kernel", VIEW_KERNEL, 'K'},
    [FRAME_KMALLOC] = {"small objects", VIEW_KMALLOC, 'k'},
    [FRAME_PAGETABLE] = {"page table", VIEW_PAGETABLE, 't'},
    [FRAME_ANON] = {"anonymous page", VIEW_ANON, 'A'},
    [FRAME_OBJECT] = {"file page", VIEW_OBJECT, 'F'},
    [FRAME_ZERO] = {"frame of zeros", VIEW_ZERO, '0'},
    [KIND_SHARED] = {"anonymous, shared", VIEW_SHARED, 'S'},
    [KIND_OUTSIDE] = {"the kernel itself", VIEW_OUTSIDE, '#'},
};

/* What is drawn of a dot: its kind, and these. */
#define DOT_DIRTY   0x10 /* a frame of it differs from its file or slot */
#define DOT_HELD    0x20 /* a frame of it travels to or from a disk, or is pinned */
#define DOT_BROKEN  0x40
#define DOT_UNKNOWN 0xff /* nothing is drawn yet */

struct dot {
    uint8_t shown;
    bool broken; /* by the last check */
};

static struct dot *dots;
static uint64_t nframes;        /* numbers that the map shows: all below */
static unsigned ndots, per_dot; /* frames of a dot */
static unsigned columns, side;  /* dots in a row; pixels of one, 0 in text memory */
static uint64_t total[KINDS], dirty, held;
static nsec_t next_check;
static unsigned violations;
static char sentence[128]; /* of the first; one about a frame if there is such */
static bool about_frame;

/* Looking. */

/* Counts frame @n, and says what it is. vm_lock held. */
static unsigned
look_at(uint64_t n, uint8_t *marks)
{
    const struct frame *f = frame_peek(n);

    if (f == NULL)
        return frame_exists(n << PAGE_SHIFT) ? FRAME_FREE : KIND_OUTSIDE;
    unsigned owner = READ_ONCE(f->owner);

    if (owner != FRAME_ANON && owner != FRAME_OBJECT)
        return owner < FRAME_OWNERS ? owner : FRAME_FREE;
    if (f->dirty)
        *marks |= DOT_DIRTY;
    if (f->busy || f->pins > 0)
        *marks |= DOT_HELD;
    dirty += f->dirty;
    held += f->busy || f->pins > 0;
    return owner == FRAME_ANON && f->maps != NULL && f->maps->next != NULL ? KIND_SHARED
                                                                           : owner;
}

/* The dot as it should be drawn. vm_lock held. */
static uint8_t
look_at_dot(unsigned d)
{
    uint64_t end = MIN((uint64_t)(d + 1) * per_dot, nframes);
    unsigned count[KINDS] = {0}, commonest = 0;
    uint8_t marks = dots[d].broken ? DOT_BROKEN : 0;

    for (uint64_t n = (uint64_t)d * per_dot; n < end; n++) {
        unsigned kind = look_at(n, &marks);

        total[kind]++;
        count[kind]++;
    }
    for (unsigned k = 1; k < KINDS; k++)
        if (count[k] > count[commonest])
            commonest = k;
    return (uint8_t)(commonest | marks);
}

static void
note_violation(const struct frame *f, const char *text, void *arg UNUSED)
{
    uint64_t d = f != NULL ? frame_number(f) / per_dot : ndots;

    if (d < ndots)
        dots[d].broken = true;
    if (sentence[0] == '\0' || (d < ndots && !about_frame)) {
        strlcpy(sentence, text, sizeof(sentence));
        about_frame = d < ndots;
    }
}

static void
check(void)
{
    for (unsigned d = 0; d < ndots; d++)
        dots[d].broken = false;
    sentence[0] = '\0';
    about_frame = false;
    violations = vm_check_tell(note_violation, NULL);
}

/* Drawing. */

/* A square with, when there is room, a corner for each mark. */
static void
draw_square(unsigned d, uint8_t dot)
{
    unsigned x = d % columns * side, y = TOP * FONT_HEIGHT + d / columns * side;
    unsigned width = side - 1, corner = width / 3;

    screen_view_box(x, y, width, width,
                    dot & DOT_BROKEN ? VIEW_BROKEN : kinds[dot & 0xf].color);
    if (dot & DOT_DIRTY)
        screen_view_box(x + width - corner, y + width - corner, corner, corner, VIEW_SWAP);
    if (dot & DOT_HELD)
        screen_view_box(x, y, corner, corner, VIEW_INK);
}

static void
draw_letter(uint8_t dot)
{
    if (dot & DOT_BROKEN)
        view_put_swatch(VIEW_BROKEN, '!');
    else
        view_put(kinds[dot & 0xf].color, "%c", kinds[dot & 0xf].letter);
}

static void
draw_dot(unsigned d, uint8_t dot)
{
    if (side == 0)
        draw_letter(dot);
    else if (dot != dots[d].shown)
        draw_square(d, dot);
    dots[d].shown = dot;
    if (side == 0 && ((d + 1) % columns == 0 || d + 1 == ndots))
        view_end_row(TOP + d / columns);
}

static void
draw_dots(void)
{
    uint8_t seen[DOTS_A_LOOK];

    memset(total, 0, sizeof(total));
    dirty = held = 0;
    for (unsigned first = 0; first < ndots; first += DOTS_A_LOOK) {
        unsigned n = MIN(ndots - first, DOTS_A_LOOK);

        mutex_lock(&vm_lock);
        for (unsigned i = 0; i < n; i++)
            seen[i] = look_at_dot(first + i);
        mutex_unlock(&vm_lock);
        for (unsigned i = 0; i < n; i++)
            draw_dot(first + i, seen[i]);
    }
}

/* What the colours mean, with the number of frames of each. */
static void
draw_key(void)
{
    unsigned row = view_rows - BOTTOM + 1, across = view_cols / KEY_WIDTH;

    for (unsigned k = 0; k < KINDS; k++) {
        view_pad(k % across * KEY_WIDTH);
        view_put_swatch(kinds[k].color, side == 0 ? kinds[k].letter : ' ');
        view_put(VIEW_INK, " %s %lu", kinds[k].name, total[k]);
        if ((k + 1) % across == 0 || k + 1 == KINDS)
            view_end_row(row++);
    }
}

static void
draw_foot(void)
{
    view_put(VIEW_KERNEL, "a %s is %u frame%s;  %lu dirty%s, %lu busy or pinned%s",
             side == 0 ? "letter" : "square", per_dot, per_dot == 1 ? "" : "s", dirty,
             side == 0 ? "" : " (orange corner)", held, side == 0 ? "" : " (white)");
    view_end_row(view_rows - 2);
    if (violations == 0)
        view_put(VIEW_KERNEL, "every invariant holds");
    else
        view_put(VIEW_BROKEN, "%u broken: %s", violations, sentence);
    view_end_row(view_rows - 1);
}

static void
draw(bool anew)
{
    for (unsigned d = 0; d < ndots && anew; d++)
        dots[d].shown = DOT_UNKNOWN;
    if (anew || clock_now() >= next_check) {
        check();
        next_check = clock_now() + NSEC_PER_SEC;
    }
    view_title("Frames", "processes");
    draw_dots();
    draw_key();
    draw_foot();
}

/* The largest dots with which all frames fit; where the smallest do not, they share them. */
static bool
init(void)
{
    unsigned width, height, room;

    nframes = bootinfo.ram_end >> PAGE_SHIFT;
    if (!screen_pixels(&width, &height)) {
        columns = view_cols;
        room = columns * (view_rows - TOP - BOTTOM);
    } else {
        height -= (TOP + BOTTOM) * FONT_HEIGHT;
        side = DOT_MAX;
        while (side > DOT_MIN && (uint64_t)(width / side) * (height / side) < nframes)
            side--;
        columns = width / side;
        room = columns * (height / side);
    }
    per_dot = (unsigned)((nframes + room - 1) / room);
    ndots = (unsigned)((nframes + per_dot - 1) / per_dot);
    dots = dma_alloc((unsigned)(page_ceil(ndots * sizeof(*dots)) / PAGE_SIZE));
    return dots != NULL;
}

const struct view view_frame_map = {"frames", init, draw};
