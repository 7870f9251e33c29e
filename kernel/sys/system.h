/*
 * system.h - facts about the machine as a whole.
 */
#pragma once

/* The name that sethostname() set. */
const char *system_hostname(void);
