/**
 * `npm run bench:compare -- REF [NAME…] [--repeat 5] [--max-ratio 1.15] [--smoke]`: this tree against a revision.
 *
 * Both are built, and their benchmarks take turns in one run, so that a noisy minute falls on both alike. Printed is the CPU time
 * of this tree over that of the revision: the median of the pairs, and their spread. Above `--max-ratio` it exits 1.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { programOf } from './benchmarks.mjs';
import { prepare, root, run } from './prepare.mjs';

const DEFAULT_NAMES = ['decode', 'micro', 'pipeline'];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    repeat: { type: 'string', default: '5' },
    'max-ratio': { type: 'string', default: '1.15' },
    smoke: { type: 'boolean', default: false },
  },
});
const [ref, ...wanted] = positionals;
const repeat = Number(flags.repeat);
const maxRatio = Number(flags['max-ratio']);
if (ref === undefined || !Number.isInteger(repeat) || repeat < 1 || !(maxRatio > 0)) {
  console.error('usage: npm run bench:compare -- REF [NAME…] [--repeat 5] [--max-ratio 1.15] [--smoke]');
  process.exit(2);
}

function git(...args) {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  console.error(stderr.trim());
  process.exit(2);
}

/** A built tree of the revision. */
function checkOut(folder) {
  git('worktree', 'add', '--detach', folder, ref);
  const lock = (tree) => readFileSync(join(tree, 'package-lock.json'), 'utf8');
  if (lock(folder) === lock(root)) symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  else run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 2, 2] });
  const compiler = join(folder, 'node_modules/typescript/bin/tsc');
  run(process.execPath, [compiler, '-p', 'tsconfig.json'], { cwd: folder, stdio: ['ignore', 2, 2] });
}

/** Measurements of one run of a benchmark, by name. */
function measure(tree, name) {
  const args = ['--expose-gc', programOf(tree, name), '--json', ...(flags.smoke ? ['--smoke'] : [])];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: tree, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} failed in ${tree}: ${stderr}`);
  return new Map((JSON.parse(stdout).measurements ?? []).map((measurement) => [measurement.name, measurement]));
}

const median = (sorted) => sorted[sorted.length >> 1];

/** One line a measurement; whether one of them is too slow. */
function compare(base, name) {
  const pairs = [];
  for (let i = 0; i < repeat; i++) {
    // A B, B A: what drifts over the run falls on both as well.
    const first = measure(i % 2 === 0 ? base : root, name);
    const second = measure(i % 2 === 0 ? root : base, name);
    pairs.push(i % 2 === 0 ? { base: first, head: second } : { base: second, head: first });
  }
  let isTooSlow = false;
  for (const [each, { hash }] of pairs[0].head) {
    const before = pairs[0].base.get(each);
    if (before === undefined) {
      console.log(`  ${each}: not in ${ref}`);
      continue;
    }
    // The fastest repetition is the one that the neighbours disturbed least.
    const ratios = pairs.map((pair) => pair.head.get(each).minNs / pair.base.get(each).minNs).sort((a, b) => a - b);
    const fastest = (side) => Math.min(...pairs.map((pair) => pair[side].get(each).minNs));
    const ratio = median(ratios);
    const isSameWork = before.hash === hash;
    const isSlow = isSameWork && ratio > maxRatio;
    isTooSlow ||= isSlow;
    const times = `${fastest('base').toFixed(1)} -> ${fastest('head').toFixed(1)} ns`;
    const spread = `${ratio.toFixed(2)} [${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)}]`;
    const remark = isSlow ? `  SLOWER than ${maxRatio}` : isSameWork ? '' : '  other work: its results differ';
    console.log(`  ${each.padEnd(40)} ${times.padStart(28)}   ratio ${spread}${remark}`);
  }
  return isTooSlow;
}

prepare();
const folder = mkdtempSync(join(tmpdir(), 'slipstream-compare-'));
const base = join(folder, 'base');
try {
  checkOut(base);
  console.log(`this tree over ${ref} (${git('rev-parse', '--short', ref)}), ${repeat} pairs`);
  for (const name of wanted.length > 0 ? wanted : DEFAULT_NAMES) {
    if (!existsSync(programOf(root, name)) || !existsSync(programOf(base, name))) {
      console.log(`${name}: not in both trees`);
      continue;
    }
    console.log(name);
    if (compare(base, name)) process.exitCode = 1;
  }
} finally {
  spawnSync('git', ['worktree', 'remove', '--force', base], { cwd: root });
  rmSync(folder, { recursive: true, force: true });
}
