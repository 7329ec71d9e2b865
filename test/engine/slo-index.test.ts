import { expect, test } from 'vitest';
import { labelSet } from '../../src/engine/label-set.ts';
import { SloIndex } from '../../src/engine/slo-index.ts';
import { anSlo, counter } from '../support/slo.ts';

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
