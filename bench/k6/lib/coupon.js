// A coupon of its own for every run, made and questioned through the admin listener.

import http from 'k6/http';
import { sleep } from 'k6';
import { admin, base } from './target.js';

const WAIT_SECONDS = Number(__ENV.PERSIST_WAIT_SECONDS || 120);
export const timeouts = { setupTimeout: '60s', teardownTimeout: `${WAIT_SECONDS + 60}s` };

if (!__ENV.ADMIN_TOKEN) {
  throw new Error('ADMIN_TOKEN is not set: the run makes its own coupon through the admin listener');
}

function call(method, path, body) {
  const answer = http.request(method, `${admin}${path}`, body && JSON.stringify(body), {
    headers: { Authorization: `Bearer ${__ENV.ADMIN_TOKEN}`, 'Content-Type': 'application/json' },
    responseCallback: http.expectedStatuses({ min: 200, max: 299 }),
    tags: { name: 'admin', kind: 'admin' },
    timeout: '30s',
  });
  if (answer.status < 200 || answer.status > 299) {
    throw new Error(`${method} ${path}: ${answer.status} ${answer.error} ${answer.body}`);
  }
  return answer;
}

// What setup() hands to every virtual user: the coupon, its issue URL, and a prefix that makes the
// users of this run nobody else's.
export function prepare(what, total) {
  const random = () => Math.floor(Math.random() * 36 ** 5).toString(36).padStart(5, '0');
  const id = `k6-${what}-${random()}${random()}`;
  call('POST', '/admin/coupons', { id, name: `k6 ${what}`, total });
  call('POST', `/admin/coupons/${id}/preload`, {});
  return { id, total, users: random(), issueUrl: `${base}/coupons/${id}/issue` };
}

// What the server says once the persister has written all, or when the wait is over.
export function truth(coupon) {
  const deadline = Date.now() + WAIT_SECONDS * 1000;
  for (;;) {
    const stats = call('GET', `/admin/coupons/${coupon.id}/stats`).json();
    if ((stats.rows >= stats.issued && stats.backlog === 0) || Date.now() > deadline) {
      const audit = http.get(`${base}/coupons/${coupon.id}/audit`, {
        responseCallback: http.expectedStatuses(200),
        tags: { name: 'audit', kind: 'admin' },
      });
      return { stats, audit: audit.json() };
    }
    sleep(0.25);
  }
}

// Every row of the coupon, as the winners' export gives it.
export function winners(coupon) {
  const lines = call('GET', `/admin/coupons/${coupon.id}/winners?format=ndjson`).body.split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}
