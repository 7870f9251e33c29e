// cpus.js - what each processor ran, and who asked whom to forget translations.

const CPU_LANE = 40;
const LIVES = ["--p0", "--p1", "--p2", "--p3", "--p4", "--p5"];

// Stretches that one thread ran on one processor: { cpu, from, to, who }.
function stretches(trace) {
    const running = new Map(), found = [];
    for (const i of trace.ofKind(KIND.SWITCH)) {
        const cpu = trace.cpu[i], since = running.get(cpu);
        const who = trace.who[i];
        found.push({ cpu, from: since ?? 0, to: trace.time[i], who, idle: trace.b(i) === 0 });
        running.set(cpu, trace.time[i]);
    }
    // Who runs at the end is seen by what it did after the last switch.
    for (let i = trace.length - 1; i >= 0 && running.size; i--) {
        const cpu = trace.cpu[i], from = running.get(cpu);
        if (from === undefined) continue;
        if (trace.kind[i] !== KIND.SWITCH) found.push({ cpu, from, to: trace.end, who: trace.who[i], idle: trace.tid[i] === 0 });
        running.delete(cpu);
    }
    return found.filter(({ idle, who }) => !idle && trace.processes[who].pid);
}

function cpusView(app) {
    const { trace } = app, runs = stretches(trace), asks = trace.ofKind(KIND.SHOOTDOWN), flushes = trace.ofKind(KIND.TLB_FLUSH);
    const lanes = Math.max(1, trace.meta.cpus, ...[...new Set(trace.cpu)].map((cpu) => cpu + 1));
    const top = 8, middle = (cpu) => top + cpu * CPU_LANE + 12;
    let scale = new TimeScale(app.range, 1000);

    function drawLanes(pen, width) {
        for (let cpu = 0; cpu < lanes; cpu++) {
            pen.fillStyle = css("--ink");
            pen.textAlign = "left";
            pen.fillText(`CPU ${cpu}`, 0, middle(cpu));
            pen.fillStyle = css("--free");
            pen.fillRect(MARGIN, middle(cpu) - 8, scale.width, 16);
        }
        for (const { cpu, from, to, who } of runs) {
            if (to < scale.range[0] || from > scale.range[1]) continue;
            const left = scale.x(scale.clamp(from)), right = scale.x(scale.clamp(to));
            pen.fillStyle = css(LIVES[who % LIVES.length]);
            pen.fillRect(left, middle(cpu) - 8, Math.max(0.5, right - left), 16);
            const name = trace.processes[who].label(to);
            if (right - left > name.length * 7 + 8) {
                pen.fillStyle = css("--on-life");
                pen.fillText(name, left + 5, middle(cpu));
            }
        }
    }

    function drawAsk(pen, i, colour, thick) {
        if (!scale.shows(trace.time[i])) return;
        const x = scale.x(trace.time[i]), from = middle(trace.cpu[i]);
        pen.strokeStyle = pen.fillStyle = css(colour);
        pen.lineWidth = thick;
        for (const cpu of cpus(trace.a(i)).filter((cpu) => cpu !== trace.cpu[i])) {
            const to = middle(cpu) + (cpu > trace.cpu[i] ? -10 : 10), way = cpu > trace.cpu[i] ? -5 : 5;
            pen.beginPath();
            pen.moveTo(x, from);
            pen.lineTo(x, to);
            pen.moveTo(x - 3, to + way);
            pen.lineTo(x, to);
            pen.lineTo(x + 3, to + way);
            pen.stroke();
        }
        pen.beginPath();
        pen.arc(x, from, 2.5, 0, 7);
        pen.fill();
    }

    function drawFlushes(pen) {
        pen.fillStyle = css("--muted");
        for (const i of flushes) {
            if (scale.shows(trace.time[i])) pen.fillRect(scale.x(trace.time[i]) - 0.5, middle(trace.cpu[i]) + 9, 1, 6);
        }
    }

    const chart = new Chart("cpus", {
        keys: "Left and right arrow: the shootdown before and after. Enter: go to that moment.",
        height: () => top + lanes * CPU_LANE + AXIS,
        draw(pen, width, height, item) {
            scale = new TimeScale(app.range, width);
            scale.draw(pen, height, app.time);
            drawLanes(pen, width);
            drawFlushes(pen);
            for (const i of asks) drawAsk(pen, i, "--ask", 1);
            if (item?.i !== undefined && trace.kind[item.i] === KIND.SHOOTDOWN) drawAsk(pen, item.i, "--ink", 2.5);
        },
        find(x, y) {
            const cpu = Math.round((y - top - 12) / CPU_LANE), at = scale.ticks(x);
            const near = (events) => events.filter((i) => Math.abs(scale.x(trace.time[i]) - x) < 5)
                .sort((i, j) => Math.abs(trace.time[i] - at) - Math.abs(trace.time[j] - at))[0];
            const i = near(asks) ?? near(flushes.filter((flush) => trace.cpu[flush] === cpu));
            if (i !== undefined) return { i };
            const run = runs.find((each) => each.cpu === cpu && each.from <= at && at < each.to);
            return run ? { run } : null;
        },
        step(item, key) {
            const events = asks.length ? asks : flushes, at = events.indexOf(item?.i);
            const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: events.length - 1 }[key];
            return events[to] === undefined ? null : { i: events[to] };
        },
        place: ({ i, run }) => [scale.x(i === undefined ? run.from : trace.time[i]), middle(i === undefined ? run.cpu : trace.cpu[i])],
        tell({ i, run }) {
            if (run) return [trace.processes[run.who].label(run.to), `on CPU ${run.cpu}`, `${time(run.from)} – ${time(run.to)}`, duration(run.to - run.from)];
            return [`CPU ${trace.cpu[i]}, ${trace.process(i).label(trace.time[i])}`, trace.sentence(i), time(trace.time[i])];
        },
        pick({ i, run }) { if (i !== undefined) app.change({ now: i + 1 }); else app.seekTime(run.from); },
    });

    document.querySelector("#cpus .numbers").replaceChildren(matrix(trace, asks, lanes));
    app.watch(() => chart.refresh());
    legend("cpus", [{ name: "shootdown", colour: "--ask", means: `an arrow from the processor that asks to each that is asked: ${number(asks.length)}` },
        { name: "TLB flush", colour: "--muted", means: `a processor forgets translations itself: ${number(flushes.length)}` },
        { name: "idle", colour: "--free", means: "nothing ran, or the trace does not tell" }]);
}

// Who asked whom how often.
function matrix(trace, asks, lanes) {
    if (lanes === 1) return make("p", { class: "muted" }, "One processor: there is nobody to ask, so it only flushes its own TLB.");
    const counts = Array.from({ length: lanes }, () => new Array(lanes).fill(0));
    for (const i of asks) for (const cpu of cpus(trace.a(i))) if (cpu < lanes) counts[trace.cpu[i]][cpu]++;
    const head = (text) => make("th", { scope: "col", class: "number" }, text);
    return make("table", {}, make("caption", {}, "How often the processor of a row asked that of a column"),
        make("thead", {}, make("tr", {}, head(""), ...counts.map((_, cpu) => head(`CPU ${cpu}`)))),
        make("tbody", {}, ...counts.map((row, cpu) => make("tr", {}, make("th", { scope: "row" }, `CPU ${cpu}`),
            ...row.map((n, to) => make("td", { class: "number" }, cpu === to ? "·" : number(n)))))));
}
