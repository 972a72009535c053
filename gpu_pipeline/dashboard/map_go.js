// Go to a window that the server names. All of its ends come in one message and change in one task of the browser: where
// they came one by one, pictures of windows were asked for that nobody looks at.
const [x0, x1, y0, y1, was] = ["x0", "x1", "y0", "y1", "was"].map((name) => go.data[name][0]);
const near = (a, b, size) => Math.abs(a - b) < 1e-6 * size;
const stays = !was || [x.start, x.end, y.start, y.end].every((end, i) => near(end, was[i], was[1] - was[0]));
if (stays) {
  x.setv({start: x0, end: x1});
  y.setv({start: y0, end: y1});
} else {
  // The map got another size, and the person has moved it while the server was told: keep the middle, take the scale.
  const scaled = (axis, wider) => {
    const [middle, half] = [(axis.start + axis.end) / 2, wider * (axis.end - axis.start) / 2];
    axis.setv({start: middle - half, end: middle + half});
  };
  scaled(x, (x1 - x0) / (was[1] - was[0]));
  scaled(y, (y1 - y0) / (was[3] - was[2]));
  ask.execute(go);
}
