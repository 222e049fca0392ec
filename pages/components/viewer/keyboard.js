// Every action by key while the stage has the focus, and the panel that lists the keys.

const SHORTCUTS = [
  ["← → or ↑ ↓", "previous, next plane (with Ctrl: ten planes)"],
  ["Home, End", "first, last plane"],
  ["Space", "play, or start and stop blinking"],
  ["1 – 8", "how the images are shown"],
  ["[ ]", "the slider of this view: edge, blend, blink, range, threshold"],
  ["{ }", "threshold of the observed image"],
  ["O", "Otsu's thresholds"],
  ["+ −", "zoom in, out (also Ctrl + wheel)"],
  ["0", "fit to the window; in 3-D also turn back"],
  ["=", "one voxel = one pixel (flat views)"],
  ["Shift + arrows", "move the view, or turn the volume"],
  ["X", "sections XZ and YZ"],
  ["W A S D", "move the cross-hair, or the line (with Shift: its end)"],
  ["L", "line profile"],
  ["M", "plane, max projection, mean projection"],
  ["C", "automatic contrast"],
  ["E", "observed and predicted on one scale, or each on its own"],
  ["V", "contrast and colours"],
  ["P", "copy or save as PNG"],
  ["Ctrl + C", "copy as PNG, on white"],
  ["F", "full screen"],
  ["?, Esc", "this list, close it"],
];

function buildShortcuts(v) {
  const { shortcuts } = v.controls;
  shortcuts.append(
    make("header", {}, make("strong", {}, "Keys"), iconButton(ICONS.close, "Close", "?", () => toggleShortcuts(v))),
    make("p", { class: "soft fine" }, "They work after a click, or Tab, into the viewer."),
    make("dl", {}, ...SHORTCUTS.map(([key, text]) => make("div", {}, make("dt", {}, key), make("dd", {}, text)))),
  );
}

const toggleShortcuts = (v) => setOpen(v, v.controls.shortcuts, v.controls.shortcuts.hidden);

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const MOVES = { a: [-1, 0], d: [1, 0], w: [0, -1], s: [0, 1] };

function listenKeys(v) {
  v.controls.stage.addEventListener("keydown", (event) => {
    if (!v.s || event.altKey) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "c") return void copySnapshot(v, true);
    if (event.metaKey) return;
    if (!pressKey(v, event)) return;
    event.preventDefault();
    event.stopPropagation(); // the page's own keys (r, c) stay quiet while the viewer is used
  });
  // A slider uses the arrows and their like; all other keys are the viewer's.
  v.root.addEventListener("keydown", (event) => {
    const ours = v.s && event.target.type === "range" && event.key.length === 1 && !event.altKey && !event.ctrlKey && !event.metaKey;
    if (ours && pressKey(v, event)) event.preventDefault();
  });
  // Plain inputs keep their keys; the page must not take letters typed while a control has the focus.
  v.root.addEventListener("keydown", (event) => event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.stopPropagation());
}

// What one plane alone can't show waits for the volumes.
const FROM_ONE_PLANE = ["+", "-", "0", "=", "[", "]", "Home", "End", "PageUp", "PageDown", "?"];
// What acts on planes or flat views would change what is not seen, and stays quiet in 3-D.
const IN_3D = ["+", "-", "0", "[", "]", "c", "v", "p", "f", "?"];

function pressKey(v, event) {
  const { key } = event;
  if (v.volumes.partial && !ARROWS[key] && !FROM_ONE_PLANE.includes(key)) return false;
  const arrow = ARROWS[key];
  if (arrow) return pressArrow(v, event, arrow);
  if (event.ctrlKey) return false;
  const digit = "12345678".indexOf(key);
  if (digit >= 0 && v.header.modes[digit]) return done(switchMode(v, v.header.modes[digit]));
  const small = key.toLowerCase();
  const act = KEYS[key] ?? KEYS[small];
  if (v.s.mode === "3d" && !IN_3D.includes(small)) return Boolean(act ?? MOVES[small]);
  const move = MOVES[small];
  if (move && (v.s.sections || v.s.line)) return pressMove(v, event, move);
  return act ? done(act(v)) : false;
}

const done = () => true;

function pressArrow(v, event, [dx, dy]) {
  if (event.shiftKey || v.s.mode === "3d") {
    if (v.s.mode === "3d") turn(v, 12 * dx, 12 * dy);
    else pan(v, -40 * dx, -40 * dy);
    return true;
  }
  stopPlay(v);
  // Up is deeper into the stack, like the next page of a pile.
  stepPlanes(v, (dx - dy) * (event.ctrlKey ? 10 : 1));
  return true;
}

function pressMove(v, event, [dx, dy]) {
  if (v.s.line) moveLine(v, dx, dy, event.shiftKey);
  else {
    placeCursor(v, v.s.cursor.x + dx, v.s.cursor.y + dy);
    change(v, {});
  }
  return true;
}

const middle = (v, ratio) => zoomAt(v, ratio, v.stageSize.width / 2, v.stageSize.height / 2);

const KEYS = {
  Home: (v) => stepPlanes(v, -v.volumes.nz),
  End: (v) => stepPlanes(v, v.volumes.nz),
  PageUp: (v) => stepPlanes(v, 1),
  PageDown: (v) => stepPlanes(v, -1),
  " ": (v) => togglePlay(v),
  "+": (v) => middle(v, 1.25),
  "-": (v) => middle(v, 0.8),
  0: (v) => fitView(v),
  "=": (v) => change(v, { zoom: clamp(1 / (v.layout.fit * (window.devicePixelRatio || 1)), 0.25, 64) }),
  "[": (v) => nudge(v, -1),
  "]": (v) => nudge(v, 1),
  "{": (v) => nudgeThreshold(v, v.s.a, -1),
  "}": (v) => nudgeThreshold(v, v.s.a, 1),
  o: (v) => change(v, { thresholds: {} }),
  x: (v) => toggleSections(v),
  l: (v) => toggleLine(v),
  m: (v) => v.volumes.nz > 1 && setProjection(v, { plane: "max", max: "mean", mean: "plane" }[v.s.projection]),
  c: (v) => v.volumes.layers.forEach((layer, index) => layer.kind === "image" && autoWindow(v, index)),
  e: (v) => hasMates(v.volumes.layers) && setScale(v, !v.s.linked),
  v: (v) => toggleDrawer(v),
  p: (v) => toggleSnapshotMenu(v),
  f: (v) => toggleFullScreen(v),
  "?": (v) => toggleShortcuts(v),
};

function nudge(v, direction) {
  const { s } = v;
  if (s.mode === "swipe") return change(v, { swipe: clamp(s.swipe + 0.02 * direction, 0, 1) });
  if (s.mode === "blend") return change(v, { blend: clamp(s.blend + 0.05 * direction, 0, 1) });
  if (s.mode === "blink") return setBlink(v, clamp(s.blinkSeconds + 0.2 * direction, 0.34, 4));
  if (s.mode === "difference") return change(v, { differenceRange: differenceRange(v) * (direction > 0 ? 1.1 : 1 / 1.1) });
  if (s.mode === "threshold") return nudgeThreshold(v, single(v) ? s.a : s.b, direction);
  if (s.mode === "3d" && s.render === "iso") return change(v, { iso: clamp(s.iso + 0.02 * direction, 0.02, 0.98) });
  return undefined;
}

function nudgeThreshold(v, index, direction) {
  const layer = v.volumes.layers[index];
  const value = thresholdOf(v, index) + (direction * (layer.high - layer.low)) / 200;
  change(v, { thresholds: { ...v.s.thresholds, [index]: clamp(value, layer.low, layer.high) } });
}
