--! Delete records whose tickets are rows in the database, and count them as persisted.
--! PARTS generation
--! KEYS 1 records stream  2 unpersisted string
--! ARGV 1 generation replid  2 group name  3.. record_id_then_tickets
--! REPLY acknowledged tickets | other_generation
--! KEEPS I3 I9
--
-- Called only after the commit, with exactly the records of that transaction. A record that another
-- persister has already acknowledged is not counted again. At most 512 records per call.
-- If the count of unpersisted tickets is lost while the stream has records, it is not created
-- again here: without it `issue.lua` answers `recovering`, and a new count would hide the loss.
-- Once the stream is empty, preloading any coupon of the shard creates the count again.

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
