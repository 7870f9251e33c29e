/*
 * processes.c - the processes on the screen: the memory of each, and a strip of its pages.
 *
 * The strip is the address space without its gaps: all pages of all regions, from the lowest
 * address to the highest.  A cell has the colour of what most of its pages are, of those that were
 * ever touched.
 *
 * Locks: proc_lock for a moment; then space->lock for as long as one process takes, and inside it
 * vm_lock, let go after every few pages.
 */
#include "kernel/view/view.h"

#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "mm/anon.h"
#include "mm/space.h"

#define TOP          3  /* first row of a process */
#define BOTTOM       2  /* rows below the last */
#define STRIP        62 /* first column of the strip */
#define STRIP_MAX    128
#define PAGES_A_LOOK 512 /* under one hold of vm_lock */

enum page_state { OWN, SHARED, FILE_PAGE, ZEROS, SWAPPED, STATES };

static const struct {
    const char *name; /* as in the report: names.js */
    enum view_color color;
} states[STATES] = {
    [OWN] = {"own", VIEW_ANON},          [SHARED] = {"shared", VIEW_SHARED},
    [FILE_PAGE] = {"file", VIEW_OBJECT}, [ZEROS] = {"zeros", VIEW_ZERO},
    [SWAPPED] = {"in swap", VIEW_SWAP},
};

/* The process that is being looked at. */
static struct {
    char letter;
    char name[THREAD_NAME_MAX];
    uint64_t pages, resident, swapped, tables, faults;
    unsigned cells; /* of the strip */
    uint32_t count[STRIP_MAX][STATES];
} seen;

/* Looking. */

static void
count(uint64_t page, enum page_state state)
{
    uint64_t cell = page * seen.cells / seen.pages;

    if (cell < seen.cells)
        seen.count[cell][state]++;
    seen.swapped += state == SWAPPED;
}

/* The private pages of @r; @before: pages of the regions below. space->lock held. */
static void
count_private(const struct space *s, const struct region *r, uint64_t before)
{
    uint64_t first = r->start >> PAGE_SHIFT, end = r->end >> PAGE_SHIFT, i = first;
    bool more = true;

    while (more) {
        mutex_lock(&vm_lock);
        for (unsigned n = 0; n < PAGES_A_LOOK && more; n++, i++) {
            const struct anon *a = radix_next(&s->private, &i, end);

            if (!(more = a != NULL))
                break;
            count(before + i - first, a->frame == NULL ? SWAPPED : a->refs > 1 ? SHARED : OWN);
        }
        mutex_unlock(&vm_lock);
    }
}

/* The other pages of @r that are mapped: the file's, zeros, and shared memory. */
static void
count_mapped(const struct space *s, const struct region *r, uint64_t before)
{
    vaddr_t va = r->start;
    bool more = true;

    while (more) {
        mutex_lock(&vm_lock);
        for (unsigned n = 0; n < PAGES_A_LOOK && more; n++, va += PAGE_SIZE) {
            const pte_t *e = pagetable_next(&s->pt, NULL, &va, r->end);

            if (!(more = e != NULL))
                break;
            const struct frame *f = frame_of(pte_addr(*e));

            enum page_state state = f == frame_zero            ? ZEROS
                                    : f->owner == FRAME_OBJECT ? FILE_PAGE
                                                               : SHARED;

            if (state != SHARED || r->shared)
                count(before + (va - r->start) / PAGE_SIZE, state);
        }
        mutex_unlock(&vm_lock);
    }
}

static void
look_at_space(struct space *s)
{
    const struct region *r;
    uint64_t before = 0;

    mutex_lock(&s->lock);
    seen.pages = s->pages;
    region_for_each (r, s) {
        count_private(s, r, before);
        count_mapped(s, r, before);
        before += (r->end - r->start) / PAGE_SIZE;
    }
    mutex_lock(&vm_lock);
    seen.resident = s->resident_anon + s->resident_file;
    seen.tables = s->pt.tables;
    seen.faults = s->faults.minor + s->faults.major;
    mutex_unlock(&vm_lock);
    mutex_unlock(&s->lock);
}

static void
look_at(struct process *p)
{
    memset(&seen, 0, sizeof(seen));
    seen.cells = view_cols > STRIP ? MIN(view_cols - STRIP, STRIP_MAX) : 0;
    spin_lock(&proc_lock);
    const struct task *t =
        list_empty(&p->tasks) ? NULL : list_entry(p->tasks.next, struct task, link);
    seen.letter = process_letter_locked(p, t);
    strlcpy(seen.name, t != NULL ? t->thread->name : p->dead_name, sizeof(seen.name));
    spin_unlock(&proc_lock);

    struct space *s = process_space(p);

    if (s == NULL)
        return;
    look_at_space(s);
    space_put(s);
}

/* Drawing. */

static void
draw_strip(void)
{
    for (unsigned c = 0; c < seen.cells && seen.pages > 0; c++) {
        unsigned most = 0;

        for (unsigned k = 1; k < STATES; k++)
            if (seen.count[c][k] > seen.count[c][most])
                most = k;
        view_put_swatch(seen.count[c][most] > 0 ? states[most].color : VIEW_FREE, ' ');
    }
}

static void
draw_process(unsigned row, struct process *p)
{
    look_at(p);
    view_put(VIEW_INK, "%5d %c %-15s", p->pid, seen.letter, seen.name);
    view_put(VIEW_INK, "%8luK %7luK %6luK %8lu", seen.resident * PAGE_SIZE / KIB,
             seen.swapped * PAGE_SIZE / KIB, seen.tables * PAGE_SIZE / KIB, seen.faults);
    view_pad(STRIP);
    draw_strip();
    view_end_row(row);
}

static void
draw_key(void)
{
    for (unsigned k = 0; k < STATES; k++) {
        view_put_swatch(states[k].color, ' ');
        view_put(VIEW_INK, " %s  ", states[k].name);
    }
    view_put_swatch(VIEW_FREE, ' ');
    view_put(VIEW_INK, " untouched");
    view_end_row(view_rows - 1);
}

static void
draw(bool anew UNUSED)
{
    unsigned row = TOP, end = view_rows - BOTTOM, more = 0;
    struct process *p;

    view_title("Processes", "console");
    view_put(VIEW_KERNEL, "%5s %c %-15s%9s %8s %7s %8s", "PID", 'S', "NAME", "RESIDENT",
             "SWAPPED", "TABLES", "FAULTS");
    view_pad(STRIP);
    view_put(VIEW_KERNEL, "ADDRESS SPACE");
    view_end_row(TOP - 1);
    thread_borrow();
    for (pid_t pid = 1; (p = process_next(pid)) != NULL; process_put(p)) {
        pid = p->pid + 1;
        if (row < end)
            draw_process(row++, p);
        else
            more++;
    }
    thread_give_back();
    while (row < end)
        view_end_row(row++);
    if (more > 0)
        view_put(VIEW_KERNEL, "and %u more", more);
    view_end_row(end);
    draw_key();
}

const struct view view_processes = {"processes", .draw = draw};
