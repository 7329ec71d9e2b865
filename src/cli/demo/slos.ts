/** The SLOs of the demo: a small shop in the native format, exactly as a user would write them. */
export const DEMO_SLOS = `\
apiVersion: slipstream/v1
service: storefront
owner: team-web
labels: {tier: customer-facing}
runbook: https://runbooks.example/storefront
slos:
  - name: availability
    description: Pages answered without a server error.
    objective: 99.9
    window: 30d
    sli:
      events:
        total: 'http_requests_total{job="storefront"}'
        bad: 'http_requests_total{job="storefront",status=~"5.."}'
---
apiVersion: slipstream/v1
service: catalog
owner: team-catalog
labels: {tier: customer-facing}
runbook: https://runbooks.example/catalog
slos:
  - name: availability
    description: Searches and product pages answered without a server error.
    objective: 99.9
    window: 30d
    sli:
      events:
        total: 'http_requests_total{job="catalog"}'
        bad: 'http_requests_total{job="catalog",status=~"5.."}'
  - name: latency
    description: Searches and product pages answered within 300 ms.
    objective: 99
    window: 30d
    sli:
      events:
        total: 'http_request_duration_seconds_count{job="catalog"}'
        good: 'http_request_duration_seconds_bucket{job="catalog",le="0.3"}'
---
apiVersion: slipstream/v1
service: checkout
owner: team-checkout
labels: {tier: critical}
runbook: https://runbooks.example/checkout
slos:
  - name: availability
    description: Orders placed without a server error.
    objective: 99.95
    window: 30d
    sli:
      events:
        total: 'http_requests_total{job="checkout"}'
        bad: 'http_requests_total{job="checkout",status=~"5.."}'
  - name: rollout
    description: The last hour alone; what a rollout watches while it proceeds.
    objective: 95
    window: 1h
    alerts: {policy: none}
    sli:
      events:
        total: 'http_requests_total{job="checkout"}'
        bad: 'http_requests_total{job="checkout",status=~"5.."}'
---
apiVersion: slipstream/v1
service: payments
owner: team-checkout
labels: {tier: critical}
runbook: https://runbooks.example/payments
slos:
  - name: success
    description: Payments that the provider answered, accepted or declined.
    objective: 99.5
    window: 30d
    sli:
      events:
        total: 'payments_total{job="payments"}'
        good: 'payments_total{job="payments",outcome=~"accepted|declined"}'
`;
