// Writes contract.d.ts: the contract as TypeScript sees it, with its documentation.
//
//   node types.mjs [--wit DIR] [--out FILE] [--check]
//
// With --check nothing is written, and the exit status says whether the file is what the contract says.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = path.dirname(fileURLToPath(import.meta.url));

function main() {
  const { values } = parseArgs({
    options: { wit: { type: "string" }, out: { type: "string" }, check: { type: "boolean" } },
  });
  const wit = values.wit ?? path.join(here, "../../wit");
  const out = values.out ?? path.join(here, "contract.d.ts");
  const files = readdirSync(wit).filter((name) => name.endsWith(".wit") && name !== "worlds.wit");
  const interfaces = files.sort().flatMap((name) => new Parser(name, readFileSync(path.join(wit, name), "utf8")).file());
  const made = `${HEAD}\n${interfaces.map(moduleOf).join("\n")}`;
  if (!values.check) return writeFileSync(out, made);
  if (readFileSync(out, "utf8") !== made) {
    console.error(`error: ${out} is not what ${wit} says. Write it again with: node plugin-sdk/js/types.mjs`);
    process.exitCode = 1;
  }
}

const HEAD = `\
// Midge's contract as TypeScript sees it. Written by types.mjs from the WIT files; do not edit. It is one long file so that one
// reference gives a plugin, and an editor, all modules of the contract; whoever changes it changes the short ones it comes from.
`;

/** Reads the part of WIT that the contract is written in. */
class Parser {
  constructor(file, text) {
    this.file_ = file;
    this.tokens = [...text.matchAll(/\/\/\/ ?(?<doc>.*)|\/\/.*|(?<word>%?[a-z][a-z0-9-]*|->|[0-9.]+|[^\s])/g)]
      .map(({ groups }) => groups)
      .filter(({ doc, word }) => doc !== undefined || word !== undefined);
    this.at = 0;
  }
  file() {
    const interfaces = [];
    while (this.at < this.tokens.length) {
      const docs = this.docs();
      const word = this.word();
      if (word === "package") this.skip(";");
      else if (word === "interface") interfaces.push({ docs, name: this.word(), items: this.items() });
      else this.fail(word);
    }
    return interfaces;
  }
  items() {
    this.expect("{");
    return this.until("}", (docs) => {
      const name = this.word();
      if (name === "use") return this.use();
      if (this.peek() === ":") return this.function(docs, name);
      if (name === "type") return { docs, kind: name, name: this.word(), type: this.aliased() };
      const item = { docs, kind: name, name: this.word() };
      if (name === "record") item.fields = this.block((field) => (this.expect(":"), { ...field, type: this.type() }));
      else if (name === "variant") item.cases = this.block((one) => ({ ...one, type: this.payload() }));
      else if (name === "enum" || name === "flags") item.cases = this.block((one) => one);
      else if (name === "resource") item.functions = this.resource();
      else this.fail(name);
      return item;
    });
  }
  use() {
    const from = this.word();
    this.expect(".");
    this.expect("{");
    const names = [];
    while (this.peek() !== "}") names.push(this.word()), this.peek() === "," && this.word();
    this.skip(";");
    return { kind: "use", from, names };
  }
  resource() {
    if (this.peek() === ";") return this.word(), [];
    this.expect("{");
    return this.until("}", (docs) => this.function(docs, this.word()));
  }
  function(docs, name) {
    this.expect(":");
    this.expect("func");
    this.expect("(");
    const params = [];
    while (this.peek() !== ")") {
      const param = { name: this.word() };
      this.expect(":");
      params.push({ ...param, type: this.type() });
      if (this.peek() === ",") this.word();
    }
    this.expect(")");
    const result = this.peek() === "->" ? (this.word(), this.type()) : undefined;
    this.expect(";");
    return { docs, kind: "func", name, params, result };
  }
  block(read) {
    this.expect("{");
    return this.until("}", (docs) => {
      const one = read({ docs, name: this.word() });
      if (this.peek() === ",") this.word();
      return one;
    });
  }
  until(end, read) {
    const all = [];
    for (;;) {
      const docs = this.docs();
      if (this.peek() === end) return this.word(), all;
      all.push(read(docs));
    }
  }
  payload() {
    if (this.peek() !== "(") return undefined;
    this.expect("(");
    const type = this.type();
    this.expect(")");
    return type;
  }
  aliased() {
    this.expect("=");
    const type = this.type();
    this.expect(";");
    return type;
  }
  type() {
    const name = this.word();
    if (this.peek() !== "<") return { name, of: [] };
    this.expect("<");
    const of = [];
    while (this.peek() !== ">") of.push(this.type()), this.peek() === "," && this.word();
    this.expect(">");
    return { name, of };
  }
  /** The lines of documentation here, and no attribute such as @since. */
  docs() {
    const lines = [];
    for (;;) {
      const token = this.tokens[this.at];
      if (token?.doc !== undefined) lines.push(token.doc);
      else if (token?.word === "@") this.at = this.tokens.findIndex((one, index) => index > this.at && one.word === ")");
      else return lines;
      this.at += 1;
    }
  }
  peek() {
    return this.tokens[this.at]?.word;
  }
  word() {
    const word = this.tokens[this.at++]?.word ?? this.fail("the end");
    return word.replace(/^%/, "");
  }
  expect(word) {
    const found = this.word();
    if (found !== word) this.fail(found);
  }
  skip(word) {
    while (this.word() !== word);
  }
  fail(found) {
    const around = this.tokens.slice(Math.max(0, this.at - 8), this.at + 1).map(({ word }) => word).join(" ");
    throw new Error(`${this.file_}: ${found} is not understood, after "${around}"`);
  }
}

function moduleOf({ docs, name, items }) {
  const imports = items
    .filter(({ kind }) => kind === "use")
    .map(({ from, names }) => `  import type { ${names.map(pascal).join(", ")} } from "midge:plugin/${from}";\n`);
  const own = items.filter(({ kind }) => kind !== "use").map((item) => comment(item.docs, "  ") + ITEMS[item.kind](item));
  return `${comment(docs, "")}declare module "midge:plugin/${name}" {\n${imports.join("")}${own.join("")}}\n`;
}

const ITEMS = {
  type: ({ name, type }) => `  export type ${pascal(name)} = ${typescript(type)};\n`,
  enum: ({ name, cases }) => `  export type ${pascal(name)} =${cases.map(({ name, docs }) => `\n${comment(docs, "    ")}    | "${name}"`).join("")};\n`,
  flags: ({ name, cases }) => `  export interface ${pascal(name)} {\n${cases.map(({ name, docs }) => `${comment(docs, "    ")}    ${camel(name)}?: boolean;\n`).join("")}  }\n`,
  record: ({ name, fields }) => `  export interface ${pascal(name)} {\n${fields.map(field).join("")}  }\n`,
  variant: ({ name, cases }) => `  export type ${pascal(name)} =${cases.map(variantCase).join("")};\n`,
  resource: ({ name, functions }) => `  export interface ${pascal(name)} {\n${functions.map((one) => `${comment(one.docs, "    ")}    ${signature(one)};\n`).join("")}  }\n`,
  func: (one) =>
    RESERVED.includes(one.name)
      ? `  function ${signature({ ...one, name: `${one.name}-it` })};\n  export { ${one.name}It as ${one.name} };\n`
      : `  export function ${signature(one)};\n`,
};

/** Words that no function of JavaScript may be called. */
const RESERVED = ["delete", "new", "in", "with", "import", "export", "default"];

/** None may be given as null, and may be left out where the plugin makes the record. */
const field = ({ name, type, docs }) =>
  `${comment(docs, "    ")}    ${camel(name)}${type.name === "option" ? "?" : ""}: ${typescript(type)};\n`;

const variantCase = ({ name, type, docs }) =>
  `\n${comment(docs, "    ")}    | { tag: "${name}"${type ? `; val: ${typescript(type)}` : ""} }`;

function signature({ name, params, result }) {
  const given = params.map((one) => `${camel(one.name)}: ${typescript(one.type)}`).join(", ");
  return `${camel(name)}(${given}): ${result ? typescript(result) : "void"}`;
}

function typescript({ name, of }) {
  switch (name) {
    case "bool":
      return "boolean";
    case "string":
    case "char":
      return "string";
    case "list":
      return of[0].name === "u8" ? "Uint8Array" : `Array<${typescript(of[0])}>`;
    case "option":
      return `${typescript(of[0])} | null`;
    // What is an error in WIT is thrown in JavaScript.
    case "result":
      return of.length === 0 || of[0].name === "_" ? "void" : typescript(of[0]);
    case "tuple":
      return `[${of.map(typescript).join(", ")}]`;
    case "borrow":
    case "own":
      return typescript(of[0]);
    default:
      return /^(u|s|f)(8|16|32|64)$/.test(name) ? "number" : pascal(name);
  }
}

function comment(docs, indent) {
  if (docs.length === 0) return "";
  if (docs.length === 1) return `${indent}/** ${docs[0]} */\n`;
  return `${indent}/**\n${docs.map((line) => `${indent} * ${line}`.trimEnd() + "\n").join("")}${indent} */\n`;
}

const camel = (name) => name.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel(`-${name}`);

main();
