--! Ask for the turn to read holders: one server at a time, in the order of arrival.
--! PARTS generation
--! KEYS 1 readers string
--! ARGV 1 generation replid  2 token word  3 step word  4 lease_ms ms
--! REPLY turn | wait before | left | other_generation
--! KEEPS I4
--
-- The string has `<token>:<ends_ms>` for each server that wants the turn, in the order in which
-- they came, separated by commas; the first one has the turn. The steps: `ask` keeps the caller's
-- place, or takes the last place if it has none; `pass` moves the caller to the last place; `leave`
-- removes it. `before` is the number of servers in front of the caller. A server that was silent
-- for lease_ms is removed. So is one whose lease would end later than lease_ms from now, because
-- then the clock stepped back. If two servers read at once, this only costs more. At most 64
-- servers wait; the others ask again.

local readers = KEYS[1]
local token, step = ARGV[2], ARGV[3]
local lease_ms = tonumber(ARGV[4])

if not is_accepted then return {'other_generation'} end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local own = string.format('%s:%.0f', token, now_ms + lease_ms)

local places, place = {}, nil
for other, ends_ms in string.gmatch(redis.call('GET', readers) or '', '([^:,]+):(%d+)') do
  local rest_ms = tonumber(ends_ms) - now_ms
  if other == token then
    if step == 'ask' then
      place = #places + 1
      places[place] = own
    end
  elseif rest_ms > 0 and rest_ms <= lease_ms then
    places[#places + 1] = other .. ':' .. ends_ms
  end
end
if step ~= 'leave' and not place and #places < 64 then
  place = #places + 1
  places[place] = own
end

redis.call('SET', readers, table.concat(places, ','), 'PX', lease_ms)
if step == 'leave' then return {'left'} end
if place == 1 then return {'turn'} end
return {'wait', place and place - 1 or #places}
