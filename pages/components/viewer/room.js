// Where a page asks for it, nothing below the viewer moves when another view is chosen: the viewer takes the height of
// its tallest view at this width, and what the view at hand does not need stays empty at its end.

// What each view needs in height: its images, and its line of options, which may wrap.
function heightOf(v, mode, width, rest) {
  v.s.mode = mode;
  syncOptions(v);
  const around = rest + v.controls.options.offsetHeight;
  const full = Math.max(v.heightPx - around, shortestStage(v, width));
  return around + (mode === "3d" ? full : filledHeight(v, width, full));
}

// Around: the height of the viewer without its stage and without what is kept empty.
function tallestView(v, width, around) {
  const { s, header } = v;
  const rest = around - v.controls.options.offsetHeight;
  const key = JSON.stringify([v.content, width, v.heightPx, rest, s.sections, s.a, s.b, s.per.map((per) => [per.visible, per.merged])]);
  if (v.tallest?.key !== key) {
    const { mode } = s;
    v.tallest = { key, height: Math.max(...header.modes.map((other) => heightOf(v, other, width, rest))) };
    s.mode = mode;
    syncOptions(v);
  }
  return v.tallest.height;
}

const spareRoom = (v, width, around, stage) => (v.header.steady ? Math.max(0, tallestView(v, width, around) - around - stage) : 0);
