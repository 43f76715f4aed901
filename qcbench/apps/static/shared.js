// What the panels of an app share. Texts go into the page as text, never as HTML.

function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

const key = (name) => h("kbd", {"aria-hidden": "true"}, name);

function scoreMark(mark) {
  return h("span", {class: `mark ${mark.kind}`, role: "img", "aria-label": mark.label}, mark.text);
}

function stateBox(state) {
  return h("div", {class: `state ${state.kind}`, role: state.kind === "error" ? "alert" : "status"},
    h("span", {class: "sign", "aria-hidden": "true"}, {empty: "○", loading: "◌", error: "✕", stale: "▲"}[state.kind]),
    h("b", {}, state.what), h("span", {class: "since"}, state.since), h("span", {}, state.todo));
}

// Keys work wherever nobody is writing; a focused button keeps its own space and enter.
function onKeys(actions) {
  const listen = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = event.target.closest ? event.target : document.body;
    if (place.closest("input:not([type=checkbox]),textarea,select,[contenteditable],.cm-editor")) return;
    if ([" ", "Enter"].includes(event.key) && place.closest("button,a,summary,[type=checkbox]")) return;
    const action = actions[event.key];
    if (action) { event.preventDefault(); action(); }
  };
  document.addEventListener("keydown", listen);
  return () => document.removeEventListener("keydown", listen);
}
