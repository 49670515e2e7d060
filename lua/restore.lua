--! Give a user a lost ticket again, from the stock that a recovery withheld.
--! PARTS generation terms stock act
--! KEYS 1 coupon hash  2 holders hash  3 records stream  4 unpersisted string
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word
--! ARGV 5 holder field  6 held ticket  7 record text
--! REPLY applied version total remaining | refused reason | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I1 I2 I3 I4 I10
--
-- It is refused (`not_restored`) when no stock is withheld, or when the user has a ticket of this
-- claim. The record is written first, because a holder without one would never get a row. The stock
-- version rises, so that no filter without this holder is used any more.

local records, unpersisted = KEYS[3], KEYS[4]
local holder, held, record = ARGV[5], ARGV[6], ARGV[7]
local answer = refuse(true)
if answer then return answer end
if not redis.call('GET', unpersisted) then return 'recovering' end

local withheld = tonumber(redis.call('HGET', coupon, 'withheld') or 0)
if withheld < 1 or redis.call('HEXISTS', holders, holder) == 1 then
  local refusal = 'refused not_restored'
  redis.call('HSET', coupon, 'act_no', act_no, 'act_token', act_token, 'act_result', refusal)
  return refusal
end

redis.call('XADD', records, '*', 'tickets', record)
redis.call('INCRBY', unpersisted, 1)
stock.issued = stock.issued + 1
terms.version, terms.stock_version = terms.version + 1, terms.stock_version + 1
local result = applied()
redis.call('HSET', holders, '', stock_text(), holder, held)
redis.call('HSET', coupon, 'terms', terms_text(), 'act_no', act_no, 'act_token', act_token,
  'act_result', result, 'withheld', string.format('%.0f', withheld - 1))
return result
