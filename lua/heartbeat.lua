--! Count one more heartbeat of this generation.
--! PARTS generation
--! KEYS 1 heartbeat string
--! ARGV 1 generation replid  2 at_least count
--! REPLY beat count | behind count | other_generation
--! KEEPS I3
--
-- Afterwards the database keeps the greater of its count and this one. A Redis that comes back with
-- a smaller count came back with old data (P2 step 8). A count below `at_least`, which the caller
-- saw before, means that data was lost: the reply says so, and the count stays as it is as evidence
-- for the judgement. The count is compared and raised in one call, so that no FLUSHALL can come in
-- between.

local heartbeat = KEYS[1]
local at_least = tonumber(ARGV[2])

if not is_accepted then return {'other_generation'} end

local count = tonumber(redis.call('GET', heartbeat) or '0')
if count < at_least then
  return {'behind', count}
end
return {'beat', redis.call('INCR', heartbeat)}
