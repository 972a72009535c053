// Ask for the picture of the window as soon as it moves. There is one question at a time: where it has moved on
// meanwhile, the next is asked when the answer comes. A fine screen's own sharpness waits until the window rests.
// All ends of a window change in one task of the browser: it asks after the last, before the browser paints.
const send = () => {
  asked.waiting = false;
  const now = performance.now();
  if (asked.since && now - asked.since < 3000) { asked.again = true; return; }
  asked.since = now;
  asked.again = false;
  const ratio = asked.resting ? Math.min(devicePixelRatio, sharpest) : 1;
  const went = go.data.turn[0] ?? 0;
  asked.data = {x0: [x.start], x1: [x.end], y0: [y.start], y1: [y.end], ratio: [ratio], turn: [now], went: [went]};
};
const soon = () => {
  if (!asked.waiting) queueMicrotask(send);
  asked.waiting = true;
};
const rest = () => {
  asked.resting = true;
  soon();
};
if (cb_obj === x || cb_obj === y) {
  asked.resting = false;
  clearTimeout(asked.rest);
  if (devicePixelRatio > 1) asked.rest = setTimeout(rest, 250);
}
soon();
