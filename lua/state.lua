#!lua flags=allow-oom
--! Pause, resume or close a coupon; holders are still answered.
--! PARTS generation terms stock act
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word  5 change word
--! REPLY applied version total remaining | refused reason | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I4 I8
--
-- `change` is `pause`, `resume` or `close`. A coupon that is already as it is to be keeps its
-- version. A closed coupon stays closed (already_closed).
--
-- A pause or a close only takes away, so nothing may hold it up. A Redis that has reached its bound
-- of memory runs it too (allow-oom); it adds a few bytes. And without an act_no it comes before its
-- row, because the database is away, hangs or has diverged (P9 step 7): then it asks for no
-- generation and no epoch, so that no life of Redis needs to be proven, and changes state and
-- version. The mark `unwritten` (`pause`, `close` or `pause close`) stays until the row is written
-- and its act is applied: until then no resume can undo it (superseded). Told once more meanwhile,
-- it is the same act. The act of a marked pause is applied also when a close came after it, and
-- leaves the coupon closed.

local change = ARGV[5]
local targets = {pause = 'paused', resume = 'open', close = 'closed'}
local is_first = act_no == ''

local answer
if not is_first then
  answer = refuse()
elseif not is_master then
  answer = 'other_generation'
elseif not stored[1] then
  answer = 'unknown'
elseif not is_whole then
  answer = 'recovering'
end
if answer then return answer end

local unwritten, is_marked = {}, false
for mark in string.gmatch(stored[5] or '', '%l+') do
  if mark == change then is_marked = true end
  if mark ~= change or is_first then unwritten[#unwritten + 1] = mark end
end
local is_closed = terms.state == 'closed'

local refusal
if is_closed and change ~= 'close' and (is_first or not is_marked) then
  refusal = 'refused already_closed'
elseif change == 'resume' and #unwritten > 0 then
  refusal = 'refused superseded'
end
if refusal then
  if not is_first then
    redis.call('HSET', coupon, 'act_no', act_no, 'act_token', act_token, 'act_result', refusal)
  end
  return refusal
end

local is_done = not is_marked and terms.state == targets[change]
if is_first then is_done = is_marked or is_closed end
if not is_done then
  terms.version = terms.version + 1
  if not is_closed then terms.state = targets[change] end
  if is_first then unwritten[#unwritten + 1] = change end
end
local result = applied()
if not is_done then
  redis.call('HSET', coupon, 'terms', terms_text(), 'unwritten', table.concat(unwritten, ' '))
end
if not is_first then
  redis.call('HSET', coupon, 'act_no', act_no, 'act_token', act_token, 'act_result', result)
end
return result
