-- abandon: gives a lease back that the caller may hold. The attempt that it was taken for stays counted.
-- KEYS  1 lease
-- ARGV  1 token
-- Returns 1, or 0 where the lease is another's or gone.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
