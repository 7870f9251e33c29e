/*
 * sysvshm.h - System V shared memory: segments that have a number and outlive their makers.
 *
 *   - A segment is an object of shared memory with a number, a key, an owner and permissions.
 *   - Attached means mapped.  Each region holds one reference of the object, and the table holds
 *     one until IPC_RMID: so attaches need no count of their own.
 *   - A removed segment has no key any more and goes with its last attach; until then its number
 *     works, as on Linux.
 *
 * None of these may be called with a lock held.  Contracts: shmget(2), shmat(2), shmctl(2).
 */
#pragma once

#include "kernel/abi/shm.h"
#include "kernel/lib/types.h"

struct text;

/* Finds the segment of @key, or makes one. Returns its id, or -EINVAL, -ENOENT, -EEXIST, ... */
int sysvshm_get(int32_t key, uint64_t size, unsigned flags);

/* Maps it into the caller's space. @addr: 0, or where. Returns the address, or an error. */
int64_t sysvshm_attach(int id, vaddr_t addr, unsigned flags);

/* Unmaps what the attach at @addr left there. 0 or -EINVAL, -ENOMEM. */
int sysvshm_detach(vaddr_t addr);

/* What shmctl tells of a segment. @cmd: IPC_STAT, or SHM_STAT and SHM_STAT_ANY, where @id is a
 * place in the table. Returns the segment's id (IPC_STAT: 0), or -EINVAL, -EACCES. */
int sysvshm_stat(int id, unsigned cmd, struct shmid_ds *ds);

/* IPC_SET (@ds: owner and mode), IPC_RMID, SHM_LOCK, SHM_UNLOCK. */
int sysvshm_control(int id, unsigned cmd, const struct shmid_ds *ds);

/* Sums over all segments, for SHM_INFO. Returns the highest place in the table that is used. */
int sysvshm_sum(struct shm_info *info);

/* /proc/sysvipc/shm. */
void sysvshm_show(struct text *t);
