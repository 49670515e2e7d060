--! Show that this consumer of a shard's group is active, and take over records of silent ones.
--! PARTS generation
--! KEYS 1 records stream
--! ARGV 1 generation replid  2 group name  3 consumer name
--! ARGV 4 silent_ms ms  5 gone_ms ms  6 records_max count
--! REPLY taken records | absent | other_generation
--! KEEPS I3 I9
--
-- If records_max is 0, nothing is taken over. A missing group is created from the beginning of the
-- stream, so that no record is skipped. A missing stream is not created: all numbered databases of
-- a Redis have the same generation, and this may be the wrong one. A consumer that is silent for
-- gone_ms and has no pending records is deleted from the group.

local records = KEYS[1]
local group, consumer = ARGV[2], ARGV[3]
local silent_ms, gone_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local records_max = tonumber(ARGV[6])

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
    if other.name ~= consumer then others[#others + 1] = other end
  end
end

if not grouped then redis.call('XGROUP', 'CREATE', records, group, '0') end
-- Reads the consumer's own records after the greatest possible id: it finds none, but resets the
-- idle time. A read that blocks does not reset it before Redis 7.2.
redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', records,
  '18446744073709551615-0')

local taken = 0
for _, other in ipairs(others) do
  if other.pending > 0 and other.idle >= silent_ms and taken < records_max then
    local held = redis.call('XPENDING', records, group, '-', '+', records_max - taken, other.name)
    local ids = {}
    for _, entry in ipairs(held) do ids[#ids + 1] = entry[1] end
    ids[#ids + 1] = 'JUSTID'
    if #held > 0 then
      taken = taken + #redis.call('XCLAIM', records, group, consumer, silent_ms, unpack(ids))
    end
  elseif other.pending == 0 and other.idle >= gone_ms then
    redis.call('XGROUP', 'DELCONSUMER', records, group, other.name)
  end
end
return {'taken', taken}
