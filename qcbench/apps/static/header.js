// The header: which instrument and date, how much waits, what is done, who is here.

const SILENCE_MS = 30000;
const PING_MS = 10000;

function render({model, el}) {
  const send = (act, more) => model.send({act, ...more});

  function chooser(name, label, value, options, on) {
    return h("select", {class: `pill${on ? " on" : ""}`, "aria-label": label, name,
                        onchange: (event) => send(name, {value: event.target.value})},
      options.map(([key, text]) => h("option", {value: key, selected: key === value}, text)));
  }

  const move = () => { if (!model.get("state").busy) send("distribute"); };

  function bar(s) {
    return h("header", {class: "bar"},
      h("b", {class: "name"}, "Certify"),
      chooser("instrument", "Instrument", s.instrument, s.instruments.map((name) => [name, name.toUpperCase()]), !s.all),
      chooser("date", "DFO date", s.date, s.dates.map((d) => [d.date, d.waiting ? `${d.date} · ${d.waiting}` : d.date]), !s.all),
      h("button", {class: `pill${s.all ? " on" : ""}`, name: "all", "aria-pressed": String(s.all), onclick: () => send("all")},
        "all that waits ", h("b", {}, String(s.waiting_all))),
      h("span", {class: "space"}),
      h("span", {class: "muted counts"}, s.counts),
      h("button", {name: "distribute", disabled: s.busy, title: s.move_title, onclick: move}, "Move → rename → ingest… ", key("m")),
      h("button", {name: "refresh", disabled: s.busy, title: "Read the database again", onclick: () => send("refresh")},
        "↻ ", h("span", {class: "mono muted"}, s.refreshed)),
      h("span", {class: "pill who", title: "the operating system's user that runs this page"}, "◉ ", s.user));
  }

  const SIGNS = {waiting: "○", running: "◌", done: "✓", failed: "✕", skipped: "–"};
  const KINDS = {waiting: "none", running: "accent", done: "ok", failed: "nok", skipped: "none"};

  function progress(s) {
    if (!s.steps.length) return null;
    const finished = s.steps.filter((step) => step.state === "done").length;
    return h("section", {class: "steps", role: "status", "aria-label": "Move, rename, ingest"},
      h("b", {}, s.steps_title),
      h("progress", {max: s.steps.length, value: finished, "aria-label": "steps done"}),
      s.steps.map((step) => h("span", {class: `step ${step.state}`, title: step.text},
        h("span", {class: `mark ${KINDS[step.state]}`}, SIGNS[step.state]), " ", h("b", {}, step.name), " ",
        h("span", {class: step.state === "failed" ? "nok" : "muted"}, step.text))),
      h("span", {class: "space"}),
      !s.busy && h("button", {name: "close", title: "Hide", onclick: () => send("close")}, "Hide"));
  }

  const lost = h("div", {hidden: true}, stateBox({
    kind: "stale", what: "This page has lost its kernel: what it shows is no longer up to date.",
    since: "", todo: "Reload the page. Decisions that were confirmed are in the database."}));
  const top = h("div");
  el.append(top, lost);
  const draw = () => top.replaceChildren(...[bar(model.get("state")), progress(model.get("state"))].filter(Boolean));

  let answered = Date.now();
  const show = (isLost) => {
    lost.hidden = !isLost;
    el.closest(".qcb-app")?.classList.toggle("qcb-lost", isLost);
  };
  const heard = () => { answered = Date.now(); show(false); };
  const watch = () => {
    if (document.hidden) { answered = Date.now(); return; }
    const since = new Date(answered).toISOString().slice(11, 16);
    if (Date.now() - answered > SILENCE_MS) {
      show(true);
      lost.querySelector(".since").textContent = `no answer since ${since} UT`;
    }
    send("ping");
  };
  const timer = setInterval(watch, PING_MS);
  const hide = () => { if (!model.get("state").busy) send("close"); };
  const release = onKeys({m: move, Escape: hide});
  model.on("msg:custom", heard);
  model.on("change:state", draw);
  draw();
  return () => { clearInterval(timer); release(); };
}

export default {render};
