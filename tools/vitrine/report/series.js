// series.js - free memory, memory by owner, and the working set over time (uPlot draws them).

const POINTS = 800;

// Moments to draw lines through: as many evenly spaced in time as by events, so that both axes show all there is.
function sampleTimes(trace) {
    const moments = new Set();
    for (let n = 0; n <= POINTS; n++) {
        moments.add(trace.end * n / POINTS);
        if (trace.length) moments.add(trace.time[Math.floor((trace.length - 1) * n / POINTS)]);
    }
    return Float64Array.from(moments).sort();
}

// Frames by owner at these moments.
function sampleOwners(trace, first, times) {
    const counts = new Array(OWNERS.length).fill(0), rows = OWNERS.map(() => new Float64Array(times.length));
    const owners = first.slice();
    for (const owner of owners) counts[owner]++;
    for (let point = 0, i = 0; point < times.length; point++) {
        for (; i < trace.length && trace.time[i] <= times[point]; i++) {
            if (trace.kind[i] !== KIND.FRAME_ALLOC && trace.kind[i] !== KIND.FRAME_FREE) continue;
            const to = trace.kind[i] === KIND.FRAME_ALLOC ? ownerOf(trace.detail[i]) : OWNER.FREE, from = trace.a(i);
            for (let f = from; f < from + Math.max(1, trace.b(i)); f++) {
                counts[owners[f]]--;
                counts[owners[f] = to]++;
            }
        }
        counts.forEach((value, owner) => { rows[owner][point] = value; });
    }
    return rows;
}

// Different pages that faulted within the window before each moment: of all, and of the busiest processes.
function sampleWorkingSet(trace, window, processes, times) {
    const rows = [null, ...processes].map(() => new Float64Array(times.length));
    const held = new Map(), sizes = new Float64Array(rows.length);
    const change = (i, by) => {
        const key = trace.who[i] * 2 ** 36 + trace.page(i), before = held.get(key) ?? 0;
        held.set(key, before + by);
        if (before && before + by) return;
        const row = processes.indexOf(trace.process(i)) + 1;
        sizes[0] += by;
        if (row) sizes[row] += by;
    };
    let head = 0, tail = 0;
    for (let point = 0; point < times.length; point++) {
        const now = times[point];
        while (head < trace.faults.length && trace.time[trace.faults[head]] <= now) change(trace.faults[head++], 1);
        while (tail < head && trace.time[trace.faults[tail]] <= now - window) change(trace.faults[tail++], -1);
        rows.forEach((row, r) => { row[point] = sizes[r]; });
    }
    return rows;
}

// One uPlot with our colours, tied to the chosen moment and the part of the run that is shown.
class Series {
    constructor(app, id, times, names, colours) {
        Object.assign(this, { app, times, names, colours, holder: document.querySelector(`#${id} .plot`) });
        this.holder.tabIndex = 0;
        this.holder.setAttribute("role", "application");
        this.holder.setAttribute("aria-label", `Lines over time: ${names.join(", ")}. Left and right arrow read the values.`);
        this.holder.onkeydown = (event) => this.key(event);
        new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.holder);
        app.watch(() => this.follow());
    }

    size() { return { width: Math.max(200, this.holder.clientWidth), height: 230 }; }

    show(rows) {
        this.plot?.destroy();
        Object.assign(this, { rows, byEvents: timeline.byEvents });
        const axis = () => ({ stroke: () => css("--muted"), font: `12px ${css("--font")}`, grid: { stroke: () => css("--line"), width: 1 },
            ticks: { stroke: () => css("--line"), width: 1 } });
        this.plot = new uPlot({
            ...this.size(),
            scales: { x: { time: false, distr: 100, fwd: placeOf, bwd: momentAt, range: () => this.app.range }, y: { range: (_, low, high) => [0, Math.max(1, high) * 1.05] } },
            padding: [12, RIGHT, 0, 0],
            axes: [{ ...axis(), splits: () => this.marks().map(({ ticks }) => ticks), filter: (_, splits) => splits,
                values: () => this.marks().map(({ text }) => text) },
                { ...axis(), size: MARGIN, values: (_, marks) => marks.map(number) }],
            series: [{ label: "time", value: (_, at) => at === null ? "–" : time(at) }, ...this.names.map((name, i) => ({
                label: name, width: 2, points: { show: false }, stroke: () => css(this.colours[i]),
                value: (_, value) => value === null ? "–" : number(value) }))],
            cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
            hooks: { draw: [(plot) => this.drawNow(plot)], setSelect: [(plot) => this.select(plot)] },
        }, [this.times, ...rows], this.holder);
        this.read();
        this.plot.over.addEventListener("mouseleave", () => this.read());
        this.plot.over.addEventListener("click", () => {
            if (!this.dragged) this.app.seekTime(this.plot.posToVal(this.plot.cursor.left, "x"));
            this.dragged = false;
        });
    }

    marks() { return timeMarks(this.app.range, this.size().width - MARGIN - RIGHT); }

    drawNow({ ctx, bbox, valToPos }) {
        const x = valToPos(this.app.time, "x", true);
        if (x < bbox.left || x > bbox.left + bbox.width) return;
        ctx.fillStyle = css("--now");
        ctx.fillRect(Math.round(x) - devicePixelRatio, bbox.top, 2 * devicePixelRatio, bbox.height);
    }

    select(plot) {
        const { left, width } = plot.select;
        if (width < 4) return;
        this.dragged = true;
        this.app.change({ range: [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")] });
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    }

    follow() {
        if (!this.plot) return;
        const [min, max] = this.app.range, { x } = this.plot.scales;
        if (this.byEvents !== timeline.byEvents) this.show(this.rows);      // uPlot keeps what the axis made of its ends
        else if (x.min !== min || x.max !== max) this.plot.setScale("x", { min, max });
        else this.plot.redraw(false, false);
        this.read();
    }

    // What the legend tells while nobody points: the values at the chosen moment.
    read() { this.plot.setLegend({ idx: this.point(this.app.time) }, false); }

    point(ticks) { return Math.max(0, after(this.times, ticks) - 1); }

    key(event) {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!by || !this.plot) return;
        event.preventDefault();
        const [first, last] = this.app.range.map((ticks) => this.point(ticks));
        const to = this.point(this.app.time) + by * Math.max(1, Math.round((last - first) / 100));
        const next = Math.min(this.times.length - 1, Math.max(0, to));
        this.app.seekTime(this.times[next]);
        this.plot.setCursor({ left: this.plot.valToPos(this.times[next], "x"), top: 10 });
        bubble.say([time(this.times[next]), ...this.names.map((name, i) => `${name} ${number(this.rows[i][next])}`)].join(", "));
    }
}

function seriesViews(app) {
    const { trace, machine } = app, times = sampleTimes(trace), rows = sampleOwners(trace, machine.first, times);
    const shown = [0, 4, 5, 3, 1, 2].filter((owner) => rows[owner].some((value) => value));
    const memory = new Series(app, "memory", times, shown.map((owner) => OWNERS[owner].name),
        shown.map((owner) => owner === OWNER.FREE ? "--ink" : OWNERS[owner].colour));
    memory.show(shown.map((owner) => rows[owner]));

    const busiest = trace.processes.filter((p) => p.faults && p.pid > 0).sort((p, q) => q.faults - p.faults).slice(0, 4);
    const working = new Series(app, "working", times, ["all processes", ...busiest.map((p) => p.label())],
        ["--ink", "--anon", "--swap", "--object", "--cow"]);
    const choice = document.getElementById("window");
    const update = () => {
        const window = trace.end * choice.value / 100;
        document.getElementById("window-time").textContent = duration(window);
        working.show(sampleWorkingSet(trace, window, busiest, times));
    };
    choice.onchange = update;
    update();
    app.series = [memory, working];
    return () => { memory.plot.redraw(false, true); working.plot.redraw(false, true); };
}
