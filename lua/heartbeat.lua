--! Count one more second of this life of Redis.
--! PARTS generation
--! KEYS 1 heartbeat string
--! ARGV 1 generation replid  2 at_least count
--! REPLY beat count | behind count | other_generation
--! KEEPS I3
--
-- The database takes the greater count afterwards. A Redis that comes back with a smaller one came
-- back with old data (P2 step 8). A count below the one that the caller saw lost something: it is
-- told and left as it is, for whoever judges it. Looked at and counted in one call, so that no
-- FLUSHALL fits between.

local heartbeat = KEYS[1]
local at_least = tonumber(ARGV[2])

if not is_accepted then return {'other_generation'} end

local count = tonumber(redis.call('GET', heartbeat) or '0')
if count < at_least then
  return {'behind', count}
end
return {'beat', redis.call('INCR', heartbeat)}
