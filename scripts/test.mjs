/**
 * `npm test`: all tests, with arguments passed through to Vitest.
 *
 * The end-to-end tests talk to a real Prometheus and a real Alertmanager. What is missing is installed if this user may (Debian, root);
 * otherwise those tests are skipped, and said to be. With SLIPSTREAM_E2E=required nothing may be skipped.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { prepare, root } from './prepare.mjs';

const PACKAGES = [
  { name: 'prometheus', program: 'prometheus' },
  { name: 'prometheus-alertmanager', program: 'prometheus-alertmanager' },
];
/** Debian asks this program whether a service may start; 101 means that it may not. */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

const required = process.env.SLIPSTREAM_E2E === 'required';

function found(program) {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program)));
}

function aptGet(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
}

function install(names) {
  const args = ['install', '--yes', '--no-install-recommends', ...names];
  const guard = !existsSync(SERVICE_POLICY);
  if (guard) writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    let result = aptGet(...args);
    if (result.status !== 0) {
      aptGet('update');
      result = aptGet(...args);
    }
    if (result.status !== 0) console.error(result.stderr);
  } finally {
    if (guard) rmSync(SERVICE_POLICY, { force: true });
  }
}

function providePeers() {
  const missing = () => PACKAGES.filter(({ program }) => !found(program));
  if (missing().length > 0 && process.getuid?.() === 0 && found('apt-get')) {
    const names = missing().map(({ name }) => name);
    console.error(`Installing Debian packages for the end-to-end tests: ${names.join(' ')}…`);
    install(names);
  }
  for (const { name, program } of missing()) {
    console.error(`\n*** ${program} is not installed: the end-to-end tests that need it will be SKIPPED.`);
    console.error(`*** Install it with: apt-get install ${name}\n`);
    if (required) process.exit(1);
  }
}

/** Tests below test/e2e that did not run. */
function skipped(report) {
  const files = JSON.parse(readFileSync(report, 'utf8')).testResults;
  return files
    .filter(({ name }) => name.includes(`${sep}e2e${sep}`))
    .flatMap(({ name, assertionResults }) =>
      assertionResults
        .filter(({ status }) => status !== 'passed' && status !== 'failed')
        .map(({ fullName }) => `${name.slice(root.length)}: ${fullName}`),
    );
}

prepare();
providePeers();
const folder = mkdtempSync(join(tmpdir(), 'slipstream-test-'));
const report = join(folder, 'report.json');
const reporters = required ? ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`] : [];
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', ...reporters, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
const notRun = required && existsSync(report) ? skipped(report) : [];
rmSync(folder, { recursive: true });
for (const test of notRun) console.error(`SKIPPED, but SLIPSTREAM_E2E=required: ${test}`);
process.exitCode = notRun.length > 0 ? 1 : (status ?? 1);
