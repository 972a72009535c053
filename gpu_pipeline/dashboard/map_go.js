// Go to a window that the server names. All of its ends come in one message and change in one task of the browser: where
// they came one by one, pictures of windows were asked for that nobody looks at.
const [x0, x1, y0, y1] = ["x0", "x1", "y0", "y1"].map((name) => go.data[name][0]);
x.setv({start: x0, end: x1});
y.setv({start: y0, end: y1});
