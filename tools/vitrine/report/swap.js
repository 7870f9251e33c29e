// swap.js - every slot of swap that the trace names, a square each, at the chosen moment.

const SLOTS = [
    ["never used", "--free", "no record up to now names it"],
    ["only in swap", "--swap", "the page's bytes are here and nowhere else"],
    ["also in memory", "--copy", "read back; the copy here is still the page's"],
    ["left", "--unknown", "no page of a living process has its bytes here any more"],
].map(([name, colour, means]) => ({ name, colour, means }));

function swapView(app) {
    const { trace, machine } = app;
    const moves = [KIND.SWAP_OUT, KIND.SWAP_IN].flatMap((kind) => trace.ofKind(kind)).sort((one, two) => one - two);
    const slots = [...new Set(moves.map((i) => trace.slot(i)))].sort((one, two) => one - two);
    const place = new Map(slots.map((slot, n) => [slot, n]));
    let columns = 1, cell = 12, states = [];

    function stateOf(slot, used) {
        if (!used.has(slot)) return 0;
        const page = machine.ofSlot.get(slot);
        return !page ? 3 : page.frame < 0 ? 1 : 2;
    }

    const corner = (n) => [n % columns * cell, Math.floor(n / columns) * cell];
    const chart = new Chart("swap", {
        height(width) {
            for (cell = 14; cell > 3 && Math.ceil(slots.length / Math.floor(width / cell)) * cell > 240; cell--);
            columns = Math.max(1, Math.floor(width / cell));
            return Math.max(40, Math.ceil(slots.length / columns) * cell);
        },
        draw(pen, width, height, item) {
            if (!slots.length) return emptyText(pen, width, height, "Nothing went to swap or came back while the trace was recorded.");
            const colours = SLOTS.map(({ colour }) => css(colour)), gap = cell > 4 ? 1 : 0;
            states.forEach((state, n) => {
                const [x, y] = corner(n);
                pen.fillStyle = colours[state];
                pen.fillRect(x, y, cell - gap, cell - gap);
            });
            if (!item) return;
            const [x, y] = corner(item.n);
            pen.strokeStyle = css("--ink");
            pen.lineWidth = 2;
            pen.strokeRect(x - 1, y - 1, cell + 1, cell + 1);
        },
        find(x, y) {
            const n = Math.floor(y / cell) * columns + Math.floor(x / cell);
            return x < columns * cell && n >= 0 && n < slots.length ? { n } : null;
        },
        step(item, key) {
            const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
            const n = key === "Home" || !item ? 0 : key === "End" ? slots.length - 1 : item.n + by;
            return slots[n] === undefined ? null : { n };
        },
        place: ({ n }) => corner(n),
        tell({ n }) {
            const slot = slots[n], page = machine.ofSlot.get(slot), area = Math.floor(slot / 2 ** 32);
            const past = moves.filter((i) => i < app.now && trace.slot(i) === slot), last = past.at(-1);
            const lines = [`slot ${slot % 2 ** 32}${area ? ` of area ${area}` : ""}`, SLOTS[states[n]].name,
                `written ${past.filter((i) => trace.kind[i] === KIND.SWAP_OUT).length} times, read ${past.filter((i) => trace.kind[i] === KIND.SWAP_IN).length} times up to now`];
            if (last !== undefined) lines.push(`${time(trace.time[last])}: ${trace.sentence(last)}`);
            for (const [process, at] of page ? machine.users(page).slice(0, 4) : []) lines.push(`${process.label(app.time)}: ${hex(at * PAGE)}`);
            return lines;
        },
        pick({ n }) {
            const last = moves.findLast((i) => i < app.now && trace.slot(i) === slots[n]);
            if (last !== undefined) app.change({ frame: trace.a(last) });
        },
    });

    app.watch(() => {
        const used = new Set();
        for (const i of moves) if (i < app.now) used.add(trace.slot(i));
        states = slots.map((slot) => stateOf(slot, used));
        legend("swap", SLOTS.map((entry, s) => ({ ...entry, value: number(states.filter((state) => state === s).length) })));
        chart.refresh();
    });
}
