// The picture comes as PNG, a tenth of its pixels' bytes, and is unpacked in the browser only. Its names change with it,
// so that both are painted at once.
asked.since = null;
if (asked.again) ask.execute(wire);
const [png] = wire.data.png;
if (!png) return;
const {x, y, dw, dh} = wire.data;
const [written] = wire.data.names;
const turn = image.turn = (image.turn ?? 0) + 1;
createImageBitmap(new Blob([png], {type: "image/png"})).then((bitmap) => {
  if (image.turn !== turn) return;
  const {width, height} = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  pen.drawImage(bitmap, 0, 0);
  const pixels = pen.getImageData(0, 0, width, height).data.buffer;
  const Array2d = image.data.image[0].constructor;
  names.data = {x: written.map((name) => name[1]), y: written.map((name) => name[2]), text: written.map((name) => name[0])};
  image.data = {image: [new Array2d(pixels, [height, width])], x, y, dw, dh};
});
