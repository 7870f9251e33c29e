// policies.js - the page of vm policies: curves, what the kernel did, the string, and all numbers.

const PAGE_BYTES = 4096, NEAR_POINT = 12;
const COLOUR = { opt: "--ink", lru: "--anon", clock: "--object", fifo: "--swap", random: "--cow" };

const percent = (share) => `${share ? +(100 * share).toPrecision(3) : 0} %`;
const memory = (pages) => `${count(pages, "page")} (${bytes(pages * PAGE_BYTES)})`;
const returns = (n, data) => `${number(n)} (${percent(n / data.touched)})`;

class Curves {
    constructor(data) {
        this.data = data;
        this.names = Object.keys(data.curves);
        this.holder = document.querySelector("#curves .plot");
        Object.assign(this.holder, { tabIndex: 0, onkeydown: (event) => this.key(event) });
        this.holder.setAttribute("role", "application");
        this.holder.setAttribute("aria-label", `Misses by size of memory for ${this.names.join(", ")}. Left and right arrow read the values.`);
        this.at = data.measured.length ? data.sizes.indexOf(data.measured[0].size) : data.sizes.length >> 1;
        this.show();
        new ResizeObserver(() => { this.plot.setSize(this.size()); this.read(); }).observe(this.holder);
    }

    size() { return { width: Math.max(200, this.holder.clientWidth), height: 420 }; }

    show() {
        const { data } = this, axis = () => ({ stroke: () => css("--muted"), font: `12px ${css("--font")}`, labelFont: `12px ${css("--font")}`,
            grid: { stroke: () => css("--line"), width: 1 }, ticks: { stroke: () => css("--line"), width: 1 } });
        const highest = Math.max(...Object.values(data.curves).flat(), ...data.measured.flatMap(({ waits, reads }) => [waits, reads]));
        this.plot = new uPlot({
            ...this.size(), padding: [12, 24, 0, 0],
            scales: { x: { time: false, range: [0, data.sizes.at(-1)] }, y: { range: [0, 1.05 * Math.max(1, highest) / data.touched] } },
            axes: [{ ...axis(), label: "pages of memory", values: (_, marks) => marks.map(number) },
                { ...axis(), size: 72, label: "references that miss", values: (_, marks) => marks.map(percent) }],
            series: [{ label: "memory", value: (_, pages) => pages === null ? "–" : memory(pages) }, ...this.names.map((name) => ({
                label: name, width: 2, points: { show: false }, stroke: () => css(COLOUR[name]),
                value: (_, share) => share === null ? "–" : returns(share * data.touched, data) }))],
            cursor: { drag: { x: false, y: false }, points: { size: 7 } },
            hooks: { draw: [(plot) => this.drawMeasured(plot)] },
        }, [data.sizes, ...this.names.map((name) => data.curves[name].map((n) => n / data.touched))], this.holder);
        this.read();
        this.plot.over.addEventListener("mouseleave", () => { bubble.hide(); this.read(); });
        this.plot.over.addEventListener("mousemove", (event) => this.point(event));
    }

    // Where a measured run stands, in CSS pixels or on the canvas; runs of one machine stand side by side.
    place(point, onCanvas) {
        const y = (n) => this.plot.valToPos(n / this.data.touched, "y", onCanvas);
        const aside = 14 * (this.names.indexOf(point.policy) - (this.names.length + 1) / 2 + 0.5);
        return { x: this.plot.valToPos(point.size, "x", onCanvas) + aside * (onCanvas ? devicePixelRatio : 1), read: y(point.reads), waited: y(point.waits) };
    }

    drawMeasured({ ctx }) {
        const unit = devicePixelRatio;
        ctx.save();
        ctx.lineWidth = 2 * unit;
        for (const point of this.data.measured) {
            const { x, read, waited } = this.place(point, true);
            ctx.strokeStyle = css(COLOUR[point.policy]);
            ctx.beginPath();
            ctx.moveTo(x - 4 * unit, waited);
            ctx.lineTo(x + 4 * unit, waited);
            ctx.moveTo(x, waited);
            ctx.lineTo(x, read);
            ctx.stroke();
            ctx.fillStyle = css("--card");
            ctx.beginPath();
            ctx.arc(x, read, 5 * unit, 0, 7);
            ctx.fill();
            ctx.stroke();
        }
        ctx.restore();
    }

    point(event) {
        const away = (point) => {
            const { x, read } = this.place(point, false);
            return Math.hypot(x - event.offsetX, read - event.offsetY);
        };
        const [nearest] = this.data.measured.toSorted((a, b) => away(a) - away(b));
        if (nearest && away(nearest) < NEAR_POINT) bubble.show(tellPoint(nearest, this.data), event.clientX, event.clientY); else bubble.hide();
    }

    // What the legend tells while nobody points.
    read() { this.plot.setLegend({ idx: this.at }, false); }

    key(event) {
        const { sizes, curves, measured } = this.data;
        const to = { ArrowLeft: this.at - 1, ArrowRight: this.at + 1, Home: 0, End: sizes.length - 1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        this.at = Math.min(sizes.length - 1, Math.max(0, to));
        const size = sizes[this.at];
        this.plot.setCursor({ left: this.plot.valToPos(size, "x"), top: 10 });
        bubble.say([memory(size), ...this.names.map((name) => `${name} ${returns(curves[name][this.at], this.data)}`),
            ...measured.filter((point) => point.size === size).map((point) => tellPoint(point, this.data).join(", "))].join("; "));
    }
}

function tellPoint(point, data) {
    return [`the kernel, ${point.policy}`, `a machine of ${bytes(point.memory)}: ${memory(point.size)} to be had`,
        `pages read from swap: ${returns(point.reads, data)}`, `waits for the disk: ${number(point.waits)}`,
        `simulated: ${returns(point.simulated, data)}`];
}

// The string as a picture; a cell is some pages by some references.
function stringView({ map: { cells, first }, kept }) {
    const rows = cells.length, columns = cells[0].length, most = Math.max(...cells.flat());
    const inside = (row, column) => ({ row: Math.min(rows - 1, Math.max(0, row)), column: Math.min(columns - 1, Math.max(0, column)) });
    let size = [1, 1];
    new Chart("string", {
        keys: "Arrow keys move.",
        height: () => 300,
        draw(pen, width, height, item) {
            size = [width / columns, height / rows];
            cells.forEach((row, r) => row.forEach((touches, c) => {
                if (!touches) return;
                pen.globalAlpha = 0.25 + 0.75 * Math.log1p(touches) / Math.log1p(most);
                pen.fillStyle = css("--anon");
                pen.fillRect(c * size[0], height - (r + 1) * size[1], size[0] + 0.3, size[1] + 0.3);
            }));
            pen.globalAlpha = 1;
            if (!item) return;
            pen.strokeStyle = css("--now");
            pen.strokeRect(item.column * size[0], height - (item.row + 1) * size[1], size[0], size[1]);
        },
        find: (x, y) => inside(rows - 1 - Math.floor(y / size[1]), Math.floor(x / size[0])),
        step: (item, key) => {
            const { row, column } = item ?? { row: 0, column: -1 };
            return { ArrowLeft: inside(row, column - 1), ArrowRight: inside(row, column + 1), ArrowUp: inside(row + 1, column),
                ArrowDown: inside(row - 1, column), Home: inside(row, 0), End: inside(row, columns - 1) }[key];
        },
        place: ({ row, column }) => [column * size[0], (rows - row) * size[1]],
        tell: ({ row, column }) => [`pages from ${hex(first[row] * PAGE_BYTES)}`,
            `references ${number(column * kept / columns + 1)} to ${number((column + 1) * kept / columns)}`,
            count(cells[row][column], "touch", "touches")],
    });
}

function row(name, cells) {
    return make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((cell) => make("td", { class: "number" }, cell)));
}

function tables(data) {
    const names = Object.keys(data.curves), head = document.querySelector("#numbers thead tr");
    head.append(...["Pages", "Memory", ...names].map((name) => make("th", { scope: "col", class: "number" }, name)));
    document.querySelector("#numbers tbody").append(...data.sizes.map((size, at) => row(number(size),
        [bytes(size * PAGE_BYTES), ...names.map((name) => number(data.curves[name][at]))])));
    document.querySelector("#kernel tbody").append(...data.measured.map((point) => row(point.policy,
        [bytes(point.memory), ...[point.size, point.waits, point.reads, point.simulated].map(number)])));
    document.querySelector("#kernel .scroll").hidden = !data.measured.length;
    document.getElementById("unmeasured").hidden = data.measured.length > 0;
}

function summary(data) {
    document.getElementById("title").textContent = data.command;
    document.title = `${data.command} · Vitrine policies`;
    tiles([["references", number(data.touched)], ["that decide", number(data.kept)], ["pages", number(data.pages)],
        ["which is", bytes(data.pages * PAGE_BYTES)], ["status", data.status]]);
    const note = document.getElementById("sample"), notes = [];
    if (data.share > 1) notes.push(`This is a sample: one page in ${number(data.share)}, chosen by a hash, so all numbers are estimates.`);
    if (data.others) notes.push(`Child processes are not in it, but in what the kernel counts; they made ${number(data.others)} accesses.`);
    for (const { policy, status } of data.measured) if (status !== data.status) notes.push(`Under ${policy} the program ended with status ${status}.`);
    note.hidden = !notes.length;
    note.textContent = notes.join(" ");
}

try {
    const data = JSON.parse(document.getElementById("data").textContent);
    summary(data);
    tables(data);
    stringView(data);
    const curves = new Curves(data);
    themeSwitch(() => { for (const chart of Chart.all) chart.refresh(); curves.plot.redraw(false, true); });
    window.vitrine = { data, curves };      // for the curious, in the browser's console
    document.documentElement.dataset.ready = Math.round(performance.now());
} catch (error) {
    broken("numbers", error);
}
