// The page's own arithmetic, in double precision: used only where the reader changes numbers.
"use strict";
(function() {
const vectors = (glass.vectors = {});
vectors.dot = (a, b) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
vectors.norm = (a) => Math.sqrt(vectors.dot(a, a));
// NaN where a vector has no direction.
vectors.cosine = (a, b) => {
  const lengths = vectors.norm(a) * vectors.norm(b);
  return lengths > 0 ? Math.max(-1, Math.min(1, vectors.dot(a, b) / lengths)) : NaN;
};
// The arc cosine; a cosine's rounding may have carried it past 1.
vectors.degrees = (cosine) => (Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI;
vectors.angle = (a, b) => vectors.degrees(vectors.cosine(a, b));
vectors.softmax = (scores) => {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
};
vectors.sigmoid = (x) => 1 / (1 + Math.exp(-x));
// Vaswani et al. 2017, section 3.5: sines at even places, cosines at odd ones.
vectors.sinusoid = (position, width) => Float64Array.from({length: width}, (_, i) => {
  const turn = position / 10000 ** ((2 * Math.floor(i / 2)) / width);
  return i % 2 === 0 ? Math.sin(turn) : Math.cos(turn);
});
})();
