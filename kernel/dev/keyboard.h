/*
 * keyboard.h - a PS/2 keyboard behind the i8042 controller: US layout, as bytes of a terminal.
 */
#pragma once

#include "kernel/lib/types.h"

struct tty;

/*
 * keyboard_init - start the controller and its first port.
 * @tty: gets the bytes of each key, from the interrupt.
 * Returns: false when there is no controller or it fails its self-test.
 */
bool keyboard_init(struct tty *tty);

/*
 * keyboard_take_f2 - F2 without Shift, Ctrl and Alt is not the terminal's any more.
 * @pressed: called for each press (not again while it is held), from the interrupt.
 */
void keyboard_take_f2(void (*pressed)(void));
