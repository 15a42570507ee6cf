-- mark_none: notes that no scribe belongs to a conversation, where Redis knows nothing else of it.
-- The turns that were recorded on suspicion are owed nowhere and are forgotten: a scribe that is started later takes
-- them if they are sent again.
-- KEYS  1 active  2 trigger  3 queue
-- ARGV  1 session TTL (s)
-- Returns 1, or 0 where a session was registered in the meantime: then nothing is changed.
local session = read_session(KEYS[1])
if session then return 0 end
redis.call('HSET', KEYS[1], 'none', '1')
redis.call('EXPIRE', KEYS[1], ARGV[1])
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do redis.call('HDEL', KEYS[2], id) end
redis.call('DEL', KEYS[3])
return 1
