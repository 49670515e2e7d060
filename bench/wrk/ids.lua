-- Requests of users who go by header: to one path or several in turn, at full speed or paced.
--   PORTS=p,q wrk -t2 -c256 -d5s -s ids.lua URL -- PREFIX [users=N] [rate=N] [paths=P*N,Q*M]
-- Every request is a new user, or with `users` the same N again and again. `rate` is requests a
-- second of each thread. `paths` takes the place of the URL's: N requests to P, then M to Q. The
-- thread n of wrk goes to the n-th of PORTS.
-- The last line of the output is `RESULT {json}`.
-- Answers are counted by wrk itself (error statuses against requests): a response() of ours would
-- make wrk take every answer apart, and the generator must stay cheaper than what it measures.

local heads, tail, number, users, due, step, clock_ms
local threads = 0

-- The number, scrambled one to one over 32 bits, so that users arrive in no order, as people do.
local function scrambled(n)
  local low = n % 65536
  local high = (n - low) / 65536
  return (low * 2654435761 + ((high * 2654435761) % 65536) * 65536) % 4294967296
end

local function monotonic_ms()
  local ffi = require("ffi")
  ffi.cdef("struct fc_time { long s; long ns; };")
  ffi.cdef("int clock_gettime(int clock, struct fc_time *time);")
  local time = ffi.new("struct fc_time")
  local clock = ffi.os == "OSX" and 6 or 1
  return function()
    ffi.C.clock_gettime(clock, time)
    return tonumber(time.s) * 1000 + tonumber(time.ns) / 1000000
  end
end

-- How long the connection that is about to send has to wait for its turn. What was missed is made
-- up for, but never more than one second of it.
local function turn()
  local now = clock_ms()
  due = math.max(due, now - 1000)
  local wait = due - now
  due = due + step
  return math.max(0, math.floor(wait))
end

function setup(thread)
  threads = threads + 1
  thread:set("thread_number", threads)
  local seen = 0
  for port in string.gmatch(os.getenv("PORTS") or "", "%d+") do
    seen = seen + 1
    if seen == threads then thread.addr = wrk.lookup(wrk.host, port)[1] end
  end
end

function init(args)
  local given = {}
  for i = 2, #args do
    local name, value = string.match(args[i], "^(%a+)=(.*)$")
    given[name] = value
  end
  local form = "GET %s HTTP/1.1\r\nHost: %s:%s\r\nX-User-Id: %s%d-"
  heads = {}
  for path, times in string.gmatch(given.paths or wrk.path .. "*1", "([^*,]+)%*(%d+)") do
    local head = string.format(form, path, wrk.host, wrk.port, args[1], thread_number)
    for _ = 1, tonumber(times) do heads[#heads + 1] = head end
  end
  tail = "\r\n\r\n"
  number = 0
  users = tonumber(given.users) or math.huge
  if given.rate then
    clock_ms = monotonic_ms()
    step = 1000 / tonumber(given.rate)
    due = clock_ms()
    delay = turn
  end
end

function request()
  number = number < users and number + 1 or 1
  return heads[number % #heads + 1] .. scrambled(number) .. tail
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests":%d,"error_statuses":%d,"socket_errors":%d,"seconds":%.3f,'
      .. '"p50_ms":%.3f,"p99_ms":%.3f,"p999_ms":%.3f,"max_ms":%.3f}',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    latency:percentile(99.9) / 1000, latency.max / 1000))
end
