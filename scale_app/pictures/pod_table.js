/* Draws the table of pods: all of them, found and sorted as its reader wants.

   The page sends what is the same for all its readers, the pods by name, as one attribute of the table's box (see
   pods_sent in views/pod_table.py). Order and search are each reader's own and stay in the browser. Rows stay where
   they are: what changes is the text in them. A long table that is far from the screen is drawn when it comes near. */
"use strict";
(() => {
  const MANY = 60; // above it the busiest come first, shares have one digit more, and nothing is drawn out of sight
  const FEW = 10; // above it the table can be searched
  // Pods of a Deployment and nodes differ at the end of their names, so that is never what is cut off.
  const ENDS = { name: 9, node: 6 };
  const ROW_PX = 28; // as the stylesheet has it
  const EDGE = 8; // rows beyond those that can be seen, for who scrolls
  const ORDER_MS = 4500;
  const REST_MS = 1500; // once no newer figures came for so long, those out of sight are drawn as well
  const wanted = { by: "", down: false }; // by: a column, "" until somebody sorts
  let drawn = null; // { box, sent, table, order, ordered_ms, rows }
  let rest = 0;
  let near = true; // whether the table is near the screen

  const group = (text) => String(text).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const percent = (text) => `${text}\u202f%`;
  const sign = (value) => (value > 0 ? "+" : value < 0 ? "−" : "±");
  const WRITE = {
    count: group,
    share: (value, table) => percent((value * 100).toFixed(table.decimals)),
    signed: (value) => percent(sign(value) + group((Math.abs(value) / 10).toFixed(1))),
    ms: (text) => (text >= 10000 ? `${(text / 1000).toFixed(1)} s` : `${group(text)} ms`),
    cores: (value) => (value >= 10000 ? group((value / 1000).toFixed(1)) : `${group(value)}m`),
    state: (letter, table) => table.states[letter][1],
  };

  const names = (line) => {
    let before = "";
    return line.split("\t").map((told) => {
      const space = told.indexOf(" ");
      return (before = before.slice(0, told.slice(0, space)) + told.slice(space + 1));
    });
  };

  /* Values by column and pod: texts as they were sent, "" where unknown. */
  const read = (box) => {
    const heads = [...box.querySelectorAll("thead th")];
    const lines = box.dataset.pods.split("\n");
    const nodes = lines.at(-1).split("\t");
    const columns = heads.map((head, at) => ({ name: head.dataset.column, form: head.dataset.form, line: lines[at] }));
    for (const each of columns) each.values = each.form === "name" ? names(each.line) : each.line.split(",");
    const of = Object.fromEntries(columns.map((each) => [each.name, each]));
    of.node.values = of.node.values.map((place) => nodes[place]);
    const requests = of.requests.values.map(Number);
    const total = requests.reduce((sum, each) => sum + each, 0) || 1;
    of.share.values = requests.map((each) => each / total);
    const count = of.name.values.length;
    const decimals = count > MANY ? 2 : 1;
    return { heads, columns, of, count, decimals, most: Math.max(...requests) / total || 1, states: JSON.parse(box.dataset.states) };
  };

  /* States go by what they say, then by how far the pod is from its share. */
  const keys = (table, by) => {
    const { values, form } = table.of[by];
    if (form in ENDS) return values;
    if (form !== "state") return values.map((text) => (text === "" || text === undefined ? null : +text));
    const ranks = Object.keys(table.states);
    return values.map((letter, pod) => ranks.indexOf(letter) * 1e9 + Math.abs(table.of.against.values[pod]));
  };

  /* The pods in the order of the rows. What is unknown stands last, whichever way. */
  const ordered = (table, text) => {
    const { by, down } = sortedBy(table);
    const key = keys(table, by);
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const said = (pod) =>
      `${table.of.name.values[pod]} ${table.of.node.values[pod]} ${WRITE.state(table.of.state.values[pod], table)}`.toLowerCase();
    const none = (value) => value === null || value === "";
    const turn = down ? -1 : 1;
    return Array.from({ length: table.count }, (_, pod) => pod)
      .filter((pod) => words.every((word) => said(pod).includes(word)))
      .sort((a, b) => {
        const [one, other] = [key[a], key[b]];
        if (one === other) return a - b;
        if (none(one) || none(other)) return none(one) - none(other);
        return (one < other ? -1 : 1) * turn;
      });
  };

  const sortedBy = (table) =>
    wanted.by ? wanted : table.count > MANY ? { by: "share", down: true } : { by: "name", down: false };

  const element = (tag, look, ...inside) => {
    const made = document.createElement(tag);
    if (look) made.className = look;
    made.append(...inside);
    return made;
  };

  const cell = (head) => {
    const text = document.createTextNode("");
    const { column, form } = head.dataset;
    if (form in ENDS) {
      const end = document.createTextNode("");
      const cut = element("span", "cut", element("span", "", text), element("span", "", end));
      const name = form === "name" ? element("th", "mono", cut) : element("td", head.className, cut);
      if (form === "name") name.scope = "row";
      return { cell: name, texts: [text, end] };
    }
    if (form === "share") {
      const fill = element("span", "meter-fill");
      const box = element("span", "meter-box", element("span", "meter", fill), text);
      return { cell: element("td", head.className, box), texts: [text], fill };
    }
    const inside = form === "state" ? element("span", "badge pod-state", text) : text;
    return { cell: element("td", `${head.className} ${column}`, inside), texts: [text] };
  };

  const row = (table) => {
    const cells = table.heads.map(cell);
    const made = element("tr", "", ...cells.map((each) => each.cell));
    made.dataset.testid = "pod";
    return { made, cells, told: [], side: null };
  };

  const write = (row, table, pod) => {
    table.columns.forEach(({ form, values }, at) => {
      const value = values[pod] ?? "";
      if (row.told[at] === value && form !== "share") return;
      const { cell, texts, fill } = row.cells[at];
      row.told[at] = value;
      if (form in ENDS) {
        const cut = Math.max(0, value.length - ENDS[form]);
        [texts[0].data, texts[1].data, cell.title] = [value.slice(0, cut), value.slice(cut) || "–", value];
      } else {
        const text = value === "" ? "–" : WRITE[form](value, table);
        if (texts[0].data !== text) texts[0].data = text;
      }
      if (fill) fill.style.width = `${((100 * value) / table.most).toFixed(1)}%`;
    });
    const side = table.states[table.of.state.values[pod]][0];
    if (row.side !== side) row.made.dataset.outlier = row.side = side;
  };

  /* The rows that can be seen, and some above and below; of few pods all. */
  const seenRows = ({ box, rows, table }) => {
    if (table.count <= MANY) return [0, rows.length];
    const first = Math.floor(box.scrollTop / ROW_PX);
    const shown = Math.ceil(box.clientHeight / ROW_PX);
    return [Math.max(0, first - EDGE), first + shown + EDGE];
  };

  const writeRows = (from, to) => {
    const { rows, table, order } = drawn;
    for (let at = from; at < Math.min(to, rows.length); at++) write(rows[at], table, order[at]);
  };

  /* Rows keep their pods for some seconds, so that they can be read, and those out of sight are never a mixture.
     anew: sort and write all of them. */
  const draw = (box, anew) => {
    const table = read(box);
    const before = drawn && drawn.box === box ? drawn : { rows: [] };
    const { rows } = before;
    const now_ms = performance.now();
    const same = before.table && before.table.of.name.line === table.of.name.line;
    const kept = same && !anew && now_ms - before.ordered_ms < ORDER_MS;
    const find = box.parentElement.querySelector("[data-find]");
    const order = kept ? before.order : ordered(table, find.value);
    const fresh = order.slice(rows.length).map(() => row(table));
    rows.push(...fresh);
    rows.splice(order.length).forEach((each) => each.made.remove());
    drawn = { box, rows, table, order, ordered_ms: kept ? before.ordered_ms : now_ms, sent: box.dataset.pods };
    writeRows(...(kept ? seenRows(drawn) : [0, rows.length]));
    box.querySelector("tbody").append(...fresh.map((each) => each.made));
    const { by, down } = sortedBy(table);
    for (const head of table.heads) {
      head.ariaSort = head.dataset.column !== by ? "none" : down ? "descending" : "ascending";
    }
    box.dataset.cpu = table.of.cpu.line !== "";
    find.parentElement.hidden = table.count <= FEW;
    find.nextElementSibling.textContent = find.value.trim() ? `${group(order.length)} found` : "";
  };

  const update = () => {
    const box = document.querySelector("[data-pods]");
    const known = drawn && drawn.box === box;
    if (!box || (known && drawn.sent === box.dataset.pods)) return;
    if (near || !known || drawn.table.count <= MANY) draw(box, false);
    clearTimeout(rest);
    rest = setTimeout(again, REST_MS);
    if (known) return;
    sight.disconnect();
    sight.observe(box);
  };

  const sight = new IntersectionObserver(
    (seen) => {
      near = seen.at(-1).isIntersecting;
      if (near) update();
    },
    { rootMargin: "400px" },
  );

  const again = () => {
    const box = document.querySelector("[data-pods]");
    if (box) draw(box, true);
  };

  document.addEventListener("click", (event) => {
    const head = event.target instanceof Element && event.target.closest(".sort") && event.target.closest("[data-column]");
    if (!head) return;
    const now = sortedBy(drawn.table);
    // Figures begin with the largest.
    wanted.down = now.by === head.dataset.column ? !now.down : !(head.dataset.form in ENDS);
    wanted.by = head.dataset.column;
    again();
  });
  document.addEventListener("input", (event) => event.target.matches("[data-find]") && again());
  document.addEventListener(
    "scroll",
    (event) => drawn && event.target === drawn.box && writeRows(...seenRows(drawn)),
    { capture: true, passive: true },
  );
  window.addEventListener("beforeprint", again);
  new MutationObserver(update).observe(document, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["data-pods"],
  });
})();
