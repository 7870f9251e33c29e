// family.js - each process as a line from its fork to its exit, below its parent; a mark for each COW copy and reuse.

const LIFE = 28;

// Processes with their depth, children after their parent.
function familyOrder(processes) {
    const order = [];
    const visit = (process, depth) => {
        order.push({ process, depth });
        processes.filter((other) => other.parent === process).forEach((child) => visit(child, depth + 1));
    };
    processes.filter((process) => process.pid > 0 && !process.parent).forEach((process) => visit(process, 0));
    return order;
}

function familyView(app) {
    const { trace } = app, rows = familyOrder(trace.processes), row = new Map(rows.map(({ process }, n) => [process.index, n]));
    const breaks = [KIND.COW_COPY, KIND.COW_REUSE].flatMap((kind) => trace.ofKind(kind)).sort((one, two) => one - two);
    let scale = new TimeScale(app.range, 1000);
    const middle = (n) => n * LIFE + LIFE / 2;

    function drawLife(pen, { process, depth }, n, width) {
        const y = middle(n), from = scale.x(scale.clamp(process.born)), to = scale.x(scale.clamp(process.ended));
        pen.fillStyle = css("--ink");
        pen.textAlign = "left";
        pen.fillText(process.label(app.time < process.born ? Infinity : app.time), Math.min(depth, 5) * 10, y, MARGIN - 12 - Math.min(depth, 5) * 10);
        pen.fillStyle = css(app.time >= process.born && app.time <= process.ended ? "--life" : "--line");
        pen.fillRect(from, y + 4, Math.max(1, to - from), 4);
        pen.fillStyle = css("--muted");
        pen.textAlign = "right";
        pen.fillText(process.copies || process.reuses ? `${number(process.copies)} + ${number(process.reuses)}` : "–", width - 8, y);
        if (process.parent && scale.shows(process.born)) connect(pen, middle(row.get(process.parent.index)) + 8, y + 4, from);
        for (const [at, name] of process.names) {
            if (!scale.shows(at)) continue;
            pen.textAlign = "left";
            pen.fillStyle = css("--muted");
            pen.fillRect(scale.x(at), y - 8, 1, 14);
            pen.fillText(name, scale.x(at) + 3, y - 5);
        }
    }

    function connect(pen, from, to, x) {
        pen.fillStyle = css("--edge");
        pen.globalAlpha = rows.length > 30 ? 0.3 : 1;
        pen.fillRect(Math.round(x), from, 1, to - from);
        pen.globalAlpha = 1;
    }

    function drawBreaks(pen) {
        for (const i of breaks) {
            const n = row.get(trace.who[i]);
            if (n === undefined || !scale.shows(trace.time[i])) continue;
            pen.fillStyle = css(trace.kind[i] === KIND.COW_COPY ? "--cow" : "--reuse");
            const y = middle(n), x = scale.x(trace.time[i]);
            if (trace.kind[i] === KIND.COW_COPY) pen.fillRect(x - 1, y, 2, 12); else pen.fillRect(x - 0.5, y + 2, 1, 10);
        }
    }

    // Pages that a process has now, and how many of them it shares by copy-on-write.
    function holds(process) {
        const space = app.machine.spaces.get(process.index), states = STATES.map(() => 0);
        for (const page of space?.pages.values() ?? []) states[app.machine.state(page)]++;
        return states;
    }

    const chart = new Chart("family", {
        keys: "Up and down arrow: another process. Left and right: the COW break before and after. Enter: go to that moment.",
        height: () => Math.max(1, rows.length) * LIFE + AXIS + 6,
        draw(pen, width, height, item) {
            scale = new TimeScale(app.range, width);
            scale.draw(pen, height, app.time);
            if (!rows.length) return emptyText(pen, width, height, "The trace has no process.");
            rows.forEach((each, n) => drawLife(pen, each, n, width));
            drawBreaks(pen);
            if (!item) return;
            pen.strokeStyle = css("--ink");
            pen.lineWidth = 1.5;
            if (item.i === undefined || !scale.shows(trace.time[item.i])) pen.strokeRect(MARGIN - 4, item.n * LIFE + 2, scale.width + 8, LIFE - 2);
            else pen.strokeRect(scale.x(trace.time[item.i]) - 3, middle(item.n) - 2, 6, 16);
        },
        find(x, y) {
            const n = Math.floor(y / LIFE);
            if (!rows[n]) return null;
            const near = breaks.filter((i) => row.get(trace.who[i]) === n && Math.abs(scale.x(trace.time[i]) - x) < 5);
            near.sort((i, j) => Math.abs(scale.x(trace.time[i]) - x) - Math.abs(scale.x(trace.time[j]) - x));
            return { n, i: near[0], x };
        },
        step(item, key) {
            if (!rows.length) return null;
            if (!item || key === "Home" || key === "End") return { n: item && key === "End" ? rows.length - 1 : 0 };
            if (key === "ArrowUp" || key === "ArrowDown") {
                const n = item.n + (key === "ArrowUp" ? -1 : 1);
                return rows[n] ? { n } : null;
            }
            const own = breaks.filter((i) => row.get(trace.who[i]) === item.n), at = own.indexOf(item.i);
            const to = key === "ArrowRight" ? at + 1 : at - 1;
            return own[to] === undefined ? null : { n: item.n, i: own[to] };
        },
        place: ({ n, i }) => [i === undefined ? MARGIN : scale.x(trace.time[i]), n * LIFE],
        tell({ n, i }) {
            const { process } = rows[n], states = holds(process);
            const life = `${process.parent ? `forked by ${process.parent.label(process.born)} at ${time(process.born)}` : "was there, or its fork is not in the trace"}`;
            return [process.label(app.time), life, process.ended < Infinity ? `ended at ${time(process.ended)}: ${ending(process.status)}` : "did not end",
                `in all: ${count(process.faults, "fault")}, ${process.copies} COW copies, ${process.reuses} reuses`,
                `now: ${number(states[STATE.OWN])} pages of its own, ${number(states[STATE.SHARED])} shared (COW)`,
                ...(i === undefined ? [] : [`${time(trace.time[i])}: ${trace.sentence(i)}`])];
        },
        pick({ i, x }) { if (i !== undefined) app.change({ now: i + 1 }); else if (x > MARGIN) app.seekTime(scale.ticks(x)); },
    });

    app.watch(() => chart.refresh());
    legend("family", [{ name: "COW copy", colour: "--cow", means: "a store to a shared page: copied" },
        { name: "COW reuse", colour: "--reuse", means: "a store to a page that nobody shares any more" },
        { name: "alive now", colour: "--life", means: "at the chosen moment" }]);
}
