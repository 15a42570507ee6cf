-- update: changes fields of a session.
-- KEYS  1 active
-- ARGV  1 fields (JSON object)  2 session TTL (s)
-- Returns the session (JSON), or '' where Redis has none.
local session = read_session(KEYS[1])
if not session then return '' end
for field, value in pairs(cjson.decode(ARGV[1])) do session[field] = value end
local text = cjson.encode(session)
redis.call('HSET', KEYS[1], 'session', text)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return text
