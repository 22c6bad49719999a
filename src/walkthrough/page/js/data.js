// Tensors of the data (SCHEMA.md, "Numbers") as typed arrays.
"use strict";
(function() {
const bytes_of = (text) => {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
};
const half = (bits) => {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};
const decoders = {
  f32: (view, count) => Float32Array.from({length: count}, (_, i) => view.getFloat32(4 * i, true)),
  // The upper three bytes of a float32.
  f24: (view, count) => {
    const words = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      words[i] = (view.getUint8(3 * i) << 8) | (view.getUint8(3 * i + 1) << 16) |
        (view.getUint8(3 * i + 2) << 24);
    }
    return new Float32Array(words.buffer);
  },
  f16: (view, count) =>
    Float32Array.from({length: count}, (_, i) => half(view.getUint16(2 * i, true))),
  // Multiples of the tensor's own step.
  i8: (view, count, step) => Float32Array.from({length: count}, (_, i) => step * view.getInt8(i)),
  u16: (view, count) => Uint16Array.from({length: count}, (_, i) => view.getUint16(2 * i, true)),
  u32: (view, count) => Uint32Array.from({length: count}, (_, i) => view.getUint32(4 * i, true)),
};
const sizes = {
  f32: 4,
  f24: 3,
  f16: 2,
  i8: 1,
  u16: 2,
  u32: 4
};

const known = new WeakMap();
// {shape, values, row(i, j, ...)}: row() is the last dimension at the leading indices.
glass.tensor = (packed) => {
  if (!packed) return null;
  if (known.has(packed)) return known.get(packed);
  const bytes = bytes_of(packed.data);
  const values = decoders[packed.dtype](
    new DataView(bytes.buffer), bytes.length / sizes[packed.dtype], packed.step);
  const shape = packed.shape, lower = packed.layout === "lower";
  const tokens = shape[shape.length - 1];
  const triangle = (tokens * (tokens + 1)) / 2;
  const row = (...leading) => {
    if (!lower) {
      let at = 0;
      leading.forEach((index, axis) => {
        at = at * shape[axis] + index;
      });
      for (let axis = leading.length; axis < shape.length - 1; axis++) at *= shape[axis];
      return values.subarray(at * tokens, (at + 1) * tokens);
    }
    // Of row t of a causal matrix only columns 0..t are there.
    const t = leading.pop();
    let at = 0;
    leading.forEach((index, axis) => {
      at = at * shape[axis] + index;
    });
    const start = at * triangle + (t * (t + 1)) / 2;
    return values.subarray(start, start + t + 1);
  };
  // How far a number may be from the float32 that it stands for, relative to it.
  const grain = {f32: 2 ** -24, f24: 2 ** -16, f16: 2 ** -11}[packed.dtype] || 0;
  const tensor = {shape, values, row, grain, dtype: packed.dtype};
  known.set(packed, tensor);
  return tensor;
};
})();
