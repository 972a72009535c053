// The pointer has left the map.
clearTimeout(at.timer);
at.timer = null;
at.data = {x: [], y: []};
