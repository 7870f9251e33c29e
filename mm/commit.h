/*
 * commit.h - what was promised: memory that programs were given and may not have touched yet.
 *
 * A private page that may be written can need a frame or a slot of its own one day.  How much
 * of that may be promised is a choice, overcommit= at boot or /proc/sys/vm/overcommit_memory,
 * with Linux's numbers (vm/overcommit-accounting):
 *
 *     0 heuristic   only what could never be met is refused: one request larger than RAM and
 *                   swap together; most programs touch little of what they ask for
 *     1 always      nothing is refused
 *     2 strict      all promises together stay below swap and half of RAM: asking fails, with
 *                   ENOMEM, and touching never does
 */
#pragma once

#include "kernel/lib/types.h"

enum commit_mode { COMMIT_HEURISTIC, COMMIT_ALWAYS, COMMIT_STRICT };

/* What a region's pages are to the account. */
enum promise {
    PROMISE_NONE,  /* nothing: shared, or never writable so far */
    PROMISE_MADE,  /* each page is charged */
    PROMISE_NEVER, /* MAP_NORESERVE: not even when it becomes writable */
};

/* Promises @pages, all or none; gives the promise back. Any locks. 0 or -ENOMEM. */
int commit_charge(uint64_t pages) MUST_CHECK;
void commit_release(uint64_t pages);

/* The promise that a new private region needs. @noreserve: MAP_NORESERVE was given. */
enum promise commit_promise(unsigned prot, bool noreserve);

enum commit_mode commit_get_mode(void);
void commit_set_mode(enum commit_mode mode);

#define COMMIT_RAM_PERCENT 50 /* as Linux's vm.overcommit_ratio is by default */

/* Pages promised, and how many may be under COMMIT_STRICT. */
uint64_t commit_total(void);
uint64_t commit_limit(void);

/* Reads the boot option. */
void commit_init(void);
