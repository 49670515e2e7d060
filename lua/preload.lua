--! Put a coupon into Redis: its definition, all its stock, and every key that issuing needs.
--! PARTS generation terms stock
--! KEYS 1 coupon hash  2 holders hash  3 records stream  4 unpersisted string
--! ARGV 1 generation replid  2 epoch number  3 coupon_id id  4 total tickets
--! ARGV 5 per_user_limit tickets  6 opens_at_ms ms  7 closes_at_ms ms  8 valid_for_ms ms
--! ARGV 9 key_id id  10 group name  11 version number  12 act_token word
--! ARGV 13 stock_version number
--! REPLY applied version total remaining | diverged act_no | out_of_order act_no | recovering
--! REPLY other_generation | stale_epoch epoch
--! KEEPS I1 I4 I5
--
-- Preload is act 1 of a coupon, and its version is the one after the draft's. If it is repeated, it
-- changes nothing and returns the stored result. If the stored token differs, Redis holds another
-- coupon that had this id before: the new coupon must not inherit its data, so nothing is written.
-- An empty opens_at_ms, closes_at_ms or valid_for_ms means that there is none. The stock_version is
-- greater than that of any earlier coupon with this id, because servers may still remember the
-- holders of that coupon.

local coupon, holders, records, unpersisted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch, coupon_id, total = ARGV[2], ARGV[3], ARGV[4]
local per_user_limit, opens_at_ms, closes_at_ms = ARGV[5], ARGV[6], ARGV[7]
local valid_for_ms, key_id, group, version = ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local act_token, stock_version = ARGV[12], ARGV[13]

if not is_accepted then return 'other_generation' end
local stored = redis.call('HMGET', coupon, 'terms', 'act_no', 'act_result', 'act_token')
local _, own_epoch = string.match(stored[1] or '', TERMS)
if own_epoch and tonumber(own_epoch) > tonumber(epoch) then return 'stale_epoch ' .. own_epoch end
local is_whole = own_epoch and stored[2] and stored[3] and stored[4]
if not is_whole and redis.call('EXISTS', coupon) == 1 then return 'recovering' end
if stored[2] == '1' then return stored[4] == act_token and stored[3] or 'diverged 1' end
if stored[2] then return 'out_of_order ' .. stored[2] end
-- Holders without their coupon: Redis lost a part of its data.
if redis.call('EXISTS', holders) == 1 then return 'recovering' end

local grouped = false
if redis.call('EXISTS', records) == 1 then
  for _, known in ipairs(redis.call('XINFO', 'GROUPS', records)) do
    if known[2] == group then grouped = true end
  end
  -- Records without their count: a new count would hide the loss (see `acknowledge.lua`).
  if redis.call('XLEN', records) > 0 and redis.call('EXISTS', unpersisted) == 0 then
    return 'recovering'
  end
end

-- The count comes first, by the command that `issue.lua` runs last: a user of Redis that may not
-- run it gets the error here, and not in the middle of an issue.
redis.call('INCRBY', unpersisted, 0)
local terms = string.format(TERMS_FORM, 'open', epoch, key_id, opens_at_ms, closes_at_ms,
  per_user_limit, coupon_id, version, stock_version, total, valid_for_ms)
local result = 'applied ' .. version .. ' ' .. total .. ' ' .. total
redis.call('HSET', coupon, 'terms', terms, 'act_no', '1', 'act_token', act_token,
  'act_result', result)
redis.call('HSET', holders, '', string.format(STOCK_FORM, total, 0, 0, 0, '0', '0'))
if not grouped then redis.call('XGROUP', 'CREATE', records, group, '0', 'MKSTREAM') end
return result
