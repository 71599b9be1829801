// Runs scripts against the official SDK, one a line: {"id", "url", "key", "script", "args"}.
// A script is the body of an async function of `sdk`, `args` and `shared`, which outlives it. Its answer is a line too.
// Started with `hooks` it also gives them `watch`: see hooks.mjs.
import { createInterface } from "node:readline";
import * as sdk from "@trigger.dev/sdk";

const AsyncFunction = (async () => {}).constructor;
const shared = {};
const { watch } = process.argv[2] === "hooks" ? await import("./hooks.mjs") : {};
// What the SDK has to say goes to a log, because standard output is for answers.
console.log = console.info = console.debug = console.warn = console.error;

function told(error) {
  const fields = ["status", "code", "param", "type", "error", "body", "cause", "phase", "batchId"];
  const found = Object.fromEntries(fields.filter((name) => error?.[name] !== undefined).map((name) => [name, error[name]]));
  return { class: error?.constructor?.name, name: error?.name, message: String(error?.message ?? error), ...found };
}

function plain(_name, value) {
  return typeof value === "bigint" ? { $bigint: String(value) } : value;
}

// Dates are told apart from text, which JSON.stringify alone would not do.
function marked(value) {
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof Date) return { $date: value.toISOString() };
  if (value instanceof Map) return { $map: [...value].map(marked) };
  if (Array.isArray(value)) return value.map(marked);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, marked(each)]));
  }
  return value;
}

async function answer({ id, url, key, script, args }) {
  let result;
  try {
    const run = new AsyncFunction("sdk", "args", "shared", "watch", script);
    const value = await sdk.auth.withAuth({ baseURL: url, accessToken: key }, () => run(sdk, args, shared, watch?.bind(null, { url, key })));
    result = { id, value: marked(value ?? null) };
  } catch (error) {
    result = { id, thrown: marked(told(error)) };
  }
  process.stdout.write(JSON.stringify(result, plain) + "\n");
}

for await (const line of createInterface({ input: process.stdin })) {
  void answer(JSON.parse(line));
}
