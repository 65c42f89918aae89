-- Makes of a lecture's Markdown, numbered by quarto.lua before, text that every notebook editor
-- shows: captions, equation numbers, callouts, references and citations in plain Markdown, a list
-- of references at the end. The raw blocks <!-- cell N --> between the cells stay.
local str = pandoc.utils.stringify
local headings, wanted = {}, {}

local function html(text) return pandoc.RawInline("html", text) end
local function anchor(id) return html('<a name="' .. id .. '"></a>') end

-- 1. References: which places are pointed at, and what they are called
local function note(doc)
  doc:walk({
    Header = function(h) headings[h.identifier] = h.content end,
    Link = function(link)
      if link.target:sub(1, 1) == "#" then wanted[link.target:sub(2)] = true end
    end,
  })
end

local references = {
  Link = function(link)
    if link.classes:includes("cross-reference") then
      local id = link.target:sub(2)
      local name = headings[id] and pandoc.Inlines({ pandoc.Quoted("DoubleQuote", headings[id]) })
      link = pandoc.Link(name or link.content, link.target)
      return name and pandoc.Inlines({ pandoc.Str("Section"), pandoc.Space(), link }) or link
    end
    if link.target:match("^#") or link.target:match("^%a+:") then return link end
    return link.content -- a page of the site, which isn't there
  end,
}

-- 2. What stands in a frame of its own on the page
local function caption(id, blocks)
  local words = pandoc.utils.blocks_to_inlines(blocks)
  local name = pandoc.Strong({ words[1] }) -- "Figure 3:"
  words:remove(1)
  return pandoc.Para(pandoc.Inlines({ anchor(id), name }) .. words)
end

local frames = {
  Figure = function(figure)
    local content = pandoc.Blocks({})
    figure:walk({
      Table = function(tbl) content:insert(tbl) end,
      Image = function(image) -- one that the notebook brings with it
        if image.src:match("^data:") then content:insert(pandoc.Para({ image })) end
      end,
    })
    content:insert(caption(figure.identifier, figure.caption.long))
    return content
  end,
  Table = function(tbl)
    if #tbl.caption.long == 0 then return nil end
    local below = caption(tbl.identifier, tbl.caption.long)
    tbl.caption = { long = {} }
    return { tbl, below }
  end,
  Span = function(span)
    if span.classes:includes("equation") then
      local math, number = span.content[1], str(span.content[2])
      math.text = math.text:gsub("%s+$", "") .. " \\tag{" .. number:match("%d+") .. "}"
      return { anchor(span.identifier), math }
    end
    return span.content
  end,
  Para = function(para)
    if str(para) == ". . ." then return {} end
    local first, second = para.content[1], para.content[2]
    if second and second.t == "Math" and second.mathtype == "DisplayMath"
      and first.t == "RawInline" then -- editors look for $$ at a line's start
      para.content:remove(1)
      return { pandoc.Plain({ first }), para }
    end
  end,
  Header = function(header)
    header.attr = {}
    return header
  end,
}

local function boxes(div)
  if div.classes:includes("notes") then return {} end
  local kind = div.classes:find_if(function(class) return class:match("^callout%-%l+$") end)
  if kind and div.content[1] and div.content[1].classes
    and div.content[1].classes:includes("callout-title") then
    local title = pandoc.utils.blocks_to_inlines(div.content[1].content)
    div.content[1] = pandoc.Para({ pandoc.Strong(title) })
    return pandoc.BlockQuote(div.content)
  end
  if div.identifier:match("^thm%-") then
    return pandoc.Blocks({ pandoc.RawBlock("html", '<a name="' .. div.identifier .. '"></a>') })
      .. div.content
  end
  return div.content
end

-- 3. Sections that are pointed at, the list of references
local function anchors(doc)
  local out = pandoc.Blocks({})
  for _, block in ipairs(doc.blocks) do
    out:insert(block)
    if block.t == "Header" and wanted[block.identifier] then
      out:insert(pandoc.Plain({ anchor(block.identifier) }))
    end
  end
  doc.blocks = out
  return doc
end

local function list(doc)
  return doc:walk({ Div = function(div)
    if div.identifier:match("^ref%-") then
      div.content[1].content:insert(1, anchor(div.identifier))
      return div.content
    end
  end })
end

function Pandoc(doc)
  note(doc)
  doc.blocks:insert(pandoc.RawBlock("html", "<!-- cell references -->"))
  doc.blocks:insert(pandoc.Div({}, { id = "refs" }))
  doc = list(pandoc.utils.citeproc(doc:walk(references)))
  doc = doc:walk({ traverse = "topdown", Div = boxes })
  doc = anchors(doc)
  return doc:walk(frames)
end
