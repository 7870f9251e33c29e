/*
 * clock.c - the time-stamp counter as the clock, the local APIC's timer as the alarm.
 *
 * Both count at a rate that must be found out.  A hypervisor or CPUID may say it;
 * else both are measured against the one clock whose rate is fixed on every PC, the
 * programmable interval timer's 1.193182 MHz.  A reading is short, and says how unsure it is;
 * one that was interrupted at either end, by the host for one, is taken again.
 *
 * Times are turned by multiplying with a fraction of 2^32: the error is below 2^-31,
 * and a multiplication of 64 x 64 bits has no overflow for centuries.
 *
 * With the option "shake" the timer also interrupts at random times before the alarm, for nothing.
 * Where an emulator lets its processors take turns, a turn ends there: so the seed of the random
 * numbers chooses how what they do is interleaved, in small steps.
 *
 * SIMPLE: assumes that the TSC ticks at one rate and alike on all CPUs; a real kernel
 * checks that and falls back to the HPET.
 *
 * Sources: Intel SDM vol. 3B 17.17 "Time-Stamp Counter", vol. 2A CPUID leaf 15H; Intel 8254
 * data sheet; Motorola MC146818A data sheet (the CMOS clock).
 */
#include "kernel/arch/clock.h"

#include "boot/bootinfo.h"
#include "kernel/arch/apic.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/io.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/random.h"
#include "kernel/lib/string.h"

#define PIT_HZ        1193182UL
#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND   0x43
#define PIT_ONE_SHOT  0xb0 /* channel 2, low then high byte, mode 0 */
#define PIT_CHANNEL_0 0x40
#define PIT_STOP      0x30 /* channel 0, the same */
#define PORT_B        0x61
#define PORT_B_GATE   1 /* channel 2 counts */
#define PORT_B_SOUND  2
#define PORT_B_OUT    0x20 /* channel 2 is at zero */

#define PIT_STEPS 2400UL /* about 2 ms */
#define SURE      10000  /* a reading will do that is right but for one part in so many */
#define TRIES     100

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71
#define CMOS_REG_A 0x0a
#define CMOS_STOP  0x60 /* holds the divider in reset */

struct rates {
    uint64_t tsc_hz;
    uint64_t timer_hz; /* steps of apic_timer_start per second */
};

static uint64_t tsc_hz;
static uint64_t tsc_start;     /* clock_cycles() at clock_now() == 0 */
static uint64_t ns_per_cycle;  /* times 2^32 */
static uint64_t steps_per_ns;  /* times 2^32 */
static nsec_t realtime_start;  /* UTC at clock_now() == 0 */
static nsec_t alarms[CPU_MAX]; /* each CPU's own */
static bool held[CPU_MAX];     /* the timer stands still although there is an alarm */
static nsec_t shake;           /* interrupts come at most so far apart; 0: only when due */
static uint64_t dice_state;

struct clock_stops clock_stops;

/* a * b / 2^32 */
static uint64_t
scale(uint64_t a, uint64_t fraction)
{
    return (unsigned __int128)a * fraction >> 32;
}

nsec_t
clock_now(void)
{
    return scale(clock_cycles() - tsc_start, ns_per_cycle);
}

void
clock_stop(void)
{
    WRITE_ONCE(clock_stops.at, clock_cycles());
}

void
clock_go_on(void)
{
    if (clock_stops.at == 0)
        return;
    WRITE_ONCE(clock_stops.lost, rdtsc() - clock_stops.at);
    WRITE_ONCE(clock_stops.at, 0);
}

nsec_t
clock_realtime(void)
{
    return realtime_start + clock_now();
}

void
clock_get_tsc(uint64_t *hz, uint64_t *start)
{
    *hz = tsc_hz;
    *start = tsc_start;
}

/* Marsaglia's xorshift (2003); the real generator is not for interrupts. Races do it no harm. */
static uint64_t
dice(void)
{
    uint64_t x = dice_state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return dice_state = x;
}

/* An alarm further away than the timer can count is set again by clock_alarm_due(). */
static void
start_timer(nsec_t when)
{
    nsec_t now = clock_now();
    uint64_t steps = when > now ? scale(when - now, steps_per_ns) + 1 : 1;

    if (when - now > 60 * NSEC_PER_SEC && when > now)
        steps = scale(60 * NSEC_PER_SEC, steps_per_ns);
    if (held[this_cpu()->id])
        return;
    if (shake != 0)
        steps = MIN(steps, 1 + scale(dice() % shake, steps_per_ns));
    apic_timer_start(MIN(steps, UINT32_MAX));
}

void
clock_set_alarm(nsec_t when)
{
    irq_push_off();
    alarms[this_cpu()->id] = when;
    if (when == UINT64_MAX)
        apic_timer_start(0);
    else
        start_timer(when);
    irq_pop_off();
}

void
clock_advance_alarm(nsec_t when)
{
    irq_push_off();
    if (when < alarms[this_cpu()->id])
        clock_set_alarm(when);
    irq_pop_off();
}

void
clock_hold_alarm(void)
{
    held[this_cpu()->id] = true;
    apic_timer_start(0);
}

void
clock_release_alarm(void)
{
    held[this_cpu()->id] = false;
    clock_set_alarm(alarms[this_cpu()->id]);
}

void
clock_halt_for(nsec_t time)
{
    apic_timer_start((uint32_t)scale(time, steps_per_ns) + 1);
    do
        cpu_halt_until_interrupt();
    while (apic_timer_left() != 0);
}

bool
clock_alarm_due(void)
{
    nsec_t when = alarms[this_cpu()->id];

    if (when == UINT64_MAX)
        return false; /* taken back while the interrupt was on its way */
    if (clock_now() < when) {
        start_timer(when);
        return false;
    }
    alarms[this_cpu()->id] = UINT64_MAX;
    return true;
}

/* What the two did while the PIT counted PIT_STEPS down. */
struct reading {
    uint64_t cycles;
    uint64_t unsure; /* by so many cycles at most, up or down */
    uint32_t steps;
};

/*
 * The count begins between two looks at the TSC and ends between two others: so far apart as they
 * are, the reading is unsure. What happens in the middle does it no harm.
 */
static struct reading
measure(void)
{
    uint8_t port = inb(PORT_B) & ~PORT_B_SOUND;
    uint64_t limit = 1UL << 34; /* several seconds of any processor: then there is no PIT */

    outb(PORT_B, port | PORT_B_GATE);
    outb(PIT_COMMAND, PIT_ONE_SHOT);
    outb(PIT_CHANNEL_2, PIT_STEPS & 0xff);
    uint64_t start = rdtsc();
    uint32_t timer_start = apic_timer_left();
    outb(PIT_CHANNEL_2, PIT_STEPS >> 8); /* it counts from here on */
    uint64_t now = rdtsc(), started = now, last;
    uint32_t timer;
    bool out;

    do {
        last = now;
        out = inb(PORT_B) & PORT_B_OUT;
        timer = apic_timer_left();
        now = rdtsc();
    } while (!out && now - start < limit);
    outb(PORT_B, port & ~PORT_B_GATE);

    uint64_t unsure = (started - start + now - last) / 2;

    return (struct reading){now - start - unsure, unsure, timer_start - timer};
}

/* Takes the first reading that is sure enough, else the surest. */
static void
rates_from_pit(struct rates *r)
{
    struct reading best = {.unsure = UINT64_MAX};

    apic_timer_start(UINT32_MAX);
    for (int i = 0; i < TRIES && best.unsure > best.cycles / SURE; i++) {
        struct reading try = measure();

        if (try.unsure < best.unsure)
            best = try;
    }
    apic_timer_start(0);
    r->tsc_hz = best.cycles * PIT_HZ / PIT_STEPS;
    r->timer_hz = best.steps * PIT_HZ / PIT_STEPS;
}

/* Rates that somebody tells replace the measured ones. */
static void
rates_from_cpuid(struct rates *r)
{
    uint32_t v[4];

    cpuid(0, 0, v);
    if (v[0] >= 0x15) {
        cpuid(0x15, 0, v); /* ECX Hz of the crystal, times EBX / EAX */
        if (v[0] != 0 && v[1] != 0 && v[2] != 0) {
            r->tsc_hz = (uint64_t)v[2] * v[1] / v[0];
            r->timer_hz = v[2] / 16;
        }
    }
    cpuid(1, 0, v);
    if (!(v[2] >> 31))
        return; /* no hypervisor */
    cpuid(0x40000000, 0, v);
    if (v[0] >= 0x40000010 && v[0] < 0x40000100) {
        cpuid(0x40000010, 0, v); /* EAX kHz of the TSC, EBX kHz of the local APIC's bus */
        if (v[0] != 0)
            r->tsc_hz = v[0] * 1000UL;
        if (v[1] != 0)
            r->timer_hz = v[1] * 1000UL / 16;
    }
}

/* The CMOS clock's registers, in the order of their numbers. */
struct cmos_time {
    uint8_t second, minute, hour, day, month, year;
};

static uint8_t
cmos_read(uint8_t reg)
{
    outb(CMOS_INDEX, reg);
    return inb(CMOS_DATA);
}

static struct cmos_time
cmos_read_time(void)
{
    for (int i = 0; i < 100000 && (cmos_read(0x0a) & 0x80); i++) /* an update is going on */
        continue;
    return (struct cmos_time){cmos_read(0), cmos_read(2), cmos_read(4),
                              cmos_read(7), cmos_read(8), cmos_read(9)};
}

static bool
cmos_same(struct cmos_time a, struct cmos_time b)
{
    return a.second == b.second && a.minute == b.minute && a.hour == b.hour && a.day == b.day &&
           a.month == b.month && a.year == b.year;
}

static unsigned
from_bcd(uint8_t v)
{
    return (v >> 4) * 10 + (v & 15);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar after it. */
static uint64_t
days_before(unsigned year, unsigned month, unsigned day)
{
    /* With years that begin in March the leap day is a year's last. */
    unsigned y = month <= 2 ? year - 1 : year;
    unsigned m = month <= 2 ? month + 9 : month - 3;

    return y * 365UL + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/*
 * Ends the ticking that the firmware left on, which nobody hears.  With the option
 * "repeatable" (QEMU's -icount) the calendar clock is stopped too, its time is known by now:
 * there the clock leaps to the next event while the processor halts, and would leap to theirs
 * for as long as the host's disk takes, so that no two runs were alike.
 */
static void
silence_others(void)
{
    char value[2];

    outb(PIT_COMMAND, PIT_STOP);
    outb(PIT_CHANNEL_0, 1);
    outb(PIT_CHANNEL_0, 0);
    if (boot_option("repeatable", value, sizeof(value))) {
        outb(CMOS_INDEX, CMOS_REG_A);
        outb(CMOS_DATA, CMOS_STOP);
    }
}

static uint64_t
cmos_seconds(void)
{
    struct cmos_time t, again = cmos_read_time();

    do { /* two readings that agree have no carry between them */
        t = again;
        again = cmos_read_time();
    } while (!cmos_same(t, again));

    uint8_t format = cmos_read(0x0b);
    bool binary = format & 4;
    bool pm = !(format & 2) && (t.hour & 0x80); /* bit 1: 24 hours */
    unsigned hour = binary ? t.hour & 0x7f : from_bcd(t.hour & 0x7f);
    if (!(format & 2))
        hour = hour % 12 + (pm ? 12 : 0);
    unsigned year = 2000 + (binary ? t.year : from_bcd(t.year));
    unsigned month = binary ? t.month : from_bcd(t.month);
    unsigned day = binary ? t.day : from_bcd(t.day);
    unsigned minute = binary ? t.minute : from_bcd(t.minute);
    unsigned second = binary ? t.second : from_bcd(t.second);
    return ((days_before(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}

void
clock_init(void)
{
    struct rates r;
    char value[16];
    const char *end;

    for (unsigned i = 0; i < CPU_MAX; i++)
        alarms[i] = UINT64_MAX;
    rates_from_pit(&r);
    rates_from_cpuid(&r);
    if (r.tsc_hz < 1000000 || r.timer_hz < 10000)
        panic("no usable clock: TSC %lu Hz, timer %lu Hz", r.tsc_hz, r.timer_hz);
    ns_per_cycle = (NSEC_PER_SEC << 32) / r.tsc_hz;
    steps_per_ns = (r.timer_hz << 32) / NSEC_PER_SEC;
    tsc_hz = r.tsc_hz;
    tsc_start = clock_cycles();
    realtime_start = cmos_seconds() * NSEC_PER_SEC;
    silence_others();
    if (boot_option("shake", value, sizeof(value)))
        shake = strtou64(value, &end, 10) * NSEC_PER_USEC;
    random_bytes(&dice_state, sizeof(dice_state));
    dice_state |= 1; /* of 0 it makes 0 */
    kprintf("clock: TSC %lu.%03lu MHz, timer %lu.%03lu MHz\n", r.tsc_hz / 1000000,
            r.tsc_hz / 1000 % 1000, r.timer_hz / 1000000, r.timer_hz / 1000 % 1000);
}
