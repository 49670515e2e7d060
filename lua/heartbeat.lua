--! Count one more second of this life of Redis.
--! KEYS 1 heartbeat string
--! ARGV 1 generation replid
--! REPLY beat count | other_generation
--! KEEPS I3
--
-- The database takes the greater count afterwards. A Redis that comes back with a smaller one came
-- back with old data (P2 step 8).

local heartbeat = KEYS[1]
local generation = ARGV[1]

local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true)
  or not string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true) then
  return {'other_generation'}
end

return {'beat', redis.call('INCR', heartbeat)}
