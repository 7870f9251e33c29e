/*
 * poll.h - events of poll(), and the sets of select() (asm-generic/poll.h,
 * linux/posix_types.h).
 */
#pragma once

#include "kernel/lib/types.h"

#define POLLIN     0x0001U
#define POLLPRI    0x0002U
#define POLLOUT    0x0004U
#define POLLERR    0x0008U
#define POLLHUP    0x0010U
#define POLLNVAL   0x0020U
#define POLLRDNORM 0x0040U
#define POLLRDBAND 0x0080U
#define POLLWRNORM 0x0100U
#define POLLWRBAND 0x0200U

struct abi_pollfd {
    int32_t fd;
    int16_t events;
    int16_t revents;
};
