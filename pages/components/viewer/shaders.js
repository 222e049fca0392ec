// The ray-marcher's two shaders. A ray walks through the box; each channel is a 3-D texture.

const VERTEX_SHADER = `#version 300 es
out vec2 place;
void main() {
  vec2 corner = vec2(float((gl_VertexID << 1) & 2), float(gl_VertexID & 2));
  place = corner * 2.0 - 1.0;
  gl_Position = vec4(place, 0.0, 1.0);
}`;

const FRAGMENT_SHADER = `#version 300 es
precision highp float;
precision highp sampler3D;
in vec2 place;
out vec4 colour;
uniform sampler3D first, second;
uniform vec2 windows[2];   // black and white of each channel, in texture units
uniform vec3 colours[2];
uniform vec3 halfSize;     // of the box, longest side 1
uniform mat3 turn;         // from the screen to the volume
uniform vec2 view;         // half width and half height of what is seen
uniform float iso;
uniform int steps, channels;
uniform bool surface;

float level(int channel, vec3 at) {
  float raw = channel == 0 ? texture(first, at).r : texture(second, at).r;
  return clamp((raw - windows[channel].x) / (windows[channel].y - windows[channel].x), 0.0, 1.0);
}

vec3 slope(int channel, vec3 at) {
  vec3 d = 1.5 / vec3(textureSize(first, 0));
  return vec3(
    level(channel, at + vec3(d.x, 0, 0)) - level(channel, at - vec3(d.x, 0, 0)),
    level(channel, at + vec3(0, d.y, 0)) - level(channel, at - vec3(0, d.y, 0)),
    level(channel, at + vec3(0, 0, d.z)) - level(channel, at - vec3(0, 0, d.z))) / halfSize;
}

void main() {
  vec3 origin = turn * vec3(place * view, -4.0);
  vec3 ray = turn * vec3(0.0, 0.0, 1.0);
  vec3 safe = mix(ray, vec3(1e-6), lessThan(abs(ray), vec3(1e-6)));
  vec3 near = (-halfSize - origin) / safe, far = (halfSize - origin) / safe;
  vec3 low = min(near, far), high = max(near, far);
  float start = max(max(low.x, low.y), low.z), stop = min(min(high.x, high.y), high.z);
  colour = vec4(0.0); // the stage and the box's lines behind show through
  if (stop <= start) return;
  vec3 entry = (origin + ray * start) / (2.0 * halfSize) + 0.5;
  vec3 stride = ray * (stop - start) / (2.0 * halfSize) / float(steps);
  // A different start for each pixel turns the rings of a few steps into fine grain.
  float shift = fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.5453);
  vec3 at = entry + stride * shift;
  vec2 most = vec2(0.0);
  for (int step = 0; step < steps; step++) {
    vec2 here = vec2(level(0, at), channels > 1 ? level(1, at) : 0.0);
    if (surface && max(here.x, here.y) > iso) {
      vec3 back = at - stride;
      for (int half_ = 0; half_ < 5; half_++) {
        vec3 middle = 0.5 * (at + back);
        bool inside = max(level(0, middle), channels > 1 ? level(1, middle) : 0.0) > iso;
        if (inside) at = middle; else back = middle;
      }
      here = vec2(level(0, at), channels > 1 ? level(1, at) : 0.0);
      vec3 paint = vec3(0.0), normal = vec3(1e-4);
      if (here.x > iso * 0.98) { paint += colours[0]; normal += slope(0, at); }
      if (channels > 1 && here.y > iso * 0.98) { paint += colours[1]; normal += slope(1, at); }
      float light = abs(dot(normalize(normal), normalize(ray + turn * vec3(0.3, 0.4, 0.0))));
      colour = vec4(min(paint, 1.0) * (0.25 + 0.75 * light), 1.0);
      return;
    }
    most = max(most, here);
    at += stride;
  }
  if (surface) return;
  vec3 light = min(colours[0] * most.x + colours[1] * most.y, 1.0);
  colour = vec4(light, max(max(light.r, light.g), light.b));
}`;
