#!lua flags=no-writes
--! Read one page of a sold-out coupon's holders, if nobody can become a holder meanwhile.
--! PARTS generation terms stock
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 stock_version number  4 cursor word
--! REPLY page next_cursor holders fields | stale
--! KEEPS I4 I8 I10
--
-- A caller that reads all pages without a `stale` reply has every holder of this stock version:
-- nobody is issued a ticket before a restock or a return, and both raise the stock version. Pause,
-- resume, close and window do not raise it, because none of them adds stock. Stock under an embargo
-- counts as stock: after the embargo somebody could win at this same stock version.
-- `holders` is the number of fields of the hash, the empty one included. A small hash comes as one
-- page.

local coupon, holders = KEYS[1], KEYS[2]
local epoch, stock_version, cursor = ARGV[2], ARGV[3], ARGV[4]

local state, own_epoch, _, _, _, _, _, _, own_stock_version =
  string.match(redis.call('HGET', coupon, 'terms') or '', TERMS)
local remaining, _, _, _, embargoed = string.match(redis.call('HGET', holders, '') or '', STOCK)
if not is_accepted or own_epoch ~= epoch or own_stock_version ~= stock_version
  or state == 'recovering' or remaining ~= '0' or embargoed ~= '0' then
  return {'stale'}
end

local page = redis.call('HSCAN', holders, cursor, 'COUNT', 200)
local fields = {}
for i = 1, #page[2], 2 do fields[#fields + 1] = page[2][i] end
return {'page', page[1], redis.call('HLEN', holders), fields}
