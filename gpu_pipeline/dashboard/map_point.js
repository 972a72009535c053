// Tell the server where the pointer is, at most twenty times in a second.
const now = performance.now();
const send = () => { at.data = {x: [at.next[0]], y: [at.next[1]]}; at.last = performance.now(); at.timer = null; };
at.next = [cb_obj.x, cb_obj.y];
if (at.timer == null) at.timer = setTimeout(send, Math.max(0, 50 - (now - (at.last ?? 0))));
