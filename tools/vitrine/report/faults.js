// faults.js - each page fault as a tick in the lane of its kind; the taller, the longer it took.

const LANE = 30;

function faultsView(app) {
    const { trace } = app;
    const lanes = FAULTS.map((kind, k) => ({ ...kind, k, faults: trace.faults.filter((i) => trace.kinds(i) >> k & 1) }))
        .map((lane) => ({ ...lane, times: Float64Array.from(lane.faults, (i) => trace.time[i]) }));
    const longest = trace.faults.reduce((most, i) => Math.max(most, trace.duration(i)), 2);
    let scale = new TimeScale(app.range, 1000);
    let drag = null;

    // 6 to 24 pixels, by the logarithm of the duration.
    const tall = (i) => 6 + 18 * Math.log(1 + trace.duration(i)) / Math.log(1 + longest);
    const middle = (lane) => lane * LANE + LANE / 2;

    function drawLane(pen, lane, width) {
        const y = middle(lane.k);
        pen.fillStyle = css("--ink");
        pen.textAlign = "left";
        pen.fillText(lane.name, 14, y);
        pen.fillStyle = css(lane.colour);
        pen.fillRect(0, y - 5, 8, 10);
        const first = after(lane.times, scale.range[0] - 1), last = after(lane.times, scale.range[1]);
        pen.globalAlpha = last - first > 4000 ? 0.5 : 0.85;
        for (let n = first; n < last; n++) {
            const height = tall(lane.faults[n]);
            pen.fillRect(scale.x(lane.times[n]) - 0.75, y + LANE / 2 - 2 - height, 1.5, height);
        }
        pen.globalAlpha = 1;
        pen.fillStyle = css("--muted");
        pen.textAlign = "right";
        pen.fillText(number(lane.faults.length), width - 8, y);
        pen.fillStyle = css("--line");
        pen.fillRect(MARGIN, (lane.k + 1) * LANE - 1, scale.width, 1);
    }

    function ring(pen, i, k, colour) {
        if (!scale.shows(trace.time[i])) return;
        pen.strokeStyle = css(colour);
        pen.lineWidth = 2;
        pen.beginPath();
        pen.arc(scale.x(trace.time[i]), middle(k) + LANE / 2 - 2 - tall(i), 5, 0, 7);
        pen.stroke();
    }

    // The fault of a lane that is nearest to a moment.
    function nearest(lane, ticks) {
        const n = after(lane.times, ticks), [low, high] = [lane.times[n - 1], lane.times[n]];
        return lane.faults[n === lane.faults.length || ticks - low < high - ticks ? n - 1 : n];
    }

    const chart = new Chart("faults", {
        keys: "Left and right arrow: the fault before and after of the same kind. Up and down: another kind. Enter: show its walk.",
        height: () => FAULTS.length * LANE + AXIS,
        draw(pen, width, height, item) {
            scale = new TimeScale(app.range, width);
            scale.draw(pen, height, app.time);
            for (const lane of lanes) drawLane(pen, lane, width);
            if (app.fault >= 0) for (const k of trace.kindsOf(app.fault)) ring(pen, app.fault, k, "--now");
            if (item) ring(pen, item.i, item.k, "--ink");
            if (drag && drag.to !== undefined) {
                pen.fillStyle = css("--veil");
                pen.fillRect(Math.min(drag.from, drag.to), 0, Math.abs(drag.to - drag.from), height - AXIS);
            }
        },
        find(x, y) {
            const lane = lanes[Math.floor(y / LANE)];
            if (!lane || !lane.faults.length) return null;
            const i = nearest(lane, scale.ticks(x));
            return Math.abs(scale.x(trace.time[i]) - x) <= 8 ? { i, k: lane.k } : null;
        },
        step(item, key) {
            if (!trace.faults.length) return null;
            if (!item) return { i: trace.faults[0], k: trace.kindsOf(trace.faults[0])[0] ?? 0 };
            const used = lanes.filter((lane) => lane.faults.length), at = used.findIndex((lane) => lane.k === item.k);
            if (key === "ArrowUp" || key === "ArrowDown") {
                const lane = used[at + (key === "ArrowUp" ? -1 : 1)];
                return lane ? { i: nearest(lane, trace.time[item.i]), k: lane.k } : null;
            }
            const { faults } = used[at], n = faults.indexOf(item.i);
            const to = { ArrowLeft: n - 1, ArrowRight: n + 1, Home: 0, End: faults.length - 1 }[key];
            return faults[to] === undefined ? null : { i: faults[to], k: item.k };
        },
        place: ({ i, k }) => [scale.x(trace.time[i]), middle(k)],
        tell: ({ i }) => [trace.process(i).label(trace.time[i]), ...tellFault(trace, i)],
        pick({ i }) { if (!drag?.moved) app.change({ fault: i, now: i + 1 }); },
    });

    dragToZoom(app, chart, () => scale, (state) => { drag = state; });
    app.watch(() => chart.refresh());
    legend("faults", lanes.map(({ faults, ...lane }) => ({ ...lane, value: number(faults.length) })));
}

function tellFault(trace, i) {
    return [`${access(trace.error(i))} of ${hex(trace.a(i))}`, `${trace.kindNames(i)} · CPU ${trace.cpu[i]}`,
        `at ${time(trace.time[i])}, took ${duration(trace.duration(i))}`, trace.frame(i) ? `frame ${trace.frame(i)}` : "no frame"];
}

// Dragging over a chart shows that part of the run alone.
function dragToZoom(app, chart, scale, tell) {
    let drag = null;
    chart.canvas.addEventListener("pointerdown", (event) => tell(drag = { from: event.offsetX, moved: false }));
    chart.canvas.addEventListener("pointermove", (event) => {
        if (!drag || !event.buttons || drag.moved === "done") return;
        drag.to = event.offsetX;
        drag.moved = drag.moved || Math.abs(drag.to - drag.from) > 5;
        chart.refresh();
    });
    chart.canvas.addEventListener("pointerup", () => {
        if (drag?.moved === true) {
            const ends = [scale().ticks(drag.from), scale().ticks(drag.to)].sort((one, two) => one - two);
            drag.to = undefined;
            drag.moved = "done";
            app.change({ range: [Math.max(0, ends[0]), Math.min(app.trace.end, ends[1])] });
        }
    });
}
