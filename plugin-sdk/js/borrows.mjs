// Gives lent handles back in time.
//
// What the broker lends a plugin for a call (`connect`) must be given back before the call returns. componentize-qjs 0.4.5 does so
// afterwards, when the answer has been read, and the call traps. The glue between the contract and QuickJS is a small core module of its
// own, so that this can be mended from outside: every exported function that is lent something is wrapped in one that gives it
// back, and the glue's own attempt to do so comes to nothing. Whatever looks different from what 0.4.5 makes is an error.

/** The component with its glue mended; `component` itself if nothing is lent to any of its functions. */
export function returnBorrows(component) {
  return rewrite(component) ?? component;
}

/** A component or module with its insides rewritten; undefined if nothing in it changes. */
function rewrite(bytes) {
  const isComponent = bytes[6] === 1;
  const sections = readSections(bytes);
  if (!isComponent) return isGlue(sections) ? rewriteGlue(sections, bytes.subarray(0, 8)) : undefined;
  let changed = false;
  for (const section of sections) {
    if (section.id !== CORE_MODULE && section.id !== COMPONENT) continue;
    const inside = rewrite(section.body);
    if (inside) [section.body, changed] = [inside, true];
  }
  return changed ? writeSections(sections, bytes.subarray(0, 8)) : undefined;
}

function isGlue(sections) {
  const imports = sections.find((section) => section.id === IMPORT);
  return imports !== undefined && readImports(imports.body).some(({ name }) => name === PUSH_BORROW);
}

function rewriteGlue(sections, header) {
  const section = (id) => sections.find((one) => one.id === id) ?? unknown(`section ${id}`);
  const imported = readImports(section(IMPORT).body).filter(({ kind }) => kind === FUNCTION_KIND);
  const push = imported.findIndex(({ name }) => name === PUSH_BORROW);
  const drop = imported.findIndex(({ name }) => name === DROP_LENT);
  const types = readTypes(section(TYPE).body);
  const functions = readVector(section(FUNCTION).body, (reader) => reader.u32());
  const bodies = readVector(section(CODE).body, (reader) => reader.bytes());
  const exported = readVector(section(EXPORT).body, readExport);
  let next = imported.length + functions.length;

  let wrapped = 0;
  for (const one of exported) {
    if (one.kind !== FUNCTION_KIND || !one.name.includes("#") || one.name.startsWith("cabi_post_")) continue;
    const lent = findLent(bodies[one.index - imported.length] ?? unknown(one.name), push);
    if (lent.length === 0) continue;
    if (drop < 0) unknown("a lent thing that cannot be given back");
    const type = functions[one.index - imported.length];
    functions.push(type);
    bodies.push(wrapper(one.index, types[type], lent, drop));
    one.index = next++;
    wrapped += 1;
  }
  if (wrapped === 0) return undefined;

  functions.push(imported[drop].type);
  bodies.push([0, END]);
  section(ELEMENT).body = replaceElement(section(ELEMENT).body, drop, next);
  section(FUNCTION).body = writeVector(functions, (type) => u32(type));
  section(CODE).body = writeVector(bodies, (body) => [...u32(body.length), ...body]);
  section(EXPORT).body = writeVector(exported, ({ name, kind, index }) => [...text(name), kind, ...u32(index)]);
  return writeSections(sections, header);
}

/** Where a function gets the handles it is lent: a parameter of its own, or a place in memory that one points to. */
function findLent(body, push) {
  const call = [CALL, ...u32(push)];
  const lent = [];
  for (let at = 0; at + call.length <= body.length; at += 1) {
    if (!call.every((byte, index) => body[at + index] === byte)) continue;
    // `local.get N`, or `local.get N; i32.load align=4 offset=K`, right before the call.
    const found = [...PARAMETERS.map((n) => ({ parameter: n, code: [LOCAL_GET, n] })), ...loads(body, at)];
    const source = found.find(({ code }) => code.every((byte, index) => body[at - code.length + index] === byte));
    lent.push(source ?? unknown("where a handle comes from"));
  }
  return lent;
}

function loads(body, end) {
  for (let length = 1; length <= 5; length += 1) {
    const at = end - length - 2;
    if (body[at] === I32_LOAD && body[at + 1] === 2) {
      return PARAMETERS.map((n) => ({ parameter: n, code: [LOCAL_GET, n, ...body.slice(at, end)] }));
    }
  }
  return [];
}

/** Calls a function as it was called, then gives back what it was lent. */
function wrapper(target, { params }, lent, drop) {
  const first = params;
  const code = [1, ...u32(lent.length), I32];
  // Taken before the call, which frees the memory that parameters lie in.
  lent.forEach(({ code: source }, index) => code.push(...source, LOCAL_SET, ...u32(first + index)));
  for (let n = 0; n < params; n += 1) code.push(LOCAL_GET, ...u32(n));
  code.push(CALL, ...u32(target));
  lent.forEach((_, index) => code.push(LOCAL_GET, ...u32(first + index), CALL, ...u32(drop)));
  return [...code, END];
}

/** The one element segment with a function replaced by another. */
function replaceElement(body, from, to) {
  const reader = new Reader(body);
  // One segment, active in table 0, of functions.
  if (reader.u32() !== 1 || reader.u32() !== 2 || reader.u32() !== 0) unknown("an element section");
  while (reader.byte() !== END);
  if (reader.byte() !== 0) unknown("elements");
  const head = body.subarray(0, reader.at);
  const functions = Array.from({ length: reader.u32() }, () => reader.u32());
  if (!functions.includes(from)) unknown("a table without the function that gives back");
  const replaced = functions.map((index) => (index === from ? to : index));
  return Uint8Array.from([...head, ...u32(replaced.length), ...replaced.flatMap(u32)]);
}

class Reader {
  constructor(bytes) {
    this.source = bytes;
    this.at = 0;
  }
  byte() {
    if (this.at >= this.source.length) unknown("an end");
    return this.source[this.at++];
  }
  u32() {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
      shift += 7;
    }
  }
  bytes() {
    const length = this.u32();
    this.at += length;
    return this.source.subarray(this.at - length, this.at);
  }
  name() {
    return Buffer.from(this.bytes()).toString("utf8");
  }
  limits() {
    const flags = this.byte();
    this.u32();
    if (flags & 1) this.u32();
  }
}

function readSections(bytes) {
  const reader = new Reader(bytes);
  reader.at = 8;
  const sections = [];
  while (reader.at < bytes.length) sections.push({ id: reader.byte(), body: reader.bytes() });
  return sections;
}

function readVector(body, read) {
  const reader = new Reader(body);
  return Array.from({ length: reader.u32() }, () => read(reader));
}

const readImports = (body) =>
  readVector(body, (reader) => {
    reader.name();
    const [name, kind] = [reader.name(), reader.byte()];
    if (kind === FUNCTION_KIND) return { name, kind, type: reader.u32() };
    if (kind === 1) reader.byte();
    if (kind === 1 || kind === 2) reader.limits();
    else if (kind === 3) reader.at += 2;
    else unknown(`an import of kind ${kind}`);
    return { name, kind };
  });

const readTypes = (body) =>
  readVector(body, (reader) => {
    if (reader.byte() !== 0x60) unknown("a type");
    return { params: reader.bytes().length, results: reader.bytes().length };
  });

const readExport = (reader) => ({ name: reader.name(), kind: reader.byte(), index: reader.u32() });

function writeSections(sections, header) {
  return Buffer.concat([header, ...sections.flatMap(({ id, body }) => [Uint8Array.from([id, ...u32(body.length)]), body])]);
}

const writeVector = (items, write) => Uint8Array.from([...u32(items.length), ...items.flatMap((item) => [...write(item)])]);

function u32(value) {
  const out = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...out, rest];
    out.push((rest % 128) | 0x80);
  }
}

const text = (string) => [...u32(Buffer.byteLength(string)), ...Buffer.from(string)];

function unknown(what) {
  throw new Error(`componentize-qjs made ${what} that this SDK does not know; it knows version 0.4.5`);
}

const PUSH_BORROW = "wit_dylib_push_borrow";
/** The one kind of thing that the contract lends. What a plugin owns, such as a TCP connection, it drops as ever. */
const DROP_LENT = "[resource-drop]connect";
const FUNCTION_KIND = 0;
const [CORE_MODULE, COMPONENT] = [1, 4];
const [TYPE, IMPORT, FUNCTION, EXPORT, ELEMENT, CODE] = [1, 2, 3, 7, 9, 10];
const [END, CALL, LOCAL_GET, LOCAL_SET, I32_LOAD, I32] = [0x0b, 0x10, 0x20, 0x21, 0x28, 0x7f];
/** A function has at most 16 parameters; beyond that there is one, which points to the rest. */
const PARAMETERS = Array.from({ length: 16 }, (_, n) => n);
