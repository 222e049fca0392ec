// One scale for an observed and a predicted image, which is the tutorial's rule, or each its own.

// The observed image that a predicted one belongs to: the last one before it.
function mateOf(layers, index) {
  if (layers[index].role !== "predicted") return -1;
  for (let at = index - 1; at >= 0; at--) if (layers[at].role === "observed") return at;
  return layers.findIndex((layer) => layer.role === "observed");
}

const hasMates = (layers) => layers.some((_, index) => mateOf(layers, index) >= 0);

// Why there can't be one scale for these images; empty where there can.
function whyOwnScales(layers) {
  const other = layers.findIndex((layer, index) => mateOf(layers, index) >= 0 && layers[mateOf(layers, index)].units !== layer.units);
  if (other < 0) return "";
  return `No one scale for these images: ${unitsText(layers[mateOf(layers, other)], layers[other])}, so equal grey could not mean equal value.`;
}

// A page that gives both the same limits in the same unit asks for one scale.
function sharedWindow(layers) {
  const mates = layers.map((layer, index) => [layer, layers[mateOf(layers, index)]]).filter(([, mate]) => mate);
  const same = ([one, other]) => one.units === other.units && one.limits[0] === other.limits[0] && one.limits[1] === other.limits[1];
  return mates.length > 0 && mates.every(same);
}

// Without one scale, limits that were only borrowed from the other image give way to the image's own.
function ownLimits(layers, index) {
  const mate = layers.findIndex((_, at) => at !== index && (mateOf(layers, at) === index || mateOf(layers, index) === at));
  const layer = layers[index];
  const borrowed = mate >= 0 && layer.role === "predicted" && layers[mate].limits.every((limit, at) => limit === layer.limits[at]);
  return borrowed && layer.own ? layer.own : layer.limits;
}

function firstLimits(layers, index) {
  return sharedWindow(layers) ? layers[index].limits : ownLimits(layers, index);
}

function automaticLimits(v, index) {
  const { layers } = v.volumes;
  const mate = mateOf(layers, index);
  if (v.s.linked && mate >= 0) return layers[mate].limits;
  return v.s.linked ? layers[index].limits : ownLimits(layers, index);
}

function setScale(v, same) {
  const { s, volumes } = v;
  const why = whyOwnScales(volumes.layers);
  if (same && why) return tell(v, why);
  s.linked = same;
  volumes.layers.forEach((layer, index) => {
    if (!comparable(layer)) return;
    const [lo, hi] = automaticLimits(v, index);
    Object.assign(s.per[index], { lo, hi });
  });
  change(v, {});
  return tell(v, same ? "One scale: equal grey means equal value." : "Each image has its own scale: compare shapes, not brightness.");
}

// Those whose window moves together with this one's.
function linkedWith(v, index) {
  const { layers } = v.volumes;
  if (!v.s.linked || !comparable(layers[index])) return [index];
  const head = Math.max(mateOf(layers, index), layers[index].role === "observed" ? index : -1);
  return layers.map((_, at) => at).filter((at) => at === index || at === head || (head >= 0 && mateOf(layers, at) === head));
}

const SCALED_MODES = ["side", "blink", "swipe", "blend", "merge"];

function scaleGroup(v) {
  const { o } = v.controls;
  const choice = (same, text, title) => {
    const input = make("input", { type: "radio", name: "scale", value: same ? "same" : "own", onchange: () => setScale(v, same) });
    return [input, make("label", { title: `${title} (E)` }, input, make("span", {}, text))];
  };
  const [own, ownLabel] = choice(false, "Own scales", "Each image from its own darkest to its own brightest (percentiles 0.02 and 99.8): compare shapes, not brightness");
  const why = whyOwnScales(v.volumes.layers);
  const [same, sameLabel] = choice(true, "One scale", why || "Both as the observed image (its percentiles, as in the published tutorial): equal grey means equal value");
  same.disabled = Boolean(why);
  o.own = own;
  o.same = same;
  return make("span", { class: "choice", role: "radiogroup", "aria-label": "Brightness scale" }, ownLabel, sameLabel);
}

function syncScale(v) {
  const { o } = v.controls;
  o.scale.hidden = !hasMates(v.volumes.layers) || !SCALED_MODES.includes(v.s.mode);
  o.same.checked = v.s.linked;
  o.own.checked = !v.s.linked;
}
