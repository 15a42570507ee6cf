-- renew: keeps the lease, for its holder only.
-- KEYS  1 lease
-- ARGV  1 token  2 lease (ms)
-- Returns 1, or 0 where the lease is another's or gone.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
