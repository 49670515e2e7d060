#!lua flags=no-writes
--! Read everything about a coupon at one instant, to check its balance or to show it.
--! PARTS stock
--! KEYS 1 coupon hash  2 holders hash  3 records stream  4 unpersisted string
--! ARGV 1 group name
--! REPLY balance now_ms available fields stock holders records pending unpersisted | unknown
--! KEEPS I1 I2 I5
--
-- `available` is the stock that may be taken at this instant. `fields` is the coupon's hash as
-- names and values. `stock` is the stock as the holders hash stores it. `holders` is the number of
-- claims in the holders hash, without its empty field. `records` is the number of entries in the
-- shard's stream, `pending` how many of them a consumer has read and not acknowledged, and
-- `unpersisted` the number of their tickets.

local coupon, holders, records, unpersisted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group = ARGV[1]

local fields = redis.call('HGETALL', coupon)
if #fields == 0 then return {'unknown'} end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local stock = redis.call('HGET', holders, '') or ''
local remaining, _, _, _, embargoed, embargo_until_ms = string.match(stock, STOCK)
local available = tonumber(remaining) or 0
if remaining and is_embargo_over(embargo_until_ms, now_ms) then
  available = available + embargoed
end

local pending = 0
if redis.call('EXISTS', records) == 1 then
  for _, known in ipairs(redis.call('XINFO', 'GROUPS', records)) do
    if known[2] == group then pending = known[6] end
  end
end

return {'balance', now_ms, available, fields, stock,
  math.max(0, redis.call('HLEN', holders) - 1), redis.call('XLEN', records), pending,
  tonumber(redis.call('GET', unpersisted)) or 0}
