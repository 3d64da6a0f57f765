"use strict";
(() => {
  const DATA = JSON.parse(document.getElementById("report-data").textContent);
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  // A name must show letter by letter; plotly.js would read "<b>" in it as markup.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const short = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(4))));
  // Lighter neighbours of the darker colours, for a dark page.
  const LIGHTER = { "#0072B2": "#4fa8dc", "#7A5195": "#b48cd0", "#8C6D31": "#c2a15a" };
  const drawn = {};
  let paper = false;

  // ------------------------------------------------------------- plotly.js, which travels compressed
  async function library() {
    const script = document.createElement("script");
    script.textContent = await (await unpacked(byId("library").textContent)).text();
    document.head.append(script); // runs here and now, if the policy knows its hash
  }

  // ------------------------------------------------------------- theme
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  function themed(value) {
    if (value === "@text" || value === "@quiet") return colour(value.slice(1));
    if (typeof value === "string") return root.dataset.theme === "dark" ? LIGHTER[value] || value : value;
    if (Array.isArray(value)) return value.map(themed);
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, themed(inner)]));
    return value;
  }
  function axis(given) {
    const { title, ...rest } = given || {};
    return {
      gridcolor: colour("grid"), linecolor: colour("line"), zerolinecolor: colour("grid"), automargin: true,
      title: { font: { size: 13 }, standoff: 10, ...title }, ...rest,
    };
  }
  function layoutOf(layout) {
    const rest = themed(layout);
    const axes = Object.keys(rest).filter((key) => /^[xy]axis/.test(key));
    return {
      paper_bgcolor: colour("back"), plot_bgcolor: colour("back"),
      font: { color: colour("text"), size: 13, family: "system-ui, 'DejaVu Sans', sans-serif" },
      margin: { l: 60, r: 16, t: 36, b: 50 }, hovermode: "closest",
      hoverlabel: { bgcolor: colour("panel"), font: { color: colour("text") }, namelength: -1 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("soft"), activecolor: colour("text") },
      legend: { orientation: "h", x: 0, y: -0.28, yanchor: "top", font: { size: 12 } },
      ...rest, ...(paper ? { width: 660 } : { autosize: true }), ...Object.fromEntries(axes.map((key) => [key, axis(rest[key])])),
    };
  }
  // Made once, when the library is there: another object would draw every picture anew and forget what was chosen.
  let settings = null;
  const config = () => (settings ??= {
    responsive: true, displaylogo: false, showTips: false, showSendToCloud: false, showEditInChartStudio: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    toImageButtonOptions: { scale: 2 },
    modeBarButtonsToAdd: [{
      name: "svg", title: "Download plot as SVG", icon: Plotly.Icons.disk,
      click: (plot) => Plotly.downloadImage(plot, { format: "svg", filename: plot.id }),
    }],
  });
  // What the reader did in a legend or by zooming stays, unless uirevision changes.
  function draw(id, data, layout) {
    const plot = byId(id);
    if (!plot) return;
    const before = id in drawn;
    drawn[id] = { data, layout };
    Plotly.react(plot, themed(data), layoutOf({ uirevision: id, ...layout }), config());
    if (!before) plot.on("plotly_afterplot", () => keys(plot));
    keys(plot);
  }
  // Legends by keyboard: Tab reaches every name, Enter or Space shows or hides its line, as a click does.
  function keys(plot) {
    plot.querySelectorAll(".legend .traces").forEach((item) => {
      const toggle = item.querySelector(".legendtoggle"), name = item.querySelector(".legendtext");
      if (!toggle || !name) return;
      toggle.setAttribute("tabindex", "0");
      toggle.setAttribute("role", "checkbox");
      toggle.setAttribute("aria-label", name.textContent);
      toggle.setAttribute("aria-checked", String(Number(item.style.opacity || 1) === 1));
      if (toggle.dataset.keys) return;
      toggle.dataset.keys = "yes";
      toggle.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        const place = [...plot.querySelectorAll(".legendtoggle")].indexOf(toggle);
        plot.once("plotly_afterplot", () => setTimeout(() => plot.querySelectorAll(".legendtoggle")[place]?.focus(), 0));
        for (const kind of ["mousedown", "mouseup"]) toggle.dispatchEvent(new MouseEvent(kind, { bubbles: true }));
      });
    });
  }
  // Pictures that are in view or nearly so are drawn first, the others one by one while nothing else is to do.
  // Those in detail that is folded wait until it is unfolded.
  const jobs = new Map();
  const folded = (element) => element.closest("details:not([open])") !== null;
  function run(id) {
    const job = jobs.get(id);
    jobs.delete(id);
    if (job) job();
  }
  function begin() {
    const near = new IntersectionObserver((seen) => {
      seen.filter((entry) => entry.isIntersecting).forEach((entry) => { near.unobserve(entry.target); run(entry.target.id); });
      root.dataset.shown = "yes";
    }, { rootMargin: "400px 0px" });
    for (const id of jobs.keys()) near.observe(byId(id));
    const idle = window.requestIdleCallback || ((go) => setTimeout(go, 1));
    const rest = () => {
      const id = [...jobs.keys()].find((key) => !folded(byId(key)));
      if (id === undefined) { root.dataset.ready = "yes"; return; }
      run(id);
      idle(rest);
    };
    idle(rest);
    for (const details of document.querySelectorAll("details"))
      details.addEventListener("toggle", () => {
        for (const plot of details.querySelectorAll(".plot")) if (!folded(plot)) run(plot.id);
        hints();
      });
  }
  function redraw() {
    for (const [id, { data, layout }] of Object.entries(drawn)) draw(id, data, layout);
  }
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const button = byId("theme");
  let chosen = null;
  function paint(dark) {
    root.dataset.theme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
    redraw();
  }
  const dark = () => (chosen === null ? system.matches : chosen);
  button.addEventListener("click", () => { chosen = !dark(); paint(chosen); });
  system.addEventListener("change", () => paint(dark()));
  // Paper is white and narrower than the window.
  window.addEventListener("beforeprint", () => {
    for (const id of [...jobs.keys()]) if (!folded(byId(id))) run(id);
    paper = true;
    paint(false);
  });
  window.addEventListener("afterprint", () => {
    paper = false;
    paint(dark());
    for (const id of Object.keys(drawn)) Plotly.Plots.resize(id);
  });

  // ------------------------------------------------------------- pickers
  function fill(select, options) {
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    select.disabled = options.length < 2;
  }
  const glass = (hex, share) => `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},${share})`;

  // A picture with lists above it: each choice has its own data and caption.
  function picture(id, chart) {
    const lists = [...document.querySelectorAll("select[data-chart]")].filter((list) => list.dataset.chart === id);
    if (!lists.length) { draw(id, chart.data, chart.layout); return; }
    const key = () => lists.map((list) => list.value).join("/");
    const update = () => {
      const view = chart.views[key()];
      if (!view) return;
      draw(id, view.data, { uirevision: key(), ...view.layout });
      byId(`${id}-caption`).textContent = view.caption;
    };
    for (const list of lists) list.addEventListener("change", update);
    update();
  }

  // ------------------------------------------------------------- the future
  function future(F) {
    const series = byId("future-series"), button = byId("future-download");
    fill(series, F.series.map((s, k) => [k, s.name]));
    series.value = String(F.first);
    if (button) button.addEventListener("click", async () => save(F.file, await unpacked(F.numbers)));
    const update = () => {
      const s = F.series[Number(series.value)], past = F.grids[s.past].map((k) => F.times[k]);
      const ahead = F.grids[s.ahead].map((k) => F.times[k]), [hex, dash] = F.colour, data = [];
      for (const level of F.levels.slice().reverse()) {
        if (!(level in s.bounds)) continue;
        const [low, high] = s.bounds[level];
        data.push({
          ...shade(glass(hex, level === F.levels[0] ? 0.3 : 0.16), ahead.length === 1), name: `${level} % interval`,
          ...ring(ahead, low, high),
        });
      }
      data.push({
        type: "scatter", mode: "lines+markers", name: plain(F.model), x: ahead, y: s.mean, marker: { size: ahead.length > 1 ? 4 : 9 },
        line: { color: hex, dash, width: 2 }, hovertemplate: "%{x}: %{y:.5g}",
      }, {
        type: "scatter", mode: "lines+markers", name: "observed", x: past, y: s.y, marker: { size: 3, color: "@text" },
        line: { color: "@text", width: 1.4 }, hovertemplate: "%{x}: %{y:.5g}",
      });
      const last = past[past.length - 1];
      draw("chart-future", data, {
        uirevision: series.value, margin: { l: 60, r: 16, t: 36, b: 60 },
        xaxis: { title: { text: `time, ${DATA.steps} (oldest left)` } },
        yaxis: { title: { text: `${plain(s.name)}, ${DATA.unit}` } },
        shapes: last === undefined ? [] : [{
          type: "line", yref: "paper", y0: 0, y1: 1, x0: last, x1: last, line: { color: "@quiet", width: 1, dash: "dot" },
        }],
      });
      byId("future-caption").textContent = s.caption;
    };
    series.addEventListener("change", update);
    update();
  }
  // One step alone has a room without a width: its edge is drawn.
  function shade(fillcolor, alone) {
    const line = alone ? { width: 8, color: fillcolor } : { width: 0 };
    return { type: "scatter", mode: "lines", fill: "toself", hoverinfo: "skip", line, fillcolor };
  }
  // The room between two lines, around it once.
  function ring(times, low, high) {
    const inside = [...times.keys()].filter((i) => low[i] !== null && high[i] !== null), back = inside.slice().reverse();
    return {
      x: [...inside.map((i) => times[i]), ...back.map((i) => times[i])],
      y: [...inside.map((i) => high[i]), ...back.map((i) => low[i])],
    };
  }
  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).blob();
  }
  function save(name, blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([blob], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // ------------------------------------------------------------- forecasts
  function forecasts(F) {
    const series = byId("forecast-series"), view = byId("forecast-view"), bands = byId("forecast-intervals");
    fill(series, F.series.map((s, k) => [k, s.name]));
    series.value = String(F.first);
    fill(view, F.views.map((v) => [v, v === "chain" ? "one after the other" : `step ${v} ahead only`]));
    const withBounds = F.models.filter((m) => F.series.some((s) => m in s.views[F.views[0]].bounds));
    fill(bands, [...withBounds.map((m) => [m, m]), ["", "none"]]);
    const style = (m) => DATA.colours[plain(m)];
    // These boxes keep their choice from series to series, a legend does not.
    const boxes = F.models.map((m, k) => {
      const label = document.createElement("label"), box = document.createElement("input");
      box.type = "checkbox";
      box.checked = k === 0 || m === F.reference || m === bands.value;
      label.append(box, m);
      byId("forecast-models").append(label);
      return box;
    });

    function pieces(one, values, cuts) {
      const x = [], y = [];
      F.grids[one.grid].forEach((place, i) => {
        if (cuts.has(i)) { x.push(F.times[place]); y.push(null); }
        x.push(F.times[place]); y.push(values[i]);
      });
      return { x, y };
    }
    function band(one, [low, high]) {
      const times = F.grids[one.grid].map((place) => F.times[place]);
      const edges = one.starts.length ? [...one.starts, times.length] : [0, times.length];
      const x = [], y = [];
      for (let k = 0; k + 1 < edges.length; k += 1) {
        const part = [times, low, high].map((values) => values.slice(edges[k], edges[k + 1])), around = ring(...part);
        if (!around.x.length) continue;
        x.push(...around.x, null);
        y.push(...around.y, null);
      }
      return { x, y };
    }
    function update() {
      const s = F.series[Number(series.value)], one = s.views[view.value], data = [];
      const times = F.grids[one.grid].map((place) => F.times[place]);
      // Windows are separate forecasts, not one line: a gap before every cutoff. Truth has gaps only where steps lack.
      const cuts = new Set(one.starts.slice(1)), grid = F.grids[one.grid];
      const lacks = new Set(one.starts.length ? [...grid.keys()].filter((i) => i && grid[i] > grid[i - 1] + 1) : []);
      const few = view.value !== "chain" || one.starts.length === times.length;
      const model = bands.value, bounds = one.bounds[model] || {};
      const levels = F.levels[model] ? F.levels[model].filter((l) => l in bounds) : [];
      for (const level of levels.slice().reverse())
        data.push({
          ...shade(glass(style(model)[0], level === levels[0] ? 0.3 : 0.16), one.starts.length === times.length),
          name: `${level} % interval`, ...band(one, bounds[level]),
        });
      F.models.forEach((m, k) => {
        data.push({
          type: "scatter", mode: few ? "lines+markers" : "lines", name: plain(m), ...pieces(one, one.mean[m], cuts),
          marker: { size: 4 }, line: { color: style(m)[0], dash: style(m)[1], width: 2 },
          visible: boxes[k].checked ? true : "legendonly",
          hovertemplate: "%{x}: %{y:.5g}",
        });
      });
      const truth = pieces(one, one.y, lacks);
      if (s.before) {
        const earlier = F.grids[s.before.grid].map((place, i) => [place, s.before.y[i]]).filter(([place]) => place < grid[0]);
        truth.x.unshift(...earlier.map(([place]) => F.times[place]));
        truth.y.unshift(...earlier.map(([, y]) => y));
      }
      data.push({
        type: "scatter", mode: "lines+markers", name: "truth", ...truth, marker: { size: 4, color: "@text" },
        line: { color: "@text", width: 1.4 }, hovertemplate: "%{x}: %{y:.5g}",
      });
      draw("chart-forecasts", data, {
        uirevision: `${series.value}/${view.value}/${boxes.map((box) => box.checked)}`, margin: { l: 60, r: 16, t: 36, b: 60 },
        xaxis: { title: { text: `time, ${DATA.steps} (oldest left)` } },
        yaxis: { title: { text: `${plain(s.name)}, ${DATA.unit}` } },
      });
      const first = F.models[0];
      const errors = one.y.map((y, i) => (y === null || one.mean[first][i] === null ? null : one.mean[first][i] - y)).filter((e) => e !== null);
      const mean = errors.length ? errors.reduce((a, e) => a + Math.abs(e), 0) / errors.length : null;
      let text = `${s.name}: truth and forecasts at ${times.length} points, ${times[0]} to ${times[times.length - 1]}. `;
      text += `${first} is off by ${short(mean)} on average.`;
      for (const level of levels) {
        const known = one.y.map((y, i) => [y, bounds[level][0][i], bounds[level][1][i]]).filter((t) => t.every((v) => v !== null));
        const held = known.filter(([y, low, high]) => low <= y && y <= high).length;
        if (known.length) text += ` The ${level} % interval of ${model} holds ${held} of ${known.length} of them.`;
      }
      byId("forecast-caption").textContent = text;
    }
    bands.addEventListener("change", () => { if (bands.value) boxes[F.models.indexOf(bands.value)].checked = true; });
    for (const control of [series, view, bands, ...boxes]) control.addEventListener("change", update);
    update();
  }

  // ------------------------------------------------------------- attention
  function attention(A) {
    const model = byId("attention-model"), series = byId("attention-series"), window_ = byId("attention-window");
    const head = byId("attention-head"), step = byId("attention-step");
    const decoded = {};
    function weights(name) {
      if (!(name in decoded)) {
        const bytes = Uint8Array.from(atob(A[name].data), (c) => c.charCodeAt(0)), view = new DataView(bytes.buffer);
        decoded[name] = Float64Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true) * A[name].scale);
      }
      return decoded[name];
    }
    function matrix(name, n, m) {
      const [, M, H, L] = A[name].shape, w = weights(name), heads = m === "mean" ? [...Array(M).keys()] : [Number(m)];
      return Array.from({ length: H }, (_, h) => Array.from({ length: L }, (_, l) =>
        heads.reduce((sum, k) => sum + w[((n * M + k) * H + h) * L + l], 0) / heads.length));
    }
    function windows() {
      const own = A[model.value].windows.map(([of, name], k) => [of, k, name]).filter(([of]) => of === Number(series.value));
      fill(window_, own.map(([, k, name]) => [k, name]));
    }
    function options() {
      const [, M, H] = A[model.value].shape, before = series.selectedOptions[0]?.textContent;
      fill(series, A[model.value].series);
      const kept = [...series.options].find((option) => option.textContent === before);
      if (kept) series.value = kept.value;
      windows();
      fill(head, M > 1 ? [["mean", `mean of ${M} heads`], ...Array.from({ length: M }, (_, k) => [k, `head ${k + 1}`])] : [["mean", "mean"]]);
      fill(step, [["all", "all steps"], ...Array.from({ length: H }, (_, k) => [k, `step ${k + 1}`])]);
    }
    function largest(values, count) {
      return values.map((v, k) => [v, k]).sort((a, b) => b[0] - a[0]).slice(0, count);
    }
    function update() {
      const name = model.value, [, , H, L] = A[name].shape, z = matrix(name, Number(window_.value), head.value);
      const lags = Array.from({ length: L }, (_, l) => L - 1 - l), rows = Array.from({ length: H }, (_, h) => h + 1);
      const one = step.value === "all" ? null : Number(step.value);
      const uirevision = `${name}/${A[name].shape}`;
      draw("chart-attention", [{
        type: "heatmap", x: lags, y: rows, z, colorscale: DATA.weights, zmin: 0, zmax: Math.max(...z.flat()),
        colorbar: { title: { text: "weight", side: "right", font: { size: 13 } }, thickness: 12, outlinewidth: 0 },
        hovertemplate: "step %{y}, lag %{x}: %{z:.4f}<extra></extra>",
      }], {
        uirevision, xaxis: { title: { text: `lag, ${DATA.steps} before the cutoff (oldest left)` }, autorange: "reversed", showgrid: false },
        yaxis: { title: { text: `horizon step, ${DATA.steps} ahead` }, showgrid: false, dtick: H > 12 ? undefined : 1 },
        shapes: one === null ? [] : [{ type: "rect", xref: "paper", x0: 0, x1: 1, y0: one + 0.5, y1: one + 1.5, line: { color: "#D55E00", width: 2 } }],
      });
      // Of all steps: mean over the steps that can look back so far, as foretide.explain.profiles.mass_by_distance.
      const mass = Array(L + H).fill(0), reached = Array(L + H).fill(0);
      z.forEach((row, h) => {
        if (one !== null && h !== one) return;
        row.forEach((v, l) => { const d = lags[l] + h + 1; mass[d] += v; reached[d] += 1; });
      });
      const known = mass.map((v, d) => [d, reached[d] ? v / reached[d] : null]).filter(([, v]) => v !== null);
      draw("chart-distance", [{
        type: "bar", x: known.map((k) => k[0]), y: known.map((k) => Number(k[1].toPrecision(5))), marker: { color: "#0072B2" },
        name: "weight", hovertemplate: `%{x} ${DATA.steps} before the step: %{y:.4f}<extra></extra>`,
      }], {
        uirevision, showlegend: false, bargap: 0.15,
        xaxis: { title: { text: `${DATA.steps} before the forecast step (oldest left)` }, autorange: "reversed" },
        yaxis: { title: { text: "weight, share of one" }, rangemode: "tozero" },
        shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 1 / L, y1: 1 / L, line: { color: "@quiet", width: 1, dash: "dot" } }],
      });
      const of = [name, series.selectedOptions[0].textContent, window_.selectedOptions[0].textContent];
      const where = `${of.join(", ")}, ${head.selectedOptions[0].textContent}`;
      const byLag = lags.map((_, l) => (one === null ? z.reduce((s, row) => s + row[l], 0) / H : z[one][l]));
      const tops = largest(byLag, 3).map(([v, l]) => `lag ${lags[l]} (${short(v)})`).join(", ");
      byId("attention-caption").textContent =
        `${where}: each row sums to one; colours tell small weights apart best. A vertical stripe is a fixed lag, a diagonal a fixed distance to the forecast step. ` +
        `Largest${one === null ? " over all steps" : ` at step ${one + 1}`}: ${tops}.`;
      const far = largest(known.map((k) => k[1]), 3).map(([v, k]) => `${known[k][0]} (${short(v)})`).join(", ");
      byId("distance-caption").textContent =
        `${one === null ? "All steps together" : `Step ${one + 1}`}: most weight lies ${far} ${DATA.steps} before the forecast step. ` +
        `The dotted line is even attention, ${short(1 / L)} for each lag.`;
    }
    fill(model, Object.keys(A).map((name) => [name, name]));
    model.addEventListener("change", () => { options(); update(); });
    series.addEventListener("change", () => { windows(); update(); });
    for (const select of [window_, head, step]) select.addEventListener("change", update);
    options();
    update();
  }

  // ------------------------------------------------------------- tables
  function sortable(table) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => row.cells[column].dataset.value;
        const numbers = [...body.rows].some((row) => key(row) !== undefined);
        body.append(...[...body.rows].sort((a, b) => {
          if (!numbers) return (up ? 1 : -1) * a.cells[column].textContent.localeCompare(b.cells[column].textContent);
          const missing = (key(a) === undefined) - (key(b) === undefined); // no number: last either way
          return missing || (key(a) === undefined ? 0 : (up ? 1 : -1) * (Number(key(a)) - Number(key(b))));
        }));
        cut(table);
      });
    });
  }
  // The first lines of a long table; a button shows the others.
  function cut(table) {
    const first = Number(table.dataset.first || Infinity);
    [...table.tBodies[0].rows].forEach((row, k) => row.classList.toggle("beyond", k >= first && !table.dataset.all));
  }
  function shortened(table) {
    if (!table.dataset.first) return;
    const button = document.createElement("button"), all = table.tBodies[0].rows.length;
    button.type = "button";
    button.className = "more";
    const say = () => {
      button.textContent = table.dataset.all ? `Show the first ${table.dataset.first} lines only` : `Show all ${all} lines`;
      button.setAttribute("aria-expanded", String(Boolean(table.dataset.all)));
      cut(table);
      hints();
    };
    button.addEventListener("click", () => { table.dataset.all = table.dataset.all ? "" : "yes"; say(); });
    table.parentElement.after(button);
    say();
  }
  // A table that does not fit says so.
  function hints() {
    for (const box of document.querySelectorAll(".scroll")) {
      const wide = box.scrollWidth > box.clientWidth + 1, long = box.scrollHeight > box.clientHeight + 1;
      let hint = box.nextElementSibling;
      if (!hint || !hint.classList.contains("hint")) {
        if (!wide && !long) continue;
        hint = document.createElement("p");
        hint.className = "hint";
        box.after(hint);
      }
      box.classList.toggle("cut", wide || long);
      hint.hidden = !wide && !long;
      hint.textContent = `There is more: scroll ${wide && long ? "to the right and down" : wide ? "to the right" : "down"} in the table.`;
    }
  }

  // ------------------------------------------------------------- begin
  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll("table.sortable").forEach(shortened);
  hints();
  window.addEventListener("resize", hints);
  paint(dark());
  if (DATA.future) jobs.set("chart-future", () => future(DATA.future));
  if (DATA.forecasts) jobs.set("chart-forecasts", () => forecasts(DATA.forecasts));
  for (const [id, chart] of Object.entries(DATA.charts)) jobs.set(id, () => picture(id, chart));
  if (DATA.attention) jobs.set("chart-attention", () => attention(DATA.attention));
  library().then(begin, () => { byId("old-browser").hidden = false; });
})();
