-- What the book says of itself, put in place when a page is rendered; both renderers run this first.
-- A div with the attribute `part` becomes _parts/PART.md; a recorded value gets its declared band
-- from _parts/bands.json. `book/frame.py` writes both before rendering.

local root = "."
local bands = nil

local function read(name)
  local path = root .. "/_parts/" .. name
  local file = io.open(path, "r")
  if not file then
    error("[book] " .. path .. " is missing: run `python -m book prepare`")
  end
  local text = file:read("a")
  file:close()
  return text
end

local function Meta(meta)
  if quarto then
    root = quarto.project.directory or "."
  elseif meta["book-root"] then
    root = pandoc.utils.stringify(meta["book-root"])
  end
end

local function Div(div)
  if div.attributes.part then
    return pandoc.read(read(div.attributes.part .. ".md"), "markdown").blocks
  end
end

local function Para(para)
  local first, name, value = para.content[1], para.content[3], para.content[4]
  local is_record = first and first.t == "Str" and first.text == "Recorded" and name
    and name.t == "Code" and value and value.t == "Str" and value.text == ":"
  if not is_record then
    return nil
  end
  bands = bands or pandoc.json.decode(read("bands.json"), false)
  if bands[name.text] then
    para.content:insert(pandoc.Str(", expected " .. bands[name.text]))
  end
  return para
end

return { { Meta = Meta }, { Div = Div, Para = Para } }
