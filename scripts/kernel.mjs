import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Compiles `assembly/` into `src/ingest/kernel-module.ts`, which is committed: to run or test needs no compiler. */

const target = process.argv[2] ?? 'src/ingest/kernel-module.ts';
const FLAGS = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd,bulk-memory'];
const MEMORY = ['--importMemory', '--initialMemory', '1', '--maximumMemory', '16384'];

const folder = mkdtempSync(join(tmpdir(), 'slipstream-kernel-'));
try {
  const file = join(folder, 'kernel.wasm');
  const compiler = join('node_modules', 'assemblyscript', 'bin', 'asc.js');
  execFileSync(process.execPath, [compiler, 'assembly/index.ts', '--outFile', file, ...FLAGS, ...MEMORY], {
    stdio: 'inherit',
  });
  const text = readFileSync(file)
    .toString('base64')
    .replaceAll(/.{1,100}/g, "  '$&' +\n");
  const comment = '/** Compiled from `assembly/` by `npm run build:kernel`. */';
  writeFileSync(target, `${comment}\nexport const KERNEL_MODULE =\n${text.replace(/ \+\n$/, ';\n')}`);
} finally {
  rmSync(folder, { recursive: true });
}
