-- uncopied: waiting turns of which no copy stands under waiting/, as far as Redis knows, and that have waited for long.
-- KEYS  1 trigger  2 queue
-- ARGV  1 now (ms)  2 how long is long (ms)  3 how many at most
-- Returns triggers (JSON), the oldest first.
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if #found >= tonumber(ARGV[3]) then break end
  local trigger, text = read_trigger(KEYS[1], id)
  if trigger and not trigger.waiting and not trigger.textLost then
    local since = trigger.times and trigger.times.recorded or math.floor(trigger.seq / 1000)
    if tonumber(ARGV[1]) - since >= tonumber(ARGV[2]) then table.insert(found, text) end
  end
end
return found
