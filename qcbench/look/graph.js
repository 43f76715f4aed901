(() => {
  for (const root of document.querySelectorAll("[data-graph]:not([data-ready])")) {
    root.dataset.ready = "1";
    const svg = root.querySelector("svg"), view = root.querySelector(".graph-view");
    const panel = root.querySelector(".graph-panel"), hint = panel.innerHTML;
    const search = root.querySelector("input[type=search]"), only = root.querySelector("[data-only]");
    const count = root.querySelector(".graph-count");
    const size = [svg.width.baseVal.value, svg.height.baseVal.value];
    const nodes = [...svg.querySelectorAll(".node")], edges = [...svg.querySelectorAll(".edge")];
    const byName = new Map(nodes.map((node) => [node.dataset.name, node]));
    const details = new Map([...root.querySelectorAll("template")].map((item) => [item.dataset.of, item]));
    const start = new Map(nodes.map((node) => [node, node.getAttribute("transform")]));
    const paths = new Map(edges.map((edge) => [edge, edge.getAttribute("d")]));
    const place = (node) => node.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
    let scale = 1, box = size, chosen = null;

    const reach = (names, from, to) => {
      const found = new Set(names), open = [...names];
      while (open.length) {
        const name = open.pop();
        for (const edge of edges)
          if (edge.dataset[from] === name && !found.has(edge.dataset[to])) {
            found.add(edge.dataset[to]);
            open.push(edge.dataset[to]);
          }
      }
      return found;
    };
    const resize = () => {
      svg.setAttribute("viewBox", `0 0 ${box[0]} ${box[1]}`);
      svg.setAttribute("width", box[0] * scale);
      svg.setAttribute("height", box[1] * scale);
    };
    const restore = () => {
      for (const [node, transform] of start) node.setAttribute("transform", transform);
      for (const [edge, path] of paths) edge.setAttribute("d", path);
      box = size;
      resize();
    };
    const centre = (node) => {
      const [x, y] = place(node).map((value) => value * scale);
      const [width, height] = [node.dataset.width, node.dataset.height].map((value) => value * scale);
      view.scrollTo(x + width / 2 - view.clientWidth / 2, y + height / 2 - view.clientHeight / 2);
    };
    const gather = () => {
      const columns = new Map();
      for (const node of nodes.filter((item) => item.classList.contains("lit"))) {
        const column = Number(node.dataset.column);
        columns.set(column, [...(columns.get(column) ?? []), node]);
      }
      const tall = (items) => items.reduce((sum, node) => sum + Number(node.dataset.height) + 14, 0);
      const bottom = 12 + Math.max(0, ...[...columns.values()].map(tall));
      let x = 12;
      for (const column of [...columns.keys()].sort((a, b) => a - b)) {
        let y = (bottom - tall(columns.get(column))) / 2 + 6;
        const items = columns.get(column).sort((a, b) => place(a)[1] - place(b)[1]);
        for (const node of items) {
          node.setAttribute("transform", `translate(${x} ${y})`);
          y += Number(node.dataset.height) + 14;
        }
        x += Math.max(...items.map((node) => Number(node.dataset.width))) + 90;
      }
      for (const edge of edges.filter((item) => item.classList.contains("lit"))) {
        const source = byName.get(edge.dataset.from), [sx, sy] = place(source);
        const [tx, ty] = place(byName.get(edge.dataset.to));
        const from = [sx + Number(source.dataset.width), sy + Number(edge.dataset.out)];
        const to = [tx, ty + Number(edge.dataset.port)], middle = (from[0] + to[0]) / 2;
        edge.setAttribute("d", `M${from}C${middle} ${from[1]} ${middle} ${to[1]} ${to}`);
      }
      box = [Math.max(x - 78, 200), bottom];
      resize();
    };
    const light = (groups, direct) => {
      const names = new Set(groups.flatMap((group) => [...group]));
      for (const node of nodes) node.classList.toggle("lit", names.has(node.dataset.name));
      for (const edge of edges) {
        const { from, to } = edge.dataset;
        edge.classList.toggle("lit", groups.some((group) => group.has(from) && group.has(to)));
        edge.classList.toggle("direct", direct(edge));
      }
      svg.classList.add("some");
      svg.classList.toggle("only", only.checked);
      restore();
      if (only.checked) gather();
    };
    const mark = (item) => {
      for (const old of svg.querySelectorAll(".chosen")) old.classList.remove("chosen");
      item?.classList.add("chosen");
    };
    const clear = () => {
      chosen = null;
      mark(null);
      search.value = "";
      svg.classList.remove("some", "only");
      for (const item of [...nodes, ...edges]) item.classList.remove("lit", "direct");
      panel.innerHTML = hint;
      count.textContent = "";
      restore();
    };
    const tell = (name) => {
      const found = details.get(name);
      if (found) panel.replaceChildren(found.content.cloneNode(true));
      panel.scrollTop = 0;
    };
    const choose = (node, row) => {
      chosen = node;
      const name = node.dataset.name;
      const rowName = row?.dataset.name;
      const own = edges.filter((edge) => (rowName ? edge.dataset.row === rowName : false));
      const before = rowName ? reach(own.map((edge) => edge.dataset.from), "to", "from") : reach([name], "to", "from");
      const after = rowName ? new Set([name]) : reach([name], "from", "to");
      light([new Set([name, ...before]), after], (edge) =>
        rowName ? edge.dataset.row === rowName : edge.dataset.from === name || edge.dataset.to === name);
      mark(row ?? node);
      tell(rowName ?? name);
      const [ups, downs] = [before.size - (rowName ? 0 : 1), after.size - 1];
      count.textContent = rowName ? `${ups} before it` : `${ups} before it, ${downs} after it`;
      if (only.checked) centre(node);
    };
    const find = () => {
      const words = search.value.trim().toLowerCase();
      if (!words) return clear();
      const exact = nodes.filter((node) => node.getAttribute("aria-label").toLowerCase() === words);
      if (exact.length === 1) {
        choose(exact[0]);
        return centre(exact[0]);
      }
      const found = nodes.filter((node) => node.dataset.words.includes(words));
      const names = new Set(found.map((node) => node.dataset.name));
      mark(null);
      light([names], () => false);
      count.textContent = `${found.length} of ${nodes.length} boxes`;
      if (found.length) centre(found[0]);
    };

    svg.addEventListener("click", (event) => {
      const node = event.target.closest(".node"), edge = event.target.closest(".edge");
      if (node) return choose(node, event.target.closest(".row"));
      if (edge?.dataset.row) {
        const target = byName.get(edge.dataset.to);
        const row = [...target.querySelectorAll(".row")].find((item) => item.dataset.name === edge.dataset.row);
        return choose(target, row);
      }
      clear();
    });
    svg.addEventListener("keydown", (event) => {
      const node = event.target.closest(".node");
      if (node && (event.key === "Enter" || event.key === " ")) {
        event.preventDefault();
        choose(node);
      }
    });
    root.addEventListener("keydown", (event) => event.key === "Escape" && clear());
    search.addEventListener("input", find);
    only.addEventListener("change", () => (chosen ? choose(chosen) : search.value ? find() : null));
    root.querySelector("[data-clear]").addEventListener("click", clear);
    const fit = () => Math.min(1, view.clientWidth / box[0]);
    // a map that is only somewhat too wide is shown as a whole; a large one has to stay legible
    if (fit() >= 0.65) {
      scale = fit();
      resize();
    }
    for (const button of root.querySelectorAll("[data-zoom]"))
      button.addEventListener("click", () => {
        const step = button.dataset.zoom;
        if (step === "fit") scale = fit();
        else scale = step === "0" ? 1 : Math.min(2, Math.max(0.2, scale * 1.25 ** Number(step)));
        resize();
      });
  }
})();
