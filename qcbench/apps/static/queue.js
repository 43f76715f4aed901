// The queue: a virtual list, so that thousands of ABs cost no more than those in sight.

const ROW = 30;
const SPARE = 8;
const FILTERS = [["review", "to review"], ["red", "✕ red"], ["failed", "▲ failed"], ["sampled", "◇ sampled"],
                 ["unscored", "– unscored"], ["manual", "◇ manual"], ["decided", "decided"]];
const HELP = [["j k", "next, previous"], ["space", "select for a common decision"], ["a", "select all shown, or none"],
              ["c", "certify"], ["r", "reject product"], ["x", "reject raw"], ["i", "write a comment"],
              ["m", "move → rename → ingest"], ["/", "search"], ["Esc", "leave a field, clear"], ["?", "these keys"]];

function render({model, el}) {
  let filter = "review";
  let words = "";
  let current = model.get("selected");
  let place = 0;
  const checked = new Set();
  let help = false;

  const belongs = (row, name) => name === "review" ? row.tag !== "decided" : row.tag === name;
  const matches = (row) => words.split(" ").every((word) => row.search.includes(word));
  const shown = () => model.get("rows").filter((row) => belongs(row, filter) && matches(row));

  const search = h("input", {type: "search", placeholder: "search  /", "aria-label": "Search the queue",
    oninput: (event) => { words = event.target.value.trim().toLowerCase(); update(); },
    onkeydown: (event) => {
      if (event.key === "Escape") { search.value = ""; words = ""; search.blur(); update(); }
      if (event.key === "Enter") search.blur();
    }});
  const chips = h("span", {class: "chips"});
  const head = h("div", {class: "row head", role: "row"},
    ["", "Raw type", "Setup", "AB", "Score", "Why here", "Age"].map((text) => h("span", {role: "columnheader"}, text)));
  const spacer = h("div", {class: "spacer"});
  const list = h("div", {class: "list", role: "rowgroup", onscroll: () => draw()}, spacer);
  const foot = h("div", {class: "foot muted"});
  const grid = h("div", {class: "grid", role: "grid", "aria-label": "ABs that wait for a decision"}, head, list);
  el.append(h("div", {class: "filters"}, search, chips), grid, foot);

  function choose(name) {
    if (name === current) return;
    current = name;
    model.send({act: "select", name});
  }

  function go(step) {
    const rows = shown();
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.name === current);
    place = Math.min(Math.max((at < 0 ? place : at) + step, 0), rows.length - 1);
    choose(rows[place].name);
    const top = place * ROW;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
    draw();
  }

  function toggle(name) {
    if (!checked.delete(name)) checked.add(name);
    tell();
  }

  function toggleAll() {
    const names = shown().map((row) => row.name);
    const all = names.every((name) => checked.has(name));
    for (const name of names) all ? checked.delete(name) : checked.add(name);
    tell();
  }

  function tell() {
    model.set("checked", [...checked]);
    model.save_changes();
    draw();
  }

  function line(row, index) {
    return h("div", {class: `row${row.name === current ? " sel" : ""}`, role: "row", style: `top:${index * ROW}px`,
                     "aria-selected": String(row.name === current), "data-ab": row.name,
                     onclick: () => { place = index; choose(row.name); draw(); }},
      h("span", {class: "box"}, h("input", {type: "checkbox", checked: checked.has(row.name), tabindex: "-1",
        "aria-label": `select ${row.name}`, onclick: (event) => { event.stopPropagation(); toggle(row.name); }})),
      h("span", {title: row.raw_type}, row.raw_type),
      h("span", {class: "mono", title: row.setup}, row.setup),
      h("span", {class: "mono", title: row.name}, row.short),
      h("span", {}, scoreMark(row.mark)),
      h("span", {class: "why", title: row.why}, h("span", {class: `tag ${row.tag_kind}`}, row.tag), " ", row.brief),
      h("span", {class: "age", title: `last frame ${row.taken} UT`}, row.age));
  }

  function draw() {
    const rows = shown();
    const first = Math.max(Math.floor(list.scrollTop / ROW) - SPARE, 0);
    const last = Math.ceil((list.scrollTop + (list.clientHeight || 600)) / ROW) + SPARE;
    spacer.style.height = `${rows.length * ROW}px`;
    const notice = model.get("notice");
    if (notice.what) spacer.replaceChildren(stateBox(notice));
    else if (rows.length) spacer.replaceChildren(...rows.slice(first, last).map((row, i) => line(row, first + i)));
    else spacer.replaceChildren(nothing());
    grid.classList.toggle("bare", Boolean(notice.what) || !rows.length);
    const counted = model.get("rows").filter((row) => row.tag !== "decided").length;
    foot.replaceChildren(...(help ? HELP.map(([keys, text]) => h("span", {}, ...keys.split(" ").map(key), " ", text))
      : [h("span", {class: "count"}, checked.size ? `${checked.size} selected` : `${rows.length} of ${counted} shown`),
         h("span", {}, key("j"), key("k"), " move"), h("span", {}, key("space"), " select"),
         h("button", {class: "plain", onclick: flip}, key("?"), " all keys")]));
  }

  function nothing() {
    const any = model.get("rows").some((row) => row.tag !== "decided");
    if (!any && filter === "review" && !words) return stateBox(model.get("empty"));
    return stateBox({kind: "empty", what: "No AB fits this filter.", since: "",
                     todo: words ? "Clear the search with Esc." : "Choose another filter."});
  }

  function drawChips() {
    const count = (name) => model.get("rows").filter((row) => belongs(row, name)).length;
    chips.replaceChildren(...FILTERS.filter(([name]) => name !== "manual" || count(name)).map(([name, text]) =>
      h("button", {class: `pill${name === filter ? " on" : ""}`, name, "aria-pressed": String(name === filter),
                   onclick: () => { filter = name; list.scrollTop = 0; update(); }}, `${text} ${count(name)}`)));
  }

  // The row that was decided is gone: the one that took its place is next.
  function update() {
    const rows = shown();
    // What nobody sees is not decided with the rest.
    const names = new Set(rows.map((row) => row.name));
    const gone = [...checked].filter((name) => !names.has(name));
    if (gone.length) { gone.forEach((name) => checked.delete(name)); tell(); }
    const at = rows.findIndex((row) => row.name === current);
    if (at < 0) { place = Math.min(place, Math.max(rows.length - 1, 0)); choose(rows[place]?.name ?? ""); }
    else place = at;
    drawChips();
    draw();
  }

  const flip = () => { help = !help; draw(); };
  const release = onKeys({
    j: () => go(1), k: () => go(-1), ArrowDown: () => go(1), ArrowUp: () => go(-1), "?": flip, a: toggleAll,
    " ": () => { if (current) toggle(current); }, "/": () => search.focus(),
    Escape: () => { checked.clear(); tell(); },
  });
  const watch = new ResizeObserver(() => draw());
  watch.observe(list);
  model.on("change:rows", update);
  model.on("change:notice", update);
  model.on("change:empty", draw);
  model.on("change:unchecked", () => { checked.clear(); tell(); });
  update();
  return () => { release(); watch.disconnect(); };
}

export default {render};
