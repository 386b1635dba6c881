// Makes a component of a plugin in JavaScript or TypeScript.
//
//   node build.mjs [--project DIR] [--out FILE] [--wit DIR] [--tools DIR] [--hooks a,b]
//
// The component exports the hooks that are named, else those that the plugin's main file exports, and imports what it uses and no
// more: that decides whether the broker calls it inline. `midge plugin build` runs this. esbuild puts the plugin and what it imports into one file; componentize-qjs puts that file
// and a QuickJS into a component.

import { mkdtemp, cp, readFile, readdir, rm, writeFile, access, rename } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { returnBorrows } from "./borrows.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));

/** What stops a build: shown without a stack. */
class Refused extends Error {}

async function main() {
  const { values } = parseArgs({
    options: {
      project: { type: "string", default: "." },
      out: { type: "string" },
      wit: { type: "string" },
      tools: { type: "string" },
      hooks: { type: "string" },
      quiet: { type: "boolean" },
    },
  });
  const project = path.resolve(values.project);
  const manifest = JSON.parse(await readFile(path.join(project, "package.json"), "utf8").catch(() => "{}"));
  const entry = await mainFile(project, manifest);
  const out = path.resolve(values.out ?? path.join(project, `${manifest.name ?? path.basename(project)}.wasm`));
  const wit = path.resolve(values.wit ?? (await firstThere([path.join(project, "wit"), path.join(here, "../../wit")])));
  const tools = path.resolve(values.tools ?? project);

  const contract = await readContract(wit);
  const esbuild = await tool(tools, "esbuild");
  const { componentize } = await tool(tools, "componentize-qjs");
  const hooks = await hooksOf(esbuild, entry, contract, values.hooks?.split(","));
  const { source, imports } = await bundle(esbuild, entry, hooks, contract);
  const made = await withWorld(wit, contract, hooks, imports, (witPath) =>
    componentize({ witPath, jsSource: source, world: "plugin", sync: true }),
  );
  const component = returnBorrows(made.component);
  // Written beside and renamed: who reads it meanwhile sees the old one or the new one.
  await writeFile(`${out}.tmp`, component);
  await rename(`${out}.tmp`, out);
  if (values.quiet) return;
  const size = Math.ceil(component.length / 1024);
  console.log(`${out} (${size} KiB): ${hooks.map((hook) => hook.wit).join(", ")}; imports ${imports.join(", ") || "nothing"}`);
}

/** The plugin's main file: what package.json says, else plugin.ts or plugin.js. */
async function mainFile(project, manifest) {
  const candidates = manifest.main ? [manifest.main] : ["plugin.ts", "plugin.js", "plugin.mjs"];
  return firstThere(candidates.map((name) => path.join(project, name)));
}

async function firstThere(files) {
  for (const file of files) {
    if (await access(file).then(() => true, () => false)) return file;
  }
  throw new Refused(`none of these is there: ${files.join(", ")}`);
}

/** The contract's version, the hooks it has, and the interfaces a plugin may import. */
async function readContract(wit) {
  const texts = await Promise.all(
    (await readdir(wit)).filter((name) => name.endsWith(".wit")).map((name) => readFile(path.join(wit, name), "utf8")),
  );
  const text = texts.join("\n").replace(/\/\/.*$/gm, "");
  const version = /^package midge:plugin@([0-9.]+);/m.exec(text)?.[1];
  if (!version) throw new Refused(`${wit} is not Midge's contract: no file begins with "package midge:plugin@…;"`);
  const everything = /world everything \{([^}]*)\}/.exec(text)?.[1] ?? "";
  const hooks = [...everything.matchAll(/export ([a-z0-9-]+);/g)].map(([, name]) => ({ wit: name, js: camel(name) }));
  return { version, hooks };
}

function camel(name) {
  return name.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

async function tool(tools, name) {
  try {
    const found = createRequire(path.join(tools, "package.json")).resolve(name);
    const module = await import(pathToFileURL(found).href);
    return module.default ?? module;
  } catch (error) {
    throw new Refused(`${name} cannot be loaded from ${tools}: ${error.message.split("\n")[0]}. Install it with: npm install --no-save componentize-qjs@0.4.5 esbuild@0.28.2`);
  }
}

/** Which hooks the plugin has: the wanted ones, which the main file must export, else whatever it exports. */
async function hooksOf(esbuild, entry, contract, wanted) {
  const { metafile } = await run(esbuild, { entryPoints: [entry] }, contract);
  const { exports } = Object.values(metafile.outputs)[0];
  const found = `${entry} exports ${exports.join(", ") || "nothing"}`;
  const absent = contract.hooks.find((hook) => wanted?.includes(hook.wit) && !exports.includes(hook.js));
  if (absent) throw new Refused(`${found}; the hook ${absent.wit} is wanted, as: export const ${absent.js} = { … }`);
  const hooks = contract.hooks.filter((hook) => (wanted ? wanted.includes(hook.wit) : exports.includes(hook.js)));
  if (!hooks.some((hook) => hook.wit !== "lifecycle")) {
    const known = contract.hooks.map((hook) => hook.js).join(", ");
    throw new Refused(`${found}; at least one hook is needed: ${known}`);
  }
  return hooks;
}

/** The whole plugin as one text, and the interfaces of the contract that it imports. */
async function bundle(esbuild, entry, hooks, contract) {
  const lines = [`import * as plugin from ${JSON.stringify(entry)};`, 'import { adapt } from "midge/hooks";'];
  for (const { wit, js } of hooks) lines.push(`export const ${js} = adapt(${JSON.stringify(wit)}, plugin.${js});`);
  const stdin = { contents: lines.join("\n"), resolveDir: here, sourcefile: "hooks of the plugin", loader: "js" };
  const { metafile, outputFiles } = await run(esbuild, { stdin }, contract);
  const { imports } = Object.values(metafile.outputs)[0];
  const names = imports.filter((one) => one.external).map((one) => one.path.replace(/^midge:plugin\/|@.*$/g, ""));
  return { source: outputFiles[0].text, imports: [...new Set(names)].sort() };
}

async function run(esbuild, input, contract) {
  const interfaces = {
    name: "midge",
    setup(build) {
      // Without side effects: what of the contract is not used is not imported.
      build.onResolve({ filter: /^midge:plugin\// }, ({ path: name }) => ({
        path: name.includes("@") ? name : `${name}@${contract.version}`,
        external: true,
        sideEffects: false,
      }));
      build.onResolve({ filter: /^midge(\/hooks)?$/ }, ({ path: name }) => ({
        path: path.join(here, name === "midge" ? "midge.js" : "hooks.js"),
        sideEffects: false,
      }));
    },
  };
  try {
    return await esbuild.build({
      ...input,
      bundle: true,
      format: "esm",
      platform: "neutral",
      mainFields: ["module", "main"],
      target: "es2023",
      write: false,
      metafile: true,
      outdir: ".",
      plugins: [interfaces],
    });
  } catch {
    // esbuild has said what and where.
    throw new Refused("the plugin cannot be bundled");
  }
}

/** Calls `use` with a folder that holds the contract and the plugin's own world. */
async function withWorld(wit, contract, hooks, imports, use) {
  const folder = await mkdtemp(path.join(tmpdir(), "midge-"));
  try {
    const name = (one) => `midge:plugin/${one}@${contract.version};`;
    const world = [...imports.map((one) => `import ${name(one)}`), ...hooks.map((hook) => `export ${name(hook.wit)}`)];
    await cp(wit, path.join(folder, "deps/midge-plugin"), { recursive: true, filter: (file) => isContract(wit, file) });
    await writeFile(path.join(folder, "world.wit"), `package midge:local;\n\nworld plugin {\n  ${world.join("\n  ")}\n}\n`);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The folder and its WIT files, not the frozen tracks beneath. */
function isContract(wit, file) {
  return file === wit || (path.dirname(file) === wit && file.endsWith(".wit"));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Refused ? `error: ${error.message}` : error);
  process.exitCode = 1;
}
