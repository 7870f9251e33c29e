/*
 * clock.h - what time it is, and an alarm.
 *
 * Time comes from the TSC, calibrated at boot (CPUID leaf 15h, or the PIT); the
 * alarm is the local APIC's timer in one-shot mode.
 */
#pragma once

#include "kernel/arch/cpu.h"
#include "kernel/lib/types.h"

/* Nanoseconds since boot; never goes back. */
nsec_t clock_now(void);

/* Nanoseconds since 1970, UTC; the CMOS clock read once at boot plus clock_now(). */
nsec_t clock_realtime(void);

/*
 * clock_set_alarm - one interrupt on IRQ_TIMER, on this CPU, at or soon after clock_now() ==
 * @when; replaces the alarm before.
 * @when: UINT64_MAX for none.
 */
void clock_set_alarm(nsec_t when);

/* The same, unless there is an alarm already that comes before. */
void clock_advance_alarm(nsec_t when);

/*
 * clock_hold_alarm - no alarm on this CPU until clock_release_alarm(), which makes up for what
 * came due.  Interrupts off at the call of both; a halt may be in between.
 */
void clock_hold_alarm(void);
void clock_release_alarm(void);

/* Halts for @time, and a step of the timer. Interrupts off, the alarm held. */
void clock_halt_for(nsec_t time);

/*
 * clock_stop, clock_go_on - the clock stands still, for all CPUs.  By one thread at a time; to go
 * on while it goes does nothing.
 */
void clock_stop(void);
void clock_go_on(void);

extern struct clock_stops {
    uint64_t at;   /* A: clock_cycles() while the clock stands still; 0: it goes */
    uint64_t lost; /* A: cycles in which it stood still */
} clock_stops;

/* The TSC, without the cycles in which the clock stood still: what the times of the trace are. */
static inline uint64_t
clock_cycles(void)
{
    uint64_t at = READ_ONCE(clock_stops.at), lost, now;

    if (unlikely(at != 0))
        return at;
    do { /* again, if it was stopped meanwhile */
        lost = READ_ONCE(clock_stops.lost);
        now = rdtsc();
    } while (unlikely(READ_ONCE(clock_stops.lost) != lost));
    return now - lost;
}

/* The TSC's rate, and what clock_cycles() was at clock_now() == 0. */
void clock_get_tsc(uint64_t *hz, uint64_t *start);

/* Calibrates; called once on the boot CPU, after apic_init(). */
void clock_init(void);

/*
 * clock_alarm_due - arch's own, for the timer interrupt: true if the alarm's time has come;
 * else the timer is set again for what is left of it.
 */
bool clock_alarm_due(void);
