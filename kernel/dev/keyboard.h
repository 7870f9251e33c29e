/*
 * keyboard.h - a PS/2 keyboard behind the i8042 controller: US layout, as bytes of a terminal.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * keyboard_init - start the controller and its first port.
 * @receive: gets the bytes of each key, from the interrupt; must not sleep.
 * Returns: false when there is no controller or it fails its self-test.
 */
bool keyboard_init(void (*receive)(const uint8_t *buf, size_t n));
