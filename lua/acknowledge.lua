--! Drop records whose tickets are rows by now, and count them as persisted.
--! PARTS generation
--! KEYS 1 records stream  2 unpersisted string
--! ARGV 1 generation replid  2 group name  3.. record_id_then_tickets
--! REPLY acknowledged tickets | other_generation
--! KEEPS I3 I9
--
-- Called after the commit only, with exactly the records of that transaction. A record that
-- another persister acknowledged before is not counted again. At most 512 records a call. A count
-- that was lost stays lost while there are records: issue answers `recovering` without it, and a
-- new one would hide the loss. Once the stream is empty, preload of any coupon of the shard makes
-- it anew.

local records, unpersisted = KEYS[1], KEYS[2]
local group = ARGV[2]
local record_ids, tickets = {}, {}
for i = 3, #ARGV, 2 do
  record_ids[#record_ids + 1] = ARGV[i]
  tickets[#tickets + 1] = tonumber(ARGV[i + 1])
end

if not is_accepted then return {'other_generation'} end
local counted = tonumber(redis.call('GET', unpersisted))

local persisted = 0
for i, record_id in ipairs(record_ids) do
  if redis.call('XACK', records, group, record_id) == 1 then
    redis.call('XDEL', records, record_id)
    persisted = persisted + tickets[i]
  end
end
if counted and persisted > 0 then
  redis.call('SET', unpersisted, string.format('%.0f', math.max(0, counted - persisted)))
end
return {'acknowledged', persisted}
