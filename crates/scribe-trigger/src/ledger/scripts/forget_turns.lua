-- forget_turns: forgets turns that stood in a document which is removed for good, where their conversation writes to
-- another one. What is still owed is not touched.
-- KEYS  1 trigger
-- ARGV  1... message ids
-- Returns how many Redis knew.
local forgotten = 0
for _, id in ipairs(ARGV) do
  local trigger = read_trigger(KEYS[1], id)
  if trigger and trigger.processed then
    redis.call('HDEL', KEYS[1], id)
    -- Whoever says the same again is not known from here any more.
    redis.call('HDEL', KEYS[1], WHOLE)
    local stamp = next_change(KEYS[1])
    redis.call('HSET', KEYS[1], FORGOTTEN, digits(stamp))
    tell(KEYS[1], cjson.encode({ v = 1, type = 'dismissed', messageId = id, changed = stamp }))
    forgotten = forgotten + 1
  end
end
return forgotten
