--! Issue a ticket of one coupon to each of up to 512 users, or answer why not.
--! PARTS generation stock
--! KEYS 1 coupon hash  2 holders hash  3 records stream  4 unpersisted string
--! ARGV 1 generation replid  2 epoch number  3 backlog_max tickets  4 source word
--! ARGV 5 key_ids list  6 claims list  7.. user_ids
--! REPLY issued | replayed held | cancelled held | sold_out | not_open | closed | paused | limit
--! REPLY backlog_full | recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I1 I2 I4 I5 I10
--
-- A reply is {answers, lease_ms, first_serial, issued_at_ms, terms}. `answers` has one word per
-- user, in the order of the arguments, separated by line feeds; if all words are equal, it has only
-- one. A call that is refused as a whole gets only the word of the refusal. The users with the
-- answer `issued` have the serials first_serial, first_serial + 1, and so on, in their order.
-- A held ticket (`held`) is `<serial>:<time>`, followed by `:<epoch>` when the epoch is not 1, and
-- preceded by `x` once it is cancelled. `time` is issued_at_ms in seven digits of base 64, which
-- are the characters from `;` to `z`: with it each of a million tickets takes 16 bytes in Redis,
-- and no digit is a separator. `claims` is empty when all claims are 1, else it has one number per
-- user, separated by commas. A user and claim that occur twice get one ticket; the answer to the
-- second is `replayed`.
--
-- A call for one user costs Redis little more than the commands in it, so there are few of them. In
-- a call for many users the loop costs most, so it creates no table or string without need.

local coupon, holders, records, unpersisted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch, backlog_max = ARGV[2], tonumber(ARGV[3])
local source, key_ids, claims = ARGV[4], ARGV[5], ARGV[6]
local LEASE_MAX_MS = 100

-- Decide. Nothing is written before the answers to all users are known. A read or the first write
-- checks the type of every key: an error after that would leave half a ticket.
if not is_accepted then return 'other_generation' end
local told_terms = redis.call('HGET', coupon, 'terms')
if not told_terms then return 'unknown' end
-- The format of lua/parts/terms.lua, of which only seven are captured: each capture costs time.
local state, own_epoch, key_id, opens_at_ms, closes_at_ms, per_user_limit, coupon_id =
  string.match(told_terms, '^(%l+) (%d+) (%S+) (%d*) (%d*) (%d+) (%S+) %d+ %d+ %d+ %d*$')
if not state then return 'recovering' end
-- A caller that has not heard of the coupon's last recovery must not serve it (P2 step 2).
if own_epoch ~= epoch and tonumber(own_epoch) > tonumber(epoch) then
  return 'stale_epoch ' .. own_epoch
end

-- `fields` from 6 on: the empty field, which has the stock, then the field of each user. When all
-- claims are 1, ARGV is this list already, because `claims` (ARGV[6]) is then empty.
local fields, claim_numbers = ARGV, nil
if claims ~= '' then
  fields, claim_numbers = {[6] = ''}, {}
  for number in string.gmatch(claims, '[^,]+') do
    local i = #claim_numbers + 1
    claim_numbers[i] = number
    fields[6 + i] = number == '1' and ARGV[6 + i] or ARGV[6 + i] .. '\n' .. number
  end
end
local backlog = tonumber(redis.call('GET', unpersisted))
local found = redis.call('HMGET', holders, unpack(fields, 6, #ARGV))
local remaining, last_serial, issued, returned, embargoed, embargo_until_ms =
  string.match(found[1] or '', STOCK)
-- A server without the coupon's key could not make the code of a ticket (P3 step 5).
if state == 'recovering' or not backlog or not remaining
  or not string.find(',' .. key_ids .. ',', ',' .. key_id .. ',', 1, true) then
  return 'recovering'
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local available = tonumber(remaining)
local lease_ms = LEASE_MAX_MS
if embargoed ~= '0' then
  if is_embargo_over(embargo_until_ms, now_ms) then
    available, embargoed = available + embargoed, '0'
  else
    -- now_ms is rounded down, so the embargo may end up to 1 ms earlier.
    lease_ms = math.min(lease_ms, embargo_until_ms - now_ms - 1)
  end
end

local refusal
local closing_ms = closes_at_ms ~= '' and closes_at_ms - now_ms or LEASE_MAX_MS
if state == 'closed' or closing_ms <= 0 then
  refusal = 'closed'
elseif opens_at_ms ~= '' and now_ms < tonumber(opens_at_ms) then
  refusal = 'not_open'
elseif state == 'paused' then
  refusal = 'paused'
end
lease_ms = math.min(lease_ms, math.max(closing_ms, 0))

-- `found` has each user's held ticket at first; the loop replaces it with the user's answer.
local format, byte = string.format, string.byte
local digits, rest = {0, 0, 0, 0, 0, 0, 0}, now_ms
for i = 7, 1, -1 do
  local digit = rest % 64
  digits[i] = 59 + digit
  rest = (rest - digit) / 64
end
local held_form = '%d:' .. string.char(unpack(digits))
if own_epoch ~= '1' then held_form = held_form .. ':' .. own_epoch end
local new_holders, new_users, new_claims, now_held = {'', ''}, {}, {}, {}
local room = math.min(available, backlog_max - backlog)
local taken, is_one_answer = 0, true
for i = 2, #ARGV - 5 do
  local field, answer = fields[i + 5], 'issued'
  local held = found[i] or now_held[field]
  if held then
    answer = (byte(held) == 120 and 'cancelled ' or 'replayed ') .. held
  elseif refusal then
    answer = refusal
  elseif claim_numbers and tonumber(claim_numbers[i - 1]) > tonumber(per_user_limit) then
    answer = 'limit'
  elseif taken >= room then
    answer = taken >= available and 'sold_out' or 'backlog_full'
  else
    taken = taken + 1
    held = format(held_form, last_serial + taken)
    now_held[field] = held
    new_holders[taken * 2 + 1] = field
    new_holders[taken * 2 + 2] = held
    new_users[taken] = ARGV[i + 5]
    if claim_numbers then new_claims[taken] = claim_numbers[i - 1] end
  end
  found[i] = answer
  is_one_answer = is_one_answer and answer == found[2]
end

local first_serial = last_serial + 1

-- Write the record first: a held ticket without a record would never become a row. Redis checks its
-- memory only before the first write. An ACL change can take away a command at any time: if HSET is
-- denied, the record is deleted again, else its serial would be issued twice; if INCRBY is denied,
-- the count of the backlog is only too low.
if taken > 0 then
  local record = redis.call('XADD', records, '*', 'tickets',
    format('1 %s %s %d %.0f %s\n%s\n%s', coupon_id, own_epoch, first_serial, now_ms, source,
      table.concat(new_claims, ','), table.concat(new_users, '\n')))
  new_holders[2] = format(STOCK_FORM, available - taken, last_serial + taken, issued + taken,
    returned, embargoed, embargo_until_ms)
  local written = redis.pcall('HSET', holders, unpack(new_holders))
  if type(written) == 'table' then
    redis.call('XDEL', records, record)
    -- Fails again in the same way, so that the caller gets the error.
    redis.call('HSET', holders, unpack(new_holders))
  end
  redis.call('INCRBY', unpersisted, format('%d', taken))
end

local told = is_one_answer and found[2] or table.concat(found, '\n', 2)
return {told, lease_ms, first_serial, now_ms, told_terms}
