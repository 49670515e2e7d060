--! End issuing for good; holders are still answered.
--! KEYS 1 coupon hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number
--! REPLY applied version total remaining | out_of_order act_no | recovering
--! REPLY other_generation | stale_epoch epoch | unknown
--! KEEPS I4 I8
--
-- Without an act_no it comes before its row, because the database is away (P9 step 7): it changes
-- state and version, and the act is written and applied afterwards.

local coupon = KEYS[1]
local generation, epoch, act_no = ARGV[1], ARGV[2], ARGV[3]

local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true)
  or not string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true) then
  return 'other_generation'
end
local stored = redis.call('HMGET', coupon, 'epoch', 'state', 'act_no', 'act_result', 'version',
  'total', 'remaining', 'held')
if not stored[1] then return 'unknown' end
if stored[1] ~= epoch then return 'stale_epoch ' .. stored[1] end
if stored[2] == 'recovering' then return 'recovering' end
if act_no == '' then
  act_no = stored[3]
elseif stored[3] == act_no then
  return stored[4]
elseif tonumber(stored[3]) + 1 ~= tonumber(act_no) then
  return 'out_of_order ' .. stored[3]
end

local version, stock = tonumber(stored[5]) + 1, tonumber(stored[7]) + tonumber(stored[8])
local result = string.format('applied %.0f %s %.0f', version, stored[6], stock)
local act_result = act_no == stored[3] and stored[4] or result
redis.call('HSET', coupon, 'state', 'closed', 'version', string.format('%.0f', version),
  'act_no', act_no, 'act_result', act_result)
return result
