package redisstore

import (
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// commitScript is the one script that changes anything. It compares each key with what the change read, and if all are
// the same it makes all writes. It returns 1 then, and 0 if a key differs.
//
// ARGV has a group for each key, in the order of KEYS. The group begins with what is expected: "" for anything, "-" for
// no key, or "=" and the value. Then comes the number of writes, and the writes: each has a name and two arguments.
//
// Writes that need memory come before all that free some. If the memory of the server is full, the first of them fails,
// and nothing was changed. Redis decides whether a script may take memory when the script begins.
//
// A key of another type fails the script before anything is written.
//
// An index lives at least as long as the longest-lived of its members. One that is ordered by instants drops by itself
// what expired long ago, also without a purge: a member is added with the time that its record has to live, so the
// script knows the time of the change.
var commitScript = rueidis.NewLuaScript(strings.ReplaceAll(strings.ReplaceAll(`
local n = 1
local writes = {}
for i, key in ipairs(KEYS) do
  local expected, count = ARGV[n], tonumber(ARGV[n + 1])
  n = n + 2
  if expected ~= '' then
    local value = redis.call('GET', key)
    if value == false then value = '-' else value = '=' .. value end
    if value ~= expected then return 0 end
  end
  for w = 1, count do
    local write = {ARGV[n], key, ARGV[n + 1], ARGV[n + 2]}
    writes[#writes + 1] = write
    n = n + 3
    if write[1] == 'list' or write[1] == 'unlist' or string.sub(write[1], 1, 6) == 'expire' then
      redis.call('ZCARD', key)
    end
  end
end
local function keep(key, ttl)
  ttl = tonumber(ttl)
  local left = redis.call('PTTL', key)
  if ttl == 0 then
    if left >= 0 then redis.call('PERSIST', key) end
  elseif left >= 0 and left < ttl then
    redis.call('PEXPIRE', key, ttl)
  end
end
local function add(key, score, member, ttl)
  local new = redis.call('EXISTS', key) == 0
  redis.call('ZADD', key, score, member)
  if new and tonumber(ttl) > 0 then redis.call('PEXPIRE', key, ttl) elseif not new then keep(key, ttl) end
end
local function set(call, key, value, ttl)
  if ttl == '0' then return call('SET', key, value) end
  return call('SET', key, value, 'PX', ttl)
end
for _, w in ipairs(writes) do
  if w[1] == 'try set' then
    local answer = set(redis.pcall, w[2], w[3], w[4])
    if answer.err and not string.find(answer.err, 'OOM', 1, true) then return answer end
  end
end
for _, w in ipairs(writes) do
  local name, key, a, b = w[1], w[2], w[3], w[4]
  if name == 'set' then
    set(redis.call, key, a, b)
  elseif name == 'list' then
    add(key, 0, a, b)
  elseif string.sub(name, 1, 6) == 'expire' then
    add(key, string.sub(name, 8), a, b)
  end
end
for _, w in ipairs(writes) do
  local name, key, a = w[1], w[2], w[3]
  if name == 'del' then
    redis.call('DEL', key)
  elseif name == 'unlist' then
    redis.call('ZREM', key, a)
  elseif name == 'keep' then
    local left = redis.call('PTTL', key)
    if left >= 0 and left < tonumber(a) then redis.call('PEXPIRE', key, w[4]) end
  elseif string.sub(name, 1, 6) == 'expire' and w[4] ~= '0' and tonumber(w[4]) < LONGEST then
    -- What expired two days before the instant of this change is not there any more.
    redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. string.format('%.0f', string.sub(name, 8) - w[4] * 1000 - SLACK))
  end
end
return 1
`, "SLACK", strconv.FormatInt(slack.Microseconds(), 10)), "LONGEST", millis(maxTTL)))
