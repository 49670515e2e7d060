#!lua flags=allow-oom
--! End issuing for good; holders are still answered.
--! KEYS 1 coupon hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word
--! REPLY applied version total remaining | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I4 I8
--
-- It only takes away, so nothing may hold it up. A Redis that has reached its bound of memory runs
-- it too (allow-oom); it adds a few bytes. And without an act_no it comes before its row, because
-- the database is away, hangs or has diverged (P9 step 7): then it asks for no generation and no
-- epoch, so that no life of Redis needs to be proven, and changes state and version. The mark
-- `unwritten` (`pause`, `close` or `pause close`) stays until its act is written and applied. A
-- coupon that is closed already is left as it is: that close has its row, or the mark.

local coupon = KEYS[1]
local generation, epoch, act_no, act_token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local is_first = act_no == ''

local replication = redis.call('INFO', 'replication')
local is_proven = string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true)
if not string.find(replication, 'role:master', 1, true) or not (is_first or is_proven) then
  return 'other_generation'
end
local stored = redis.call('HMGET', coupon, 'epoch', 'state', 'act_no', 'act_result', 'version',
  'total', 'remaining', 'held', 'act_token', 'unwritten')
if not stored[1] then return 'unknown' end
if not is_first and stored[1] ~= epoch then return 'stale_epoch ' .. stored[1] end
-- Before its row it needs nothing of the last act.
for i = is_first and 5 or 3, is_first and 8 or 9 do
  if not stored[i] then return 'recovering' end
end
if not stored[2] or stored[2] == 'recovering' then return 'recovering' end
if not is_first then
  if stored[3] == act_no then
    return stored[9] == act_token and stored[4] or 'diverged ' .. act_no
  end
  if tonumber(stored[3]) + 1 ~= tonumber(act_no) then return 'out_of_order ' .. stored[3] end
end

local version, stock = tonumber(stored[5]) + 1, tonumber(stored[7]) + tonumber(stored[8])
if is_first and stored[2] == 'closed' then
  return string.format('applied %s %s %.0f', stored[5], stored[6], stock)
end
local is_pause_unwritten = string.find(stored[10] or '', 'pause', 1, true)
local result = string.format('applied %.0f %s %.0f', version, stored[6], stock)
if is_first then
  redis.call('HSET', coupon, 'state', 'closed', 'version', string.format('%.0f', version),
    'unwritten', is_pause_unwritten and 'pause close' or 'close')
else
  redis.call('HSET', coupon, 'state', 'closed', 'version', string.format('%.0f', version),
    'unwritten', is_pause_unwritten and 'pause' or '', 'act_no', act_no, 'act_token', act_token,
    'act_result', result)
end
return result
