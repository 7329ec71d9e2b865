/** Makes the tree ready to run: dependencies as locked, `dist` built from the present sources. Instant when in place. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const LOCK = join(root, 'package-lock.json');
/** npm writes this file at the end of every install. */
const INSTALLED = join(root, 'node_modules/.package-lock.json');
const DIST = join(root, 'dist');
const STAMP = join(DIST, '.stamp');

/** Runs a program in the project's root; ends this process when it fails. */
export function run(program, args, options = {}) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options });
  if (error !== undefined) {
    console.error(`${program}: ${error.message}`);
    process.exit(1);
  }
  if (status !== 0) process.exit(status ?? 1);
}

/** Runs one of the dependencies' programs with this Node. */
export function runModule(path, args, options = {}) {
  run(process.execPath, [join(root, 'node_modules', path), ...args], options);
}

/** The files below `folder` whose names end in `ending`. */
export function filesBelow(folder, ending) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
    .sort();
}

function install() {
  if (existsSync(INSTALLED) && statSync(INSTALLED).mtimeMs >= statSync(LOCK).mtimeMs) return;
  console.error('Installing dependencies (npm ci)…');
  run('npm', ['ci', '--no-audit', '--no-fund'], { stdio: ['ignore', 2, 2] });
}

/** A hash of everything the build depends on: any changed, added or removed file changes it. */
function sourcesHash() {
  const files = [join(root, 'tsconfig.json'), LOCK];
  for (const folder of ['src', 'bench']) files.push(...filesBelow(join(root, folder), '.ts'));
  const hash = createHash('sha256');
  for (const file of files) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

/** Removes what was built from sources that are gone. */
function prune() {
  for (const built of filesBelow(DIST, '.js')) {
    const source = join(root, built.slice(DIST.length).replace(/\.js$/, '.ts'));
    if (!existsSync(source)) for (const file of [built, `${built}.map`]) rmSync(file, { force: true });
  }
}

function build() {
  const hash = sourcesHash();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) return;
  console.error('Building…');
  runModule('typescript/bin/tsc', ['-p', 'tsconfig.json'], { stdio: ['ignore', 2, 2] });
  prune();
  writeFileSync(STAMP, hash);
}

export function prepare() {
  install();
  build();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) prepare();
