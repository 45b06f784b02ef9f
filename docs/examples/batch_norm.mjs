// A BatchNorm layer in JavaScript, for `conformance run 'command:node batch_norm.mjs'`.
import { createInterface } from "node:readline";

const layers = new Map();

// Arrays travel as base64 of little-endian numbers; this file computes in float64, stores float32.
const types = { float32: Float32Array, float64: Float64Array };
const unpack = ({ dtype, shape, data }) => {
  const values = new types[dtype](new Uint8Array(Buffer.from(data, "base64")).buffer);
  return { shape, values: Float32Array.from(values) };
};
const pack = (values, shape) => ({
  dtype: "float32", shape, data: Buffer.from(Float32Array.from(values).buffer).toString("base64"),
});

const filled = (size, value) => new Float32Array(size).fill(value);

function create({ layer, features, momentum, eps }) {
  layers.set(layer, {
    features, momentum, eps,
    gamma: filled(features, 1), beta: filled(features, 0),
    running_mean: filled(features, 0), running_var: filled(features, 1),
  });
}

// Mean and biased variance of each column, in two passes.
function moments({ shape: [rows, features], values }) {
  const mean = new Float64Array(features), variance = new Float64Array(features);
  for (let i = 0; i < values.length; i++) mean[i % features] += values[i] / rows;
  for (let i = 0; i < values.length; i++)
    variance[i % features] += (values[i] - mean[i % features]) ** 2 / rows;
  return { mean, variance };
}

function statistics(layer, x, evaluate) {
  if (x.shape.length !== 2 || x.shape[1] !== layer.features)
    throw new Error(`expected (N, ${layer.features}), got (${x.shape.join(", ")})`);
  if (evaluate) return { mean: layer.running_mean, variance: layer.running_var };
  if (x.shape[0] === 0) throw new Error("a batch without rows has no mean");
  return moments(x);
}

function call({ layer: number, x: packed, use_running_average: evaluate }) {
  const layer = layers.get(number), x = unpack(packed), D = layer.features;
  const { mean, variance } = statistics(layer, x, evaluate);
  const y = Array.from(x.values, (value, i) => {
    const d = i % D;
    return (layer.gamma[d] * (value - mean[d])) / Math.sqrt(variance[d] + layer.eps) + layer.beta[d];
  });
  if (!evaluate) {
    const m = layer.momentum;
    layer.running_mean = layer.running_mean.map((old, d) => m * old + (1 - m) * mean[d]);
    layer.running_var = layer.running_var.map((old, d) => m * old + (1 - m) * variance[d]);
  }
  return { y: pack(y, x.shape) };
}

function read({ layer: number }) {
  const layer = layers.get(number), names = ["gamma", "beta", "running_mean", "running_var"];
  return Object.fromEntries(names.map((name) => [name, pack(layer[name], [layer.features])]));
}

function write({ layer: number, arrays }) {
  for (const [name, array] of Object.entries(arrays)) layers.get(number)[name] = unpack(array).values;
}

// The gradients of Σ w·y; the running statistics have none.
function gradients({ layer: number, x: packed, use_running_average: evaluate, cotangents }) {
  const layer = layers.get(number), x = unpack(packed), D = layer.features, rows = x.shape[0];
  const { mean, variance } = statistics(layer, x, evaluate);
  const w = cotangents.y ? unpack(cotangents.y).values : new Float32Array(x.values.length);
  const scale = Array.from(variance, (v) => 1 / Math.sqrt(v + layer.eps));
  const z = Array.from(x.values, (value, i) => (value - mean[i % D]) * scale[i % D]);
  const gamma = new Float64Array(D), beta = new Float64Array(D);
  w.forEach((each, i) => { beta[i % D] += each; gamma[i % D] += each * z[i]; });
  const ofX = Array.from(w, (each, i) => {
    const d = i % D, through = evaluate ? 0 : (beta[d] + z[i] * gamma[d]) / rows;
    return layer.gamma[d] * scale[d] * (each - through);
  });
  return { gamma: pack(gamma, [D]), beta: pack(beta, [D]), x: pack(ofX, x.shape) };
}

const requests = {
  describe: () => ({ protocol: 1, offers: ["gradients"] }),
  forget: ({ layers: numbers }) => numbers.forEach((number) => layers.delete(number)),
  create, call, read, write, gradients,
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = requests[request.request](request);
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify({ id: request.id, ...answer }) + "\n");
}
