-- What both renderers do first, so that they read the same source the same way (Quarto runs this
-- at `pre-ast`, the thin renderer before its own filter):
-- * a div with the attribute `part` becomes _parts/PART.md, and a lecture's page starts with the
--   ways of _parts/ways.json and ends with the table of its measured values
--   (`python -m book prepare` writes these files);
-- * a recorded value, or a sentence that states some, opens its declared band on the page and is
--   left out of the deck;
-- * what the page explains of a slide is the slide's speaker note in the deck;
-- * the page's sections of class "appendix" stay where they are, which Quarto would move to its end;
-- * a solution (a div with the class, or a code cell with the tag) is folded away on the page and
--   left out of the deck; speaker's notes and pauses are left out of the page;
-- * a deck ends with a slide for its references;
-- * titles and descriptions hold no HTML, and attributes and links no script.

local deck = FORMAT:match("revealjs") ~= nil
local str = pandoc.utils.stringify
local root, page = ".", nil
local measured = nil

local function fail(text) error("\n[book] " .. text .. "\n", 0) end

local function read(name)
  if not name:match("^[%w_-]+%.%a+$") then
    fail("the part " .. name .. " isn't one of _parts/")
  end
  local path = root .. "/_parts/" .. name
  local file = io.open(path, "r")
  if not file then
    fail(path .. " is missing: run `python -m book prepare`")
  end
  local text = file:read("a")
  file:close()
  return text
end

-- 0. What is text is text
local TEXTS = { "title", "subtitle", "description", "book-title", "previous", "next" }
local SCHEMES = { http = true, https = true, mailto = true, data = true }
local literal = {
  RawInline = function(raw) return pandoc.Str(raw.text) end,
  RawBlock = function(raw) return pandoc.Plain({ pandoc.Str(raw.text) }) end,
}

local function as_text(value)
  local kind = pandoc.utils.type(value)
  if kind == "Inlines" then
    return value:walk(literal)
  elseif kind == "Blocks" then
    return pandoc.utils.blocks_to_inlines(value:walk(literal))
  end
  return value
end

local function outside(src)  -- a path that leads out of the book's folder
  local _, depth = page:gsub("/", "")
  for part in src:gsub("%%2[eE]", "."):gmatch("[^/\\]+") do
    depth = depth + (part == ".." and -1 or part == "." and 0 or 1)
    if depth < 0 then return true end
  end
  return src:match("^/") ~= nil
end

local function guard(element)
  for name in pairs(element.attributes) do
    if name:lower():match("^on") then
      fail("the attribute " .. name .. " would be a script: leave it out")
    end
  end
  local target = element.target or element.src or ""
  if element.src and page and outside(element.src) then
    fail("the picture " .. target .. " isn't one of the project: put it beside the page")
  end
  local scheme = target:lower():match("^[%s%c]*([%a][%w+.-]*):")
  if scheme and not SCHEMES[scheme] or target:lower():match("^[%s%c]*data:text") then
    fail("the address " .. target .. " is neither a file of the book nor on the web")
  end
end

local function Meta(meta)
  for _, key in ipairs(TEXTS) do
    meta[key] = as_text(meta[key])
  end
  if quarto then
    root, page = quarto.project.directory or ".", quarto.doc.input_file
    if deck and meta.description then -- Quarto's title slide has no place of its own for it
      meta.subtitle = pandoc.Inlines(meta.subtitle or {}) .. { pandoc.LineBreak(),
        pandoc.Span(meta.description, { class = "description" }) }
    end
  else
    root = meta["book-root"] and str(meta["book-root"]) or "."
    page = meta["book-page"] and str(meta["book-page"])
    meta["plain-description"] = meta.description and str(meta.description)
  end
  return meta
end

-- 1. Solutions: folded on the page, absent from the deck
local function is_solution(div)
  local tags = div.attributes.tags or ""
  return div.classes:includes("solution")
    or (div.classes:includes("cell") and tags:match('"solution"') ~= nil)
end

local function solution(div)
  if deck then
    return {}
  end
  div.classes = div.classes:filter(function(class) return class ~= "solution" end)
  div.attributes.tags = nil
  local open = div:walk({ CodeBlock = function(code)
    code.attributes["code-fold"], code.attributes["code-summary"] = nil, nil
    return code
  end })
  return pandoc.Div({ open }, { class = "callout-tip", collapse = "true", title = "Solution" })
end

local function Div(div)
  if div.attributes.part then
    return pandoc.read(read(div.attributes.part .. ".md"), "markdown").blocks
  elseif is_solution(div) then
    return solution(div)
  elseif div.classes:includes("notes") and not deck then
    return {}
  end
end

-- 2. Recorded values open their bands; no pauses on the page
local function lecture()
  return page and page:match("([^/]+)%.ipynb$")
end

local function of_lecture()
  if not lecture() then
    return {}
  end
  measured = measured or pandoc.json.decode(read("measured.json"), false)
  return measured[lecture()] or {}
end

local function escaped(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function opened(names)  -- what opens below a sentence or a value: name, value, band
  local lines = pandoc.List()
  for _, name in ipairs(names) do
    local row = of_lecture()[name] or { value = "", band = "none declared" }
    lines:insert(("<code>%s</code> %s, expected %s"):format(escaped(name), escaped(row.value), row.band))
  end
  return table.concat(lines, "<br>")
end

local function Para(para)
  if not deck and str(para) == ". . ." then
    return {}
  end
  local c = para.content
  local last = c[#c]
  local named = last and last.t == "RawInline" and last.text:match("^<!%-%- measured: (.-) %-%->$")
  if not named then
    return nil
  end
  c:remove(#c)
  if deck then  -- a talk shows no test apparatus; its speaker has the sentences
    local is_name = c[1].t == "RawInline"
    return is_name and {} or pandoc.Div({ pandoc.Plain(c) }, { class = "stated" })
  end
  local names = pandoc.List()
  for name in named:gmatch("%S+") do names:insert(name) end
  return {
    pandoc.RawBlock("html", '<details class="measured"><summary>'), pandoc.Plain(c),
    pandoc.RawBlock("html", "</summary><p>" .. opened(names) .. "</p></details>"),
  }
end

-- A thin space around operators, which the MathML of neither Pandoc has: log p, not logp
local OPERATORS = {}
for name in ("log ln exp max min arg sup inf lim sin cos tan tanh det dim gcd"):gmatch("%a+") do
  OPERATORS[name] = true
end

local function spaced(tex)
  local out, i = {}, 1
  local function operator(at)
    local _, stop = tex:find("^\\operatorname%*?%b{}", at)
    local _, last, name = tex:find("^\\(%a+)", at)
    return stop or (name and OPERATORS[name] and last), last
  end
  while i <= #tex do
    local stop, command = operator(i)
    if stop then
      local before = table.concat(out):gsub("%s+$", ""):sub(-1)
      local script
      repeat  -- what stands under or over it belongs to it
        local _, a = tex:find("^%s*[_^]%b{}", stop + 1)
        local _, b = tex:find("^%s*[_^]\\%a+", stop + 1)
        local _, c = tex:find("^%s*[_^][^\\{%s]", stop + 1)
        script = a or b or c
        stop = script or stop
      until not script
      local after = tex:match("^%s*(.*)", stop + 1)
      local closed = after == "" or after:match("^[%(%[}&|,.;:%)=<>+*/%-]")
        or after:match("^\\[bB]ig") or after:match("^\\left") or after:match("^\\right")
        or after:match("^\\[^%a]") or after:match("^\\q?quad")
      out[#out + 1] = (before:match("[%w})%]]") and "\\," or "") .. tex:sub(i, stop)
        .. (closed and "" or "\\,")
      i = stop + 1
    else
      local last = command or i
      out[#out + 1] = tex:sub(i, last)
      i = last + 1
    end
  end
  return table.concat(out)
end

local function Math(math)
  math.text = spaced(math.text)
  return math
end

-- 3. What the page explains is the deck's speaker note, one a slide
local function explains(block)
  return block.t == "Div" and block.classes:includes("content-visible")
    and block.attributes["unless-format"] == "revealjs"
end

local function stated(blocks)  -- takes the sentences that state results out of cells
  local found = pandoc.List()
  local left = pandoc.Blocks(blocks):walk({ Div = function(div)
    if div.classes:includes("stated") then
      found:extend({ pandoc.Para(div.content[1].content) })
      return {}
    end
  end })
  return left, found
end

local function notes(blocks)
  local out, note = pandoc.List(), nil
  for _, block in ipairs(blocks) do
    if block.t == "Div" and block.classes:includes("cell") then
      local left, found = stated(block.content)
      block.content = left
      if #found > 0 and note then
        note.content:extend(found)
      elseif #found > 0 then
        note = pandoc.Div(found, { class = "notes" })
        out:insert(note)
      end
    end
    local is_note = explains(block) or (block.t == "Div" and block.classes:includes("notes"))
    if block.t == "Header" and block.level <= 2 then
      note = nil
    end
    if not is_note then
      out:insert(block)
    elseif note then
      note.content:extend(block.content)
    else
      note = pandoc.Div(block.content, { class = "notes" })
      out:insert(note)
    end
  end
  return out
end

-- A slide all of whose parts are hidden in a deck: late.lua drops it, or says where they are. One
-- that its author left with a heading alone stays.
local function visible(block)
  if block.t == "Div" then
    local is_note = block.classes:includes("notes")
    return block.identifier == "refs" or (not is_note and block.content:find_if(visible) ~= nil)
  elseif block.t == "CodeBlock" then
    return block.attributes["code-fold"] ~= "true"
  elseif block.t == "Para" or block.t == "Plain" then
    return #block.content > 0
  end
  return block.t ~= "Header"
end

local function mark_empty(blocks)
  local slide, parts, shows = nil, 0, false
  local function close()
    if slide and parts > 0 and not shows then slide.classes:insert("empty") end
  end
  for _, block in ipairs(blocks) do
    if block.t == "Header" and block.level <= 2 then
      close()
      slide, parts, shows = block.level == 2 and block or nil, 0, false
    else
      parts, shows = parts + 1, shows or visible(block)
    end
  end
  close()
  return blocks
end

-- 4. First and last: ways to slides and Colab, a slide for the references
local KINDS = { fig = true, tbl = true, eq = true, sec = true, thm = true }

local function lacks_references(doc)
  local cites, placed = false, false
  doc:walk({ Cite = function(cite)
    for _, citation in ipairs(cite.citations) do
      cites = cites or not KINDS[citation.id:match("^(%a+)%-") or ""]
    end
  end, Div = function(div)
    placed = placed or div.identifier == "refs"
  end })
  return cites and not placed
end

local function ways()
  local name = page and page:match("lectures/([^/]+)%.ipynb$")
  local colab = name and pandoc.json.decode(read("ways.json"), false)[name]
  if not colab then
    return {}
  end
  local links = pandoc.Inlines({
    pandoc.Link("Slides", name .. ".slides.html"), pandoc.Space(),
    pandoc.Link("Notebook for Colab", "../colab/" .. name .. ".ipynb", "", { download = "" }),
  })
  if colab ~= "" then
    links:extend({ pandoc.Space(), pandoc.Link("Open in Colab", colab) })
  end
  return { pandoc.Div({ pandoc.Plain(links) }, { class = "ways" }) }
end

local function values()  -- the table of all that the lecture measured, folded
  local rows = pandoc.List()
  for name, row in pairs(of_lecture()) do
    rows:insert({ row.place, ("<tr><td><code>%s</code></td><td>%s</td><td>%s</td></tr>")
      :format(name, escaped(row.value), row.band) })
  end
  if #rows == 0 then
    return {}
  end
  rows:sort(function(a, b) return a[1] < b[1] end)
  local html = pandoc.List({ "<table><thead><tr><th>name</th><th>value</th><th>band</th></tr></thead><tbody>" })
  for _, row in ipairs(rows) do html:insert(row[2]) end
  html:insert("</tbody></table>")
  return pandoc.Blocks({
    pandoc.Header(2, "All measured values", { id = "measured-values", class = "unnumbered" }),
    pandoc.Div({ pandoc.RawBlock("html", table.concat(html, "\n")) },
      { class = "callout-note", collapse = "true", title = "Names, values and bands" }),
  })
end

local function Pandoc(doc)
  if (deck or not quarto) and lacks_references(doc) then
    local attributes = { id = "references", class = "unnumbered smaller scrollable appendix" }
    doc.blocks:insert(pandoc.Header(2, "References", attributes))
    doc.blocks:insert(pandoc.Div({}, { id = "refs" }))
  end
  if deck then
    doc.blocks = mark_empty(notes(doc.blocks))
  else
    doc = doc:walk({ Header = function(header)
      header.classes = header.classes:filter(function(class) return class ~= "appendix" end)
      return header
    end })
    doc.blocks = pandoc.Blocks(ways()) .. doc.blocks .. values()
  end
  return doc
end

local GUARD = { Span = guard, Div = guard, Link = guard, Image = guard, Header = guard,
  Code = guard, CodeBlock = guard, Figure = guard, Table = guard }

return { { Meta = Meta }, { Div = Div, Para = Para, Math = Math }, { Pandoc = Pandoc }, GUARD }
