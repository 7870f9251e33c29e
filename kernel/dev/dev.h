/*
 * dev.h - bringing the devices up, in order.
 */
#pragma once

/*
 * dev_init_early - what the rest of the kernel wants before it has memory or threads: fw_cfg's
 * additions to the kernel command line.  Called once, first thing in kmain(); needs port access
 * only.
 */
void dev_init_early(void);

/*
 * dev_init - find and start every device, one log line each; a missing one is said so.
 *
 * Called once on the boot CPU, after sched_init() and before the first process (it uses
 * dma_alloc and starts the terminal's thread).  May sleep.
 */
void dev_init(void);
