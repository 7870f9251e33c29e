-- try.lua - a little of everything in Lua: strings, tables, closures, coroutines, files, memory.
local t = {}
for i = 1, 20000 do t[i] = (i * 7919) % 20011 end
table.sort(t)
local sum = 0
for i, v in ipairs(t) do sum = (sum * 31 + v * i) % 1000000007 end
print("sorted", #t, t[1], t[#t], sum)

print(("the quick brown fox"):gsub("%w+", function(w) return w:reverse() end))
print(string.format("%5.2f|%-8s|%08x|%q", 3.14159, "left", 48879, "a\nb"))
print(2 ^ 53, 10 // 3, -7 % 5, 1e308 * 10, math.sqrt(2), math.pi)

local function range(n)
    return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end)
end
local product = 1
for i in range(10) do product = product * i end
print("10! =", product)

print(pcall(error, { code = 7 }) == false, select(2, pcall(error, "text", 0)))

local name = os.tmpname()
local f = assert(io.open(name, "w"))
for i = 1, 1000 do f:write(i, "\n") end
f:close()
local lines = 0
for line in io.lines(name) do lines = lines + tonumber(line) end
print("lines", lines, os.remove(name), io.open(name) == nil)

local garbage = {}
for i = 1, 200 do garbage[i % 10] = string.rep("x", 20000) .. i end
collectgarbage()
print("kept", #garbage[1] + #garbage[9])
print(os.getenv("HOME") ~= nil, os.time() > 1600000000)
local p = io.popen("echo from a shell")
print(p:read("a"), p:close())
os.exit(17)
