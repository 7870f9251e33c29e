/*
 * text.h - generated files: text that is made when it is read (/proc).
 *
 *   - An inode with fops == &text_file_ops has ops->show, which writes the whole text once for
 *     each open that reads, and again when a read begins at offset 0.
 *   - The text lives in a chain of pages, so its length has no limit; each call of text_printf
 *     adds less than a page.
 */
#pragma once

#include "kernel/fs/file.h"

struct text_page;

struct text {
    struct text_page *first, *last;
    size_t length;
    bool no_memory; /* something was left out */
};

/* Adds formatted text, cut to 4000 bytes; after a failed allocation nothing more is added. */
void text_printf(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Adds raw bytes, any number. */
void text_write(struct text *t, const void *bytes, size_t n);
void text_free(struct text *t);
/* Calls @fn for the bytes, piece by piece, until it returns other than 0; returns that. */
int text_each(const struct text *t, int (*fn)(void *arg, const void *bytes, size_t n),
              void *arg);

/* Copies out what lies at *pos. Returns the bytes, or -EFAULT. */
ssize_t text_copy(const struct text *t, struct uio *u, off_t *pos);

extern const struct file_ops text_file_ops;
/* For other files whose private is a struct text of kmalloc. */
void text_release(struct file *f);
off_t text_seek(struct file *f, off_t off, int whence);
