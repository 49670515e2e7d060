--! Show that this consumer of a shard's group is active, and take over records of silent ones.
--! PARTS generation
--! KEYS 1 records stream
--! ARGV 1 generation replid  2 group name  3 consumer name
--! ARGV 4 silent_ms ms  5 gone_ms ms  6 records_max count  7 is_start flag
--! REPLY taken records | absent | other_generation
--! KEEPS I3 I9
--
-- A consumer that has just started (is_start is 1) takes its own records over too: its process
-- died with them. The delivery count of a record counts deaths: each is DEATH deliveries (the same
-- number as in src/redis/deaths.rs), and a read adds one. So a record that the dead consumer has
-- not read gets no death.
-- If records_max is 0, nothing is taken over. A missing group is created from the beginning of the
-- stream, so that no record is skipped. A missing stream is not created: all numbered databases of
-- a Redis have the same generation, and this may be the wrong one. A consumer that is silent for
-- gone_ms and has no pending records is deleted from the group.

local records = KEYS[1]
local group, consumer = ARGV[2], ARGV[3]
local silent_ms, gone_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local records_max, is_start = tonumber(ARGV[6]), ARGV[7] == '1'
local DEATH = 1000000

if not is_accepted then return {'other_generation'} end
if redis.call('EXISTS', records) == 0 then return {'absent'} end

-- XINFO replies with a list of names and values.
local function read(fields)
  local named = {}
  for i = 1, #fields, 2 do named[fields[i]] = fields[i + 1] end
  return named
end
local grouped = false
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', records)) do
  grouped = grouped or read(fields).name == group
end
local others = {}
if grouped and records_max > 0 then
  for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', records, group)) do
    local other = read(fields)
    if is_start or other.name ~= consumer then others[#others + 1] = other end
  end
end

if not grouped then redis.call('XGROUP', 'CREATE', records, group, '0') end
-- Reads the consumer's own records after the greatest possible id: it finds none, but resets the
-- idle time. A read that blocks does not reset it before Redis 7.2.
redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', records,
  '18446744073709551615-0')

local function claim(ids, min_idle_ms, deaths)
  local args = {}
  for _, id in ipairs(ids) do args[#args + 1] = id end
  args[#args + 1] = 'RETRYCOUNT'
  args[#args + 1] = string.format('%.0f', deaths * DEATH)
  args[#args + 1] = 'JUSTID'
  return #redis.call('XCLAIM', records, group, consumer, min_idle_ms, unpack(args))
end

local taken = 0
for _, other in ipairs(others) do
  local is_own = other.name == consumer
  if other.pending > 0 and (is_own or other.idle >= silent_ms) and taken < records_max then
    local held = redis.call('XPENDING', records, group, '-', '+', records_max - taken, other.name)
    local by_deaths = {}
    for _, entry in ipairs(held) do
      local deaths = math.ceil(entry[4] / DEATH)
      by_deaths[deaths] = by_deaths[deaths] or {}
      table.insert(by_deaths[deaths], entry[1])
    end
    for deaths, ids in pairs(by_deaths) do
      taken = taken + claim(ids, is_own and 0 or silent_ms, deaths)
    end
  elseif other.pending == 0 and other.idle >= gone_ms and not is_own then
    redis.call('XGROUP', 'DELCONSUMER', records, group, other.name)
  end
end
return {'taken', taken}
