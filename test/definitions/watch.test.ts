import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileWatch, fingerprintOf } from '../../src/definitions/watch.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipstream-watch-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Whether the change is seen in what these paths, below the folder, lead to. */
function notices(paths: string[], change: () => void): boolean {
  const below = paths.map((path) => join(folder, path));
  const before = fingerprintOf(below);
  expect(fingerprintOf(below)).toBe(before);
  change();
  return fingerprintOf(below) !== before;
}

test('a file that is written, replaced, removed or new is noticed', () => {
  const file = join(folder, 'a.yaml');
  writeFileSync(file, 'services: {}');
  const paths = ['*.yaml'];
  expect(notices(paths, () => writeFileSync(file, 'services: {}\n'))).toBe(true);
  // Same size and time, as `cp -p` and `rsync -t` leave them.
  const { atime, mtime } = statSync(file);
  expect(
    notices(paths, () => {
      writeFileSync(file, 'services: []\n');
      utimesSync(file, atime, mtime);
    }),
  ).toBe(true);
  expect(
    notices(paths, () => {
      writeFileSync(join(folder, 'a.tmp'), 'services: []\n');
      renameSync(join(folder, 'a.tmp'), file);
    }),
  ).toBe(true);
  expect(notices(paths, () => writeFileSync(join(folder, 'b.yaml'), ''))).toBe(true);
  expect(notices(paths, () => writeFileSync(join(folder, 'notes.txt'), ''))).toBe(false);
  expect(notices(paths, () => rmSync(file))).toBe(true);
});

test('a path that led nowhere is noticed when it is there', () => {
  expect(notices(['later/**/*.yaml'], () => mkdirSync(join(folder, 'later/team'), { recursive: true }))).toBe(false);
  expect(notices(['later/**/*.yaml'], () => writeFileSync(join(folder, 'later/team/a.yaml'), ''))).toBe(true);
  expect(notices(['b.yaml'], () => writeFileSync(join(folder, 'b.yaml'), ''))).toBe(true);
});

/** As Kubernetes mounts and updates a ConfigMap: `a.yaml -> ..data/a.yaml`, `..data -> ..2026_01_01`. */
test('the links of a ConfigMap are followed when they are swapped', () => {
  const version = (name: string, text: string) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'a.yaml'), text);
    symlinkSync(name, join(folder, '..tmp'));
    renameSync(join(folder, '..tmp'), join(folder, '..data'));
  };
  version('..2026_01_01', 'services: {}');
  symlinkSync('..data/a.yaml', join(folder, 'a.yaml'));
  for (const [i, path] of ['a.yaml', '*.yaml', '.'].entries()) {
    expect(
      notices([path], () => version(`..2026_01_0${i + 2}`, 'services: {}')),
      path,
    ).toBe(true);
  }
});

test('a change is told once, when nothing more changes', async () => {
  const file = join(folder, 'a.yaml');
  writeFileSync(file, '1');
  const files = { paths: [folder], seen: fingerprintOf([folder]) };
  let told = 0;
  const reread = async () => {
    files.seen = fingerprintOf(files.paths);
    told++;
    if (told === 1) throw new Error('the files are wrong');
  };
  const watch = new FileWatch(files, reread, 20);
  const seen = async (count: number) => {
    while (told < count) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(told).toBe(count);
  };
  writeFileSync(file, '2');
  await seen(1);
  writeFileSync(file, '3');
  await seen(2);
  watch.stop();
  writeFileSync(file, '4');
  await seen(2);
});
