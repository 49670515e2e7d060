--! Go on issuing after a pause.
--! KEYS 1 coupon hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word
--! REPLY applied version total remaining | refused reason | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I4 I8
--
-- A closed coupon stays closed (already_closed). A pause that came before its row has no number
-- yet, so nobody can say that it is older than this: it stays in force (superseded) until its act
-- is written, and a resume after that act ends it.

local coupon = KEYS[1]
local generation, epoch, act_no, act_token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true)
  or not string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true) then
  return 'other_generation'
end
local stored = redis.call('HMGET', coupon, 'epoch', 'state', 'act_no', 'act_result', 'version',
  'total', 'remaining', 'held', 'act_token', 'unwritten')
if not stored[1] then return 'unknown' end
if stored[1] ~= epoch then return 'stale_epoch ' .. stored[1] end
for i = 2, 9 do
  if not stored[i] then return 'recovering' end
end
if stored[2] == 'recovering' then return 'recovering' end
if stored[3] == act_no then
  return stored[9] == act_token and stored[4] or 'diverged ' .. act_no
end
if tonumber(stored[3]) + 1 ~= tonumber(act_no) then return 'out_of_order ' .. stored[3] end
local refusal
if stored[2] == 'closed' then
  refusal = 'refused already_closed'
elseif stored[10] and stored[10] ~= '' then
  refusal = 'refused superseded'
end
if refusal then
  redis.call('HSET', coupon, 'act_no', act_no, 'act_token', act_token, 'act_result', refusal)
  return refusal
end

local version, stock = tonumber(stored[5]) + 1, tonumber(stored[7]) + tonumber(stored[8])
local result = string.format('applied %.0f %s %.0f', version, stored[6], stock)
redis.call('HSET', coupon, 'state', 'open', 'version', string.format('%.0f', version),
  'act_no', act_no, 'act_token', act_token, 'act_result', result)
return result
