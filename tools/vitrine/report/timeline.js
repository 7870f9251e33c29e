// timeline.js - moments on a horizontal axis.  Moments are ticks of the TSC everywhere; only here is decided how far
// apart they are drawn: by time, or by how many events lie between them, which skips what nothing happened in.

const MARGIN = 148, RIGHT = 64, AXIS = 22;

const timeline = { byEvents: true, times: null };

// Where a moment lies on the axis, and which moment lies at a place.
function placeOf(ticks) {
    const { byEvents, times } = timeline;
    if (!byEvents || times.length < 2) return ticks;
    const n = Math.max(1, after(times, ticks)), next = times[n];
    return next === undefined ? n : n + (ticks - times[n - 1]) / (next - times[n - 1]);
}

function momentAt(place) {
    const { byEvents, times } = timeline;
    if (!byEvents || times.length < 2) return place;
    const n = Math.min(times.length, Math.max(1, Math.floor(place))), next = times[n] ?? times[n - 1];
    return times[n - 1] + (place - n) * (next - times[n - 1]);
}

// The moment a share of the way from one to another.
function between(from, to, share) {
    const [low, high] = [placeOf(from), placeOf(to)];
    return momentAt(low + (high - low) * share);
}

// Marks for an axis so wide: [{ ticks, text }].
function timeMarks([from, to], width) {
    const wanted = Math.max(1, width / 110);
    if (timeline.byEvents) {
        const moments = Array.from({ length: Math.floor(wanted) + 1 }, (_, n) => between(from, to, n / Math.floor(wanted)));
        return moments.map((ticks) => ({ ticks, text: timeMark(ticks, Math.max(1, (to - from) / 100)) }));
    }
    const rough = (to - from) / ticksPerSecond / wanted, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * (1 - 1e-9)) * ticksPerSecond;
    const first = Math.ceil((from + startTicks) / step - 1e-9);
    const count = Math.max(0, Math.floor((to + startTicks) / step + 1e-9) - first + 1);
    const moments = Array.from({ length: count }, (_, n) => (first + n) * step - startTicks);
    return moments.map((ticks) => ({ ticks, text: timeMark(ticks, step) }));
}

// Moments <-> x, for the part of the run that is shown; the charts over time share it.
class TimeScale {
    constructor(range, width) {
        this.range = range;
        [this.low, this.high] = range.map(placeOf);
        this.width = Math.max(10, width - MARGIN - RIGHT);
    }

    x(ticks) { return MARGIN + (placeOf(ticks) - this.low) / (this.high - this.low) * this.width; }
    ticks(x) { return momentAt(this.low + (x - MARGIN) / this.width * (this.high - this.low)); }
    shows(ticks) { return ticks >= this.range[0] && ticks <= this.range[1]; }
    clamp(ticks) { return Math.min(this.range[1], Math.max(this.range[0], ticks)); }

    // The axis below, and the line that stands at the chosen moment.
    draw(pen, height, now) {
        const bottom = height - AXIS;
        pen.textAlign = "center";
        for (const { ticks, text } of timeMarks(this.range, this.width)) {
            pen.fillStyle = css("--line");
            pen.fillRect(Math.round(this.x(ticks)), 0, 1, bottom + 4);
            pen.fillStyle = css("--muted");
            pen.fillText(text, this.x(ticks), bottom + 13);
        }
        if (!this.shows(now)) return;
        pen.fillStyle = css("--now");
        pen.fillRect(Math.round(this.x(now)) - 1, 0, 2, bottom + 4);
    }
}
