-- Sends the requests of a file, each once and in order, for tests/bench; wrk is told after `--`:
-- the file, a mean pause in ms before each request, and whether ads that are shown are told and clicked.

local requests, place, answers = {}, 0, {}
local tail, shown = "", 0

function init(args)
   local file = assert(io.open(args[1], "rb"))
   for one in file:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = one end
   file:close()
   local pause = tonumber(args[2])
   if pause > 0 then delay = function() return math.random(0, 2 * pause) end end
   if args[3] == "follow" then
      -- What the browser says of itself in the file's last request, which only stands there to be copied.
      tail = table.remove(requests):match(" HTTP/1.1.*")
      clicked_every = tonumber(args[4])
      response = follow
   end
end

function request()
   if #answers > 0 then return table.remove(answers, 1) end -- an impression is told before its click
   place = place % #requests + 1
   return requests[place]
end

-- A page that holds an ad tells of its impression, and every so many ads are clicked.
function follow(status, headers, body)
   local token = body:match("/i%?t=([%w_-]+)")
   if not token then return end
   answers[#answers + 1] = "GET /i?t=" .. token .. tail
   shown = shown + 1
   if clicked_every > 0 and shown % clicked_every == 0 then
      answers[#answers + 1] = "GET " .. body:match('/c%?t=[%w_-]+') .. tail
   end
end

function done(summary, latency, rates)
   local errors = summary.errors
   local faults = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   print(string.format("bench %d %d %f %f %d", summary.requests, summary.duration,
      latency:percentile(50), latency:percentile(99), faults))
end
