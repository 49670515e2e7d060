--! Give a ticket of one coupon to each of up to 512 users, or say to each why not.
--! KEYS 1 coupon hash  2 holders hash  3 records stream  4 unpersisted string
--! ARGV 1 generation replid  2 epoch number  3 backlog_max tickets  4 source word
--! ARGV 5 key_ids list  6 claims list  7.. user_ids
--! REPLY issued | replayed holding | cancelled holding | sold_out | not_open | closed | paused
--! REPLY limit | backlog_full | recovering | other_generation | stale_epoch epoch | unknown
--! KEEPS I1 I2 I4 I5 I10
--
-- A reply is {answers, epoch, version, lease_ms, key_id, valid_for_ms, opens_at_ms, total,
-- first_serial, issued_at_ms, per_user_limit, stock_version}. `answers` is one word a user, in
-- their order, separated by line feeds; a word that is the same for all stands once, and a call
-- that is refused as a whole is its word alone. Those who were issued a ticket have, in their
-- order, first_serial and the ones after it. A `holding` is `<serial>:<issued_at_ms in base 36>`,
-- with `:<epoch>` after it when the epoch is not 1, and `x` before it once its ticket was
-- cancelled. `claims` is empty when all are 1, else one number a user, separated by commas. A user
-- and claim that stand twice get one ticket, and the second is told it as a replay.
--
-- The loop over the users is most of what a ticket costs Redis: it makes no table and no text that
-- it can do without.

local coupon, holders, records, unpersisted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local generation, epoch, backlog_max = ARGV[1], ARGV[2], tonumber(ARGV[3])
local source, key_ids, claims = ARGV[4], ARGV[5], ARGV[6]
local user_ids = {unpack(ARGV, 7)}

-- Decide. Nothing is written before everybody's answer is known. Every key's type is checked by a
-- read or by the first write: an error after that would leave half a ticket.
local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true)
  or not string.find(replication, 'master_replid:' .. generation .. '\r\n', 1, true) then
  return {'other_generation'}
end

local stored = redis.call('HMGET', coupon, 'id', 'state', 'epoch', 'version', 'remaining', 'held',
  'held_until_ms', 'last_serial', 'issued', 'per_user_limit', 'opens_at_ms', 'closes_at_ms',
  'key_id', 'valid_for_ms', 'total', 'stock_version')
local coupon_id, state = stored[1], stored[2]
if not coupon_id then return {'unknown'} end
local version = stored[4]
local remaining, held, held_until_ms = tonumber(stored[5]), tonumber(stored[6]), tonumber(stored[7])
local last_serial, issued = tonumber(stored[8]), tonumber(stored[9])
local per_user_limit = tonumber(stored[10])
local opens_at_ms, closes_at_ms = stored[11], stored[12]
local key_id, valid_for_ms, total = stored[13], stored[14], stored[15]
-- A coupon that lost a field: what is told could not be read, or only a part of it be written.
if not (state and stored[3] and version and remaining and held and held_until_ms and last_serial
  and issued and per_user_limit and opens_at_ms and closes_at_ms and key_id and valid_for_ms
  and total and stored[16]) then
  return {'recovering'}
end
if stored[3] ~= epoch then return {'stale_epoch', stored[3]} end

-- The holders hash has an empty field since preload: without it the hash was lost, and with it
-- who holds a ticket. The counter and the stream exist since preload too.
local backlog = tonumber(redis.call('GET', unpersisted))
if state == 'recovering' or not backlog or redis.call('HEXISTS', holders, '') == 0 then
  return {'recovering'}
end
-- Whoever lacks the coupon's key can tell nobody the ticket that would be taken (P3 step 5).
if not string.find(',' .. key_ids .. ',', ',' .. key_id .. ',', 1, true) then
  return {'recovering'}
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
-- A hold of more than 150 ms was made before a clock stepped back.
local ripe = now_ms >= held_until_ms or held_until_ms - now_ms > 150
local available = remaining + (ripe and held or 0)

local closing_ms = closes_at_ms ~= '' and tonumber(closes_at_ms) - now_ms or 100
local refusal
if state == 'closed' or closing_ms <= 0 then
  refusal = 'closed'
elseif opens_at_ms ~= '' and now_ms < tonumber(opens_at_ms) then
  refusal = 'not_open'
elseif state == 'paused' then
  refusal = 'paused'
end

local lease_ms = math.min(100, math.max(closing_ms, 0))
-- The time is in whole milliseconds, so the hold may end up to one earlier than the difference.
if held > 0 and not ripe then lease_ms = math.min(lease_ms, held_until_ms - now_ms - 1) end

local fields, claim_numbers = user_ids, nil
if claims ~= '' then
  fields, claim_numbers = {}, {}
  for number in string.gmatch(claims, '[^,]+') do
    local i = #fields + 1
    fields[i] = number == '1' and user_ids[i] or user_ids[i] .. '\n' .. number
    claim_numbers[i] = number
  end
end

local function base36(number)
  local digits, text = '0123456789abcdefghijklmnopqrstuvwxyz', ''
  repeat
    local rest = number % 36
    text = string.sub(digits, rest + 1, rest + 1) .. text
    number = (number - rest) / 36
  until number == 0
  return text
end
-- `%d` is several times as fast as `%.0f`. It is exact for a `long` of C, which counts and serials
-- fit in; the time does not where that has 32 bits.
local format = string.format
local holding_form = '%d:' .. base36(now_ms) .. (epoch == '1' and '' or ':' .. epoch)

-- At first what everybody holds, then what everybody is told.
local answers = redis.call('HMGET', holders, unpack(fields))
local new_holders, new_users, new_claims, now_held = {}, {}, {}, {}
local room = math.min(available, backlog_max - backlog)
local taken, is_one_answer = 0, true
for i = 1, #fields do
  local field, answer = fields[i], 'issued'
  local holding = answers[i] or now_held[field]
  if holding then
    local cancelled = string.sub(holding, 1, 1) == 'x'
    answer = (cancelled and 'cancelled ' or 'replayed ') .. holding
  elseif refusal then
    answer = refusal
  elseif claim_numbers and tonumber(claim_numbers[i]) > per_user_limit then
    answer = 'limit'
  elseif taken >= room then
    answer = taken >= available and 'sold_out' or 'backlog_full'
  else
    taken = taken + 1
    holding = format(holding_form, last_serial + taken)
    now_held[field] = holding
    new_holders[taken * 2 - 1] = field
    new_holders[taken * 2] = holding
    new_users[taken] = user_ids[i]
    if claim_numbers then new_claims[taken] = claim_numbers[i] end
  end
  answers[i] = answer
  is_one_answer = is_one_answer and answer == answers[1]
end

local first_serial, issued_at_ms = format('%d', last_serial + 1), format('%.0f', now_ms)

-- Write, the record first: a user who holds a ticket without a record would never have a row. Redis
-- checks for memory before the first write only. A right can be taken away at any time: without
-- HSET the record goes again, or its serial would be another's too; without INCRBY only the count
-- of the backlog falls short.
if taken > 0 then
  local record = redis.call('XADD', records, '*', 'v', '1', 'coupon_id', coupon_id, 'epoch', epoch,
    'first_serial', first_serial, 'issued_at_ms', issued_at_ms, 'source', source,
    'user_ids', table.concat(new_users, '\n'), 'claims', table.concat(new_claims, ','),
    'codes', '')
  local written = redis.pcall('HSET', coupon,
    'remaining', format('%d', available - taken),
    'held', ripe and '0' or stored[6],
    'last_serial', format('%d', last_serial + taken),
    'issued', format('%d', issued + taken))
  if written ~= 0 and type(written) == 'table' then
    redis.call('XDEL', records, record)
    -- Fails as it did before, and tells so.
    redis.call('HSET', coupon, 'id', coupon_id)
  end
  redis.call('HSET', holders, unpack(new_holders))
  redis.call('INCRBY', unpersisted, format('%d', taken))
end

local told = is_one_answer and answers[1] or table.concat(answers, '\n')
return {told, epoch, version, lease_ms, key_id, valid_for_ms, opens_at_ms, total, first_serial,
  issued_at_ms, per_user_limit, stored[16]}
