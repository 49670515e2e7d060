// The end of a run: a text for the terminal; with RESULT set, also RESULT.json and RESULT.md to keep.
// bench/k6/run hands over machine, versions and command, and in BESIDE the kept JSON of the /healthz
// run that the result is to be read against.

const columns = ['avg', 'min', 'med', 'p(95)', 'p(99)', 'p(99.9)', 'max'];
export const trends = { summaryTrendStats: columns };

// Fewer tags than by default: k6 shares the cores with the server.
export const tags = { systemTags: ['name', 'status', 'error_code', 'expected_response', 'check', 'group', 'scenario'] };

const beside = __ENV.BESIDE ? JSON.parse(open(__ENV.BESIDE)) : undefined;

export function summary(what, latency) {
  return (end) => {
    const result = compact(what, latency, end);
    const files = { stdout: text(result) };
    if (__ENV.RESULT) {
      files[`${__ENV.RESULT}.json`] = `${JSON.stringify(result, null, 1)}\n`;
      files[`${__ENV.RESULT}.md`] = markdown(result);
    }
    return files;
  };
}

function compact(what, latency, { metrics, root_group, state }) {
  const value = (name, key) => (metrics[name] ? metrics[name].values[key] : undefined);
  const names = Object.keys(metrics).sort();
  const limits = {};
  for (const name of names) {
    for (const [limit, { ok }] of Object.entries(metrics[name].thresholds || {})) {
      limits[`${name} ${limit}`] = ok;
    }
  }
  const truth = {};
  for (const name of names.filter((name) => name.startsWith('truth_'))) {
    truth[name.slice('truth_'.length)] = value(name, 'value');
  }
  const spread = (metrics[latency] || metrics.http_req_duration).values;
  return {
    what,
    passed: Object.values(limits).every((ok) => ok),
    seconds: round(state.testRunDurationMs / 1000),
    vus_max: value('vus_max', 'max'),
    requests: value('http_reqs', 'count'),
    requests_per_second: round(value('http_reqs', 'rate')),
    failed_requests: value('http_req_failed', 'passes'),
    dropped_iterations: value('dropped_iterations', 'count'),
    latency_ms: Object.fromEntries(columns.map((column) => [column, round(spread[column])])),
    tickets_won: value('tickets_won', 'count'),
    sold_out_answers: value('sold_out_answers', 'count'),
    asked_again: value('asked_again', 'count'),
    truth,
    thresholds: limits,
    checks: Object.fromEntries(checks(root_group).map(({ name, passes, fails }) => [name, { passes, fails }])),
    date: new Date().toISOString(),
    machine: { cpu: __ENV.CPU, cores: __ENV.CORES, memory: __ENV.MEMORY, kernel: __ENV.KERNEL },
    versions: {
      firstcome: __ENV.FIRSTCOME_VERSION,
      redis: __ENV.REDIS_VERSION,
      k6: __ENV.K6_VERSION,
      rustc: __ENV.RUSTC_VERSION,
    },
    command: __ENV.COMMAND,
    beside: beside && {
      what: beside.what,
      requests: beside.requests,
      requests_per_second: beside.requests_per_second,
      latency_ms: beside.latency_ms,
    },
  };
}

function text(result) {
  const lines = [
    '',
    `${result.what}: ${result.passed ? 'passed' : 'FAILED'}`,
    `  ${result.requests} requests in ${result.seconds} s, ${result.requests_per_second}/s, ${result.failed_requests} failed`,
    `  latency in ms: ${pairs(result.latency_ms)}`,
  ];
  if (result.beside) {
    lines.push(`  beside it, ${result.beside.what}: ${pairs(result.beside.latency_ms)}`);
  }
  if (result.tickets_won !== undefined) {
    lines.push(`  won ${result.tickets_won}, sold out ${result.sold_out_answers || 0}; the server says: ${pairs(result.truth)}`);
  }
  for (const [name, { passes, fails }] of Object.entries(result.checks)) {
    lines.push(`  ${fails === 0 ? 'ok  ' : 'FAIL'} ${name} (${passes} of ${passes + fails})`);
  }
  for (const [name, ok] of Object.entries(result.thresholds)) {
    lines.push(`  ${ok ? 'ok  ' : 'FAIL'} ${name}`);
  }
  return `${lines.join('\n')}\n\n`;
}

function markdown(result) {
  const row = ({ what, requests, requests_per_second, latency_ms }) =>
    `| ${what} | ${requests} | ${requests_per_second} | ${columns.map((column) => latency_ms[column]).join(' | ')} |`;
  const rows = [row(result)].concat(result.beside ? [row(result.beside)] : []);
  const { machine, versions } = result;
  const holds = Object.entries(result.thresholds).map(([name, ok]) => `- ${ok ? 'holds' : '**broken**'}: \`${name}\``);
  const checked = Object.entries(result.checks).map(
    ([name, { passes, fails }]) => `- ${fails === 0 ? 'holds' : '**broken**'}: ${name} (${passes} of ${passes + fails})`,
  );
  return `${[
    `# k6 ${result.what}: ${result.passed ? 'passed' : 'FAILED'}`,
    '',
    `${result.date}. Latency in ms, load generator on the same machine.`,
    '',
    `| run | requests | per second | ${columns.join(' | ')} |`,
    `|---|${'---:|'.repeat(columns.length + 2)}`,
    ...rows,
    '',
    ...(result.tickets_won === undefined
      ? []
      : [`Won ${result.tickets_won}, sold out ${result.sold_out_answers || 0}. The server says: ${pairs(result.truth)}.`, '']),
    ...holds,
    ...checked,
    '',
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memory}, ${machine.kernel}.`,
    `Versions: ${pairs(versions)}.`,
    `Command: \`${result.command}\`.`,
  ].join('\n')}\n`;
}

function round(number) {
  return typeof number === 'number' ? Number(number.toPrecision(4)) : number;
}

// Those of teardown() stand in a group of their own.
function checks(group) {
  return group.groups.reduce((all, inner) => all.concat(checks(inner)), group.checks);
}

function pairs(object) {
  return Object.entries(object)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');
}
