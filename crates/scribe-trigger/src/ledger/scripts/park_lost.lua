-- park_lost: moves a waiting turn to the failed ones whose text Redis has lost and S3 never had. Its object under
-- waiting/ has the reason already. Nobody writes it now, and if its text comes after all, it waits again.
-- KEYS  1 trigger  2 queue  3 lease
-- ARGV  1 trigger (JSON, without texts)  2 trigger TTL (s)
-- Returns 1, or 0 where somebody holds the lease, or the text is there, or the turn does not wait any more.
local given = cjson.decode(ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
if not redis.call('ZSCORE', KEYS[2], given.messageId) then return 0 end
local known = read_trigger(KEYS[1], given.messageId)
if known and not known.textLost then return 0 end
given.waiting = true
given.times = { finished = now_ms() }
write_trigger(KEYS[1], given, ARGV[2])
redis.call('ZREM', KEYS[2], given.messageId)
return 1
