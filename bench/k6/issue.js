// A constant arrival rate, one new user per request: what a fixed load costs, without the mercy of a
// closed loop that waits for the server.
//
//   RATE=1000 DURATION=30s VUS=300 TOTAL=1000000
//   BASE_URL ADMIN_URL ADMIN_TOKEN ALLOW_REMOTE PERSIST_WAIT_SECONDS RESULT BESIDE

import exec from 'k6/execution';
import { ask, judge } from './lib/ask.js';
import { prepare, timeouts, truth } from './lib/coupon.js';
import { thresholds, verify } from './lib/promises.js';
import { summary, tags, trends } from './lib/summary.js';
import { noRedirects } from './lib/target.js';

const rate = Number(__ENV.RATE || 1000);
const duration = __ENV.DURATION || (__ENV.FAST === 'yes' ? '3s' : '30s');
const vus = Number(__ENV.VUS || 300);

export const options = {
  scenarios: {
    issue: {
      executor: 'constant-arrival-rate',
      rate,
      timeUnit: '1s',
      duration,
      preAllocatedVUs: vus,
      maxVUs: vus * 4,
    },
  },
  ...timeouts,
  ...trends,
  ...tags,
  ...noRedirects,
  thresholds: {
    ...thresholds,
    'http_req_duration{kind:issue}': ['p(99)<100'],
    'http_reqs{kind:issue}': ['count>0'],
    // A rate that was not kept is not the rate in the result.
    dropped_iterations: ['count==0'],
  },
};

export function setup() {
  return prepare('issue', Number(__ENV.TOTAL || 1000000));
}

export default function (coupon) {
  const user = `${coupon.users}-${exec.scenario.iterationInTest}`;
  judge(ask(coupon, user), user);
}

export function teardown(coupon) {
  verify(truth(coupon));
}

export const handleSummary = summary('issue', 'http_req_duration{kind:issue}');
