--! Add stock to a coupon, or take it away (P1 step 2).
--
-- Stock that returns to a coupon without any is under an embargo for EMBARGO_MS: after that time no
-- server refuses from memory any more, and the stock becomes available everywhere at one instant.

local function add_stock(delta, now_ms)
  if is_embargo_over(stock.embargo_until_ms, now_ms) then
    stock.remaining, stock.embargoed = stock.remaining + stock.embargoed, 0
  end
  local remaining, embargoed = tonumber(stock.remaining), tonumber(stock.embargoed)
  if delta < 0 then
    stock.remaining = math.max(0, remaining + delta)
    stock.embargoed = embargoed + math.min(0, remaining + delta)
  elseif remaining > 0 then
    stock.remaining, stock.embargoed = remaining + embargoed + delta, 0
  elseif embargoed > 0 or delta == 0 then
    stock.embargoed = embargoed + delta
  else
    stock.embargoed, stock.embargo_until_ms = delta, now_ms + EMBARGO_MS
  end
end
