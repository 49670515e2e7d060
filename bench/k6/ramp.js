// The ramp to 3,000 virtual users, one new user per request, stock for (nearly) all of them.
//
//   TOTAL=100000  tickets of the coupon; fewer than the requests (65,000) adds sold-out answers
//   PEAK_VUS STAGE FAST        the ramp (lib/stages.js)
//   BASE_URL ADMIN_URL ADMIN_TOKEN ALLOW_REMOTE PERSIST_WAIT_SECONDS RESULT BESIDE

import { sleep } from 'k6';
import { ask, judge } from './lib/ask.js';
import { prepare, timeouts, truth } from './lib/coupon.js';
import { thresholds, verify } from './lib/promises.js';
import { stages } from './lib/stages.js';
import { summary, tags, trends } from './lib/summary.js';
import { noRedirects } from './lib/target.js';

export const options = {
  stages,
  ...timeouts,
  ...trends,
  ...tags,
  ...noRedirects,
  thresholds: {
    ...thresholds,
    'http_req_duration{kind:issue}': ['p(99)<100'],
    'http_reqs{kind:issue}': ['count>0'],
  },
};

export function setup() {
  return prepare('ramp', Number(__ENV.TOTAL || 100000));
}

export default function (coupon) {
  const user = `${coupon.users}-${__VU}-${__ITER}`;
  judge(ask(coupon, user), user);
  sleep(1);
}

export function teardown(coupon) {
  verify(truth(coupon));
}

export const handleSummary = summary('ramp', 'http_req_duration{kind:issue}');
