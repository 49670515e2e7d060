--! Add stock to a coupon or take it away, but never tickets that are out.
--! PARTS generation terms stock act embargo
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word  5 delta tickets
--! ARGV 6 total_max tickets
--! REPLY applied version total remaining | refused reason | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I1 I4 I8
--
-- A refusal (`below_issued` with the number of tickets that are out, `total_too_large` with the
-- total that would result) changes only the number, token and result of the last act.

local delta, total_max = tonumber(ARGV[5]), tonumber(ARGV[6])
local answer = refuse(true)
if answer then return answer end

local total = terms.total + delta
local refusal
if stock.remaining + stock.embargoed + delta < 0 or total < 1 then
  local out = terms.total - stock.remaining - stock.embargoed
  refusal = string.format('refused below_issued %.0f', out)
elseif total > total_max then
  refusal = string.format('refused total_too_large %.0f', total)
end
if refusal then
  redis.call('HSET', coupon, 'act_no', act_no, 'act_token', act_token, 'act_result', refusal)
  return refusal
end

local time = redis.call('TIME')
add_stock(delta, time[1] * 1000 + math.floor(time[2] / 1000))
terms.total, terms.version, terms.stock_version = total, terms.version + 1, terms.stock_version + 1
local result = applied()
redis.call('HSET', coupon, 'terms', terms_text(), 'act_no', act_no, 'act_token', act_token,
  'act_result', result)
redis.call('HSET', holders, '', stock_text())
return result
