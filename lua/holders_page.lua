#!lua flags=no-writes
--! Read one page of a sold-out coupon's holders, if nobody can join them.
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 stock_version number  4 cursor word
--! REPLY page next_cursor holders fields | stale
--! KEEPS I4 I8 I10
--
-- Whoever turned from the first page to the last, and met no `stale`, has every holder at this
-- stock version: nobody is issued a ticket before a restock or a return, and both raise it. Pause,
-- resume, close and window do not: none of them makes stock. Stock that is held counts as stock:
-- after the hold somebody could win at this same stock version.
-- `holders` counts all fields of the hash. A small hash comes as one page.

local coupon, holders = KEYS[1], KEYS[2]
local generation, epoch, stock_version, cursor = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true)
  or not string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true) then
  return {'stale'}
end
local stored = redis.call('HMGET', coupon, 'epoch', 'stock_version', 'remaining', 'held', 'state')
if stored[1] ~= epoch or stored[2] ~= stock_version or stored[3] ~= '0' or stored[4] ~= '0'
  or stored[5] == 'recovering' or redis.call('HEXISTS', holders, '') == 0 then
  return {'stale'}
end

local page = redis.call('HSCAN', holders, cursor, 'COUNT', 200)
local fields = {}
for i = 1, #page[2], 2 do fields[#fields + 1] = page[2][i] end
return {'page', page[1], redis.call('HLEN', holders), fields}
