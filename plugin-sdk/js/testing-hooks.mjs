// How node finds "midge" and the contract's interfaces in tests; see testing.mjs.

import { doubles } from "./doubles.mjs";

const file = (name) => new URL(name, import.meta.url).href;

const MODULES = { midge: file("midge.js"), "midge/hooks": file("hooks.js"), "midge/testing": file("doubles.mjs") };

export async function resolve(specifier, context, next) {
  if (specifier.startsWith("midge:plugin/")) return { url: specifier.replace(/@.*$/, ""), shortCircuit: true };
  if (MODULES[specifier]) return { url: MODULES[specifier], shortCircuit: true };
  return next(specifier, context);
}

export async function load(url, context, next) {
  const name = /^midge:plugin\/(.*)$/.exec(url)?.[1];
  if (name === undefined) return next(url, context);
  const found = doubles[name] ?? {};
  const lines = Object.keys(found).map((one) => `const $${one} = doubles[${JSON.stringify(name)}].${one}; export { $${one} as ${one} };`);
  const source = `import { doubles } from ${JSON.stringify(MODULES["midge/testing"])};\n${lines.join("\n")}`;
  return { format: "module", source, shortCircuit: true };
}
