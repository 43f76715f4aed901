// What is known of one AB: the answer in words first, then the evidence.

function render({model, el}) {
  const top = h("div", {class: "card answer"});
  const tabs = h("div", {class: "tabs", role: "tablist"});
  const body = h("div", {class: "evidence"});
  const card = h("div", {class: "card proof"}, tabs, body);
  el.append(top, card);

  // The server's address stands in the page's own settings, in Voila as in JupyterLab.
  function address(path) {
    const config = document.getElementById("jupyter-config-data");
    const base = config ? JSON.parse(config.textContent).baseUrl ?? "/" : "/";
    return `${base.replace(/\/$/, "")}/qcbench/files/${path}`;
  }

  function drawAnswer() {
    const s = model.get("answer");
    card.hidden = !s.name;
    if (!s.name) { top.replaceChildren(stateBox(s.notice)); return; }
    const used = s.used_by.length
      ? h("details", {class: "impact"}, h("summary", {}, h("b", {}, "If you reject this"), `: ${s.impact} `, h("span", {class: "accent"}, "Show")),
          h("ul", {class: "mono"}, s.used_by.map((name) => h("li", {}, name))))
      : h("p", {class: "impact muted"}, h("b", {}, "If you reject this"), `: ${s.impact}`);
    top.replaceChildren(
      h("div", {class: "title"}, h("b", {}, s.title), h("span", {class: "mono muted", title: s.name}, s.name),
        h("span", {class: "space"}), h("span", {class: `mark ${s.mark.kind}`}, s.mark.text)),
      h("div", {class: "words"},
        h("p", {class: `headline ${s.kind}`}, h("span", {class: "words"}, s.headline)),
        ...s.facts.map((text) => h("p", {class: "muted"}, text)), used));
  }

  function drawTabs() {
    const now = model.get("tab");
    tabs.replaceChildren(...model.get("tabs").map(([name, text]) =>
      h("button", {class: name === now ? "on" : "", role: "tab", name, "aria-selected": String(name === now),
                   onclick: () => model.send({act: "tab", name})}, text)));
  }

  function drawBody() {
    const s = model.get("body");
    body.scrollTop = 0;
    if (s.report) {
      const frame = h("iframe", {title: "QC report", src: address(s.report),
                                 sandbox: "allow-scripts allow-same-origin allow-popups allow-downloads"});
      frame.addEventListener("load", () => {
        // title and answer stand above the report already
        frame.contentDocument?.documentElement.classList.add("embedded");
        forwardKeys(frame);
      });
      body.replaceChildren(frame);
    } else if (s.notice) body.replaceChildren(stateBox(s.notice));
    else body.innerHTML = s.html;  // made and escaped by the kernel
    // what went wrong stands at the end of a log
    if (body.querySelector(".log")) body.scrollTop = body.scrollHeight;
  }

  // A click into the report must not silence the keys.
  function forwardKeys(frame) {
    frame.contentDocument?.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey) document.dispatchEvent(new KeyboardEvent("keydown", {key: event.key}));
    });
  }

  model.on("change:answer", drawAnswer);
  model.on("change:tab", drawTabs);
  model.on("change:tabs", drawTabs);
  model.on("change:body", drawBody);
  drawAnswer(); drawTabs(); drawBody();
}

export default {render};
