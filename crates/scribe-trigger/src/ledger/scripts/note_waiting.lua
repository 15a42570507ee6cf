-- note_waiting: a copy of the turn stands under waiting/ now; whoever completes the turn removes it.
-- KEYS  1 trigger
-- ARGV  1 message id  2 trigger TTL (s)
-- Returns the turn's state, '' where Redis does not know it. 'processed' means: it was completed in the meantime,
-- so the caller removes the copy.
local trigger = read_trigger(KEYS[1], ARGV[1])
if not trigger then return '' end
if not trigger.processed then
  trigger.waiting = true
  keep_trigger(KEYS[1], trigger, ARGV[2])
end
return trigger.state
