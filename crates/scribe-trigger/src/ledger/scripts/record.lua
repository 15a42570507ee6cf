-- record: stores a turn once and queues it.
-- KEYS  1 active  2 trigger  3 queue
-- ARGV  1 trigger (JSON, seq 0)  2 trigger TTL (s)  3 session TTL (s)
-- Returns {outcome, seq, state, textAssetId, '1' or ''}; unknown ones are ''. The last one says whether Redis knows
-- every turn that was said: if not, the id may have stood for another one. Outcomes:
--   recorded    stored under a new sequence
--   same        the same id and texts, replacing the same turn, were stored before; nothing is changed
--   other_text  the id stands for other texts, or replaces another turn; nothing is changed
--   off         the session is switched off; nothing is stored
--   none        the conversation has no scribe; nothing is stored
local incoming = cjson.decode(ARGV[1])
local session, none = read_session(KEYS[1])
local asset = session and session.textAssetId or ''

local function whole()
  return redis.call('HEXISTS', KEYS[2], WHOLE) == 1 and '1' or ''
end
local known = read_trigger(KEYS[2], incoming.messageId)
if known and known.textLost then
  known = found_again(KEYS[2], KEYS[3], known, incoming, ARGV[2])
  return { 'recorded', digits(known.seq), known.state, asset, '' }
end
if known then
  local same = same_texts(known, incoming)
  return { same and 'same' or 'other_text', digits(known.seq), known.state, asset, whole() }
end
if none then return { 'none', '', '', '', '' } end
if session and not session.scribeEnabled then return { 'off', '', '', asset, '' } end

-- Nothing is known and nothing was written, so this is the first one.
if session and (session.messageCount or 0) == 0 and redis.call('EXISTS', KEYS[2], KEYS[3]) == 0 then
  redis.call('HSET', KEYS[2], WHOLE, '1')
end
local last = tonumber(redis.call('HGET', KEYS[2], LAST_SEQ) or '0')
local now = now_us()
incoming.seq = math.max(now, last + 1)
incoming.times = { recorded = math.floor(now / 1000) }
enqueue(KEYS[2], KEYS[3], incoming, ARGV[2])
if session then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
return { 'recorded', digits(incoming.seq), incoming.state, asset, whole() }
