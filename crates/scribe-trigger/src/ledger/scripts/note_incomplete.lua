-- note_incomplete: lists a turn that never became whole, with its reason. It is in no queue and nobody writes it.
-- KEYS  1 active  2 trigger  3 queue
-- ARGV  1 trigger (JSON, state incomplete, without texts)  2 trigger TTL (s)
-- Returns the outcome:
--   noted     it stands in the list, in place of an earlier try that did not become whole either
--   known     a whole turn has this id; nothing is changed
--   off       the session is switched off; nothing is noted
--   none      the conversation has no scribe; nothing is noted
local session, none = read_session(KEYS[1])
if none then return 'none' end
if session and not session.scribeEnabled then return 'off' end
local given = cjson.decode(ARGV[1])
-- A queued id whose text was lost is a whole turn too.
if read_trigger(KEYS[2], given.messageId) or redis.call('ZSCORE', KEYS[3], given.messageId) then return 'known' end
local last = tonumber(redis.call('HGET', KEYS[2], LAST_SEQ) or '0')
local now = now_us()
given.seq = math.max(now, last + 1)
given.times = { finished = math.floor(now / 1000) }
write_trigger(KEYS[2], given, ARGV[2])
return 'noted'
