#!lua flags=allow-oom
--! Pause, resume or close a coupon; holders still get their tickets as an answer.
--! PARTS generation terms stock act
--! KEYS 1 coupon hash  2 holders hash
--! ARGV 1 generation replid  2 epoch number  3 act_no number  4 act_token word  5 change word
--! REPLY applied version total remaining | refused reason | diverged act_no | out_of_order act_no
--! REPLY recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I4 I8
--
-- `change` is `pause`, `resume` or `close`. If the coupon is in the wanted state already, its
-- version does not change. A closed coupon stays closed (`already_closed`).
--
-- A pause or a close only stops issuing, so nothing may delay it. It runs also in a Redis that has
-- reached its `maxmemory` (allow-oom), because it adds only a few bytes. Without an act_no it is
-- applied before its row is written, because the database is away, hangs or has diverged (P9 step
-- 7). It then checks neither generation nor epoch, so that it works without a proven generation,
-- and it changes the state and the version. The field `unwritten` is its mark (`pause`, `close` or
-- `pause close`): it stays until the row is written and the act of that row is applied. Until then
-- a resume is refused (`superseded`), and the same pause or close is the same act if it comes
-- again. The act of a marked pause is applied even if a close followed it; the coupon then stays
-- closed.

local change = ARGV[5]
local targets = {pause = 'paused', resume = 'open', close = 'closed'}
local is_first = act_no == ''

local answer
if not is_first then
  answer = refuse(change == 'resume')
elseif not is_master then
  answer = 'other_generation'
elseif not stored[1] then
  answer = 'unknown'
elseif not has_terms then
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
