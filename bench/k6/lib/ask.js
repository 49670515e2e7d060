// One request for a ticket, and what its answer must look like.

import http from 'k6/http';
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { told } from './promises.js';

const tickets = new Counter('tickets_won');
const soldOut = new Counter('sold_out_answers');

// A sold-out answer is an answer. That a 409 says sold_out and nothing else is checked below.
http.setResponseCallback(http.expectedStatuses(200, 409));

// The user goes by header: an id in the URL would be a new time series for k6.
export function ask(coupon, user) {
  return http.get(coupon.issueUrl, {
    headers: { 'X-User-Id': user },
    tags: { name: 'issue', kind: 'issue' },
    timeout: '10s',
  });
}

export function isSoldOut(answer) {
  return answer.status === 409 && parse(answer).code === 'sold_out';
}

// Judges a user's first answer; true for a winner.
export function judge(answer, user) {
  if (isSoldOut(answer)) {
    soldOut.add(1);
    return false;
  }
  const body = parse(answer);
  const won = check(answer, {
    'winner: status is 200': () => answer.status === 200,
    "winner: error is null, and the ticket is the user's own": () =>
      body.error === null && body.ticket.user_id === user,
  });
  if (won) {
    tickets.add(1);
    told(body.ticket);
  }
  return won;
}

function parse(answer) {
  try {
    return JSON.parse(answer.body) || {};
  } catch (_) {
    return {};
  }
}
