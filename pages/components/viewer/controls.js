// The frame around the stage: modes and tools above, planes below. Native inputs, so keyboard and reader work.

function buildFrame(v) {
  const c = (v.controls = {});
  v.canvas = make("canvas", { class: "flat" });
  v.context = v.canvas.getContext("2d");
  v.canvas3d = make("canvas", { class: "deep", hidden: true });
  v.canvasBefore = make("canvas", { class: "before", hidden: true });
  v.contextBefore = v.canvasBefore.getContext("2d");
  c.heads = make("div", { class: "heads" });
  c.readout = make("div", { class: "readout", hidden: true });
  c.fallback = make("div", { class: "fallback", hidden: true });
  c.told = make("div", { class: "told", hidden: true });
  c.busy = make("div", { class: "busy" }, "Unpacking the image …");
  c.stage = make(
    "div",
    { class: "stage", tabindex: "0", role: "application", "aria-label": "Image viewer. Arrow keys change the plane, question mark lists all keys." },
    v.canvas,
    v.canvas3d,
    v.canvasBefore,
    c.heads,
    c.fallback,
    c.told,
    c.busy,
  );
  c.modes = make("div", { class: "modes", role: "radiogroup", "aria-label": "How to show the images" });
  c.tools = make("div", { class: "tools" });
  c.note = make("div", { class: "note", hidden: true });
  c.options = make("div", { class: "options" });
  c.planes = make("div", { class: "planes" });
  c.profile = make("div", { class: "profile", hidden: true });
  c.drawer = make("aside", { class: "drawer", hidden: true, "aria-label": "Contrast and colours" });
  c.shortcuts = make("div", { class: "shortcuts", hidden: true, popover: "manual", role: "dialog", "aria-label": "Keys" });
  c.live = make("div", { class: "unseen", role: "status", "aria-live": "polite" });
  v.root.replaceChildren(
    make("div", { class: "top" }, c.modes, c.tools),
    c.note,
    make("div", { class: "middle" }, c.stage, c.drawer),
    make("div", { class: "status" }, c.readout),
    make("div", { class: "bottom" }, c.planes, c.options),
    c.profile,
    c.shortcuts,
    c.live,
  );
  buildTools(v);
  buildShortcuts(v);
}

function buildTools(v) {
  const c = v.controls;
  const tool = (name, path, label, key, act) => {
    c[name] = iconButton(path, label, key, act);
    c.tools.append(c[name]);
  };
  tool("fit", ICONS.fit, "Fit to the window", "0", () => fitView(v));
  tool("sections", ICONS.sections, "Sections XZ and YZ with a cross-hair", "X", () => toggleSections(v));
  tool("lineTool", ICONS.line, "Line profile", "L", () => toggleLine(v));
  tool("adjust", ICONS.adjust, "Contrast and colours", "V", () => toggleDrawer(v));
  tool("camera", ICONS.camera, "Copy or save as PNG", "P", () => toggleSnapshotMenu(v));
  tool("full", ICONS.full, "Full screen", "F", () => toggleFullScreen(v));
  tool("help", ICONS.help, "Keys", "?", () => toggleShortcuts(v));
  c.snapshotMenu = snapshotMenu(v);
  for (const [opener, kind] of [[c.camera, "menu"], [c.help, "dialog"]]) {
    opener.setAttribute("aria-haspopup", kind);
    opener.setAttribute("aria-expanded", "false");
  }
  c.tools.append(c.snapshotMenu);
}

function buildForVolumes(v) {
  const c = v.controls;
  const { layers } = v.volumes;
  c.modes.replaceChildren(
    ...v.header.modes.map((mode) => {
      const input = make("input", { type: "radio", name: "mode", value: mode, onchange: () => switchMode(v, mode) });
      const digit = v.header.modes.indexOf(mode) + 1;
      return make("label", { title: `${MODE_LABELS[mode]} (${digit})` }, input, make("span", {}, MODE_LABELS[mode]));
    }),
  );
  c.modes.hidden = v.header.modes.length < 2;
  c.note.replaceChildren(...notesOf(v).map((text) => make("p", {}, text)));
  c.note.hidden = !c.note.childNodes.length;
  c.headPool = [];
  c.heads.replaceChildren();
  buildPlanes(v);
  buildOptions(v);
  buildDrawer(v);
  const shown = `Image viewer, ${layers.map((layer) => layer.name).join(", ")}.`;
  c.stage.setAttribute("aria-label", `${shown} Arrow keys change the plane, question mark lists all keys.`);
  c.sections.hidden = v.volumes.nz < 2;
}

const notesOf = (v) => v.header.notes;

function buildPlanes(v) {
  const c = v.controls;
  const { nz, nt } = v.volumes;
  const range = (label, count, act) => make("input", { type: "range", min: 0, max: count - 1, step: 1, "aria-label": label, oninput: act });
  c.play = iconButton(ICONS.play, "Play through the planes", "Space", () => togglePlay(v));
  c.z = range("Plane", nz, () => setPlane(v, +c.z.value));
  c.zText = make("output", { class: "number" });
  c.projection = make(
    "select",
    { "aria-label": "Plane or projection", title: "One plane or a projection (M)", onchange: () => setProjection(v, c.projection.value) },
    make("option", { value: "plane" }, "Plane"),
    make("option", { value: "max" }, "Max projection"),
    make("option", { value: "mean" }, "Mean projection"),
  );
  c.z0 = range("First plane of the projection", nz, () => setRange(v, +c.z0.value, Math.max(+c.z0.value, v.s.z1)));
  c.z1 = range("Last plane of the projection", nz, () => setRange(v, Math.min(+c.z1.value, v.s.z0), +c.z1.value));
  c.oneZ = make("span", { class: "row grow" }, c.play, c.z);
  c.manyZ = make("span", { class: "row grow" }, make("span", { class: "soft" }, "from"), c.z0, make("span", { class: "soft" }, "to"), c.z1);
  c.planes.replaceChildren(...(nz > 1 ? [c.projection, c.oneZ, c.manyZ, c.zText] : []));
  if (nt > 1) {
    c.t = range("Time point", nt, () => change(v, { t: +c.t.value }));
    c.tText = make("output", { class: "number" });
    c.planes.append(make("span", { class: "row" }, make("span", { class: "soft" }, "time"), c.t, c.tText));
  } else c.t = null;
  c.planes.hidden = nz < 2 && nt < 2;
}

function syncControls(v) {
  const { s, volumes, controls: c } = v;
  for (const input of c.modes.querySelectorAll("input")) input.checked = input.value === s.mode;
  const deep = s.mode === "3d";
  pressed(c.sections, s.sections);
  pressed(c.lineTool, Boolean(s.line));
  pressed(c.adjust, s.drawer);
  c.stage.classList.toggle("dark", deep);
  v.canvas.hidden = deep && Boolean(v.noWebgl);
  v.canvas3d.hidden = v.canvasBefore.hidden = !deep || Boolean(v.noWebgl);
  c.fallback.hidden = !deep || !v.noWebgl;
  c.heads.hidden = deep && Boolean(v.noWebgl);
  c.sections.disabled = c.lineTool.disabled = deep;
  syncPlanes(v);
  syncOptions(v);
  syncDrawer(v);
  syncProfile(v);
  syncHeads(v);
  if (volumes.nz > 1) announce(v);
}

const pressed = (button, on) => button.setAttribute("aria-pressed", String(Boolean(on)));

function syncPlanes(v) {
  const { s, volumes, controls: c } = v;
  const { nz, nt } = volumes;
  if (nz > 1) {
    const projecting = s.projection !== "plane";
    const deep = s.mode === "3d"; // of all the row, only a time point is seen there
    for (const part of [c.projection, c.oneZ, c.manyZ, c.zText]) part.classList.toggle("idle", deep);
    for (const part of [c.z, c.manyZ]) part.inert = deep;
    for (const part of [c.projection, c.play]) part.inert = deep || Boolean(volumes.partial);
    c.oneZ.hidden = projecting;
    c.manyZ.hidden = !projecting;
    setValue(c.projection, s.projection);
    setValue(c.z, s.z);
    setValue(c.z0, s.z0);
    setValue(c.z1, s.z1);
    const depth = (z) => `${(z * volumes.um.z).toFixed(2)} µm`;
    setText(c.zText, projecting ? `${s.z0 + 1}–${s.z1 + 1} of ${nz}` : `${s.z + 1} / ${nz} · ${depth(s.z)}`);
    c.z.setAttribute("aria-valuetext", `plane ${s.z + 1} of ${nz}, ${depth(s.z)}`);
    pressed(c.play, s.playing);
    if (c.playing !== s.playing) c.play.replaceChildren(icon(s.playing ? ICONS.pause : ICONS.play));
    c.playing = s.playing;
  }
  if (nt > 1) {
    setValue(c.t, s.t);
    setText(c.tText, `${s.t + 1} / ${nt}`);
  }
}

function syncHeads(v) {
  const { controls: c, layout } = v;
  while (c.headPool.length < layout.panels.length) {
    const head = panelHead();
    c.headPool.push(head);
    c.heads.append(head.node);
  }
  c.headPool.forEach((head, index) => {
    const panel = layout.panels[index];
    head.node.hidden = !panel;
    if (panel) fillHead(v, head, panel);
  });
}

// Told to a screen reader after the move, not during it.
function announce(v) {
  clearTimeout(v.liveTimer);
  v.liveTimer = setTimeout(() => {
    if (v.s && !v.s.playing) setText(v.controls.live, `${MODE_LABELS[v.s.mode]}, ${v.controls.zText.textContent}`);
  }, 700);
}

function switchMode(v, mode) {
  if (!v.header.modes.includes(mode)) return;
  v.phase = 0;
  if (mode === "3d") stopPlay(v);
  change(v, { mode });
  restartBlink(v, mode === "blink" && !calm());
}

function setProjection(v, projection) {
  stopPlay(v);
  change(v, { projection });
}

function setRange(v, z0, z1) {
  change(v, { z0, z1 });
}

function fitView(v) {
  if (v.s.mode === "3d") return turnHome(v);
  return change(v, { zoom: 1, cx: v.volumes.nx / 2, cy: v.volumes.ny / 2 });
}

function toggleSections(v) {
  if (v.volumes.nz > 1) change(v, { sections: !v.s.sections });
}

function togglePlay(v) {
  if (v.s.mode === "blink") return restartBlink(v, !v.blinkTimer);
  if (v.s.playing) return stopPlay(v);
  if (v.volumes.nz < 2 || v.s.projection !== "plane") return undefined;
  v.s.playing = true;
  v.playTimer = setInterval(() => change(v, { z: (v.s.z + 1) % v.volumes.nz }), 1000 / v.s.planesPerSecond);
  return repaint(v);
}

function stopPlay(v) {
  clearInterval(v.playTimer);
  if (!v.s?.playing) return;
  v.s.playing = false;
  change(v, {});
}

// At most three changes a second, whatever the slider says.
function restartBlink(v, on) {
  clearInterval(v.blinkTimer);
  v.blinkTimer = 0;
  if (on && v.s.mode === "blink")
    v.blinkTimer = setInterval(() => {
      v.phase = 1 - (v.phase ?? 0);
      repaint(v);
    }, Math.max(1000 / 3, v.s.blinkSeconds * 1000));
  repaint(v);
}

function toggleFullScreen(v) {
  if (document.fullscreenElement) document.exitFullscreen();
  else v.root.requestFullscreen?.().catch(() => setText(v.controls.live, "This browser does not allow full screen here."));
}
