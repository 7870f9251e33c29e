/*
 * view.h - pictures of memory on the machine's screen: the map of frames, and the processes.
 *
 * F2 goes from the console to the first, to the second, and back.  A thread draws the picture that
 * is shown, some times a second; while it is the console the thread sleeps.  All memory is
 * taken at boot, and none on a machine without a screen.
 *
 * frame_map.c and processes.c each draw one.  Only the thread calls them, so what they remember
 * needs no lock.
 */
#pragma once

#include "kernel/lib/types.h"

/* Colours of owners and pages are those of `vm live` and of the report (style.css). */
enum view_color {
    VIEW_GROUND = 0,
    VIEW_FREE = 1,
    VIEW_OUTSIDE = 3,
    VIEW_SWAP = 4,
    VIEW_PAGETABLE = 6,
    VIEW_KERNEL = 7,
    VIEW_KMALLOC = 8,
    VIEW_ANON = 9,
    VIEW_OBJECT = 10,
    VIEW_BROKEN = 12,
    VIEW_SHARED = 13,
    VIEW_ZERO = 14,
    VIEW_INK = 15,
};

/* view_init - from here on F2 works; the boot option screen= may name the first picture. */
void view_init(void);

/* ---- for the pictures ---- */

struct view {
    const char *name;        /* as the boot option has it */
    bool (*init)(void);      /* at boot; false: no memory.  NULL: there is nothing to do */
    void (*draw)(bool anew); /* @anew: the screen is empty */
};

extern const struct view view_frame_map, view_processes;

/* The screen in characters. */
extern unsigned view_rows, view_cols;

/* Text is put after what the row has so far; view_end_row shows it as row @row of the screen. */
void view_put(enum view_color color, const char *fmt, ...) PRINTF_LIKE(2, 3);
void view_put_swatch(enum view_color color, char letter); /* a cell on that ground */
void view_pad(unsigned column);                           /* blanks up to there */
void view_end_row(unsigned row);

/* The first row: @title, what both pictures tell of memory, and what F2 does. Takes vm_lock. */
void view_title(const char *title, const char *next);
