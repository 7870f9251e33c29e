/*
 * screen.h - the machine's display as a text console: the loader's framebuffer, or VGA text
 * memory.
 */
#pragma once

#include "kernel/dev/vt.h"
#include "kernel/lib/types.h"

/*
 * screen_init - find the display, clear it, and make it a console of the kernel's log.
 * The kernel option screen=off leaves it alone.
 * Returns: false when there is none that we can use.
 */
bool screen_init(void);

/* Its size in characters; 0 by 0 without one. */
void screen_size(unsigned *rows, unsigned *cols);

/* Shows @n bytes of terminal output, if there is a screen. Any context; does not sleep. */
void screen_write(const char *buf, size_t n);

/*
 * A view is a picture of the kernel's own in front of the console, which goes on behind it.  It
 * is drawn piece by piece, and while none is shown, drawing one does nothing.  None of these
 * sleeps.
 *
 * screen_begin_view - shows an empty view, in these colours.
 *                     @rgb: red, green, blue of each colour of a cell; text memory has its own.
 * screen_end_view   - shows the console again.
 * screen_view_row   - row @row of the view is @n cells, and blanks.
 * screen_view_box   - fills @width by @height pixels; the row's cells under it are to be blanks.
 * screen_pixels     - the size of a view in pixels, of whole cells; false: it has none, only
 *                     text memory.
 */
void screen_begin_view(const uint8_t rgb[16][3]);
void screen_end_view(void);
void screen_view_row(unsigned row, const struct vt_cell *cells, unsigned n);
void screen_view_box(unsigned x, unsigned y, unsigned width, unsigned height, uint8_t color);
bool screen_pixels(unsigned *width, unsigned *height);
