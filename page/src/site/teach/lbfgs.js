// The least of a smooth function of many numbers: L-BFGS with a line search that looks for a flatter, lower place.

const MEMORY = 10;
const [LOWER, FLATTER] = [1e-4, 0.9];
const MOST_TRIES = 20;
const NOISE = 1e-7; // of the function, which is computed in single precision

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

// a + factor * b
function combine(a, factor, b) {
  const out = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) out[i] = a[i] + factor * b[i];
  return out;
}

function addTo(a, factor, b) {
  for (let i = 0; i < a.length; i++) a[i] += factor * b[i];
}

function findLargest(slope) {
  let most = 0;
  for (let i = 0; i < slope.length; i++) most = Math.max(most, Math.abs(slope[i]));
  return most;
}

// measure(point) -> {value, slope}; ends where no slope exceeds `flat` or the value falls by no more than `fall` of itself
export function minimise(measure, start, { flat, fall, most = 300 }) {
  let at = { point: start, ...measure(start) };
  const steps = [];
  for (let round = 0; round < most && findLargest(at.slope) > flat; round++) {
    let direction = findDirection(at.slope, steps);
    if (!(dot(direction, at.slope) < 0)) {
      steps.length = 0;
      direction = findDirection(at.slope, steps);
    }
    const next = search(measure, at, direction, steps.length ? 1 : Math.min(1, 1 / Math.sqrt(dot(at.slope, at.slope))));
    if (!next) break;
    remember(steps, at, next);
    const fallen = (at.value - next.value) / Math.max(Math.abs(at.value), Math.abs(next.value), 1);
    at = next;
    if (fallen <= fall) break;
  }
  return at.point;
}

function remember(steps, from, to) {
  const moved = combine(to.point, -1, from.point);
  const turned = combine(to.slope, -1, from.slope);
  const along = dot(moved, turned);
  if (along > 1e-12 * dot(turned, turned)) steps.push({ moved, turned, along });
  if (steps.length > MEMORY) steps.shift();
}

// downhill, by what the last steps told of the function's bend
function findDirection(slope, steps) {
  const direction = combine(new Float64Array(slope.length), -1, slope);
  const shares = new Float64Array(steps.length);
  for (let i = steps.length - 1; i >= 0; i--) {
    const { moved, turned, along } = steps[i];
    shares[i] = dot(moved, direction) / along;
    addTo(direction, -shares[i], turned);
  }
  const last = steps.at(-1);
  if (last) {
    const scale = last.along / dot(last.turned, last.turned);
    for (let j = 0; j < direction.length; j++) direction[j] *= scale;
  }
  steps.forEach(({ moved, turned, along }, i) => {
    addTo(direction, shares[i] - dot(turned, direction) / along, moved);
  });
  return direction;
}

// A place that is lower and flatter (Wolfe's conditions), by halving the interval in which it lies; null where there is none.
function search(measure, at, direction, first) {
  const fall = dot(direction, at.slope);
  const slack = NOISE * Math.max(1, Math.abs(at.value));
  let [low, high, step, best] = [0, Infinity, first, null];
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const point = combine(at.point, step, direction);
    const found = { point, ...measure(point) };
    const slope = dot(direction, found.slope);
    const isLower = found.value <= at.value + LOWER * step * fall + slack;
    if (isLower && (!best || found.value < best.value)) best = found;
    if (isLower && Math.abs(slope) <= -FLATTER * fall) return found;
    if (isLower && slope < 0) low = step;
    else high = step;
    step = high === Infinity ? 2.5 * step : (low + high) / 2;
  }
  return best;
}
