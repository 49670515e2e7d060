--! Check that Redis still has the generation that the database accepted (P2 step 2).
--! ARGV 1 generation replid
--
-- A replica reports the replid of its master, so the role is checked too.

local generation = ARGV[1]
local replication = redis.call('INFO', 'replication')
local is_master = string.find(replication, 'role:master', 1, true)
local is_accepted = is_master
  and string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true)
