/*
 * dirent.h - entries as getdents() and getdents64() give them, and their types
 * (linux/dirent.h).
 */
#pragma once

#include "kernel/lib/types.h"

#define DT_UNKNOWN 0
#define DT_FIFO    1
#define DT_CHR     2
#define DT_DIR     4
#define DT_BLK     6
#define DT_REG     8
#define DT_LNK     10
#define DT_SOCK    12

/* The type of an entry is the file type of the mode, shifted down. */
#define DT_OF_MODE(mode) (((mode)&0170000U) >> 12)

struct abi_dirent64 {
    uint64_t d_ino;
    int64_t d_off;
    uint16_t d_reclen;
    uint8_t d_type;
    char d_name[];
};

/* The old one: the type is the last byte of the record. */
struct abi_dirent {
    uint64_t d_ino;
    int64_t d_off;
    uint16_t d_reclen;
    char d_name[];
};
