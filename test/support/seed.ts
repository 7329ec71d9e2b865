import fc from 'fast-check';

/**
 * Property tests tell the same stories in every run, so that a red run is the change's doing. To look for new stories:
 * `SLIPSTREAM_TEST_SEED=random npm test`, or a seed that a failure printed.
 */
const seed = process.env['SLIPSTREAM_TEST_SEED'] ?? '20260101';
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });
