--! The format of a coupon's terms: everything that only acts change, in one field of its hash.
--
-- `terms` consists of state, epoch, key_id, opens_at_ms, closes_at_ms, per_user_limit, id, version,
-- stock_version, total and valid_for_ms, separated by spaces. A time that is not set is empty. One
-- field is faster to read and to return than many, and it can only be lost as a whole.

local TERMS = '^(%l+) (%d+) (%S+) (%d*) (%d*) (%d+) (%S+) (%d+) (%d+) (%d+) (%d*)$'
local TERMS_FORM = '%s %s %s %s %s %s %s %.0f %.0f %.0f %s'
