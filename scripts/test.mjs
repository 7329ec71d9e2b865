/**
 * `npm test`: all tests, with arguments passed through to Vitest.
 *
 * The end-to-end tests talk to a real Prometheus and a real Alertmanager. What is missing is installed if this user may (Debian, root);
 * otherwise those tests are skipped, and said to be. With SLIPSTREAM_E2E=required nothing may be skipped.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { missingPackages } from './debian.mjs';
import { prepare, root } from './prepare.mjs';

const PACKAGES = [
  { name: 'prometheus', program: 'prometheus' },
  { name: 'prometheus-alertmanager', program: 'prometheus-alertmanager' },
];
const required = process.env.SLIPSTREAM_E2E === 'required';

function providePeers() {
  for (const { name, program } of missingPackages(PACKAGES, 'for the end-to-end tests')) {
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
