--! Move a coupon's window, or its limit per user.
--! PARTS generation terms stock act
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word  5 opens_at_ms ms
--! ARGV 6 closes_at_ms ms  7 per_user_limit tickets
--! REPLY applied version total remaining | refused reason | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I2 I4 I8
--
-- An empty opens_at_ms or closes_at_ms means that there is none. A lower limit hides no held
-- ticket: `issue.lua` answers holders before it checks the limit. A closed coupon stays closed
-- (`already_closed`).
--
-- Before the first ticket of a coupon is issued, servers repeat `not_open` from memory for up to
-- 100 ms. If the opening is moved to an earlier time, it takes effect EMBARGO_MS from now, or at
-- the old time if that is sooner, for all servers at one instant. Otherwise somebody could win at
-- one server while another one still answers `not_open`.

local opens_at_ms, closes_at_ms, per_user_limit = ARGV[5], ARGV[6], ARGV[7]
local answer = refuse(true)
if answer then return answer end
if terms.state == 'closed' then
  redis.call('HSET', coupon, 'act_no', act_no, 'act_token', act_token,
    'act_result', 'refused already_closed')
  return 'refused already_closed'
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local old_opens_at_ms = tonumber(terms.opens_at_ms)
if stock.last_serial == '0' and old_opens_at_ms and now_ms < old_opens_at_ms then
  local soonest_ms = math.min(old_opens_at_ms, now_ms + EMBARGO_MS)
  if opens_at_ms == '' or tonumber(opens_at_ms) < soonest_ms then
    opens_at_ms = string.format('%.0f', soonest_ms)
  end
end

terms.opens_at_ms, terms.closes_at_ms = opens_at_ms, closes_at_ms
terms.per_user_limit, terms.version = per_user_limit, terms.version + 1
local result = applied()
redis.call('HSET', coupon, 'terms', terms_text(), 'act_no', act_no, 'act_token', act_token,
  'act_result', result)
return result
