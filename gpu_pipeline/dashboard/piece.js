// Shows HTML that the server rendered (and escaped), and tells the server what a person does with it.
// An element with data-do is an action: a button is clicked, a select or input changed, a form submitted.
const SCROLLS = "ul, .wide";
export function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "piece";
  el.appendChild(root);

  // The server may draw this part anew at any moment: what a person has typed stays, and what is pressed is not
  // taken away under the pointer, or the click would be lost. Where the server has chosen anew, that holds. Nor is a
  // number of a filter taken away while it is typed: the browser would take the half of it for the whole.
  const changed = (node) =>
    node.tagName === "SELECT" ? [...node.options].some((o) => o.selected !== o.defaultSelected) : node.value !== node.defaultValue;
  const chosen = (select) => [...select.options].find((o) => o.defaultSelected)?.value;
  const refill = (old) => {
    const node = root.querySelector(`form[data-do="${CSS.escape(old.form.dataset.do)}"] [name="${CSS.escape(old.name)}"]`);
    const same = (select) => chosen(select) === chosen(old) && select.dataset.turn === old.dataset.turn;
    const stays = (select) => same(select) && [...select.options].some((o) => o.value === old.value);
    if (node && (node.tagName !== "SELECT" || stays(node))) node.value = old.value;
    return node;
  };
  let pressed = false;
  let typing = false;
  let drawing = false;
  let late = false;

  // Of a control that changes faster than it is answered, as under a held arrow key, one message at a time is under
  // way, and then the newest; what it shows stays until that is answered, whatever is drawn meanwhile. Before anything
  // else is done, the newest goes at once: what is done last is to come last.
  const asked = new Map();
  let count = 0;
  const deliver = (wish) => {
    wish.number = ++count;
    model.send_msg({ ...wish.next, number: wish.number });
    wish.next = null;
  };
  const ask = (nodes, message) => {
    const name = nodes[0].dataset.key;
    const wish = asked.get(name) ?? { number: 0 };
    Object.assign(wish, { keys: nodes.map((node) => node.dataset.key), next: message });
    asked.set(name, wish);
    if (!wish.number) deliver(wish);
  };
  const flush = () => asked.forEach((wish) => wish.next && deliver(wish));
  model.on("answered", () => {
    for (const [name, wish] of asked)
      if (wish.number <= model.answered) wish.next ? deliver(wish) : asked.delete(name);
  });
  const find = (key) => root.querySelector(`[data-key="${CSS.escape(key)}"]`);

  const draw = () => {
    if (pressed || typing) {
      late = true;
      return;
    }
    const focused = root.getRootNode().activeElement;
    const key = focused && root.contains(focused) ? focused.dataset.key : null;
    const typed = [...root.querySelectorAll("form[data-do] [name]")].filter(changed);
    const kept = [...asked.values()].flatMap((wish) => wish.keys.map(find));
    const scrolled = [...root.querySelectorAll(SCROLLS)].map((node) => [node.scrollLeft, node.scrollTop]);
    const open = new Set([...root.querySelectorAll("details[open]")].map((node) => node.id));
    const shown = root.querySelector(":popover-open")?.id;
    drawing = true;
    root.innerHTML = model.html;
    drawing = false;
    root.querySelectorAll(SCROLLS).forEach((node, i) => { if (scrolled[i]) node.scrollTo(...scrolled[i]); });
    root.querySelectorAll("details").forEach((node) => { if (open.has(node.id)) node.open = true; });
    if (shown) root.querySelector(`#${shown}`)?.showPopover();
    typed.forEach((old) => { const node = refill(old); if (old === focused) node?.focus({ preventScroll: true }); });
    kept.forEach((old) => {
      const node = old && find(old.dataset.key);
      if (node && (node.tagName !== "SELECT" || [...node.options].some((o) => o.value === old.value))) node.value = old.value;
    });
    const again = key ? find(key) : null;
    again?.focus({ preventScroll: true });
    if (again && focused.closest("[data-range]") && focused.type === "text") again.value = focused.value;
  };
  // Only once the focus is where it goes, and a click is done.
  const catchUp = () => setTimeout(() => {
    if (!late) return;
    late = false;
    draw();
  });
  // Without TLS a page from another computer has no clipboard but the old way.
  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const say = (node, word) => {
    node.dataset.name ??= node.textContent;
    node.textContent = word;
    clearTimeout(node.timer);
    node.timer = setTimeout(() => { node.textContent = node.dataset.name; }, 2000);
  };
  const field = (range, end) => range.querySelector(`[data-end=${end}]:not([type=range])`);
  // Seconds as a time, to a hundredth of the track or finer.
  const timed = (seconds, span) => {
    const letters = [[86400, 10], [60, 16], [1, 19]].find(([unit]) => 100 * unit <= span)?.[1] ?? 23;
    return new Date(1000 * seconds).toISOString().slice(0, letters).replace("T", " ");
  };
  const send = (node, value) => {
    flush();
    model.send_msg({ do: node.dataset.do, value });
  };

  root.addEventListener("click", (event) => {
    const node = event.target.closest("button[data-do]");
    if (!node || node.disabled) return;
    event.preventDefault();
    if (node.dataset.do === "copy") {
      copy(node.dataset.value || location.href).then((done) => say(node, done ? "Copied" : "Copy by hand"));
    } else if (node.dataset.do === "theme") {
      send(node, getComputedStyle(document.documentElement).colorScheme === "dark" ? "light" : "dark");
    } else {
      send(node, node.dataset.value ?? "");
    }
  });
  root.addEventListener("change", (event) => {
    const node = event.target.closest("select[data-do], input[data-do]");
    if (node?.type === "color") send(node, { name: node.dataset.name, colour: node.value });
    else if (node?.type === "checkbox") send(node, node.checked);
    else if (node) ask([node], { do: node.dataset.do, value: node.value });
    const range = event.target.closest("[data-range]");
    if (!range) return;
    // An end that was not changed is shown with fewer digits than it has, and is not sent.
    const inputs = [...range.querySelectorAll("[data-end]")];
    const ends = ["low", "high"].filter((end) => end === event.target.dataset.end || changed(field(range, end)));
    const unsent = asked.get(inputs[0].dataset.key)?.next?.value;
    const chosen = Object.fromEntries(ends.map((end) => [end, field(range, end).value]));
    ask(inputs, { do: "limit", value: { column: range.dataset.range, ...unsent, ...chosen } });
    typing = false;
    catchUp();
  });
  root.addEventListener("focusout", () => {
    if (drawing) return;
    typing = false;
    flush();
    catchUp();
  });
  // Two handles share a track: neither passes the other, the number beside it follows, and all is an empty number.
  root.addEventListener("input", (event) => {
    const handle = event.target, range = handle.closest("[data-range]");
    if (range && handle.type !== "range") typing = true;
    if (!range || handle.type !== "range") return;
    const [low, high] = ["low", "high"].map((end) => range.querySelector(`[type=range][data-end=${end}]`));
    if (handle === low) low.value = Math.min(low.valueAsNumber, high.valueAsNumber);
    else high.value = Math.max(low.valueAsNumber, high.valueAsNumber);
    const end = handle === low ? handle.min : handle.max;
    // To a thousandth of the track or finer, but not past the other handle.
    const step = 10 ** (Math.floor(Math.log10(handle.max - handle.min)) - 3);
    const near = Number((Math.round(handle.valueAsNumber / step) * step).toPrecision(15));
    const kept = handle === low ? Math.min(near, high.valueAsNumber) : Math.max(near, low.valueAsNumber);
    const shown = "time" in range.dataset ? timed(handle.valueAsNumber, handle.max - handle.min) : kept;
    field(range, handle.dataset.end).value = handle.valueAsNumber === Number(end) ? "" : shown;
  });
  const search = () => root.querySelector("[data-slash]");
  let sought = null;
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target.closest("form[data-do]");
    sought = search()?.value;
    if (form) send(form, Object.fromEntries(new FormData(form)));
  });
  // Keys are the map's again once a search has found something, unless a person types on.
  model.on("found", () => { if (search()?.value === sought) search().blur(); });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || event.target !== search()) return;
    search().value = "";
    search().blur();
  });
  // Of another button, or with Ctrl on a Mac, the menu that opens may keep the end to itself.
  root.addEventListener("pointerdown", (event) => { pressed = event.button === 0 && !event.ctrlKey; });
  const release = () => {
    setTimeout(() => { pressed = false; });
    catchUp();
  };
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, release);
  draw();
  model.on("html", draw);
  // What was chosen in a list and not done: the list shows again what the server has, and can be asked for the same.
  model.on("refused", () => {
    for (const list of root.querySelectorAll("select[data-do]"))
      list.selectedIndex = Math.max([...list.options].findIndex((o) => o.defaultSelected), 0);
  });

  const slash = (event) => {
    const node = search();
    if (!node || event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(event.composedPath()[0].tagName)) return;
    event.preventDefault();
    node.focus();
  };
  document.addEventListener("keydown", slash);

  if (!model.keys.length) return;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.composedPath()[0].tagName)) return;
    if (!model.keys.includes(event.key) || root.querySelector(":popover-open")) return;
    // Arrows move the map only where they do not scroll or choose something else.
    if (event.key.startsWith("Arrow") && (document.activeElement !== document.body || document.documentElement.scrollHeight > innerHeight)) return;
    event.preventDefault();
    model.send_msg({ do: "key", value: event.key });
  });
  // Without it a phone lays the page out as for a desk and makes it small.
  if (!document.querySelector("meta[name=viewport]"))
    document.head.append(Object.assign(document.createElement("meta"), { name: "viewport", content: "width=device-width, initial-scale=1" }));
  // In place of the last: Back leaves the page, whose state is not in the browser.
  const place = () => { if (model.query) history.replaceState(history.state, "", location.pathname + model.query.replace(/^\?$/, "")); };
  place();
  model.on("query", place);
  model.on("fetch", () => Object.assign(document.createElement("a"), { href: model.fetch, download: "" }).click());
  const dress = () => { document.documentElement.dataset.theme = model.theme; };
  const entitle = () => { document.title = `gpu_pipeline: ${root.querySelector(".what").textContent}`; };
  dress();
  entitle();
  model.on("theme", dress);
  model.on("html", entitle);
}
