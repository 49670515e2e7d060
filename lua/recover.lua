--! Stop a coupon for its recovery, and restore what issuing needs in its shard (P2 step 9).
--! PARTS generation terms
--! KEYS 1 coupon hash  2 records stream  3 unpersisted string
--! ARGV 1 generation replid  2 epoch number  3 terms text  4 group name
--! REPLY stopped version stock_version unwritten | fenced epoch | other_generation
--! KEEPS I1 I4 I5
--
-- `epoch` is the epoch of the recovery. A recoverer with a lower one is fenced: another recoverer
-- went on after it. `terms` has the state `recovering`; it is stored if the coupon has no terms
-- that can be read. The reply tells what the coupon had: its version, its stock version (0 if it is
-- not known), and the mark of a pause or close without a row. Holders are left as they are.

local coupon, records, unpersisted = KEYS[1], KEYS[2], KEYS[3]
local epoch, terms, group = ARGV[2], ARGV[3], ARGV[4]

if not is_accepted then return {'other_generation'} end
local stored = redis.pcall('HMGET', coupon, 'terms', 'recovery', 'unwritten')
local is_hash = not stored.err
if not is_hash then stored = {} end
if tonumber(stored[2] or 0) > tonumber(epoch) then return {'fenced', stored[2]} end

local state, own_epoch, key_id, opens_at_ms, closes_at_ms, per_user_limit, id, version,
  stock_version, total, valid_for_ms = string.match(stored[1] or '', TERMS)
if state then
  terms = string.format(TERMS_FORM, 'recovering', own_epoch, key_id, opens_at_ms, closes_at_ms,
    per_user_limit, id, version, stock_version, total, valid_for_ms)
end

-- The shard: a stream with its group, and the count of the tickets in it.
local is_stream, grouped, tickets = redis.call('EXISTS', records) == 1, false, 0
if is_stream then
  for _, known in ipairs(redis.call('XINFO', 'GROUPS', records)) do
    if known[2] == group then grouped = true end
  end
end
local counted = redis.pcall('GET', unpersisted)
local is_counted = type(counted) == 'string' and tonumber(counted) ~= nil
if is_stream and not is_counted then
  for _, entry in ipairs(redis.call('XRANGE', records, '-', '+')) do
    -- The users of a record are its third and all further lines.
    local _, lines = string.gsub(entry[2][2] or '', '\n', '\n')
    tickets = tickets + math.max(0, lines - 1)
  end
end

if not is_hash then redis.call('DEL', coupon) end
redis.call('HSET', coupon, 'terms', terms, 'recovery', epoch)
if not is_counted then redis.call('SET', unpersisted, string.format('%.0f', tickets)) end
if not grouped then redis.call('XGROUP', 'CREATE', records, group, '0', 'MKSTREAM') end
return {'stopped', version or '0', stock_version or '0', stored[3] or ''}
