// The decision: a comment, alone or with one of three buttons, a second question where a rejection has consequences, and what came of it.

function render({model, el}) {
  let asked = false;
  const comment = h("input", {type: "text", placeholder: "comment", "aria-label": "Comment", maxlength: "1000",
    onkeydown: (event) => { if (event.key === "Escape" || event.key === "Enter") comment.blur(); }});
  const idle = () => !asked && !model.get("busy") && model.get("target").count > 0;

  const answering = () => !asked && !model.get("busy");

  function act(name, more) {
    if (name === "confirm" ? !answering() : !idle()) return;
    asked = true;
    draw();
    model.send({act: name, comment: comment.value, ...more});
  }

  const button = (name, look, text, letter) =>
    h("button", {class: look, name, disabled: !idle(), onclick: () => act(name)}, text, " ", key(letter));
  const row = h("div", {class: "act"});
  const question = h("div", {class: "question", role: "alertdialog", "aria-label": "Confirm"});
  const message = h("div", {class: "message", role: "status"});
  el.append(question, row, message);

  function draw() {
    const n = model.get("target").count;
    const confirm = model.get("confirm");
    const many = model.get("target").text;
    question.hidden = !confirm.text;
    if (confirm.text) {
      question.replaceChildren(
        h("span", {}, h("b", {}, confirm.text), " ", h("span", {class: "muted mono", title: confirm.names}, confirm.names)),
        h("button", {name: "confirm", class: confirm.look, disabled: !answering(), onclick: () => act("confirm")}, confirm.button),
        h("button", {name: "keep", onclick: () => model.send({act: "keep"})}, confirm.refuse));
    }
    row.replaceChildren(comment,
      button("comment", "", "Comment", "n"),
      button("certify", "ok-fill", `Certify${many}`, "c"),
      button("reject_product", "nok-fill", many ? `Reject${many}` : "Reject product", "r"),
      button("reject_raw", "nok-fill", many ? `Reject raw of${many}` : "Reject raw", "x"));
    comment.disabled = !n;
    const said = model.get("message");
    message.className = `message ${said.kind}`;
    message.setAttribute("role", said.kind === "nok" ? "alert" : "status");
    const sign = {ok: "✓ ", nok: "✕ ", warn: "▲ ", none: ""}[said.kind];
    message.replaceChildren(h("span", {class: "mark", "aria-hidden": "true"}, sign), said.text);
    message.title = said.text;
  }

  const answered = (content) => {
    if (content.act !== "answered") return;
    asked = false;
    if (content.clear) comment.value = "";
    draw();
  };
  const release = onKeys({
    n: () => act("comment"), c: () => act("certify"), r: () => act("reject_product"), x: () => act("reject_raw"), i: () => comment.focus(),
    Escape: () => { if (model.get("confirm").text) model.send({act: "keep"}); },
  });
  model.on("msg:custom", answered);
  for (const name of ["target", "confirm", "message", "busy"]) model.on(`change:${name}`, draw);
  draw();
  return release;
}

export default {render};
