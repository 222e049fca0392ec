// What one mode needs beside the planes: a slider or two, and what they mean.

function buildOptions(v) {
  const c = v.controls;
  const o = (c.o = {});
  const slider = (name, label, min, max, step, act) => {
    o[name] = make("input", { type: "range", min, max, step, "aria-label": label, oninput: () => act(+o[name].value) });
    o[`${name}Text`] = make("output", { class: "number" });
    return make("label", { class: "row" }, make("span", { class: "soft" }, label), o[name], o[`${name}Text`]);
  };
  o.blinkButton = make("button", { type: "button", class: "plain", onclick: () => togglePlay(v) });
  o.switchButton = make("button", { type: "button", class: "plain", onclick: () => flip(v) }, "Switch");
  o.groups = {
    side: make("span", { class: "row" }, make("span", { class: "soft" }, "Show")),
    blink: make("span", { class: "row" }, o.blinkButton, o.switchButton, slider("blinkSeconds", "seconds each", 0.34, 4, 0.02, (value) => setBlink(v, value))),
    swipe: make("span", { class: "row" }, slider("swipe", "Edge", 0, 1, 0.005, (value) => change(v, { swipe: value }))),
    blend: make("span", { class: "row" }, slider("blend", "Blend", 0, 1, 0.01, (value) => change(v, { blend: value }))),
    merge: make("span", { class: "row" }),
    difference: make("span", { class: "row" }, slider("difference", "Range ±", 1, 400, 1, (value) => setDifference(v, value))),
    threshold: thresholdGroup(v, slider),
    "3d": volumeGroup(v, slider),
  };
  o.pair = pairGroup(v);
  o.scale = scaleGroup(v);
  sideGroup(v);
  mergeGroup(v);
  c.options.replaceChildren(o.pair, ...Object.values(o.groups), o.scale);
}

function flip(v) {
  v.phase = 1 - (v.phase ?? 0);
  repaint(v);
}

function setBlink(v, seconds) {
  change(v, { blinkSeconds: seconds });
  if (v.blinkTimer) restartBlink(v, true);
}

const setDifference = (v, percent) => change(v, { differenceRange: (differenceReach(v) * percent) / 100 });

function thresholdGroup(v, slider) {
  const { o } = v.controls;
  const { layers } = v.volumes;
  const lower = (side) => (value) => {
    const index = v.s[side];
    const layer = layers[index];
    change(v, { thresholds: { ...v.s.thresholds, [index]: layer.low + (value / 1000) * (layer.high - layer.low) } });
  };
  o.dice = make("output", { class: "score" });
  o.otsu = make("button", { type: "button", class: "plain", title: "Otsu's threshold for both (O)", onclick: () => change(v, { thresholds: {} }) }, "Otsu");
  const rows = single(v)
    ? [slider("thresholdA", layers[v.s.a].name, 0, 1000, 1, lower("a"))]
    : [slider("thresholdA", layers[v.s.a].name, 0, 1000, 1, lower("a")), slider("thresholdB", layers[v.s.b].name, 0, 1000, 1, lower("b"))];
  return make("span", { class: "row wide" }, ...rows, o.otsu, o.dice);
}

function volumeGroup(v, slider) {
  const { o } = v.controls;
  o.render = make(
    "select",
    { "aria-label": "How to draw the volume", onchange: () => change(v, { render: o.render.value }) },
    make("option", { value: "mip" }, "Brightest along the ray"),
    make("option", { value: "iso" }, "Surface"),
  );
  return make("span", { class: "row" }, o.render, slider("iso", "Surface at", 0.02, 0.98, 0.01, (value) => change(v, { iso: value })), make("span", { class: "soft hint" }, "Drag to turn, wheel to zoom"));
}

// Which two layers are compared, where there is a choice.
function pairGroup(v) {
  const { o } = v.controls;
  const { layers } = v.volumes;
  const choose = (side, label) =>
    make(
      "select",
      { "aria-label": label, onchange: (event) => choosePair(v, side, +event.target.value) },
      ...layers.map((layer, index) => make("option", { value: index }, layer.name)),
    );
  o.a = choose("a", "First image");
  o.b = choose("b", "Second image");
  return make("span", { class: "row" }, o.a, make("span", { class: "soft" }, "and"), o.b);
}

function choosePair(v, side, index) {
  const other = side === "a" ? "b" : "a";
  const patch = { [side]: index, differenceRange: null };
  if (v.s[other] === index) patch[other] = v.s[side];
  change(v, patch);
}

function sideGroup(v) {
  const { o } = v.controls;
  o.side = v.volumes.layers.map((layer, index) => {
    const input = make("input", { type: "checkbox", onchange: () => toggleVisible(v, index) });
    o.groups.side.append(make("label", { class: "check" }, input, make("span", {}, layer.name)));
    return input;
  });
}

function mergeGroup(v) {
  const { o } = v.controls;
  o.merge = v.volumes.layers.map((layer, index) => {
    const input = make("input", { type: "checkbox", onchange: () => toggleMerged(v, index) });
    const colour = make("i");
    o.groups.merge.append(make("label", { class: "check" }, input, colour, make("span", {}, layer.name)));
    return { input, colour };
  });
}

function toggleMerged(v, index) {
  v.s.per[index].merged = !v.s.per[index].merged;
  change(v, {});
}

function syncOptions(v) {
  const { s, controls: c, volumes } = v;
  const { o } = c;
  for (const [mode, group] of Object.entries(o.groups)) group.hidden = s.mode !== mode;
  syncScale(v);
  const measured = ["difference", "threshold"].includes(s.mode);
  const candidates = volumes.layers.filter((layer) => !measured || layer.role !== "transmitted").length;
  const choice = candidates > 2 && PAIR_MODES.includes(s.mode);
  o.pair.hidden = !choice;
  if (choice) {
    setValue(o.a, s.a);
    setValue(o.b, s.b);
  }
  c.options.hidden = single(v) && v.header.modes.length < 2;
  o.groups.side.hidden = s.mode !== "side" || single(v);
  if (s.mode === "side") o.side.forEach((input, index) => (input.checked = s.per[index].visible));
  if (s.mode === "blink") {
    setText(o.blinkButton, v.blinkTimer ? "Pause" : "Start");
    setValue(o.blinkSeconds, s.blinkSeconds);
    setText(o.blinkSecondsText, `${s.blinkSeconds.toFixed(1)} s`);
  } else if (s.mode === "swipe") {
    setValue(o.swipe, s.swipe);
    setText(o.swipeText, "");
  } else if (s.mode === "blend") {
    setValue(o.blend, s.blend);
    setText(o.blendText, `${Math.round(100 * s.blend)} %`);
  } else if (s.mode === "merge") {
    o.merge.forEach(({ input, colour }, index) => {
      input.checked = s.per[index].merged;
      colour.style.background = input.checked ? `rgb(${colourAt(mergeMap(v, index), 1)})` : "transparent";
    });
  } else if (s.mode === "difference") {
    setValue(o.difference, Math.round((100 * differenceRange(v)) / differenceReach(v)));
    setText(o.differenceText, differenceText(v, differenceRange(v)));
  } else if (s.mode === "threshold") syncThreshold(v);
  else if (s.mode === "3d") {
    setValue(o.render, s.render);
    setValue(o.iso, s.iso);
    setText(o.isoText, `${Math.round(100 * s.iso)} %`);
    o.iso.parentNode.hidden = s.render !== "iso";
  }
}

function syncThreshold(v) {
  const { s, volumes } = v;
  const { o } = v.controls;
  for (const [side, slider, text] of [[s.a, o.thresholdA, o.thresholdAText], [s.b, o.thresholdB, o.thresholdBText]]) {
    const layer = volumes.layers[side];
    if (!slider || !layer) continue;
    const value = thresholdOf(v, side);
    setValue(slider, Math.round(((value - layer.low) / (layer.high - layer.low)) * 1000));
    setText(slider.previousSibling, layer.name);
    setText(text, withUnits(formatValue(value), layer));
    slider.setAttribute("aria-valuetext", withUnits(formatValue(value), layer));
  }
  if (single(v)) return setText(o.dice, "");
  const { dice, iou, exact } = agreementOf(v);
  o.dice.title = exact
    ? "Over the whole stack, or the region of it that counts"
    : "Counted in your browser from rounded values, so about right; the pages count the original values";
  const score = (value) => `${exact ? "" : "≈ "}${value == null ? "–" : value.toFixed(2)}`;
  return setText(o.dice, `Dice ${score(dice)} · IoU ${score(iou)}`);
}
