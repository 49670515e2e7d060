--! How a coupon's terms are written: all that only an act changes, in one field of its hash.
--
-- `terms` has, with a space between: state, epoch, key_id, opens_at_ms, closes_at_ms,
-- per_user_limit, id, version, stock_version, total, valid_for_ms. A time that there is not is
-- empty. One field is read and told as fast as one, whatever stands in it, and is lost as a whole.

local TERMS = '^(%l+) (%d+) (%S+) (%d*) (%d*) (%d+) (%S+) (%d+) (%d+) (%d+) (%d*)$'
local TERMS_FORM = '%s %s %s %s %s %s %s %.0f %.0f %.0f %s'
