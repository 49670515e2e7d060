--! Give stock to a coupon or take it away, never below what is out.
--! KEYS 1 coupon hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word  5 delta tickets
--! ARGV 6 total_max tickets
--! REPLY applied version total remaining | refused reason | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I1 I4 I8
--
-- Repeated with the same act_no and act_token it gives the stored result again; with the same
-- act_no and another token it is another act, and nothing is written. A refusal (below_issued with
-- what is out, total_too_large with what the total would be) changes nothing but the act's number
-- and result.

local coupon = KEYS[1]
local generation, epoch, act_no, act_token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local delta, total_max = tonumber(ARGV[5]), tonumber(ARGV[6])

local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true)
  or not string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true) then
  return 'other_generation'
end
local stored = redis.call('HMGET', coupon, 'epoch', 'state', 'act_no', 'act_result', 'version',
  'total', 'remaining', 'held', 'held_until_ms', 'act_token', 'stock_version')
if not stored[1] then return 'unknown' end
if stored[1] ~= epoch then return 'stale_epoch ' .. stored[1] end
for i = 2, 11 do
  if not stored[i] then return 'recovering' end
end
if stored[2] == 'recovering' then return 'recovering' end
if stored[3] == act_no then
  return stored[10] == act_token and stored[4] or 'diverged ' .. act_no
end
if tonumber(stored[3]) + 1 ~= tonumber(act_no) then return 'out_of_order ' .. stored[3] end
local version, total = tonumber(stored[5]), tonumber(stored[6]) + delta
local remaining, held, held_until_ms = tonumber(stored[7]), tonumber(stored[8]), tonumber(stored[9])

local refusal
if remaining + held + delta < 0 or total < 1 then
  refusal = string.format('below_issued %.0f', total - delta - remaining - held)
elseif total > total_max then
  refusal = string.format('total_too_large %.0f', total)
end
if refusal then
  local result = 'refused ' .. refusal
  redis.call('HSET', coupon, 'act_no', act_no, 'act_token', act_token, 'act_result', result)
  return result
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
-- A hold of more than 150 ms was made before a clock stepped back.
local ripe = now_ms >= held_until_ms or held_until_ms - now_ms > 150
local available = remaining + (ripe and held or 0)
if ripe then held = 0 end

-- Stock that comes back to a coupon without any is held for 150 ms: by then no process refuses
-- from memory any more, and the stock opens for everybody at one instant (P1 step 2).
if delta < 0 then
  remaining = available + delta
  if remaining < 0 then held, remaining = held + remaining, 0 end
elseif available > 0 then
  remaining, held = available + delta, 0
elseif held == 0 then
  remaining, held, held_until_ms = 0, delta, now_ms + 150
else
  held = held + delta
end

local result = string.format('applied %.0f %.0f %.0f', version + 1, total, remaining + held)
redis.call('HSET', coupon,
  'remaining', string.format('%.0f', remaining), 'held', string.format('%.0f', held),
  'held_until_ms', string.format('%.0f', held_until_ms), 'total', string.format('%.0f', total),
  'version', string.format('%.0f', version + 1),
  'stock_version', string.format('%.0f', tonumber(stored[11]) + 1),
  'act_no', act_no, 'act_token', act_token, 'act_result', result)
return result
