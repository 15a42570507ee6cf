-- release: gives the lease back with a pause before which nobody claims, after a failed attempt.
-- KEYS  1 trigger  2 lease
-- ARGV  1 message id  2 token  3 pause (ms)  4 1 where a service failed: the attempt is taken back
--       5 reason  6 trigger TTL (s)  7 what the turn has cost so far (JSON), or ''
-- Returns 1, or 0 where the lease is another's or gone: then nothing is changed.
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], 'pause', 'PX', ARGV[3])
local trigger = read_trigger(KEYS[1], ARGV[1])
if trigger and not trigger.processed then
  trigger.state = 'pending'
  trigger.reason = ARGV[5]
  if ARGV[7] ~= '' then trigger.usage = cjson.decode(ARGV[7]) end
  if ARGV[4] == '1' then
    trigger.attempts = math.max(0, trigger.attempts - 1)
    trigger.serviceFailures = (trigger.serviceFailures or 0) + 1
    trigger.failingSince = trigger.failingSince or now_ms()
  end
  write_trigger(KEYS[1], trigger, ARGV[6])
end
return 1
