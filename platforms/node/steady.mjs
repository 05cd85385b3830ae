// Makes two builds of Next.js the same: node steady.mjs FOLDER BUILD_ID SECRET [EXPORTED]. Next.js draws the name of a
// build and the keys of its preview mode at random; they are replaced by ones of the same length, made of the arguments.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [folder, build, secret, ...exported] = process.argv.slice(2);
const replaced = [];

if (folder === "--key") {
  // The key of server actions: only those with the lock file can make it again.
  console.log(createHash("sha256").update(`server actions ${readFileSync(build, "utf8")}`).digest("base64"));
  process.exit();
}

const id = readFileSync(join(folder, "BUILD_ID"), "utf8").trim();
// Only what looks drawn: a name that the app chose stays.
if (build && /^[\w-]{21}$/.test(id)) replaced.push([id, build.slice(0, 21)]);
const manifest = join(folder, "prerender-manifest.json");
const keys = existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).preview : {};
for (const [name, value] of Object.entries(keys ?? {})) {
  const made = createHash("sha256").update(`${name} ${secret}`).digest("hex");
  if (/^[0-9a-f]{32,64}$/.test(value)) replaced.push([value, made.slice(0, value.length)]);
}
for (const each of [folder, ...exported]) walk(each);

function walk(path) {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const found = join(path, entry.name);
    if (entry.isDirectory() && entry.name !== "cache" && entry.name !== "node_modules") walk(found);
    else if (entry.isFile()) rewrite(found);
    const name = replaced.reduce((text, [from, to]) => text.replaceAll(from, to), entry.name);
    if (name !== entry.name) renameSync(found, join(path, name));
  }
}

function rewrite(path) {
  const before = readFileSync(path, "latin1");
  const after = replaced.reduce((text, [from, to]) => text.replaceAll(from, to), before);
  if (after !== before) writeFileSync(path, after, "latin1");
}
