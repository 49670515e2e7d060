--! Read a coupon for an act, and give the answer to an act that is not the next one (P9 step 2).
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 2 epoch number  3 act_no number  4 act_token word
--! REPLY diverged act_no | out_of_order act_no | recovering | other_generation | stale_epoch epoch
--! REPLY unknown
--
-- An act that is repeated with the same act_no and act_token gets the stored result. With the same
-- act_no and another token it is a different act (`diverged`), and nothing is written.

local coupon, holders = KEYS[1], KEYS[2]
local epoch, act_no, act_token = ARGV[2], ARGV[3], ARGV[4]
local stored = redis.call('HMGET', coupon, 'terms', 'act_no', 'act_token', 'act_result',
  'unwritten')

local terms = {}
terms.state, terms.epoch, terms.key_id, terms.opens_at_ms, terms.closes_at_ms,
  terms.per_user_limit, terms.id, terms.version, terms.stock_version, terms.total,
  terms.valid_for_ms = string.match(stored[1] or '', TERMS)
-- A pause or close needs no stock, so lost or damaged holders must not hold it up.
local kept_stock = redis.pcall('HGET', holders, '')
if type(kept_stock) ~= 'string' then kept_stock = '' end
local stock = {}
stock.remaining, stock.last_serial, stock.issued, stock.returned, stock.embargoed,
  stock.embargo_until_ms = string.match(kept_stock, STOCK)
local has_terms = terms.state and terms.state ~= 'recovering'

-- Returns nil when the act may be applied.
local function refuse(needs_stock)
  if not is_accepted then return 'other_generation' end
  if not stored[1] then return 'unknown' end
  if terms.epoch and tonumber(terms.epoch) > tonumber(epoch) then
    return 'stale_epoch ' .. terms.epoch
  end
  if not (has_terms and stored[2] and stored[3] and stored[4])
    or needs_stock and not stock.remaining then
    return 'recovering'
  end
  if stored[2] == act_no then
    return stored[3] == act_token and stored[4] or 'diverged ' .. act_no
  end
  if tonumber(stored[2]) + 1 ~= tonumber(act_no) then return 'out_of_order ' .. stored[2] end
end

local function terms_text()
  return string.format(TERMS_FORM, terms.state, terms.epoch, terms.key_id, terms.opens_at_ms,
    terms.closes_at_ms, terms.per_user_limit, terms.id, terms.version, terms.stock_version,
    terms.total, terms.valid_for_ms)
end

local function stock_text()
  return string.format(STOCK_FORM, stock.remaining, stock.last_serial, stock.issued,
    stock.returned, string.format('%.0f', stock.embargoed),
    string.format('%.0f', stock.embargo_until_ms))
end

-- The answer to the act that made this version of the coupon.
local function applied()
  return string.format('applied %.0f %.0f %.0f', terms.version, terms.total,
    (stock.remaining or 0) + (stock.embargoed or 0))
end
