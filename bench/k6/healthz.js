// The same ramp against the constant reply. Its figures are what k6 and the machine cost, and stand
// beside the result of ramp.js.
//
//   PEAK_VUS STAGE FAST BASE_URL ALLOW_REMOTE RESULT

import http from 'k6/http';
import { check, sleep } from 'k6';
import { stages } from './lib/stages.js';
import { summary, tags, trends } from './lib/summary.js';
import { base, noRedirects } from './lib/target.js';

export const options = {
  stages,
  ...trends,
  ...tags,
  ...noRedirects,
  thresholds: { checks: ['rate==1'], http_req_failed: ['rate==0'], http_reqs: ['count>0'] },
};

export default function () {
  const answer = http.get(`${base}/healthz`, {
    headers: { 'X-User-Id': `h-${__VU}-${__ITER}` },
    tags: { name: 'healthz' },
    timeout: '10s',
  });
  check(answer, { 'status is 200': () => answer.status === 200 });
  sleep(1);
}

export const handleSummary = summary('healthz', 'http_req_duration');
