import { expect, test } from 'vitest';
import { readGatePolicyFile } from '../../src/definitions/gate-policy.ts';
import { formatPlaced } from '../../src/definitions/problem.ts';
import { problemsOf } from './reading.ts';

const GOOD = `deploy_enabled: true
checks:
  - service: api
    check: error_budget_remaining > 0.2
    action: block_deploy
on_no_data: warn
`;

const CHECK_ENDS = '4:COLUMN: checks[0].check: must be a value such as error_budget_remaining or 0.2, got the end';

function read(text: string) {
  const { policy, problems } = readGatePolicyFile({ file: 'gate.yml', text });
  return { policy, problems: problems.map(formatPlaced) };
}

function refuses(from: string, to: string, ...problems: string[]): void {
  expect(GOOD).toContain(from);
  expect(read(GOOD.replace(from, to)), to).toEqual({ policy: null, problems });
}

test('a policy is read', () => {
  const { policy, problems } = read(GOOD);
  expect(problems).toEqual([]);
  expect(policy).toMatchObject({
    deployEnabled: true,
    onNoData: 'warn',
    checks: [{ service: 'api', slo: null, text: 'error_budget_remaining > 0.2', action: 'block_deploy' }],
  });
});

test('JSON is YAML, and what is left out has a default', () => {
  expect(read('{"checks": []}')).toEqual({
    policy: { deployEnabled: true, checks: [], onNoData: 'unknown' },
    problems: [],
  });
  expect(read('deploy_enabled: false').policy).toEqual({ deployEnabled: false, checks: [], onNoData: 'unknown' });
});

test('every problem has its place', () => {
  refuses('0.2', '20%', "4:39: checks[0].check: unexpected '%'; write a fraction: 0.2 for 20%");
  refuses('error_budget_remaining > 0.2', '"sli >"', CHECK_ENDS.replace('COLUMN', '18'));
  refuses('check: error_budget_remaining > 0.2', 'check: >\n      sli >', CHECK_ENDS.replace('4:COLUMN', '5:12'));
  refuses('block_deploy', 'block', "5:13: checks[0].action: must be block_deploy or warn_only, got 'block'");
  refuses('    action: block_deploy\n', '', '3:5: checks[0].action: is required');
  refuses(
    'service: api',
    'slo: a/b',
    '3:5: checks[0].service: is required',
    "3:11: checks[0].slo: must not contain '/'",
  );
  refuses(
    'check:',
    'chek:',
    '3:5: checks[0].check: is required',
    '4:5: checks[0].chek: unknown key; did you mean check?',
  );
  refuses('warn\n', 'maybe\n', "6:13: on_no_data: must be unknown, allow, warn or block, got 'maybe'");
  refuses('true', 'yes', "1:17: deploy_enabled: must be true or false, got 'yes'");
  refuses(GOOD, 'on_no_data: warn', '1:1: checks: is required');
  refuses(GOOD, '', '1:1: document: holds no gate policy');
  refuses(GOOD, '[]', '1:1: document: must be a mapping, got a list');
  refuses(GOOD, `${GOOD}---\n${GOOD}`, '1:1: document: must be a single YAML document');
  const many = Array.from({ length: 1001 }, () => '{service: a, check: sli > 0, action: warn_only}').join(',');
  refuses(GOOD, `checks: [${many}]`, '1:9: checks: must be at most 1000 checks, got a list');
});

test('check reads gate policies like any other file', () => {
  expect(problemsOf(GOOD)).toEqual([]);
  expect(problemsOf(GOOD.replace('0.2', ''))).toEqual([CHECK_ENDS.replace('COLUMN', '36')]);
});
