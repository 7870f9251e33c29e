/*
 * vt.h - what a terminal's screen shows: text with escape sequences in, a rectangle of coloured
 * cells out.
 *
 *   - Knows nothing of pixels; screen.c shows the cells.
 *   - Understands the part of ECMA-48 and of xterm's own sequences that shells, vi, less and
 *     top use.
 *   - Any input is harmless: what it does not know is swallowed whole.
 *
 * Locks: none of its own; its owner calls under one.
 */
#pragma once

#include "kernel/lib/types.h"

#define VT_PARAMS 16

/* A cell is what VGA text memory holds: a character, and foreground + 16 * background. */
struct vt_cell {
    uint8_t ch;
    uint8_t color;
};

STATIC_ASSERT(sizeof(struct vt_cell) == 2);

/* How characters are written from here on. */
struct vt_pen {
    uint8_t fg, bg; /* 0..15: IBM's order, blue is 1 */
    bool bold, reverse;
    bool graphics; /* line drawing instead of small letters (ESC ( 0) */
};

enum vt_state { VT_TEXT, VT_ESCAPE, VT_CSI, VT_STRING, VT_STRING_ESCAPE, VT_CHARSET };

struct vt {
    struct vt_cell *cells; /* rows * cols, row by row */
    unsigned rows, cols;
    unsigned row, col;    /* cursor */
    bool wrap_pending;    /* the last column was written, the next character begins a row */
    unsigned top, bottom; /* scroll region [top, bottom) */
    unsigned dirty_from, dirty_to; /* rows that may have changed; who shows them resets it */
    struct vt_pen pen;
    bool cursor_on, autowrap;
    struct {
        unsigned row, col;
        struct vt_pen pen;
    } saved;

    enum vt_state state;
    char private;      /* '?', '>', '=' after ESC [, else 0 */
    bool intermediate; /* a byte 0x20..0x2f came in a sequence: not one that we know */
    char charset;      /* which of ( ) * + it was */
    unsigned params[VT_PARAMS];
    unsigned count; /* parameters begun, at most VT_PARAMS */
    uint32_t code;  /* UTF-8 character so far */
    unsigned more;  /* bytes of it still to come */
};

/* Makes an empty screen over @rows * @cols cells (each at least 2). */
void vt_init(struct vt *vt, struct vt_cell *cells, unsigned rows, unsigned cols);

/* Takes @n bytes of output. */
void vt_write(struct vt *vt, const char *buf, size_t n);
