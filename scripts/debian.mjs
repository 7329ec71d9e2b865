/** Programs of Debian packages that tests and benchmarks talk to: installed where this user may (Debian, root). */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Debian asks this program whether a service may start; 101 means that it may not. */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

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

/** Of packages `{ name, program }` those that are missing, also after an attempt to install them. `purpose`: "for the …". */
export function missingPackages(packages, purpose) {
  const missing = () => packages.filter(({ program }) => !found(program));
  if (missing().length > 0 && process.getuid?.() === 0 && found('apt-get')) {
    const names = missing().map(({ name }) => name);
    console.error(`Installing Debian packages ${purpose}: ${names.join(' ')}…`);
    install(names);
  }
  return missing();
}
