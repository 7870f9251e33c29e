/*
 * virtio_rng.h - random bytes from the host, by a virtio entropy device.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * virtio_rng_init - ask the device, if there is one, for a key's worth of bytes and mix them into
 * the kernel's generator.  Once, while booting, and not in a run that a seed decides.
 * Returns: true when bytes came.
 */
bool virtio_rng_init(void);
