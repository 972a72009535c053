// Shows HTML that the server rendered (and escaped), and tells the server what a person does with it.
// An element with data-do is an action: a button is clicked, a select or input changed, a form submitted.
export function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "piece";
  el.appendChild(root);

  const draw = () => {
    const focused = root.getRootNode().activeElement;
    const key = focused && root.contains(focused) ? focused.dataset.key : null;
    const scrolled = [...root.querySelectorAll("ul")].map((node) => node.scrollTop);
    const open = new Set([...root.querySelectorAll("details[open]")].map((node) => node.id));
    root.innerHTML = model.html;
    root.querySelectorAll("ul").forEach((node, i) => { if (scrolled[i]) node.scrollTop = scrolled[i]; });
    root.querySelectorAll("details").forEach((node) => { if (open.has(node.id)) node.open = true; });
    if (key) root.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  };
  const send = (node, value) => model.send_msg({ do: node.dataset.do, value });

  root.addEventListener("click", (event) => {
    const node = event.target.closest("button[data-do]");
    if (!node || node.disabled) return;
    event.preventDefault();
    if (node.dataset.do === "copy") {
      navigator.clipboard?.writeText(node.dataset.value || location.href);
      node.textContent = "Copied";
    } else if (node.dataset.do === "theme") {
      send(node, getComputedStyle(document.documentElement).colorScheme === "dark" ? "light" : "dark");
    } else {
      send(node, node.dataset.value ?? "");
    }
  });
  root.addEventListener("change", (event) => {
    const node = event.target.closest("select[data-do], input[data-do]");
    if (node) send(node, node.type === "checkbox" ? node.checked : node.value);
  });
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target.closest("form[data-do]");
    if (form) send(form, Object.fromEntries(new FormData(form)));
  });
  draw();
  model.on("html", draw);

  if (!model.keys.length) return;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.composedPath()[0].tagName)) return;
    if (!model.keys.includes(event.key)) return;
    event.preventDefault();
    model.send_msg({ do: "key", value: event.key });
  });
  const dress = () => { document.documentElement.dataset.theme = model.theme; };
  const entitle = () => { document.title = `gpu_pipeline: ${root.querySelector(".what").textContent}`; };
  dress();
  entitle();
  model.on("theme", dress);
  model.on("html", entitle);
}
