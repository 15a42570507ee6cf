-- end: ends the session of a conversation whose document is being deleted. Its waiting turns stand under waiting/ as
-- parked ones by then.
-- KEYS  1 active  2 trigger  3 queue
-- ARGV  1 textAssetId  2 reason  3 session TTL (s)  4 trigger TTL (s)  5 channel
--       6... message id and what to publish of it, for each turn that was parked
-- Returns {'ended'}; {'other'} where the session is another document's by now; or {'waiting', id, seq, ...} with the
-- turns that wait and are not among the given ones. Only where it ended anything is changed.
local session = read_session(KEYS[1])
if session and session.textAssetId ~= ARGV[1] then return { 'other' } end

local parked = {}
for index = 6, #ARGV, 2 do parked[ARGV[index]] = ARGV[index + 1] end
local rest = { 'waiting' }
local queued = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')
for index = 1, #queued, 2 do
  if not parked[queued[index]] then
    rest[#rest + 1] = queued[index]
    rest[#rest + 1] = digits(tonumber(queued[index + 1]))
  end
end
if #rest > 1 then return rest end

redis.call('DEL', KEYS[1], KEYS[3])
redis.call('HSET', KEYS[1], 'none', '1')
redis.call('EXPIRE', KEYS[1], ARGV[3])
for index = 1, #queued, 2 do
  local id = queued[index]
  local trigger = read_trigger(KEYS[2], id)
  if trigger and waits(trigger) then
    trigger.state = 'failed'
    trigger.reason = ARGV[2]
    trigger.waiting = true
    trigger.times = trigger.times or {}
    trigger.times.finished = now_ms()
    write_trigger(KEYS[2], trigger, ARGV[4])
  end
  redis.call('PUBLISH', ARGV[5], parked[id])
end
tell(KEYS[1], cjson.encode({ v = 1, type = 'gone' }))
return { 'ended' }
