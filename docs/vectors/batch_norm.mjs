// The implementation that the runner judges: Batch Normalization in float32, by Float32Array.
const f = Math.fround;

/** One call on x, row after row; it trains below a flag of 0.5. The gradients are those of Σ w·y. */
export function call(layer, x, flag, w) {
  const { gamma, beta, running_mean, running_var } = layer;
  const [momentum, eps] = [f(layer.momentum), f(layer.eps)];
  const features = gamma.length;
  const rows = x.length / features;
  const evaluates = flag >= 0.5;
  const [y, dx] = [new Float32Array(x.length), new Float32Array(w.length)];
  const [dgamma, dbeta] = [new Float32Array(features), new Float32Array(features)];
  for (let d = 0; d < features; d++) {
    let [mean, variance] = [running_mean[d], running_var[d]];
    if (!evaluates) {
      let [sum, squares] = [0, 0];
      for (let i = d; i < x.length; i += features) sum = f(sum + x[i]);
      mean = f(sum / rows);
      for (let i = d; i < x.length; i += features) squares = f(squares + f(f(x[i] - mean) ** 2));
      variance = f(squares / rows);
      running_mean[d] = f(momentum * running_mean[d]) + f(f(1 - momentum) * mean);
      running_var[d] = f(momentum * running_var[d]) + f(f(1 - momentum) * variance);
    }
    const r = f(1 / f(Math.sqrt(f(variance + eps))));
    const z = (i) => f(f(x[i] - mean) * r);
    for (let i = d; i < x.length; i += features) y[i] = f(gamma[d] * z(i)) + beta[d];
    for (let i = d; i < w.length; i += features) {
      dbeta[d] += w[i];
      dgamma[d] += f(w[i] * z(i));
    }
    for (let i = d; i < w.length; i += features) {
      const rest = evaluates ? 0 : f(f(dbeta[d] + f(z(i) * dgamma[d])) / rows);
      dx[i] = f(f(gamma[d] * r) * f(w[i] - rest));
    }
  }
  return { y, running_mean, running_var, dx, dgamma, dbeta };
}
