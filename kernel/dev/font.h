/*
 * font.h - the letters of the screen: 8 by 16 pixels, ASCII.
 */
#pragma once

#include "kernel/lib/types.h"

#define FONT_WIDTH  8
#define FONT_HEIGHT 16
#define FONT_FIRST  0x20
#define FONT_NONE   0x7f /* an empty box: what has no glyph */

/* By character - FONT_FIRST; a byte for each row from the top, bit 7 is the leftmost pixel. */
extern const uint8_t font_glyphs[FONT_NONE - FONT_FIRST + 1][FONT_HEIGHT];
