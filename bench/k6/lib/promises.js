// What must be true after a run, however fast it was. teardown() cannot read what the virtual users
// counted, so each comparison with their count is a counter that they raise and teardown() lowers: its
// threshold is zero.

import { check } from 'k6';
import { md5 } from 'k6/crypto';
import { Counter, Gauge, Rate } from 'k6/metrics';

const kept = new Rate('promise_kept');
const serialsMinusRange = new Counter('balance_serials_told_minus_1_to_issued');
const toldMinusRows = new Counter('balance_tickets_told_minus_rows');
const figures = Object.fromEntries(
  ['issued', 'rows', 'duplicates', 'contested', 'remaining', 'last_serial'].map((name) => [
    name,
    new Gauge(`truth_${name}`),
  ]),
);

// `rate==1` also fails when nothing was asked, so a run without a teardown() cannot pass.
export const thresholds = {
  checks: ['rate==1'],
  http_req_failed: ['rate==0'],
  promise_kept: ['rate==1'],
  balance_serials_told_minus_1_to_issued: ['count==0'],
};

// A virtual user was told of this ticket. One counter, for k6 pays for each: the same set of serials is
// also the same number of them.
export function told(ticket) {
  serialsMinusRange.add(fingerprint(ticket.serial));
}

// 26 well-mixed bits of a serial. Two sets of serials with the same sum of these are the same set, but
// for a chance of 1 in 67 million; the sum stays exact up to 134 million tickets.
export function fingerprint(serial) {
  let bits = serial;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 6) + (Number.isInteger(serial) ? 0 : 0.5);
}

// Where every winner's ticket is compared with its row, at the price of a hash per request.
export const rowThresholds = { balance_tickets_told_minus_rows: ['count==0'] };

export function toldInFull(ticket) {
  toldMinusRows.add(digest(ticket));
}

export function verifyRows(rows) {
  toldMinusRows.add(-rows.reduce((sum, row) => sum + digest(row), 0));
}

// 26 bits again, of all that a user was told.
function digest({ serial, user_id, claim, code, receipt, issued_at }) {
  return parseInt(md5([serial, user_id, claim, code, receipt, issued_at].join(' '), 'hex').slice(0, 7), 16) >>> 2;
}

// Compares what the server says with what was told. `exactly` is N where N is known.
export function verify({ stats, audit }, exactly) {
  let range = 0;
  for (let serial = 1; serial <= stats.issued; serial++) {
    range += fingerprint(serial);
  }
  serialsMinusRange.add(-range);

  const duplicates = stats.issued - stats.holders;
  for (const [name, gauge] of Object.entries(figures)) {
    gauge.add(name === 'duplicates' ? duplicates : stats[name]);
  }
  promise('never more than the total are issued', stats.issued <= stats.total);
  promise('every ticket issued is a row', stats.rows === stats.issued);
  promise('nobody has a ticket twice', duplicates === 0);
  promise('nothing is contested', stats.contested === 0);
  promise('serials are 1 to issued', stats.last_serial === stats.issued);
  promise('what is issued and what remains make the total', stats.issued + stats.remaining === stats.total);
  promise('the audit balances', audit.ok === true);
  if (exactly !== undefined) {
    promise(`exactly ${exactly} are issued`, stats.issued === exactly);
  }
}

function promise(text, holds) {
  kept.add(holds);
  check(null, { [`promise: ${text}`]: () => holds });
}
