/** `npm run check`: everything that must hold before a change is merged. */
import { join } from 'node:path';
import { prepare, root, run, runModule } from './prepare.mjs';

prepare();
console.error('\n== format and lint');
run(process.execPath, [join(root, 'node_modules/@biomejs/biome/bin/biome'), 'check', '.']);
console.error('\n== types');
runModule('typescript/bin/tsc', ['-p', 'tsconfig.test.json']);
console.error('\n== tests');
run(process.execPath, [join(root, 'scripts/test.mjs')]);
console.error('\n== benchmarks, smoke size');
run(process.execPath, [join(root, 'scripts/bench.mjs'), '--smoke']);
