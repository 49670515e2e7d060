-- Take one ticket for one user: KEYS coupon hash, holders hash and, where another process persists
-- what was issued, a stream; ARGV the user. Replies {serial, 1 for a new one else 0}; serial 0 is
-- sold out.
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held then return {tonumber(held), 0} end

local stored = redis.call('HMGET', KEYS[1], 'stock', 'total')
local stock = tonumber(stored[1] or '0')
if stock <= 0 then return {0, 0} end

local serial = tonumber(stored[2]) - stock + 1
redis.call('HINCRBY', KEYS[1], 'stock', -1)
redis.call('HSET', KEYS[2], ARGV[1], serial)
if KEYS[3] then redis.call('XADD', KEYS[3], '*', 'user_id', ARGV[1], 'serial', serial) end
return {serial, 1}
