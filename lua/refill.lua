--! Put a page of held tickets into a coupon that is being recovered (P2 step 9).
--! PARTS generation terms
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 is_first flag  4.. holder_then_held
--! REPLY refilled | fenced | other_generation
--! KEEPS I1 I2 I10
--
-- The first page (`is_first` is 1) replaces all holders: every ticket of theirs is a row by then.
-- A page that comes again changes nothing. At most 1,000 tickets per call.

local coupon, holders = KEYS[1], KEYS[2]
local epoch, is_first = ARGV[2], ARGV[3]

if not is_accepted then return 'other_generation' end
local stored = redis.call('HMGET', coupon, 'terms', 'recovery')
local state = string.match(stored[1] or '', TERMS)
if state ~= 'recovering' or stored[2] ~= epoch then return 'fenced' end

if is_first == '1' then redis.call('DEL', holders) end
if #ARGV > 3 then redis.call('HSET', holders, unpack(ARGV, 4)) end
return 'refilled'
