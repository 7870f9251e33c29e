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
