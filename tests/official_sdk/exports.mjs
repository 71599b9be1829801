// Every public name of a package, as users write it: `task`, `runs.list`, `runs.bulk.cancel`.
const names = [];
function walk(prefix, value, depth) {
  const isOne = typeof value !== "object" || value === null || "$$typeof" in value;
  if (isOne || depth > 2) return names.push(prefix);
  const own = new Set();
  for (let each = value; each && each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    for (const name of Object.getOwnPropertyNames(each)) if (name !== "constructor") own.add(name);
  }
  for (const name of own) walk(`${prefix}.${name}`, value[name], depth + 1);
}
for (const [name, value] of Object.entries(await import(process.argv[2]))) walk(name, value, 0);
console.log(JSON.stringify(names));
