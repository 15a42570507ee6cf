-- dismiss: forgets a failed turn that a person does not want any more. The document's record has its id already, so
-- an event of it that comes late finds it there.
-- KEYS  1 trigger  2 queue
-- ARGV  1 message id
-- Returns the state that the turn had, or '' where Redis did not know it. Only a failed one is forgotten.
local trigger = read_trigger(KEYS[1], ARGV[1])
if not trigger then return '' end
if trigger.state ~= 'failed' then return trigger.state end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local stamp = next_change(KEYS[1])
redis.call('HSET', KEYS[1], FORGOTTEN, digits(stamp))
tell(KEYS[1], cjson.encode({ v = 1, type = 'dismissed', messageId = ARGV[1], changed = stamp }))
return 'failed'
