--! Count one more heartbeat of this generation, and name the installation.
--! PARTS generation
--! KEYS 1 heartbeat string  2 installation string
--! ARGV 1 generation replid  2 at_least count  3 installation_id id
--! REPLY beat count | behind count | other_generation | other_installation
--! KEEPS I3
--
-- Afterwards the database keeps the greater of its count and this one. A Redis that comes back with
-- a smaller count came back with old data (P2 step 8). A count below `at_least`, which the caller
-- saw before, means that data was lost: the reply says so, and the count stays as it is as evidence
-- for the judgement. The count is compared and raised in one call, so that no FLUSHALL can come in
-- between. The id of the installation is written once and never over another one: a Redis with
-- another id belongs to another database.

local heartbeat, installation = KEYS[1], KEYS[2]
local at_least, installation_id = tonumber(ARGV[2]), ARGV[3]

if not is_accepted then return {'other_generation'} end
local known = redis.call('GET', installation)
if known and known ~= installation_id then return {'other_installation'} end

local count = tonumber(redis.call('GET', heartbeat) or '0')
if count < at_least then
  return {'behind', count}
end
if not known then redis.call('SET', installation, installation_id) end
return {'beat', redis.call('INCR', heartbeat)}
