--! Delete the keys of an archived coupon (P2 step 14).
--! PARTS generation
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid
--! REPLY left | other_generation
--! KEEPS I10
--
-- The row of the coupon says `archived`: all of its tickets have rows, and nothing of it changes
-- any more. UNLINK frees the memory in the background, however many holders there are.

local coupon, holders = KEYS[1], KEYS[2]

if not is_accepted then return {'other_generation'} end

redis.call('UNLINK', coupon, holders)
return {'left'}
