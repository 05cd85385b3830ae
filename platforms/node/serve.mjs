// Serves a folder of built files: node serve.mjs FOLDER [--fallback]. With --compress it writes FILE.br and FILE.gz
// beside every file that becomes smaller by it, and ends; done at build time, it costs nothing per request.
import { createReadStream, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { extname, join, relative, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const TYPES = {
  ".avif": "image/avif", ".css": "text/css; charset=utf-8", ".csv": "text/csv; charset=utf-8", ".gif": "image/gif",
  ".htm": "text/html; charset=utf-8", ".html": "text/html; charset=utf-8", ".ico": "image/x-icon",
  ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8", ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".mp3": "audio/mpeg",
  ".mp4": "video/mp4", ".ogg": "audio/ogg", ".otf": "font/otf", ".pdf": "application/pdf", ".png": "image/png",
  ".rss": "application/rss+xml; charset=utf-8", ".svg": "image/svg+xml; charset=utf-8", ".ttf": "font/ttf",
  ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".webm": "video/webm",
  ".webmanifest": "application/manifest+json; charset=utf-8", ".webp": "image/webp", ".woff": "font/woff",
  ".woff2": "font/woff2", ".xml": "application/xml; charset=utf-8",
};
const COMPRESSIBLE = /text|json|javascript|xml|wasm|ttf|otf|icon/;
const CODED = [["br", ".br"], ["gzip", ".gz"]];
// A bundler's name with a hash in it never means other content: index-DiwrgTda.js, main.3f2a91bc.css, chunk-4ab0.
const HASHED = /[.-](?=[\w-]*\d|[\w-]*[A-Z][\w-]*[A-Z])[\w-]{8,}\.\w+(\.map)?$|^\/(_app\/immutable|_astro|_next\/static)\//;

const [folder, ...options] = process.argv.slice(2);
const root = resolve(folder);
const files = new Map();

for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  files.set("/" + relative(root, path), { path, size: statSync(path).size });
}

if (options.includes("--compress")) compress();
else serve();

function compress() {
  for (const [name, { path, size }] of files) {
    if (size < 1024 || !COMPRESSIBLE.test(TYPES[extname(name)] ?? "") || files.has(name + ".br")) continue;
    const content = readFileSync(path);
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: size };
    const made = [[".br", brotliCompressSync(content, { params })], [".gz", gzipSync(content, { level: 9 })]];
    for (const [ending, packed] of made) if (packed.length < size * 0.95) writeFileSync(path + ending, packed);
  }
}

function serve() {
  const server = createServer(answer);
  server.listen(Number(process.env.PORT ?? 8080), "0.0.0.0");
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
    });
  }
}

function answer(request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  const [path, query] = request.url.split(/\?(.*)/s);
  let name;
  try {
    name = decodeURIComponent(path);
  } catch {
    response.writeHead(400).end();
    return;
  }
  const found = [name, name + ".html", join(name, "index.html")].find((one) => files.has(one));
  if (found?.endsWith("/index.html") && !name.endsWith("/") && found !== name) {
    const location = ("/" + path.replace(/^\/+/, "")) + "/" + (query ? "?" + query : "");
    response.writeHead(308, { location }).end();
  } else if (found) send(request, response, 200, found);
  // What looks like a file is none: a page in place of a missing script is harder to find than a 404.
  else if (options.includes("--fallback") && !/\.\w{1,8}$/.test(name)) send(request, response, 200, "/index.html");
  else if (files.has("/404.html")) send(request, response, 404, "/404.html");
  else response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("Not found\n");
}

function send(request, response, status, name) {
  const accepted = String(request.headers["accept-encoding"] ?? "").split(/\s*,\s*/);
  const type = TYPES[extname(name)] ?? "application/octet-stream";
  const coded = CODED.find(([coding, ending]) => accepted.some((one) => one.split(";")[0] === coding) && files.has(name + ending));
  const file = files.get(coded ? name + coded[1] : name);
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  file.etag ??= `"${createHash("sha256").update(readFileSync(file.path)).digest("base64url").slice(0, 22)}"`;
  const headers = {
    "content-type": type,
    "cache-control": status === 200 && HASHED.test(name) ? "public, max-age=31536000, immutable" : "no-cache",
    etag: file.etag,
    "x-content-type-options": "nosniff",
  };
  if (CODED.some(([, ending]) => files.has(name + ending))) headers.vary = "accept-encoding";
  if (coded) headers["content-encoding"] = coded[0];
  if (status === 200 && request.headers["if-none-match"] === file.etag) {
    response.writeHead(304, headers).end();
    return;
  }
  const range = status === 200 && !coded && part(request.headers.range, file.size);
  headers["accept-ranges"] = "bytes";
  if (range) {
    headers["content-range"] = `bytes ${range.start}-${range.end}/${file.size}`;
    status = 206;
  }
  headers["content-length"] = range ? range.end - range.start + 1 : file.size;
  response.writeHead(status, headers);
  if (request.method === "HEAD" || file.size === 0) response.end();
  else createReadStream(file.path, range || {}).on("error", () => response.destroy()).pipe(response);
}

// The one range that players of sound and video ask for; anything else gets the whole file, as HTTP allows.
function part(header, size) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (!first && !last) return null;
  const start = first ? Number(first) : Math.max(0, size - Number(last));
  const end = first && last ? Math.min(Number(last), size - 1) : size - 1;
  return start <= end ? { start, end } : null;
}
