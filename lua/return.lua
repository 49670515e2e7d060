--! Return the stock of cancelled tickets; their claims and serials are not used again.
--! PARTS generation terms stock act embargo
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word
--! ARGV 5.. serial_then_holder
--! REPLY applied version total remaining | diverged act_no | out_of_order act_no | recovering
--! REPLY other_generation | stale_epoch epoch | unknown
--! KEEPS I1 I2 I4 I5 I8
--
-- A ticket's stock returns only if its holder still has exactly this serial (P9 step 4): in case of
-- doubt the coupon undersells, and never oversells. At most 500 tickets per call.

local serials, fields = {}, {}
for i = 5, #ARGV, 2 do
  serials[#serials + 1] = ARGV[i]
  fields[#fields + 1] = ARGV[i + 1]
end
local answer = refuse(true)
if answer then return answer end

local changed, seen = {}, {}
for i, held in ipairs(redis.call('HMGET', holders, unpack(fields))) do
  local prefix = serials[i] .. ':'
  if held and string.sub(held, 1, #prefix) == prefix and not seen[fields[i]] then
    seen[fields[i]] = true
    changed[#changed + 1] = fields[i]
    changed[#changed + 1] = 'x' .. held
  end
end
local delta = #changed / 2

local time = redis.call('TIME')
add_stock(delta, time[1] * 1000 + math.floor(time[2] / 1000))
stock.returned = stock.returned + delta
terms.version, terms.stock_version = terms.version + 1, terms.stock_version + 1
local result = applied()
redis.call('HSET', coupon, 'terms', terms_text(), 'act_no', act_no, 'act_token', act_token,
  'act_result', result)
redis.call('HSET', holders, '', stock_text(), unpack(changed))
return result
