-- sweep: whether a summarizer is to be invoked for a conversation, and for which turn. Notes that it is being done, so
-- that two sweepers do not both do it, and so that the pauses between invocations for the same turn grow.
-- KEYS  1 active  2 trigger  3 queue  4 lease
-- ARGV  1 now (ms)  2 how long a turn waits before anybody is invoked for it (ms)  3 longest pause (ms)
--       4 trigger TTL (s)  5... the first pauses (ms); beyond them it is a tenth of how long the turn has waited
-- Returns {outcome, ...}:
--   empty     no turn waits
--   none      the conversation has no scribe
--   off       the scribe is switched off
--   busy      somebody writes, or the conversation pauses
--   early     the oldest turn has not waited long enough, since it came or since the last invocation for it
--   due       trigger, textAssetId or ''
--   lost      id, seq: Redis has lost the oldest turn's text
local SWEPT = ':swept'
local now = tonumber(ARGV[1])
local id, seq = oldest(KEYS[3])
if not id then return { 'empty' } end
local session, none = read_session(KEYS[1])
if none then return { 'none' } end
if session and not session.scribeEnabled then return { 'off' } end
if redis.call('EXISTS', KEYS[4]) == 1 then return { 'busy' } end

local trigger, text = read_trigger(KEYS[2], id)
local recorded = trigger and trigger.times and trigger.times.recorded or math.floor(seq / 1000)
local since = recorded
local wait = tonumber(ARGV[2])
local times = 0
local swept = redis.call('HGET', KEYS[2], SWEPT)
if swept then
  local noted = cjson.decode(swept)
  if noted.id == id then
    times = noted.times
    since = noted.at
    local known = #ARGV - 4
    local pause = tonumber(ARGV[4 + math.min(times, known)])
    if times > known then pause = math.max(pause, (now - recorded) / 10) end
    wait = math.max(wait, math.min(pause, tonumber(ARGV[3])))
  end
end
if now - since < wait then return { 'early' } end
redis.call('HSET', KEYS[2], SWEPT, cjson.encode({ id = id, times = times + 1, at = now }))
redis.call('EXPIRE', KEYS[2], ARGV[4])
if not trigger or trigger.textLost then return { 'lost', id, digits(seq) } end
return { 'due', text, session and session.textAssetId or '' }
