// Judges call() in batch_norm.mjs by a file of vectors: node runner.mjs vectors.json
import { readFileSync } from "node:fs";
import { call } from "./batch_norm.mjs";

const HEX = /^(-?)0x([01])\.?([0-9a-f]*)p([+-]\d+)$/;

/** The number that a hexadecimal float stands for; 53 bits, so that parseInt is exact. */
function number(text) {
  const [, sign, one, fraction, exponent] = HEX.exec(text);
  const scaled = parseInt(one + fraction, 16) * 2 ** -(4 * fraction.length);
  return (sign ? -scaled : scaled) * 2 ** Number(exponent);
}

const numbers = (texts) => texts.map(number);

let compared = 0;
const wrong = new Map(); // by requirement
for (const group of Object.values(JSON.parse(readFileSync(process.argv[2], "utf8")).classes)) {
  for (const vector of group) {
    const layer = { momentum: number(vector.momentum), eps: number(vector.eps) };
    for (const [name, values] of Object.entries(vector.state)) layer[name] = Float32Array.from(numbers(values));
    for (const step of vector.calls) {
      const cotangent = Float32Array.from(numbers(step.cotangent ?? []));
      const results = call(layer, Float32Array.from(numbers(step.x)), number(step.flag), cotangent);
      for (const [what, expected] of Object.entries(step.expected)) {
        const got = results[what];
        const error = numbers(expected.error);
        const inside = (value, i) => Math.abs(got[i] - value) <= error[i]; // false for NaN
        compared += error.length;
        if (got.length === error.length && numbers(expected.value).every(inside)) continue;
        const before = wrong.get(expected.requirement) ?? [];
        wrong.set(expected.requirement, [...before, `${what} of ${vector.name}`]);
      }
    }
  }
}
for (const [requirement, results] of wrong) console.log(`${requirement}: ${results.length} wrong, first ${results[0]}`);
console.log(`${compared} numbers compared, ${wrong.size} requirements are violated`);
process.exitCode = compared === 0 || wrong.size > 0 ? 1 : 0;
