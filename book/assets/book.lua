-- What both renderers do first, so that they read the same source the same way (Quarto runs this
-- at `pre-ast`, the thin renderer before its own filter):
-- * a div with the attribute `part` becomes _parts/PART.md, a recorded value gets its declared
--   band from _parts/bands.json and is left out of the deck, a lecture's page starts with the ways of _parts/ways.json
--   (`python -m book prepare` writes these files);
-- * a solution (a div with the class, or a code cell with the tag) is folded away on the page and
--   left out of the deck; speaker's notes and pauses are left out of the page;
-- * a deck ends with a slide for its references;
-- * titles and descriptions hold no HTML, and attributes and links no script.

local deck = FORMAT:match("revealjs") ~= nil
local str = pandoc.utils.stringify
local root, page = ".", nil
local bands = nil

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

local function guard(element)
  for name in pairs(element.attributes) do
    if name:lower():match("^on") then
      fail("the attribute " .. name .. " would be a script: leave it out")
    end
  end
  local target = element.target or element.src or ""
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

-- 2. Recorded values with their bands; no pauses on the page
local function Para(para)
  if not deck and str(para) == ". . ." then
    return {}
  end
  local first, name, value = para.content[1], para.content[3], para.content[4]
  local is_record = first and first.t == "Str" and first.text == "Recorded" and name
    and name.t == "Code" and value and value.t == "Str" and value.text == ":"
  if not is_record then
    return nil
  elseif deck then
    return {} -- a talk shows no test apparatus
  end
  local lecture = page and page:match("([^/]+)%.ipynb$")
  bands = bands or pandoc.json.decode(read("bands.json"), false)
  local band = lecture and bands[lecture] and bands[lecture][name.text]
  if band then
    para.content:insert(pandoc.Str(", expected " .. band))
  end
  return para
end

-- 3. First and last: ways to slides and Colab, a slide for the references
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

local function Pandoc(doc)
  if (deck or not quarto) and lacks_references(doc) then
    local attributes = { id = "references", class = "unnumbered smaller scrollable" }
    doc.blocks:insert(pandoc.Header(2, "References", attributes))
    doc.blocks:insert(pandoc.Div({}, { id = "refs" }))
  end
  if not deck then
    doc.blocks = pandoc.Blocks(ways()) .. doc.blocks
  end
  return doc
end

local GUARD = { Span = guard, Div = guard, Link = guard, Image = guard, Header = guard,
  Code = guard, CodeBlock = guard, Figure = guard, Table = guard }

return { { Meta = Meta }, { Div = Div, Para = Para }, { Pandoc = Pandoc }, GUARD }
