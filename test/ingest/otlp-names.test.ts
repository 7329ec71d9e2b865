import { expect, test } from 'vitest';
import { boundText, labelName, metricName, type NameKind } from '../../src/ingest/otlp-names.ts';

test('metric names get underscores, their unit and what their kind demands', () => {
  const named = (name: string, unit: string, kind: NameKind, expected: string): void =>
    expect(metricName(name, unit, kind)).toBe(expected);
  named('http.server.request.duration', 's', 'other', 'http_server_request_duration_seconds');
  named('http.server.duration', 'ms', 'other', 'http_server_duration_milliseconds');
  named('http.server.requests', '{request}', 'counter', 'http_server_requests_total');
  named('http.server.requests', '1', 'counter', 'http_server_requests_total');
  named('requests_total', '', 'counter', 'requests_total');
  named('total.requests', '', 'counter', 'requests_total');
  named('requests', '', 'gauge', 'requests');
  named('requests', '', 'other', 'requests');
  named('cpu.utilization', '1', 'gauge', 'cpu_utilization_ratio');
  named('cpu.utilization', '1', 'other', 'cpu_utilization');
  named('disk.io', 'By', 'counter', 'disk_io_bytes_total');
  named('disk.io.bytes', 'By', 'counter', 'disk_io_bytes_total');
  named('disk.speed', 'By/s', 'gauge', 'disk_speed_bytes_per_second');
  named('rate', '{request}/s', 'gauge', 'rate_per_second');
  named('rate', 'm/min', 'gauge', 'rate_meters_per_minute');
  named('mem', 'TiBy', 'gauge', 'mem_tebibytes');
  named('mem', 'kBy', 'gauge', 'mem_kilobytes');
  named('load', '%', 'gauge', 'load_percent');
  named('jobs', 'widgets', 'gauge', 'jobs_widgets');
  named('jobs', 'big widgets!', 'gauge', 'jobs_big_widgets');
  named('a..b__c', '', 'gauge', 'a_b_c');
  named('.a.', '', 'gauge', 'a');
  named('2xx.responses', '', 'counter', '_2xx_responses_total');
  named('namespace:name', '', 'gauge', 'namespace:name');
  named('große.zahl', '', 'gauge', 'gro_e_zahl');
  named('要求', 's', 'counter', '要求');
});

test('attribute keys become label names', () => {
  const named = (key: string, expected: string): void => expect(labelName(key)).toBe(expected);
  named('http.response.status_code', 'http_response_status_code');
  named('code', 'code');
  named('a..b', 'a__b');
  named('2xx', 'key_2xx');
  named('_private', 'key_private');
  named('__meta', '__meta');
  named('größe', 'gr__e');
  named('🙂.x', '__x');
  named('状態', '状態');
});

test('bounds are written in plain digits', () => {
  const written = (bound: number, expected: string): void => expect(boundText(bound)).toBe(expected);
  written(1, '1');
  written(0.005, '0.005');
  written(-2.5, '-2.5');
  written(1e-7, '0.0000001');
  written(1.5e-8, '0.000000015');
  written(1e21, '1000000000000000000000');
  written(1.25e22, '12500000000000000000000');
  written(-1.5e-9, '-0.0000000015');
  for (const bound of [5e-324, 1.7976931348623157e308, 123456.789e-20]) expect(Number(boundText(bound))).toBe(bound);
});
