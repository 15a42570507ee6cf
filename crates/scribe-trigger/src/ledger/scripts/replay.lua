-- replay: queues a failed turn again, with all its attempts. Its object under waiting/ is a waiting one already.
-- KEYS  1 trigger  2 queue
-- ARGV  1 trigger (JSON, as the object under waiting/ has it)  2 trigger TTL (s)
-- Returns {'queued', trigger}, or {state, ''} where the turn is not a failed one.
local given = cjson.decode(ARGV[1])
local trigger = read_trigger(KEYS[1], given.messageId)
if trigger and trigger.state ~= 'failed' then return { trigger.state, '' } end
trigger = trigger or given
trigger.state = 'pending'
trigger.attempts = 0
trigger.serviceFailures = 0
trigger.failingSince = nil
trigger.reason = nil
trigger.late = true
trigger.waiting = true
trigger.times = { recorded = trigger.times and trigger.times.recorded or nil }
return { 'queued', enqueue(KEYS[1], KEYS[2], trigger, ARGV[2]) }
