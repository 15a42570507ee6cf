-- complete: states a fact, the turn is in the document.
-- Whoever asks, the turn is marked processed, a parked one too, and one that Redis had forgotten. Only the holder
-- of the lease gives it back, caches the asset, tells the readers, and learns which turn to hand on.
-- KEYS  1 active  2 trigger  3 queue  4 lease
-- ARGV  1 trigger (JSON, as the caller knows it)  2 token  3 lastUpdateAt  4 messageCount
--       5 ETag, or ''  6 asset, or '' to cache none  7 late (1 or 0)  8 channel  9 what to publish
--       10 trigger TTL (s)  11 session TTL (s)
-- Returns {'holder' or 'fact', 1 where a copy stands under waiting/, trigger to hand on or ''}.
local given = cjson.decode(ARGV[1])
local trigger = read_trigger(KEYS[2], given.messageId) or given
if trigger.textLost and not given.textLost then
  given.seq = trigger.seq
  given.waiting = trigger.waiting
  trigger = given
end
local waiting = trigger.waiting and '1' or '0'
-- The first who states the fact knows what the document counts.
if given.usage and not trigger.processed then trigger.usage = given.usage end
trigger.processed = true
trigger.state = 'processed'
trigger.reason = nil
trigger.waiting = false
trigger.late = trigger.late or ARGV[7] == '1'
trigger.times = trigger.times or {}
trigger.times.finished = trigger.times.finished or now_ms()
write_trigger(KEYS[2], trigger, ARGV[10])
redis.call('ZREM', KEYS[3], given.messageId)

if redis.call('GET', KEYS[4]) ~= ARGV[2] then return { 'fact', waiting, '' } end
redis.call('DEL', KEYS[4])

local session = read_session(KEYS[1])
if session then
  session.lastUpdateAt = ARGV[3]
  session.messageCount = tonumber(ARGV[4])
  redis.call('HSET', KEYS[1], 'session', cjson.encode(session))
  -- An asset never stands without its ETag. One that is too large to be cached leaves the ETag alone, by which a
  -- process knows whether it holds the present one.
  redis.call('HDEL', KEYS[1], 'asset', 'etag')
  if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'etag', ARGV[5]) end
  if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'asset', ARGV[6]) end
  redis.call('EXPIRE', KEYS[1], ARGV[11])
end
redis.call('PUBLISH', ARGV[8], ARGV[9])
return { 'holder', waiting, next_waiting(KEYS[1], KEYS[2], KEYS[3]) }
