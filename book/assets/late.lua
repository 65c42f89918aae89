-- What both renderers do last, when figures and equations have their numbers (Quarto runs this at
-- `post-quarto`, the thin renderer after its own filter):
-- * a drawing or plot that is an SVG file becomes part of the page, so that its colours and its
--   text follow the theme, and its groups of class "fragment" appear one by one in the deck;
-- * slides of class "appendix" move behind the last one of the deck;
-- * slides of class "empty" (book.lua finds them) are left out of the deck; one that is pointed at
--   says that it's on the page.

local deck = FORMAT:match("revealjs") ~= nil
local str = pandoc.utils.stringify
local folder = "."
local drawn = 0

local function Meta(meta)
  folder = meta["book-out"] and str(meta["book-out"]) or "."
end

-- Colours of helpers.COLOURS and of ink and paper, as the theme has them
local THEME = { ["#0072b2"] = "data", ["#d55e00"] = "code", ["#009e73"] = "weights",
  ["#cc79a7"] = "noise", ["#e69f00"] = "loss", ["#56b4e9"] = "other", ["#000000"] = "text",
  ["#ffffff"] = "back", ["#808080"] = "soft" }

local function themed(svg)
  return (svg:gsub("#%x%x%x%x%x%x", function(colour)
    local name = THEME[colour:lower()]
    return name and ("var(--%s)"):format(name) or colour
  end))
end

local function file(src)
  for _, place in ipairs({ ".", folder }) do
    local found = io.open(place .. "/" .. src, "r")
    if found then
      local text = found:read("a")
      found:close()
      return text
    end
  end
end

local function escaped(text)
  return (text:gsub('[&<>"]', { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end

local function Image(image)
  if not image.src:match("%.svg$") or image.src:match("^%a+:") then
    return nil
  end
  local svg = file(image.src)
  if not svg then
    error("[book] the picture " .. image.src .. " doesn't exist", 0)
  end
  drawn = drawn + 1
  local mark = "drawn" .. drawn .. "-"
  svg = svg:gsub("^.-(<svg)", "%1"):gsub("<metadata>.-</metadata>", "")
  svg = themed(svg):gsub(' id="', ' id="' .. mark):gsub("url%(#", "url(#" .. mark)
  svg = svg:gsub('href="#', 'href="#' .. mark)
  local alt = image.attributes["fig-alt"] or image.attributes.alt or str(image.caption)
  local open = ('<svg class="drawing" role="img" aria-label="%s"'):format(escaped(alt))
  svg = svg:gsub("<svg", function() return open end, 1)
  return pandoc.RawInline("html", svg)
end

local function Pandoc(doc)
  if not deck then
    return nil
  end
  local kept, moved, section, aside, gone = pandoc.List(), pandoc.List(), false, false, false
  for _, block in ipairs(doc.blocks) do
    local hint
    if block.t == "Header" and block.level <= 2 then
      gone = block.classes:includes("empty")
      if gone and block.identifier:match("^sec%-") then
        gone, hint = false, pandoc.Para("Its text is on the page, and in the speaker's notes.")
      end
      aside = block.classes:includes("appendix")
      section = block.level == 1 and aside or (block.level == 2 and section)
    end
    local place = (aside or section) and moved or kept
    if not gone then
      place:insert(block)
      if hint then place:insert(hint) end
    end
  end
  local first = moved[1]
  if first and first.identifier ~= "references" then  -- these need no heading of their own
    kept:insert(pandoc.Header(1, "Appendix", { id = "appendix", class = "unnumbered" }))
  end
  kept:extend(moved)
  doc.blocks = kept
  return doc
end

return { { Meta = Meta }, { Image = Image }, { Pandoc = Pandoc } }
