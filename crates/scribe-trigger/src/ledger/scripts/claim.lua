-- claim: brings the event's own turn along, queues it if it is in no queue, then takes the oldest waiting turn and counts the attempt. A turn that a later waiting one replaces is passed over.
-- KEYS  1 active  2 trigger  3 queue  4 lease
-- ARGV  1 own trigger (JSON, with seq)  2 lease token  3 lease (ms)  4 ETag the process holds, or ''
--       5 trigger TTL (s)  6 session TTL (s)
-- Returns {outcome, own state, ...}. Outcomes and what follows:
--   no_session  Redis knows neither session nor mark
--   none        the conversation has no scribe
--   disabled    switched off
--   busy        remaining ms of the lease or the pause, 'lease' or 'pause'
--   nothing     no turn waits
--   claimed     id, seq, trigger ('' where only the id was left), session, ETag, asset ('' where the process
--               holds it already or Redis does not)
local own = cjson.decode(ARGV[1])
local known = read_trigger(KEYS[2], own.messageId)
local session, none = read_session(KEYS[1])
-- Where no scribe belongs, nothing is owed, so nothing is queued.
if none then return { 'none', known and known.state or '' } end
if not known then
  own.times = { recorded = now_ms() }
  enqueue(KEYS[2], KEYS[3], own, ARGV[5])
  known = own
elseif known.textLost and not own.textLost then
  known = found_again(KEYS[2], KEYS[3], known, own, ARGV[5])
elseif waits(known) and not redis.call('ZSCORE', KEYS[3], known.messageId) then
  -- Redis kept the turn and lost the queue.
  enqueue(KEYS[2], KEYS[3], known, ARGV[5])
end
if not session then return { 'no_session', known.state } end
redis.call('EXPIRE', KEYS[1], ARGV[6])
if not session.scribeEnabled then return { 'disabled', known.state } end

local holder = redis.call('GET', KEYS[4])
if holder then
  return { 'busy', known.state, redis.call('PTTL', KEYS[4]), holder == 'pause' and 'pause' or 'lease' }
end

local id, seq, trigger = first_to_take(KEYS[2], KEYS[3])
if not id then return { 'nothing', known.state } end
redis.call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3])

local text = ''
if trigger and not trigger.textLost then
  trigger.attempts = trigger.attempts + 1
  trigger.state = 'processing'
  trigger.times = trigger.times or {}
  trigger.times.claimed = now_ms()
  text = write_trigger(KEYS[2], trigger, ARGV[5])
  if id == own.messageId then known = trigger end
end

local held = redis.call('HMGET', KEYS[1], 'session', 'etag', 'asset')
local asset = held[2] ~= ARGV[4] and held[3] or ''
return { 'claimed', known.state, id, digits(seq), text, held[1], held[2] or '', asset }
