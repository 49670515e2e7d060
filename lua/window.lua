--! Move a coupon's window, or its limit per user.
--! KEYS 1 coupon hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word  5 opens_at_ms ms
--! ARGV 6 closes_at_ms ms  7 per_user_limit tickets
--! REPLY applied version total remaining | refused reason | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I2 I4 I8
--
-- An empty opens_at_ms or closes_at_ms means that there is none. A lower limit hides no held claim:
-- holders are answered before the limit is looked at. A closed coupon stays closed
-- (already_closed).
--
-- Before its first ticket a coupon's servers repeat `not_open` from memory for up to 100 ms. So one
-- that is to open earlier than it said opens for everybody at one instant, 150 ms from now, or when
-- it said if that is sooner. Else somebody could win at one server, and hear `not_open` at another.

local coupon = KEYS[1]
local generation, epoch, act_no, act_token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local opens_at_ms, closes_at_ms, per_user_limit = ARGV[5], ARGV[6], ARGV[7]

local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true)
  or not string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true) then
  return 'other_generation'
end
local stored = redis.call('HMGET', coupon, 'epoch', 'state', 'act_no', 'act_result', 'version',
  'total', 'remaining', 'held', 'last_serial', 'opens_at_ms', 'act_token')
if not stored[1] then return 'unknown' end
if stored[1] ~= epoch then return 'stale_epoch ' .. stored[1] end
for i = 2, 11 do
  if not stored[i] then return 'recovering' end
end
if stored[2] == 'recovering' then return 'recovering' end
if stored[3] == act_no then
  return stored[11] == act_token and stored[4] or 'diverged ' .. act_no
end
if tonumber(stored[3]) + 1 ~= tonumber(act_no) then return 'out_of_order ' .. stored[3] end
if stored[2] == 'closed' then
  redis.call('HSET', coupon, 'act_no', act_no, 'act_token', act_token,
    'act_result', 'refused already_closed')
  return 'refused already_closed'
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local waits = stored[9] == '0' and stored[10] ~= '' and now_ms < tonumber(stored[10])
local soonest_ms = waits and math.min(tonumber(stored[10]), now_ms + 150)
if waits and (opens_at_ms == '' or tonumber(opens_at_ms) < soonest_ms) then
  opens_at_ms = string.format('%.0f', soonest_ms)
end

local version, stock = tonumber(stored[5]) + 1, tonumber(stored[7]) + tonumber(stored[8])
local result = string.format('applied %.0f %s %.0f', version, stored[6], stock)
redis.call('HSET', coupon, 'opens_at_ms', opens_at_ms, 'closes_at_ms', closes_at_ms,
  'per_user_limit', per_user_limit, 'version', string.format('%.0f', version),
  'act_no', act_no, 'act_token', act_token, 'act_result', result)
return result
