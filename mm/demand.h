/*
 * demand.h - demand paging: the page of a region, at its first touch.
 */
#pragma once

#include "mm/fault.h"

/*
 * demand_page - map the page that a fault asks for.
 * @f: region found, access allowed by it.
 * Locks: space->lock and vm_lock held.  Does not sleep.
 * Returns: FAULT_DONE, FAULT_BUSERR, or a FAULT_WAIT_*.
 */
enum fault_result demand_page(struct fault *f);
