/*
 * shm.h - System V shared memory: flags, commands, structures (linux/shm.h, asm-generic/shmbuf.h
 * and ipcbuf.h).
 */
#pragma once

#include "kernel/lib/types.h"

#define IPC_PRIVATE 0
#define IPC_CREAT   01000
#define IPC_EXCL    02000
#define SHM_HUGETLB 04000

#define SHM_NORESERVE 010000 /* of shmget */

#define SHM_RDONLY 010000 /* of shmat */
#define SHM_RND    020000
#define SHM_REMAP  040000
#define SHM_EXEC   0100000

#define IPC_RMID     0
#define IPC_SET      1
#define IPC_STAT     2
#define IPC_INFO     3
#define SHM_LOCK     11
#define SHM_UNLOCK   12
#define SHM_STAT     13
#define SHM_INFO     14
#define SHM_STAT_ANY 15

/* Above the permissions in the mode: removed when nobody is attached any more; stays in RAM. */
#define SHM_DEST   01000
#define SHM_LOCKED 02000

#define SHMMNI 4096
#define SHMMAX (UINT64_MAX - (1UL << 24)) /* bytes of one segment */
#define SHMALL (UINT64_MAX - (1UL << 24)) /* pages of all */

struct shmid_ds {
    struct {
        int32_t key;
        uid_t uid;
        gid_t gid;
        uid_t cuid;
        gid_t cgid;
        uint32_t mode;
        uint16_t seq, pad[3];
        uint64_t unused[2];
    } perm;
    uint64_t segsz;
    int64_t atime, dtime, ctime;
    int32_t cpid, lpid;
    uint64_t nattch;
    uint64_t unused[2];
};
STATIC_ASSERT(sizeof(struct shmid_ds) == 112);

struct shminfo {
    uint64_t shmmax, shmmin, shmmni, shmseg, shmall, unused[4];
};

struct shm_info {
    int32_t used_ids, pad;
    uint64_t shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes;
};
