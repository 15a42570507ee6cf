-- Read and write triggers. This text stands in front of every script below.
--
-- A trigger is the JSON of the spec's ScribeTrigger. cjson writes numbers with 14 digits and a sequence has 16,
-- so the sequence is written apart. Times are milliseconds, 13 digits, and need no care.
-- Fields of the trigger hash that begin with ':' are no message ids: ids have no colon.
--
-- Whatever changes a turn tells the conversation's readers, here and nowhere else, with a stamp that rises with each
-- change: by it a reader who comes back knows what is new to it.

local LAST_SEQ = ':last-seq'
local LAST_CHANGE = ':last-change'
-- There while Redis knows every turn that was ever said in the conversation.
local WHOLE = ':whole'
-- The stamp of the last change that took something away: what is gone can't be told by listing what is there.
local FORGOTTEN = ':forgotten'

local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function now_ms()
  return math.floor(now_us() / 1000)
end

local function digits(number)
  return string.format('%.0f', number)
end

local function encode_trigger(trigger)
  local seq = trigger.seq
  trigger.seq = nil
  local body = cjson.encode(trigger)
  trigger.seq = seq
  return string.sub(body, 1, -2) .. ',"seq":' .. digits(seq) .. '}'
end

-- The turn of this id, or nil. A turn that never became whole is none: whatever is known of it, every transition
-- finds nothing, and a whole one takes its place.
local function read_trigger(key, id)
  local found = redis.call('HGET', key, id)
  if not found then return nil end
  local trigger = cjson.decode(found)
  if trigger.state == 'incomplete' then return nil end
  return trigger, found
end

-- The next stamp of a conversation: Redis' time in milliseconds, at least the last one plus one.
local function next_change(key)
  local last = tonumber(redis.call('HGET', key, LAST_CHANGE) or '0')
  local stamp = math.max(now_ms(), last + 1)
  redis.call('HSET', key, LAST_CHANGE, digits(stamp))
  return stamp
end

-- Tells the readers of the conversation that a key belongs to. A channel is no key.
local function tell(key, news)
  redis.call('PUBLISH', (string.gsub(key, '^scribe:%a+:', 'scribe:events:')), news)
end

-- Stores a trigger without telling anybody: for changes that no reader sees.
local function keep_trigger(key, trigger, ttl)
  local text = encode_trigger(trigger)
  redis.call('HSET', key, trigger.messageId, text)
  local last = tonumber(redis.call('HGET', key, LAST_SEQ) or '0')
  if trigger.seq > last then redis.call('HSET', key, LAST_SEQ, digits(trigger.seq)) end
  redis.call('EXPIRE', key, ttl)
  return text
end

-- Stores a trigger and tells readers where the turn stands: its texts are nothing for them.
local function write_trigger(key, trigger, ttl)
  trigger.changed = next_change(key)
  local text = keep_trigger(key, trigger, ttl)
  tell(key, encode_trigger({
    v = 1, type = 'turn', messageId = trigger.messageId, seq = trigger.seq, state = trigger.state,
    attempts = trigger.attempts, reason = trigger.reason, late = trigger.late, usage = trigger.usage,
    times = trigger.times, changed = trigger.changed, replaces = trigger.replaces,
    replacedBy = trigger.replacedBy,
  }))
  return text
end

-- Tells readers whether the scribe is on.
local function tell_switched(key, enabled)
  tell(key, cjson.encode({ v = 1, type = 'switched', scribeEnabled = enabled }))
end

-- The oldest waiting turn: its id and sequence, or nil.
local function oldest(queue)
  local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if #first == 0 then return nil end
  return first[1], tonumber(first[2])
end

-- Tells an older turn which later one replaces it.
local function tell_replaced(triggers, trigger, ttl)
  local replaced = trigger.replaces and read_trigger(triggers, trigger.replaces)
  if replaced and replaced.seq < trigger.seq then
    replaced.replacedBy = trigger.messageId
    write_trigger(triggers, replaced, ttl)
  end
end

local function enqueue(triggers, queue, trigger, ttl)
  local text = write_trigger(triggers, trigger, ttl)
  redis.call('ZADD', queue, digits(trigger.seq), trigger.messageId)
  redis.call('EXPIRE', queue, ttl)
  tell_replaced(triggers, trigger, ttl)
  return text
end

local function waits(trigger)
  return trigger.state == 'pending' or trigger.state == 'processing'
end

-- Whether a later turn that replaces this one waits too. Its write keeps this one from ever being woven, so this one
-- is left alone until then; if that turn is parked or forgotten, this one is woven after all. One that somebody has
-- begun yields no more: a holder that lost its lease may still write it, behind turns that were recorded later.
local function yields(triggers, queue, trigger)
  if not trigger or (trigger.attempts or 0) > 0 then return false end
  local by = trigger.replacedBy and read_trigger(triggers, trigger.replacedBy)
  if not by or not waits(by) or by.textLost or by.seq <= trigger.seq then return false end
  return by.replaces == trigger.messageId and redis.call('ZSCORE', queue, by.messageId) and true or false
end

-- The turn that is to be taken: its id and sequence, and its trigger decoded and as text, where Redis has it; or nil.
-- It is the oldest that yields to no later one. The last of the queue yields to none.
local function first_to_take(triggers, queue)
  local at = 0
  while true do
    local found = redis.call('ZRANGE', queue, at, at, 'WITHSCORES')
    if #found == 0 then return nil end
    local trigger, text = read_trigger(triggers, found[1])
    if not yields(triggers, queue, trigger) then return found[1], tonumber(found[2]), trigger, text end
    at = at + 1
  end
end

-- Whether two triggers say the same, and instead of the same turn.
local function same_texts(one, other)
  local before, others = one.earlier or {}, other.earlier or {}
  if #before ~= #others then return false end
  for at, message in ipairs(before) do
    if message.role ~= others[at].role or message.content ~= others[at].content then return false end
  end
  return one.userMessage == other.userMessage and one.assistantResponse == other.assistantResponse
    and one.replaces == other.replaces
end

-- A turn whose text Redis had lost, parked without it: now the text has come, so it waits like any other, in its old
-- place. Its copy under waiting/ stands under its old sequence.
local function found_again(triggers, queue, lost, given, ttl)
  given.seq = lost.seq
  given.waiting = true
  given.late = lost.late
  given.replacedBy = lost.replacedBy
  given.times = { recorded = lost.times and lost.times.recorded or now_ms() }
  enqueue(triggers, queue, given, ttl)
  return given
end

-- The session, or nil. `none` is the mark that no scribe belongs to the conversation.
local function read_session(active)
  local found = redis.call('HMGET', active, 'session', 'none')
  if found[1] then return cjson.decode(found[1]) end
  return nil, found[2] and true or false
end

-- The trigger of the turn that is to be handed on, or '' where nothing waits or the scribe is off.
local function next_waiting(active, triggers, queue)
  local session = read_session(active)
  if session and not session.scribeEnabled then return '' end
  local _, _, _, text = first_to_take(triggers, queue)
  return text or ''
end
