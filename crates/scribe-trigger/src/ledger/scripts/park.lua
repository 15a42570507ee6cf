-- park: moves a waiting turn to the failed ones. Its object under waiting/ has the reason already.
-- KEYS  1 active  2 trigger  3 queue  4 lease
-- ARGV  1 trigger (JSON, as the caller knows it)  2 token  3 reason  4 channel  5 what to publish
--       6 trigger TTL (s)
-- Returns {'parked', trigger to hand on or ''}, or {'refused', ''} where the lease is another's or the turn does
-- not wait any more. A turn that is to be parked without its texts, and whose event has brought them in the meantime,
-- goes on waiting, and is the first to be handed on.
if redis.call('GET', KEYS[4]) ~= ARGV[2] then return { 'refused', '' } end
local given = cjson.decode(ARGV[1])
if not redis.call('ZSCORE', KEYS[3], given.messageId) then return { 'refused', '' } end

local trigger = read_trigger(KEYS[2], given.messageId) or given
if given.textLost and not trigger.textLost then
  trigger.waiting = true
  write_trigger(KEYS[2], trigger, ARGV[6])
  redis.call('DEL', KEYS[4])
  return { 'parked', next_waiting(KEYS[1], KEYS[2], KEYS[3]) }
end
trigger.state = 'failed'
trigger.reason = ARGV[3]
trigger.usage = given.usage or trigger.usage
trigger.waiting = true
trigger.times = trigger.times or {}
trigger.times.finished = now_ms()
write_trigger(KEYS[2], trigger, ARGV[6])
redis.call('ZREM', KEYS[3], given.messageId)
redis.call('DEL', KEYS[4])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return { 'parked', next_waiting(KEYS[1], KEYS[2], KEYS[3]) }
