// format.js - numbers as people read them.

const hex = (value) => `0x${BigInt(Math.floor(value)).toString(16)}`;
const number = (value) => Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
const count = (n, noun, many = `${noun}s`) => `${number(n)} ${n === 1 ? noun : many}`;
const rights = (prot) => [..."rwx"].map((letter, bit) => prot >> bit & 1 ? letter : "-").join("");
const cpus = (mask) => [...Array(32).keys()].filter((cpu) => Math.floor(mask / 2 ** cpu) % 2);

// Ticks of the TSC as time; what a tick is, and when since boot the first record was written, the trace says.
let ticksPerSecond = 1e9, startTicks = 0;

// A moment, told as the time since boot; all moments here are ticks since the first record.
const time = (ticks) => span(ticks + startTicks);

function span(ticks) {
    const seconds = ticks / ticksPerSecond;
    return seconds >= 10 ? `${seconds.toFixed(3)} s` : `${(seconds * 1e3).toFixed(3)} ms`;
}

// A moment on an axis whose marks are so far apart.
function timeMark(ticks, step) {
    const seconds = (ticks + startTicks) / ticksPerSecond, apart = step / ticksPerSecond;
    const digits = (scale) => Math.min(6, Math.max(0, Math.ceil(-Math.log10(apart * scale) - 1e-9)));
    return apart >= 0.1 ? `${seconds.toFixed(digits(1))} s` : `${(seconds * 1e3).toFixed(digits(1e3))} ms`;
}

function duration(ticks) {
    const us = ticks / ticksPerSecond * 1e6;
    return us < 1000 ? `${us.toFixed(us < 10 ? 2 : 1)} µs` : `${(us / 1000).toFixed(2)} ms`;
}

function bytes(n) {
    for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
        if (n >= size) return `${+(n / size).toFixed(1)} ${unit}`;
    }
    return `${n} bytes`;
}

// The error code of a page fault (Intel SDM vol. 3A, "Page-Fault Exceptions").
const access = (error) => error & 16 ? "fetch" : error & 2 ? "write" : "read";

// A status as wait() tells it.
const ending = (status) => status & 0x7f ? `killed by signal ${status & 0x7f}` : `status ${status >> 8 & 0xff}`;
