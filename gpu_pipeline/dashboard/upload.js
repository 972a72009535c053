// Sends a file in pieces. The server asks for each by its offset, so that no more than one is ever on its way.
export function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "piece";
  const pane = document.createElement("div");
  pane.className = "pane";
  const label = document.createElement("label");
  label.textContent = model.about;
  const input = document.createElement("input");
  input.type = "file";
  input.name = "upload";
  input.accept = model.accept;
  input.title = "Points with columns x and y are shown at once; of other data a map can be made";
  label.append(input);
  const bar = document.createElement("progress");
  const said = document.createElement("p");
  said.setAttribute("role", "status");
  bar.hidden = said.hidden = true;
  bar.setAttribute("aria-label", "upload");
  pane.append(label, bar, said);
  root.append(pane);
  el.append(root);

  let file = null;
  const say = (text, failed) => {
    said.hidden = !text;
    said.textContent = text;
    said.className = failed ? "note bad" : "quiet";
  };
  const end = (text, failed) => {
    file = null;
    input.value = "";
    input.disabled = false;
    bar.hidden = true;
    say(text, failed);
  };
  input.addEventListener("change", () => {
    [file] = input.files;
    if (!file) return;
    input.disabled = true;
    bar.hidden = false;
    bar.removeAttribute("value");
    say(`Sending ${file.name}`, false);
    model.send_msg({ do: "begin", name: file.name, size: file.size });
  });
  model.on("reply", async () => {
    const { offset, text, failed } = model.reply;
    if (offset === undefined) return end(text, failed);
    if (!file) return;
    if (text) say(text, false);
    if (offset >= file.size) return bar.removeAttribute("value");
    bar.max = file.size;
    bar.value = offset;
    try {
      model.send_msg({ do: "piece", piece: await file.slice(offset, offset + model.piece).arrayBuffer() });
    } catch {
      end("The file cannot be read any more: choose it again.", true);
    }
  });
}
