// A page that has only one thing to say; without it, nothing but the stylesheet.

function render({model, el}) {
  const state = model.get("state");
  if (state.what) el.append(h("div", {class: "alone"}, stateBox(state)));
}

export default {render};
