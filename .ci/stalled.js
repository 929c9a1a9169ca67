// k6 at about 200 requests/s: a closed loop, or an arrival rate with VUS virtual users (see stalled.py).
import http from 'k6/http';
import { sleep } from 'k6';
import { Counter } from 'k6/metrics';

const { LOOP, URL, VUS } = __ENV;
const slow = new Counter('slow');
const executors = {
  closed: { executor: 'constant-vus', vus: +VUS },
  open: { executor: 'constant-arrival-rate', rate: 200, preAllocatedVUs: +VUS },
};

export const options = {
  scenarios: { load: { ...executors[LOOP], duration: '30s' } },
  summaryTrendStats: ['p(50)', 'p(90)', 'p(95)', 'p(99)', 'max', 'count'],
};

export default function () {
  if (http.get(URL).timings.duration > 100) slow.add(1);
  if (LOOP === 'closed') sleep(VUS / 200);
}

export function handleSummary(data) {
  return { stdout: JSON.stringify(data.metrics) };
}
