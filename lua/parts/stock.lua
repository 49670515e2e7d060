--! How a coupon's stock is written, and what of it may be taken (P1 step 1).
--
-- The stock stands in the empty field of the holders hash, so that it and those who hold tickets of
-- it change in one command, and are lost together. It has, with a space between: remaining,
-- last_serial, issued, returned, embargoed, embargo_until_ms. Blanks make it longer than the
-- longest value of a packed hash (hash-max-listpack-value is 64), in which Redis would walk over
-- all holders to find one.

local EMBARGO_MS = 150
local STOCK = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) *$'
-- `%d` is several times as fast as `%.0f`. It is exact for a `long` of C, which counts and serials
-- fit in; the time does not where that has 32 bits.
local STOCK_FORM = '%d %d %d %d %s %-56s'

-- An embargo of more than EMBARGO_MS was made before a clock stepped back.
local function is_embargo_over(embargo_until_ms, now_ms)
  local rest_ms = embargo_until_ms - now_ms
  return rest_ms <= 0 or rest_ms > EMBARGO_MS
end
