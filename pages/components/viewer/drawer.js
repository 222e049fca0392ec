// The drawer: for each layer whether it is shown, its colours, histogram and window.

function buildDrawer(v) {
  const c = v.controls;
  const { layers } = v.volumes;
  c.layerParts = layers.map((layer, index) => layerPart(v, layer, index));
  c.linked = make("input", { type: "checkbox", onchange: () => setScale(v, c.linked.checked) });
  c.speed = make("input", { type: "range", min: 1, max: 25, step: 1, "aria-label": "Planes per second while playing", oninput: () => setSpeed(v, +c.speed.value) });
  c.speedText = make("output", { class: "number" });
  const why = whyOwnScales(layers);
  c.linked.disabled = Boolean(why);
  c.drawer.replaceChildren(
    make("header", {}, make("strong", {}, "Contrast and colours"), iconButton(ICONS.close, "Close", "V", () => toggleDrawer(v))),
    ...c.layerParts.map((part) => part.node),
    ...(hasMates(layers) ? [make("label", { class: "check", title: why || false }, c.linked, make("span", {}, "One window for observed and predicted"))] : []),
    ...(v.volumes.nz > 1 ? [make("label", { class: "field" }, make("span", { class: "soft" }, "Play"), c.speed, c.speedText)] : []),
    make("p", { class: "soft fine" }, "Values are rounded for the screen. Scores and downloads use the original ones."),
  );
}

function toggleDrawer(v) {
  const within = v.controls.drawer.contains(focused(v));
  change(v, { drawer: !v.s.drawer });
  if (v.s.drawer) reveal(v, v.controls.drawer);
  else if (within) v.controls.stage.focus({ preventScroll: true });
}

// A viewer that has no room for the drawer beside the images gets it below them.
const TOO_NARROW_PX = 780;

// Before anything is measured: the drawer takes room from the stage.
function showDrawer(v) {
  const { drawer, stage } = v.controls;
  v.root.classList.toggle("narrow", v.root.offsetWidth <= TOO_NARROW_PX);
  if (drawer.hidden !== v.s.drawer) return;
  drawer.hidden = !v.s.drawer;
  v.root.classList.toggle("drawn", v.s.drawer);
  v.stageSize = { width: stage.clientWidth, height: stage.clientHeight };
}

function setSpeed(v, planesPerSecond) {
  change(v, { planesPerSecond });
  if (!v.s.playing) return;
  clearInterval(v.playTimer);
  v.s.playing = false;
  togglePlay(v);
}

function layerPart(v, layer, index) {
  const { low, high } = { low: -Infinity, high: Infinity };
  const bounded = (value) => clamp(value, Math.max(layer.low, low), Math.min(layer.high, high));
  const part = {};
  const range = (label, act) => make("input", { type: "range", min: 0, max: WINDOW_STEPS, step: 1, "aria-label": `${label} of ${layer.name}`, oninput: act });
  part.visible = make("input", { type: "checkbox", onchange: () => toggleVisible(v, index) });
  part.colormap = make(
    "select",
    { "aria-label": `Colours of ${layer.name}`, onchange: () => setColormap(v, index, part.colormap.value) },
    ...Object.keys(COLOUR_MAPS)
      .filter((name) => name !== "diverging" && (name !== "white" || name === layer.colormap))
      .map((name) => make("option", { value: name }, name === "gray" ? "grey" : name)),
  );
  part.histogram = make("canvas", { class: "histogram", role: "img", "aria-label": `Histogram of ${layer.name}` });
  part.lo = range("Black", () => setWindow(v, index, bounded(windowValue(layer, +part.lo.value)), v.s.per[index].hi));
  part.hi = range("White", () => setWindow(v, index, v.s.per[index].lo, bounded(windowValue(layer, +part.hi.value))));
  part.loText = make("output", { class: "number" });
  part.hiText = make("output", { class: "number" });
  const auto = make("button", { type: "button", class: "plain", title: "From the darkest to the brightest, but for a few voxels: percentiles 0.02 and 99.8, as published (C)", onclick: () => autoWindow(v, index) }, "Auto");
  const stretch = make("button", { type: "button", class: "plain", title: "More contrast: percentiles 2 and 98", onclick: () => stretchWindow(v, index) }, "Stretch");
  part.node = make(
    "section",
    {},
    make("div", { class: "row" }, make("label", { class: "check grow" }, part.visible, make("span", { class: "name" }, layer.name)), part.colormap),
    ...(layer.kind === "mask"
      ? []
      : [
          part.histogram,
          make("label", { class: "field" }, make("span", { class: "soft" }, "Black"), part.lo, part.loText),
          make("label", { class: "field" }, make("span", { class: "soft" }, "White"), part.hi, part.hiText),
          make("div", { class: "row" }, auto, stretch, make("span", { class: "soft fine" }, beyondText(layer))),
        ]),
  );
  return part;
}

function beyondText(layer) {
  const [below, above] = layer.beyond ?? [false, false];
  if (!below && !above) return "";
  const parts = [below && `< ${formatValue(layer.low)}`, above && `> ${formatValue(layer.high)}`].filter(Boolean);
  return `${parts.join(", ")} not told apart`;
}

function toggleVisible(v, index) {
  v.s.per[index].visible = !v.s.per[index].visible;
  change(v, {});
}

function setColormap(v, index, colormap) {
  v.s.per[index].colormap = colormap;
  change(v, {});
}

function syncDrawer(v) {
  const { s, controls: c, volumes } = v;
  if (!s.drawer) return;
  c.linked.checked = s.linked;
  setValue(c.speed, s.planesPerSecond);
  setText(c.speedText, `${s.planesPerSecond} / s`);
  c.layerParts.forEach((part, index) => {
    const layer = volumes.layers[index];
    const { lo, hi, visible, colormap } = s.per[index];
    part.visible.checked = visible;
    setValue(part.colormap, colormap);
    if (layer.kind === "mask") return;
    setValue(part.lo, windowStep(layer, lo));
    setValue(part.hi, windowStep(layer, hi));
    setText(part.loText, formatValue(lo));
    setText(part.hiText, formatValue(hi));
    paintHistogram(v, part.histogram, index);
  });
}
