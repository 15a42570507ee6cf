-- unclaim: undoes a claim whose answer was lost: it may have been done all the same. Nobody has begun with the turn that
-- it took, so its attempt does not count either; or a Redis that is slow for a while would park turns.
-- KEYS  1 lease  2 trigger  3 queue
-- ARGV  1 token  2 trigger TTL (s)
-- Returns 1, or 0 where the lease is another's or gone: then nothing is changed.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
-- The lease was held since, so what is the first to take now is what was taken then, or nobody has it.
local _, _, trigger = first_to_take(KEYS[2], KEYS[3])
if trigger and trigger.state == 'processing' and not trigger.textLost then
  trigger.state = 'pending'
  trigger.attempts = math.max(0, trigger.attempts - 1)
  write_trigger(KEYS[2], trigger, ARGV[2])
end
return 1
