import { expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';

function read(text: string) {
  const { config, problems } = readConfig({ file: 'server.yaml', text }, {}, {});
  return config === null ? problems.map(({ message }) => message) : config.ha;
}

test('replicas are elected unless the server file says off, by labels of its choice', () => {
  const usual = { clusterLabel: 'cluster', replicaLabel: '__replica__', failoverMs: 30_000 };
  expect(read('listen: :9490\n')).toEqual(usual);
  expect(read('ha: {}\n')).toEqual(usual);
  expect(read('ha: {cluster_label: dc, replica_label: prometheus_replica, failover: 1m}\n')).toEqual({
    clusterLabel: 'dc',
    replicaLabel: 'prometheus_replica',
    failoverMs: 60_000,
  });
  expect(read('ha: {replica_label: __replica__}\n')).toEqual(usual);
  expect(read('ha: off\n')).toBeNull();
});

test('anything else is a problem in words', () => {
  expect(read('ha: on\n')).toEqual(["must be off, got 'on'"]);
  expect(read('ha: false\n')).toEqual(['must be off, got false']);
  expect(read('ha: {failover: soon}\n')).toHaveLength(1);
  expect(read('ha: {replica: a}\n')).toEqual(['unknown key; there are cluster_label, replica_label, failover']);
});
