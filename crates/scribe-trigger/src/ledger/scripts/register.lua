-- register: stores a session, and queues turns that were found under waiting/: those that Redis does not know, those
-- whose text it had lost, and those that are in no queue any more.
-- KEYS  1 active  2 trigger  3 queue
-- ARGV  1 'replace', or 'absent' to leave a session or mark that is there  2 session (JSON)  3 asset, or ''
--       4 ETag, or ''  5 session TTL (s)  6 trigger TTL (s)  7... triggers (JSON)
-- Returns 1 where the session was stored, 0 where one was there.
local stored = 0
if ARGV[1] == 'replace' or redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'session', ARGV[2])
  if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'asset', ARGV[3], 'etag', ARGV[4]) end
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  if ARGV[1] == 'replace' then tell_switched(KEYS[1], cjson.decode(ARGV[2]).scribeEnabled) end
  stored = 1
end
for index = 7, #ARGV do
  local trigger = cjson.decode(ARGV[index])
  local known = read_trigger(KEYS[2], trigger.messageId)
  if not known then
    if trigger.state == 'failed' then
      write_trigger(KEYS[2], trigger, ARGV[6])
    else
      enqueue(KEYS[2], KEYS[3], trigger, ARGV[6])
    end
  elseif known.textLost and trigger.state ~= 'failed' then
    found_again(KEYS[2], KEYS[3], known, trigger, ARGV[6])
  elseif waits(known) and not redis.call('ZSCORE', KEYS[3], known.messageId) then
    -- Redis kept the turn and lost the queue.
    known.waiting = true
    enqueue(KEYS[2], KEYS[3], known, ARGV[6])
  end
end
return stored
