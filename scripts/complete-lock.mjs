#!/usr/bin/env node
/**
 * Completes package-lock.json after `npm install`. npm leaves an optional package out of the file when its registry does not carry it (a mirror
 * without the other platforms' builds, say), and `npm ci` then refuses the whole file, on every machine. This adds those packages with version
 * and platform, which is all that npm needs to pass over them on the others. Run by whoever changes the dependencies; a test tells when it was
 * forgotten.
 *
 * usage: node scripts/complete-lock.mjs
 */
import { readFileSync, writeFileSync } from "node:fs";

const FILE = new URL("../package-lock.json", import.meta.url);
const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const PROCESSORS = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];
const C_LIBRARIES = new Map([
  ["gnu", "glibc"],
  ["gnueabihf", "glibc"],
  ["musl", "musl"],
  ["musleabihf", "musl"],
]);

const lock = JSON.parse(readFileSync(FILE, "utf8"));
const added = {};
for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  if (path === "") continue;
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (`${path}/node_modules/${name}` in lock.packages || `node_modules/${name}` in lock.packages) continue;
    added[`node_modules/${name}`] = {
      version: exact(name, version),
      ...platformOf(name),
      ...(dev ? { dev } : {}),
      optional: true,
    };
  }
}
lock.packages = Object.fromEntries(Object.entries({ ...lock.packages, ...added }).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(added).length} added`);

/** Which of several versions would be meant by a range only the registry knows, and it does not have the package. */
function exact(name, version) {
  if (/^\d+\.\d+\.\d+[\w.+-]*$/.test(version)) return version;
  throw new Error(`${name} is asked for as ${version}: add its entry to package-lock.json by hand`);
}

/** Builds for one platform say so in their names: @oxc-parser/binding-linux-x64-musl. */
function platformOf(name) {
  const words = name.split(/[-/]/);
  const os = words.filter((word) => SYSTEMS.includes(word));
  const cpu = words.filter((word) => PROCESSORS.includes(word));
  if (os.length !== 1 || cpu.length !== 1)
    throw new Error(`${name} does not say its platform: add its entry to package-lock.json by hand`);
  const libc = words.flatMap((word) => C_LIBRARIES.get(word) ?? []);
  return { cpu, os, ...(libc.length > 0 ? { libc } : {}) };
}
