-- forget_backlog: removes a conversation from the backlog, if no turn was recorded since it was read.
-- KEYS  1 backlog
-- ARGV  1 tenant/conversation  2 the score that was read
-- Returns 1, or 0 where the entry has changed.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0
