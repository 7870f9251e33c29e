/*
 * core.h - core dumps: what is left of a program that died of a fault, for a debugger.
 */
#pragma once

#include "kernel/lib/types.h"

struct siginfo;
struct text;

#define CORE_PATTERN_MAX 127 /* bytes of /proc/sys/kernel/core_pattern, as on Linux */

/*
 * core_dump - write the current process to a file, if its limits and rights let it.
 *
 * The process is at its end: no thread of it goes back to user mode.
 * @info: the signal that ends it.
 * Sleeps; no lock held.  SIGKILL cuts it short.
 * Returns: true when a core file was begun, which is what wait() tells by 0x80 (WCOREDUMP).
 */
bool core_dump(const struct siginfo *info);

/*
 * core_notes - the notes of the current process's core: registers of every thread, siginfo,
 * auxiliary vector, mapped files. Sleeps; @out->no_memory tells that some are missing.
 */
void core_notes(struct text *out, const struct siginfo *info);

/*
 * core_get_pattern, core_set_pattern - the name of core files, with %p and the like: core(5).
 * @buf: CORE_PATTERN_MAX + 1 bytes.  @n: bytes of @pattern, NUL not needed.
 * Returns: 0; -EINVAL for one that is too long, or a command ("|...").
 */
void core_get_pattern(char *buf);
int core_set_pattern(const char *pattern, size_t n) MUST_CHECK;

/*
 * core_name - the name that the current process's core gets.
 * Returns: 0, or -ENAMETOOLONG.
 */
int core_name(char *buf, size_t size, int sig) MUST_CHECK;
