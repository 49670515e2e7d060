--! The format of a coupon's stock, and how much of it may be taken (P1 step 1).
--
-- The stock is in the field with the empty name of the holders hash, so that one command changes
-- stock and holders, and they can only be lost together. It consists of remaining, last_serial,
-- issued, returned, embargoed and embargo_until_ms, separated by spaces. Trailing spaces make it
-- longer than any value of a listpack (hash-max-listpack-value is 64): in a listpack Redis would
-- search through all holders to find one.

local EMBARGO_MS = 150
local STOCK = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) *$'
-- `%d` is several times as fast as `%.0f`. It is exact for numbers that fit in a C `long`. Counts
-- and serials always do; the time does not where a `long` has 32 bits.
local STOCK_FORM = '%d %d %d %d %s %-56s'

-- If more than EMBARGO_MS are left, the clock stepped back after the embargo began: it is over.
local function is_embargo_over(embargo_until_ms, now_ms)
  local rest_ms = embargo_until_ms - now_ms
  return rest_ms <= 0 or rest_ms > EMBARGO_MS
end
