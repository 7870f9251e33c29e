/*
 * poll.h - waiting for one of many files: the table in which poll() and select() stand in
 * queues.
 *
 * A file's poll operation says where to wait by poll_wait() and returns what is ready now.
 * Standing in the queue comes first, so nothing that happens between look and sleep is missed.
 */
#pragma once

#include "kernel/abi/poll.h"
#include "kernel/sched/waitq.h"

#define POLL_INLINE 4

struct poll_page;

struct poll_table {
    struct waiter first[POLL_INLINE]; /* enough for most calls */
    unsigned used;                    /* of first, or of the newest page */
    struct poll_page *pages;          /* newest first */
    bool no_memory;                   /* a place was asked for and there was none */
};

void poll_table_init(struct poll_table *t);

/* Stand in @q until poll_leave. @t may be NULL. Does not sleep. */
void poll_wait(struct poll_table *t, struct waitq *q);

/* Leaves all queues and frees the table's memory. */
void poll_leave(struct poll_table *t);
