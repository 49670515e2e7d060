--! End the recovery of a coupon: it has its state, its stock and its last act again (P2 step 10).
--! PARTS generation terms stock
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 terms text  4 held tickets  5 remaining tickets
--! ARGV 6 last_serial number  7 issued tickets  8 returned tickets  9 act_no number
--! ARGV 10 act_token word  11 act_result text  12 withheld tickets
--! REPLY reopened | differs held | fenced | other_generation
--! KEEPS I1 I2 I5
--
-- `held` is the number of held tickets that were put in; any other number of holders means that
-- something else wrote them, and the recovery of the coupon begins anew.

local coupon, holders = KEYS[1], KEYS[2]
local epoch, terms, held, remaining = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local last_serial, issued, returned = ARGV[6], ARGV[7], ARGV[8]
local act_no, act_token, act_result, withheld = ARGV[9], ARGV[10], ARGV[11], ARGV[12]

if not is_accepted then return {'other_generation'} end
local stored = redis.call('HMGET', coupon, 'terms', 'recovery')
local state = string.match(stored[1] or '', TERMS)
if state ~= 'recovering' or stored[2] ~= epoch then return {'fenced'} end
local there = redis.call('HLEN', holders)
if there ~= held then return {'differs', there} end

redis.call('HSET', holders, '', string.format(STOCK_FORM, remaining, last_serial, issued, returned,
  '0', '0'))
redis.call('HSET', coupon, 'terms', terms, 'act_no', act_no, 'act_token', act_token,
  'act_result', act_result, 'withheld', withheld)
return {'reopened'}
