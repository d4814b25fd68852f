// Runs in the report, first of all: what was refused, then, when all is laid out, what stands where.
// The numbers are those of kernels/first.json and second.json.
const refused = [];
addEventListener("securitypolicyviolation", e => refused.push(e.blockedURI));

addEventListener("load", () => {
    const faults = [];
    const want = (good, text) => { if (!good) faults.push(text); };
    const all = (selector, from = document) => [...from.querySelectorAll(selector)];
    const shown = e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0; };

    for (const uri of refused) faults.push(`refused to load ${uri}`);
    for (const e of performance.getEntriesByType("resource")) faults.push(`loaded ${e.name}`);
    want(document.documentElement.scrollWidth <= innerWidth, "the page is wider than the window");

    // all that there is
    const charts = all("figure svg");
    want(charts.length === 5, `5 charts expected, ${charts.length} found`);
    all("details").forEach(d => { d.open = true; });
    const cases = all("details tbody tr");
    want(cases.length === 22, `22 cases expected, ${cases.length} found`);
    want(cases.every(shown), "a case is not shown");
    const facts = document.querySelector(".facts").innerText;
    for (const text of ["Invented & One", "Invented <Two>", "made by hand <b>", "400 GB/s", "1.6 TB/s",
        "32 Top/s", "100 Top/s", "8.00 GiB"])
        want(facts.includes(text), `facts: no ${text}`);
    want(document.body.innerText.includes("y takes 180355072 bytes"), "why a case was left out");
    const bold = all("details td b").length; // 21 cases were timed on both, the second is faster
    want(bold === 21, `21 fastest times expected, ${bold} found`);

    // charts: sizes, texts inside them, a mark for each case that was timed
    for (const svg of charts) {
        const box = svg.getBoundingClientRect(), title = svg.getAttribute("aria-label");
        want(box.width > 300 && box.height > 60, `${title}: ${box.width} x ${box.height}`);
        for (const text of all("text", svg)) {
            const t = text.getBoundingClientRect();
            want(t.left >= box.left - 1 && t.right <= box.right + 1 && t.top >= box.top - 1 &&
                t.bottom <= box.bottom + 1, `${title}: '${text.textContent}' sticks out`);
        }
    }
    const marks = charts.map(svg => all("path", svg).length).join(" ");
    want(marks === "20 20 22 8 10", `marks: 20 20 22 8 10 expected, ${marks} found`);
    const colour = c => getComputedStyle(document.querySelector(`path.dot.${c}`)).fill;
    want(colour("d0") !== colour("d1"), "two devices have the same colour");
    const ink = getComputedStyle(document.body).color, page = getComputedStyle(document.body).backgroundColor;
    want(ink !== page, "text in the colour of the page");

    // a point where the axes say: 8,000,000 operations, 2,000,000 bytes, 10 us: 4 op/byte, 800 Gop/s
    const tick = (svg, anchor, text) => {
        const t = all(`text.tick[text-anchor=${anchor}]`, svg).find(e => e.textContent === text);
        return Number(t.getAttribute(anchor === "middle" ? "x" : "y"));
    };
    const place = (svg, x, y) => {
        const x1 = tick(svg, "middle", "1"), y1 = tick(svg, "end", "1k") - 4;
        return [x1 + Math.log10(x) * (tick(svg, "middle", "10") - x1),
            y1 + Math.log10(y / 1000) * (tick(svg, "end", "10k") - 4 - y1)];
    };
    const point = (svg, words) => {
        const path = all("path", svg).find(p => p.querySelector("title").textContent.includes(words));
        return path ? path.getAttribute("transform").match(/translate\((\S+) (\S+)\)/).slice(1).map(Number) : [];
    };
    for (const [device, gop] of [[0, 800], [1, 3200]]) {
        const [x, y] = place(charts[device], 4, gop);
        const [px, py] = point(charts[device], "gemv_t2_i8, N 2560 K 2560 T 1:");
        want(Math.abs(px - x) < 0.3 && Math.abs(py - y) < 0.3,
            `device ${device}: ${x.toFixed(1)} ${y.toFixed(1)} expected, stands at ${px} ${py}`);
    }

    const verdict = document.createElement("pre");
    verdict.id = "verdict";
    verdict.textContent = faults.length ? `wrong: ${faults.join("\n")}` : `right, ${innerWidth} wide`;
    document.body.append(verdict);
});
