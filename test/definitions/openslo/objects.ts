/** An SLO in short, of which any part may be another one. */
export function anSlo(
  parts: { indicator?: string; timeWindow?: string; spec?: string; objective?: string } = {},
): string {
  const {
    indicator = 'indicator: {spec: {ratioMetric: {good: {metricSource: {spec: {query: good}}}, total: {metricSource: {spec: {query: all}}}}}}',
    timeWindow = 'timeWindow: [{duration: 30d, isRolling: true}]',
    spec = 'description: none',
    objective = 'target: 0.999',
  } = parts;
  return `apiVersion: openslo/v1
kind: SLO
metadata: {name: slo}
spec:
  service: service
  budgetingMethod: Occurrences
  ${indicator}
  ${timeWindow}
  objectives: [{${objective}}]
  ${spec}
`;
}
