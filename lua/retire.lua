--! Delete a consumer from a shard's group, unless it still has pending records.
--! PARTS generation
--! KEYS 1 records stream
--! ARGV 1 generation replid  2 group name  3 consumer name
--! REPLY retired | busy records | other_generation
--! KEEPS I3
--
-- Deleting a consumer also deletes its pending entries, and no consumer would get those records
-- again; so the check and the deletion are one step. If a read of the consumer arrives afterwards,
-- it creates the consumer again, and others take over what it read.

local records = KEYS[1]
local group, consumer = ARGV[2], ARGV[3]

if not is_accepted then return {'other_generation'} end
if redis.call('EXISTS', records) == 0 then return {'retired'} end
local held = redis.call('XPENDING', records, group, '-', '+', 1, consumer)
if #held > 0 then return {'busy', #held} end

redis.call('XGROUP', 'DELCONSUMER', records, group, consumer)
return {'retired'}
