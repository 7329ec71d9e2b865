import { expect, test } from 'vitest';
import { problemsOf, slosOf } from '../reading.ts';
import { anSlo } from './objects.ts';

function refuses(timeWindow: string, ...problems: string[]): void {
  expect(problemsOf(anSlo({ timeWindow: `timeWindow: ${timeWindow}` })), timeWindow).toEqual(
    problems.map((problem) => `8:${problem}`),
  );
}

test('a rolling window is as long as it says, with months of 30 days, quarters of 90 and years of 365', () => {
  const f = (duration: string, text: string, days: number): void => {
    const [slo] = slosOf(anSlo({ timeWindow: `timeWindow: [{duration: ${duration}, isRolling: true}]` }));
    expect(slo!.window).toEqual({ kind: 'rolling', duration: { text, ms: days * 86_400_000 } });
  };
  f('12h', '12h', 0.5);
  f('90m', '90m', 90 / 1440);
  f('28d', '28d', 28);
  f('2w', '2w', 14);
  f('1M', '30d', 30);
  f('1Q', '90d', 90);
  f('1Y', '365d', 365);
});

test('a calendar window begins with the first midnight of its unit, in its time zone', () => {
  const f = (duration: string, startTime: string, unit: string): void => {
    const calendar = `{startTime: ${startTime}, timeZone: America/New_York}`;
    const [slo] = slosOf(
      anSlo({ timeWindow: `timeWindow: [{duration: ${duration}, isRolling: false, calendar: ${calendar}}]` }),
    );
    expect(slo!.window).toMatchObject({ kind: 'calendar', unit, timezone: 'America/New_York' });
  };
  f('1w', '2026-01-05 00:00:00', 'week');
  f('1M', '2026-02-01 00:00:00', 'month');
  f('1Q', '"2026-04-01 00:00:00"', 'quarter');
  f('1Y', "'2026-01-01 00:00:00'", 'year');
});

test('a month is that of its time zone', () => {
  const timeWindow =
    'timeWindow: [{duration: 1M, calendar: {startTime: 2026-03-01 00:00:00, timeZone: Europe/Berlin}}]';
  const { window } = slosOf(anSlo({ timeWindow }))[0]!;
  if (window.kind !== 'calendar') throw new Error('not a calendar window');
  expect(window.periodOf(Date.UTC(2026, 2, 15))).toEqual({
    startMs: Date.UTC(2026, 1, 28, 23),
    endMs: Date.UTC(2026, 2, 31, 22),
  });
});

test('without a window it is 30 days, and that is a warning', () => {
  const f = (timeWindow: string): void =>
    expect(problemsOf(anSlo({ timeWindow }))).toEqual(['5:3: spec: warning: has no timeWindow: 30d is taken']);
  f('');
  f('timeWindow:');
  f('timeWindow: []');
});

test('a window that cannot be is refused at its place', () => {
  const calendar = '{startTime: 2026-01-01 00:00:00, timeZone: UTC}';
  refuses('{duration: 1w, isRolling: true}', '15: spec.timeWindow: must be a list, got a mapping');
  refuses(
    '[{duration: 1w, isRolling: true}, {duration: 1w, isRolling: true}]',
    '15: spec.timeWindow: must be a list of one window, got a list',
  );
  refuses(
    '[{duration: 1m, isRolling: true}]',
    '27: spec.timeWindow[0].duration: must be at least 1h, got 1m; m is a minute and M a month',
  );
  refuses('[{duration: 2Y, isRolling: true}]', '27: spec.timeWindow[0].duration: must be at most 400d, got 730d');
  for (const duration of ['1y', '1h30m', '30', '-1d', '30s']) {
    refuses(
      `[{duration: ${duration}, isRolling: true}]`,
      `27: spec.timeWindow[0].duration: must be a duration such as 5m, 1h, 28d, 4w, 1M, 1Q or 1Y, got '${duration}'`,
    );
  }
  refuses('[{isRolling: true}]', '16: spec.timeWindow[0].duration: is required');
  refuses(
    `[{duration: 1M, isRolling: true, calendar: ${calendar}}]`,
    '58: spec.timeWindow[0].calendar: a rolling window has no calendar; leave it out, or write isRolling: false',
  );
  refuses('[{duration: 1M}]', '16: spec.timeWindow[0].calendar: is required where isRolling is not true');
  refuses(
    `[{duration: 1m, calendar: ${calendar}}]`,
    '27: spec.timeWindow[0].duration: a calendar window of 1m is one minute; write 1M for a month',
  );
  refuses(
    `[{duration: 2w, calendar: ${calendar}}]`,
    '27: spec.timeWindow[0].duration: of a calendar window must be 1w, 1M, 1Q or 1Y, got 2w',
  );
});

test('a calendar window that begins elsewhere, or never, is refused', () => {
  const f = (duration: string, startTime: string, problem: string): void =>
    refuses(
      `[{duration: ${duration}, calendar: {startTime: ${startTime}, timeZone: UTC}}]`,
      `53: spec.timeWindow[0].calendar.startTime: ${problem}`,
    );
  f(
    '1M',
    '2026-01-01 12:00:00',
    'must be the first midnight of a month, such as 2026-01-01 00:00:00, got 2026-01-01 12:00:00',
  );
  f(
    '1w',
    '2026-01-01 00:00:00',
    'must be the first midnight of a week, such as 2025-12-29 00:00:00, got 2026-01-01 00:00:00',
  );
  f(
    '1Q',
    '2026-02-01 00:00:00',
    'must be the first midnight of a quarter, such as 2026-01-01 00:00:00, got 2026-02-01 00:00:00',
  );
  for (const time of ['2026-02-30 00:00:00', '2026-01-01', '2026-01-01T00:00:00Z', 'soon']) {
    f('1M', time, `must be a local time such as 2026-01-01 00:00:00, got '${time}'`);
  }
  refuses(
    '[{duration: 1m, calendar: {startTime: soon, timeZone: Mars}}]',
    '27: spec.timeWindow[0].duration: a calendar window of 1m is one minute; write 1M for a month',
    "53: spec.timeWindow[0].calendar.startTime: must be a local time such as 2026-01-01 00:00:00, got 'soon'",
    "69: spec.timeWindow[0].calendar.timeZone: must be an IANA time zone such as Europe/Madrid, got 'Mars'",
  );
});
