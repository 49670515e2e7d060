--! Release the stock of a coupon that a recovery withheld.
--! PARTS generation terms stock act embargo
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word
--! REPLY applied version total remaining | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I1 I4 I8
--
-- Without withheld stock only the number, token and result of the last act change.

local answer = refuse(true)
if answer then return answer end

local withheld = tonumber(redis.call('HGET', coupon, 'withheld') or 0)
if withheld > 0 then
  local time = redis.call('TIME')
  add_stock(withheld, time[1] * 1000 + math.floor(time[2] / 1000))
  terms.version, terms.stock_version = terms.version + 1, terms.stock_version + 1
end
local result = applied()
redis.call('HSET', coupon, 'terms', terms_text(), 'act_no', act_no, 'act_token', act_token,
  'act_result', result, 'withheld', '0')
redis.call('HSET', holders, '', stock_text())
return result
