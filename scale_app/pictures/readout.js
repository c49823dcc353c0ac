/* Reads a chart out where the pointer or the arrow keys are: a line across it, and the time with each value as text.

   The charts are drawn from path strings made by the server. Their points are read back from those strings, so that a
   value is as exact as its picture (a thousandth of the axis) and an update of the page neither sends nor draws more.
   Nothing runs until somebody points at a chart or moves along it. Missing this script, every chart is as before. */
"use strict";
(() => {
  const SIDE = 1000;
  const NEAR = 12; // of SIDE: what is farther than this from the line has no value there
  const MANY = 16; // rows of a heat map that are still told all at once; of more, the first and the last
  let shown = null; // { plot, x, y, at_s }: x from 0 to SIDE, y from 0 to 1 or null for all rows
  let watch = null;

  const points = (path) =>
    [...(path.getAttribute("d") || "").matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map((at) => [+at[1], +at[2]]);

  const clock = (seconds) => {
    const whole = Math.round(seconds);
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    const rest = `${Math.floor(whole / 60) % 60}`;
    return hours ? `${hours}:${two(rest)}:${two(whole % 60)}` : `${rest}:${two(whole % 60)}`;
  };

  /* Only as many digits as the picture has: more would be invented. */
  const figure = (value, top) => {
    const digits = Math.max(0, Math.min(3, Math.floor(-Math.log10(top / SIDE))));
    return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  };

  const nearest = (all, x) =>
    all.reduce((best, point) => (best && Math.abs(best[0] - x) <= Math.abs(point[0] - x) ? best : point), null);

  const stops = (plot) => {
    if (plot.dataset.readout === "heat") {
      const columns = plot.querySelector("img").naturalWidth;
      const wide = (parseFloat(plot.querySelector("img").style.width) / 100) * SIDE;
      return Array.from({ length: columns }, (_, at) => ((at + 0.5) * wide) / columns);
    }
    const all = [...plot.querySelectorAll("path[data-series]")].flatMap((path) => points(path).map((at) => at[0]));
    return [...new Set(all)].sort((a, b) => a - b);
  };

  const closest = (all, x) => all.reduce((best, at) => (Math.abs(at - x) < Math.abs(best - x) ? at : best), all[0]);

  /* What happened is told at the one stop that is next to it. */
  const events = (plot, x, all) =>
    [...plot.querySelectorAll(".mark")]
      .filter((mark) => closest(all, parseFloat(mark.style.left) * 10) === x)
      .map((mark) => mark.title);

  const lines = (plot, x) => {
    const { top, unit = "" } = plot.dataset;
    const told = [];
    for (const path of plot.querySelectorAll("path[data-series]")) {
      const at = nearest(points(path), x);
      if (at && Math.abs(at[0] - x) <= NEAR) {
        told.push(`${path.dataset.series} ${figure((1 - at[1] / SIDE) * top, top)}${unit}`);
      }
    }
    return told.length ? told : ["no value"];
  };

  /* The picture's colours are its data: their opacity tells the classes apart, blue and red the two opaque ones. */
  const heat = (plot, x, y) => {
    const image = plot.querySelector("img");
    const [wide, high] = [image.naturalWidth, image.naturalHeight];
    const canvas = Object.assign(document.createElement("canvas"), { width: wide, height: high });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, 0, 0);
    const column = Math.min(wide - 1, Math.floor((x / ((parseFloat(image.style.width) / 100) * SIDE)) * wide));
    const names = plot.dataset.rows.split("\n").map((row) => row.replace(/\t(\d+)$/, " and $1 more"));
    const classes = JSON.parse(plot.dataset.classes);
    const read = (row) => {
      const [red, , blue, opacity] = pen.getImageData(column, row, 1, 1).data;
      const found = classes.find((each) => each.opacity === opacity && each.blue === blue > red);
      return `${names[row] || `row ${row + 1}`}: ${found ? found.text : "no value"}`;
    };
    if (y !== null) return [read(Math.min(high - 1, Math.floor(y * high)))];
    return high <= MANY ? Array.from({ length: high }, (_, row) => read(row)) : [read(0), read(high - 1)];
  };

  /* The middle of the row below or above; from all rows, the first from that side. */
  const nextRow = (plot, y, down) => {
    const high = plot.querySelector("img").naturalHeight;
    const row = y === null ? (down > 0 ? 0 : high - 1) : Math.floor(y * high) + down;
    return (Math.max(0, Math.min(high - 1, row)) + 0.5) / high;
  };

  /* All charts have one time axis, so one line runs through all of them. */
  const cursors = () => document.querySelectorAll("[data-readout] > .cursor");

  const output = (plot) => plot.closest(".card").querySelector(".readout");

  const hide = () => {
    if (!shown) return;
    cursors().forEach((each) => (each.style.display = "none"));
    output(shown.plot).textContent = "";
    if (watch) watch.disconnect();
    shown = watch = null;
  };

  const show = (plot, wanted, y) => {
    const all = stops(plot);
    if (!all.length) return hide();
    if (shown && shown.plot !== plot) hide();
    const x = closest(all, wanted);
    const span = +plot.dataset.span;
    for (const each of cursors()) {
      each.style.display = "block";
      each.style.left = `${x / 10}%`;
    }
    const told = plot.dataset.readout === "heat" ? heat(plot, x, y) : [...lines(plot, x), ...events(plot, x, all)];
    const text = [clock((x / SIDE) * span), ...told].join(" · ");
    if (output(plot).textContent !== text) output(plot).textContent = text;
    if (!shown) {
      // An update may move the axis under the line: then the same second is read anew, a picture once it is decoded.
      const again = () => shown && shown.plot === plot && show(plot, (shown.at_s / +plot.dataset.span) * SIDE, shown.y);
      const image = plot.querySelector("img");
      watch = new MutationObserver(() => (image ? image.decode().then(again, () => {}) : again()));
      watch.observe(plot, { attributes: true, subtree: true, attributeFilter: ["d", "data-span", "src"] });
    }
    shown = { plot, x, y, at_s: (x / SIDE) * span };
  };

  const plotOf = (event) => (event.target instanceof Element ? event.target.closest("[data-readout]") : null);

  document.addEventListener("pointermove", (event) => {
    const plot = plotOf(event);
    if (!plot) return shown && document.activeElement !== shown.plot ? hide() : undefined;
    const box = plot.getBoundingClientRect();
    show(plot, ((event.clientX - box.left) / box.width) * SIDE, (event.clientY - box.top) / box.height);
  });

  document.addEventListener("focusin", (event) => {
    const plot = plotOf(event);
    if (plot && plot.matches(":focus-visible")) show(plot, SIDE, null);
  });

  document.addEventListener("focusout", (event) => plotOf(event) && hide());

  document.addEventListener("keydown", (event) => {
    const plot = plotOf(event);
    if (!plot || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") return hide();
    const mine = shown && shown.plot === plot;
    const down = plot.dataset.readout === "heat" && { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (down) {
      event.preventDefault();
      return show(plot, mine ? shown.x : SIDE, nextRow(plot, mine ? shown.y : null, down));
    }
    const all = stops(plot);
    const here = mine ? all.findIndex((at) => at >= shown.x) : all.length - 1;
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -all.length, End: all.length }[event.key];
    if (!step || !all.length) return;
    event.preventDefault();
    show(plot, all[Math.max(0, Math.min(all.length - 1, here + step))], mine ? shown.y : null);
  });
})();
