-- toggle: switches a session on or off.
-- KEYS  1 active  2 trigger  3 queue
-- ARGV  1 1 for on, 0 for off  2 session TTL (s)
-- Returns {'on' or 'off', session, trigger to invoke for or ''}, or {'unknown', '', ''} where Redis has no session.
local session = read_session(KEYS[1])
if not session then return { 'unknown', '', '' } end
session.scribeEnabled = ARGV[1] == '1'
local text = cjson.encode(session)
redis.call('HSET', KEYS[1], 'session', text)
redis.call('EXPIRE', KEYS[1], ARGV[2])
tell_switched(KEYS[1], session.scribeEnabled)
if not session.scribeEnabled then return { 'off', text, '' } end
return { 'on', text, next_waiting(KEYS[1], KEYS[2], KEYS[3]) }
