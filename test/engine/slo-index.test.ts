import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labelSet } from '../../src/engine/label-set.ts';
import type { Matcher, Slo } from '../../src/engine/slo.ts';
import { IN_TOTAL, matches, SloIndex } from '../../src/engine/slo-index.ts';
import { anSlo, counter } from '../support/slo.ts';

const VALUES = ['', 'a', 'b', 'ab'] as const;

const MATCHER: fc.Arbitrary<Matcher> = fc
  .record({
    name: fc.constantFrom('__name__', 'job', 'code'),
    op: fc.constantFrom<Matcher['op']>('=', '!=', '=~', '!~'),
    value: fc.constantFrom(...VALUES),
  })
  .map(({ name, op, value }) => {
    const test = op.endsWith('~') ? (text: string) => text.startsWith(value) : (text: string) => text === value;
    return { name, op, value, matches: op.startsWith('!') ? (text: string) => !test(text) : test };
  });

function sloOf(matchers: readonly Matcher[]): Slo {
  const selector = { text: '', matchers };
  return anSlo({ sli: { kind: 'events', total: [selector], given: 'bad', selectors: [counter('none')] } });
}

test('a series is found by every selector that admits it, whatever name and job the selector states', () => {
  const selectors = fc.array(fc.array(MATCHER, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 });
  const labels = fc.record({
    __name__: fc.constantFrom(...VALUES),
    job: fc.constantFrom(...VALUES),
    code: fc.constantFrom(...VALUES),
  });
  fc.assert(
    fc.property(selectors, labels, (all, series) => {
      const set = labelSet(Object.entries(series).filter(([, value]) => value !== ''));
      const found = new SloIndex(all.map(sloOf)).matches([set]).sort((a, b) => a.slo - b.slo);
      const admitting = all.flatMap((matchers, slo) => (matches(matchers, set) ? [{ slo, roles: IN_TOTAL }] : []));
      expect(found).toEqual(admitting);
    }),
    { numRuns: 500 },
  );
});

/** How many SLOs want a series, of which one selects it by these matchers. */
function wantedBy(matchers: Record<string, string | RegExp>, labels: Record<string, string>): number {
  const selector = counter('requests', matchers);
  const sli = { kind: 'events', total: [selector], given: 'bad', selectors: [selector] } as const;
  const other = anSlo({ id: 'other/availability' });
  const series = labelSet(Object.entries({ __name__: 'requests', ...labels }));
  return new SloIndex([anSlo({ sli }), { ...other, sli: { kind: 'push' } }]).matches([series]).length;
}

test('a series is found by its name and job, and tested by everything else', () => {
  expect(wantedBy({ job: 'api', code: /5../ }, { job: 'api', code: '500' })).toBe(1);
  expect(wantedBy({ job: 'api', code: /5../ }, { job: 'api', code: '200' })).toBe(0);
  expect(wantedBy({ job: 'api', code: /5../ }, { job: 'web', code: '500' })).toBe(0);
  expect(wantedBy({ job: /api|web/ }, { job: 'web' })).toBe(1);
  expect(wantedBy({ code: '500' }, { job: 'web', code: '500' })).toBe(1);
});

test('a selector that asks for two jobs at once matches nothing', () => {
  const [job] = counter('requests', { job: 'web' }).matchers.slice(1);
  const { text, matchers } = counter('requests', { job: 'api' });
  const both = { text, matchers: [...matchers, job!] };
  const slo = anSlo({ sli: { kind: 'events', total: [both], given: 'bad', selectors: [both] } });
  const matched = ['api', 'web'].flatMap((name) =>
    new SloIndex([slo]).matches([labelSet(Object.entries({ __name__: 'requests', job: name }))]),
  );
  expect(matched).toEqual([]);
});
