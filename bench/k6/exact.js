// 1.5 N users for N tickets. Three in ten of them ask again, half of those at once and half when the
// coupon is sold out, and must get the same answer: a winner the same bytes, a loser sold_out.
// In the end the ticket that each winner was told is the row that the database holds.
//
//   N=10000 VUS=300
//   BASE_URL ADMIN_URL ADMIN_TOKEN ALLOW_REMOTE PERSIST_WAIT_SECONDS RESULT BESIDE

import { check } from 'k6';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { ask, isSoldOut, judge } from './lib/ask.js';
import { prepare, timeouts, truth, winners } from './lib/coupon.js';
import { rowThresholds, thresholds, toldInFull, verify, verifyRows } from './lib/promises.js';
import { summary, tags, trends } from './lib/summary.js';
import { noRedirects } from './lib/target.js';

const n = Number(__ENV.N || (__ENV.FAST === 'yes' ? 1000 : 10000));
const users = Math.ceil(n * 1.5);

export const options = {
  scenarios: {
    exact: {
      executor: 'shared-iterations',
      vus: Math.min(users, Number(__ENV.VUS || 300)),
      iterations: users,
      maxDuration: '5m',
    },
  },
  ...timeouts,
  ...trends,
  ...tags,
  ...noRedirects,
  thresholds: {
    ...thresholds,
    ...rowThresholds,
    iterations: [`count==${users}`],
    tickets_won: [`count==${n}`],
    sold_out_answers: [`count==${users - n}`],
    asked_again: ['count>0'],
  },
};

const askedAgain = new Counter('asked_again');

// Winners of this virtual user who ask again once the coupon is sold out.
const patient = [];

export function setup() {
  return prepare('exact', n);
}

export default function (coupon) {
  const number = exec.scenario.iterationInTest;
  const user = `${coupon.users}-${number}`;
  const first = ask(coupon, user);
  const won = judge(first, user);
  if (won) {
    toldInFull(first.json('ticket'));
  }

  if (number % 10 < 3) {
    if (won && number % 20 < 10) {
      patient.push({ user, first });
    } else {
      again(coupon, user, first);
    }
  }
  if (!won) {
    patient.splice(0, 3).forEach((winner) => again(coupon, winner.user, winner.first));
  }
}

function again(coupon, user, first) {
  askedAgain.add(1);
  const second = ask(coupon, user);
  if (first.status === 200) {
    check(second, {
      'winner again: status is 200': () => second.status === 200,
      'winner again: the same body, byte for byte': () => second.body === first.body,
      'winner again: Idempotency-Replayed is true': () => second.headers['Idempotency-Replayed'] === 'true',
    });
  } else {
    check(second, { 'loser again: 409 sold_out': () => isSoldOut(second) });
  }
}

export function teardown(coupon) {
  verify(truth(coupon), n);
  verifyRows(winners(coupon));
}

export const handleSummary = summary('exact', 'http_req_duration');
