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
  local index = false
  for w = 1, count do
    local name, at = ARGV[n], nil
    if string.sub(name, 1, 6) == 'expire' then name, at = 'expire', string.sub(name, 8) end
    writes[#writes + 1] = {name, key, ARGV[n + 1], ARGV[n + 2], at}
    n = n + 3
    if not index and (name == 'list' or name == 'unlist' or name == 'expire') then
      index = true
      redis.call('ZCARD', key)
    end
  end
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
local indexes = {}
local function add(key, score, member, ttl)
  local to = indexes[key]
  if not to then
    to = {left = redis.call('PTTL', key), ttl = ttl}
    indexes[key] = to
  elseif to.ttl ~= 0 and (ttl == 0 or ttl > to.ttl) then
    to.ttl = ttl
  end
  to[#to + 1] = score
  to[#to + 1] = member
end
for _, w in ipairs(writes) do
  local name = w[1]
  if name == 'set' then
    set(redis.call, w[2], w[3], w[4])
  elseif name == 'list' then
    add(w[2], '0', w[3], tonumber(w[4]))
  elseif name == 'expire' then
    add(w[2], w[5], w[3], tonumber(w[4]))
  end
end
for key, to in pairs(indexes) do
  for first = 1, #to, 1000 do
    redis.call('ZADD', key, unpack(to, first, math.min(first + 999, #to)))
  end
  if to.ttl == 0 then
    if to.left ~= -1 then redis.call('PERSIST', key) end
  elseif to.left == -2 or to.left >= 0 and to.left < to.ttl then
    redis.call('PEXPIRE', key, string.format('%.0f', to.ttl))
  end
end
for _, w in ipairs(writes) do
  local name, key = w[1], w[2]
  if name == 'del' then
    redis.call('DEL', key)
  elseif name == 'unlist' then
    redis.call('ZREM', key, w[3])
  elseif name == 'keep' then
    local left = redis.call('PTTL', key)
    if left >= 0 and left < tonumber(w[3]) then redis.call('PEXPIRE', key, w[4]) end
  elseif name == 'expire' and w[4] ~= '0' and tonumber(w[4]) < LONGEST then
    local gone, to = w[5] - w[4] * 1000 - SLACK, indexes[key]
    if not to.gone or to.gone < gone then to.gone = gone end
  end
end
for key, to in pairs(indexes) do
  -- What expired two days before the instant of this change is not there any more.
  if to.gone then redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. string.format('%.0f', to.gone)) end
end
return 1
`, "SLACK", strconv.FormatInt(slack.Microseconds(), 10)), "LONGEST", millis(maxTTL)))
