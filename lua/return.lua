--! Give the stock of cancelled tickets back; their claims stay spent and their serials burnt.
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word
--! ARGV 5.. serial_then_holder
--! REPLY applied version total remaining | diverged act_no | out_of_order act_no | recovering
--! REPLY other_generation | stale_epoch epoch | unknown
--! KEEPS I1 I2 I4 I5 I8
--
-- A ticket's stock goes back only if its holder still has exactly this serial (P9 step 4): what is
-- not certain undersells, and never oversells. At most 500 tickets a call. Repeated with the same
-- act_no and act_token it gives the stored result again; with the same act_no and another token it
-- is another act, and nothing is written.

local coupon, holders = KEYS[1], KEYS[2]
local generation, epoch, act_no, act_token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local serials, fields = {}, {}
for i = 5, #ARGV, 2 do
  serials[#serials + 1] = ARGV[i]
  fields[#fields + 1] = ARGV[i + 1]
end

local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true)
  or not string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true) then
  return 'other_generation'
end
local stored = redis.call('HMGET', coupon, 'epoch', 'state', 'act_no', 'act_result', 'version',
  'total', 'remaining', 'held', 'held_until_ms', 'returned', 'act_token', 'stock_version')
if not stored[1] then return 'unknown' end
if stored[1] ~= epoch then return 'stale_epoch ' .. stored[1] end
for i = 2, 12 do
  if not stored[i] then return 'recovering' end
end
if stored[2] == 'recovering' then return 'recovering' end
if stored[3] == act_no then
  return stored[11] == act_token and stored[4] or 'diverged ' .. act_no
end
if tonumber(stored[3]) + 1 ~= tonumber(act_no) then return 'out_of_order ' .. stored[3] end
local version, total = tonumber(stored[5]), tonumber(stored[6])
local remaining, held, held_until_ms = tonumber(stored[7]), tonumber(stored[8]), tonumber(stored[9])
local returned = tonumber(stored[10])

local spent, seen = {}, {}
for i, holding in ipairs(redis.call('HMGET', holders, unpack(fields))) do
  local prefix = serials[i] .. ':'
  if holding and string.sub(holding, 1, #prefix) == prefix and not seen[fields[i]] then
    seen[fields[i]] = true
    spent[#spent + 1] = fields[i]
    spent[#spent + 1] = 'x' .. holding
  end
end
local delta = #spent / 2

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
-- A hold of more than 150 ms was made before a clock stepped back.
local ripe = now_ms >= held_until_ms or held_until_ms - now_ms > 150
local available = remaining + (ripe and held or 0)
if ripe then held = 0 end

-- The same hold as in a restock (P1 step 2).
if available > 0 or delta == 0 then
  remaining = available + delta
elseif held == 0 then
  remaining, held, held_until_ms = 0, delta, now_ms + 150
else
  held = held + delta
end

local result = string.format('applied %.0f %.0f %.0f', version + 1, total, remaining + held)
redis.call('HSET', coupon,
  'remaining', string.format('%.0f', remaining), 'held', string.format('%.0f', held),
  'held_until_ms', string.format('%.0f', held_until_ms),
  'returned', string.format('%.0f', returned + delta),
  'version', string.format('%.0f', version + 1),
  'stock_version', string.format('%.0f', tonumber(stored[12]) + 1),
  'act_no', act_no, 'act_token', act_token, 'act_result', result)
if delta > 0 then redis.call('HSET', holders, unpack(spent)) end
return result
