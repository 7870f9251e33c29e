// frames.js - every frame of RAM at the chosen moment, a square each, coloured by its owner.

function framesView(app) {
    const { machine, trace } = app;
    const pixels = document.createElement("canvas");
    let shown = -1, events = [];
    let shape = { columns: 1, rows: 1, cell: 1 };

    // The largest square with which all frames fit under the height that a map may have.
    function measure(width) {
        let cell = 14;
        while (cell > 1 && Math.ceil(machine.frames / Math.floor(width / cell)) * cell > 400) cell--;
        const columns = Math.max(1, Math.floor(width / cell));
        shape = { cell, columns, rows: Math.max(1, Math.ceil(machine.frames / columns)) };
        return shape.rows * cell;
    }

    function paintPixels() {
        const { columns, rows } = shape, colours = OWNERS.map(({ colour }) => rgb(css(colour)));
        [pixels.width, pixels.height] = [columns, rows];
        const image = new ImageData(columns, rows), words = new Uint32Array(image.data.buffer);
        machine.owners.forEach((owner, frame) => { words[frame] = colours[owner] ?? colours[UNKNOWN]; });
        pixels.getContext("2d").putImageData(image, 0, 0);
    }

    const corner = (frame) => [frame % shape.columns * shape.cell, Math.floor(frame / shape.columns) * shape.cell];

    function mark(pen, frame, colour) {
        const [x, y] = corner(frame), size = Math.max(shape.cell, 4);
        pen.strokeStyle = css(colour);
        pen.lineWidth = 2;
        pen.strokeRect(x - 1, y - 1, size + 1, size + 1);
    }

    const chart = new Chart("frames", {
        height: measure,
        draw(pen, width, height, item) {
            if (!machine.frames) return emptyText(pen, width, height, "No record says anything about a frame.");
            paintPixels();
            pen.imageSmoothingEnabled = false;
            pen.drawImage(pixels, 0, 0, shape.columns * shape.cell, shape.rows * shape.cell);
            if (shape.cell >= 4) grid(pen);
            if (app.frame >= 0) mark(pen, app.frame, "--now");
            if (item) mark(pen, item.frame, "--ink");
        },
        find(x, y) {
            const column = Math.floor(x / shape.cell), frame = Math.floor(y / shape.cell) * shape.columns + column;
            return column < shape.columns && frame >= 0 && frame < machine.frames ? { frame } : null;
        },
        step(item, key) {
            const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -shape.columns, ArrowDown: shape.columns }[key];
            const to = key === "Home" ? 0 : key === "End" ? machine.frames - 1 : item ? item.frame + by : Math.max(0, app.frame);
            return to >= 0 && to < machine.frames ? { frame: to } : null;
        },
        place: ({ frame }) => corner(frame),
        tell: ({ frame }) => tellFrame(app, frame),
        pick: ({ frame }) => app.change({ frame }),
    });

    function grid(pen) {
        pen.fillStyle = css("--card");
        for (let c = 1; c <= shape.columns; c++) pen.fillRect(c * shape.cell - 1, 0, 1, shape.rows * shape.cell);
        for (let r = 1; r <= shape.rows; r++) pen.fillRect(0, r * shape.cell - 1, shape.columns * shape.cell, 1);
    }

    app.watch(() => {
        legend("frames", OWNERS.map((owner, i) => ({ ...owner, value: number(machine.counts[i]) }))
            .filter((_, i) => machine.counts[i] || i < UNKNOWN));
        showFrame();
        chart.refresh();
    });

    // The chosen frame's own story.
    function showFrame() {
        const box = document.querySelector("#frames .detail");
        box.hidden = app.frame < 0;
        if (app.frame < 0) return;
        if (shown !== app.frame) events = eventsOfFrame(trace, shown = app.frame);
        box.replaceChildren(make("h3", {}, `Frame ${app.frame}`), make("p", {}, tellFrame(app, app.frame).slice(1).join(" · ")),
            make("p", {}, `${count(events.length, "event")} of the trace ${events.length === 1 ? "names" : "name"} it:`),
            eventList(app, events));
    }
}

function tellFrame(app, frame) {
    const { machine } = app, page = machine.ofFrame.get(frame);
    const lines = [`frame ${frame}`, `physical address ${hex(frame * PAGE)}`, OWNERS[machine.owners[frame]]?.name ?? "?"];
    const users = page ? machine.users(page) : [];
    for (const [process, at] of users.slice(0, 4)) lines.push(`${process.label(app.time)}: ${hex(at * PAGE)}`);
    if (users.length > 4) lines.push(`and ${users.length - 4} more`);
    return lines;
}

// Events that name a frame.
function eventsOfFrame(trace, frame) {
    const found = [];
    for (let i = 0; i < trace.length; i++) {
        const a = trace.a(i);
        switch (trace.kind[i]) {
        case KIND.FAULT: if (trace.frame(i) === frame) found.push(i); break;
        case KIND.COW_COPY: if (trace.bLow[i] === frame || trace.bHigh[i] === frame) found.push(i); break;
        case KIND.COW_REUSE: if (trace.b(i) === frame) found.push(i); break;
        case KIND.FRAME_ALLOC: case KIND.FRAME_FREE:
            if (a <= frame && frame < a + Math.max(1, trace.b(i))) found.push(i);
            break;
        case KIND.SWAP_OUT: case KIND.SWAP_IN: case KIND.DROP: case KIND.WRITE_BACK: if (a === frame) found.push(i);
        }
    }
    return found;
}

// A colour of style.css as the word of a pixel.
function rgb(text) {
    const value = parseInt(text.slice(1), 16);
    return (255 << 24 | (value & 255) << 16 | (value >> 8 & 255) << 8 | value >> 16) >>> 0;
}

function emptyText(pen, width, height, text) {
    pen.fillStyle = css("--muted");
    pen.textAlign = "center";
    pen.fillText(text, width / 2, height / 2);
}
