-- The part of Quarto's Markdown that lectures use, for Pandoc alone. Runs after book.lua, before
-- citeproc.
-- Format: FORMAT is "html" (page) or "revealjs" (deck).
local deck = FORMAT:match("revealjs") ~= nil
local str = pandoc.utils.stringify
local numbers, names = {}, {}   -- id -> number, id -> kind
local KINDS = { fig = "Figure", tbl = "Table", eq = "Equation", sec = "Section", thm = "Theorem" }
local count = { fig = 0, tbl = 0, eq = 0, thm = 0 }
local CALLOUTS = { note = "Note", tip = "Tip", warning = "Warning", caution = "Caution",
                   important = "Important" }
local annotated = 0

local function kind_of(id) local k = id:match("^(%a+)%-"); return KINDS[k] and k end
local function fail(text) error("\n[book] " .. text .. "\n", 0) end
local function html(text) return pandoc.RawInline("html", text) end
-- A caption's Markdown: marks, maths and citations, but no HTML and no attributes
local CAPTION = "markdown-raw_html-raw_attribute-raw_tex-native_divs-native_spans"
  .. "-bracketed_spans-link_attributes-inline_code_attributes-fenced_divs-yaml_metadata_block"
local function caption(text)
  return pandoc.utils.blocks_to_inlines(pandoc.read(text, CAPTION).blocks)
end

local function number(id)
  local kind = kind_of(id)
  if numbers[id] then fail("the label " .. id .. " is used twice") end
  count[kind] = count[kind] + 1
  numbers[id] = tostring(count[kind])
  return KINDS[kind] .. "\u{a0}" .. numbers[id]
end

-- 1. What this format shows ------------------------------------------------------------------
local function shown(div)
  local function is(format)
    return format == "html" or (format == "revealjs" and deck) or false
  end
  local a = div.attributes
  local hit = (a["when-format"] == nil or is(a["when-format"]))
    and not (a["unless-format"] ~= nil and is(a["unless-format"]))
  if div.classes:includes("content-hidden") then return not hit end
  return hit
end

local visibility = {
  Div = function(div)
    if div.classes:includes("content-visible") or div.classes:includes("content-hidden") then
      return shown(div) and div.content or {}
    end
  end,
}

-- 2. Code annotations: a marker `# <1>` at a line's end, the list after the cell explains it --
local function annotate(code, n)
  local options = pandoc.WriterOptions({ highlight_method = PANDOC_WRITER_OPTIONS.highlight_method })
  local text = pandoc.write(pandoc.Pandoc({ code }), "html", options)
  text = text:gsub('<span class="co">#%s*&lt;(%d+)&gt;</span>', function(i)
    return ('<a class="annotation" href="#note-%d-%s" aria-label="Explanation %s">%s</a>')
      :format(n, i, i, i)
  end)
  return pandoc.RawBlock("html", text)
end

local function annotation_list(list, n)
  local items = pandoc.List({ pandoc.RawBlock("html", '<dl class="annotations">') })
  for i, item in ipairs(list.content) do
    items:insert(pandoc.RawBlock("html", ('<dt id="note-%d-%d">%d</dt><dd>'):format(n, i, i)))
    items:extend(item)
    items:insert(pandoc.RawBlock("html", "</dd>"))
  end
  items:insert(pandoc.RawBlock("html", "</dl>"))
  return items
end

local function is_annotated(block)
  if block.t == "CodeBlock" then return block.text:match("# <%d+>%s*\n") or block.text:match("# <%d+>%s*$") end
  return block.t == "Div" and block.classes:includes("cell") and block.content[1]
    and is_annotated(block.content[1])
end

local annotations = {
  Blocks = function(blocks)
    local out, i = pandoc.List(), 1
    while i <= #blocks do
      local block, following = blocks[i], blocks[i + 1]
      if block.t == "Div" and is_annotated(block) then
        annotated = annotated + 1
        block.content[1] = annotate(block.content[1], annotated)
        out:insert(block)
        if following and following.t == "OrderedList" then
          out:extend(annotation_list(following, annotated))
          i = i + 1
        end
      else
        out:insert(block)
      end
      i = i + 1
    end
    return out
  end,
}

-- 3. Callouts, tabs, folded code, theorems ---------------------------------------------------
local function callout(div, kind)
  local title = div.attributes.title and { pandoc.Str(div.attributes.title) }
  if not title and div.content[1] and div.content[1].t == "Header" then
    title = div.content:remove(1).content
  end
  local simple = div.attributes.appearance == "simple"
  local folded = div.attributes.collapse == "true" and not deck
  local head = pandoc.Plain(title or { pandoc.Str(CALLOUTS[kind]) })
  local body = pandoc.Div(div.content, { class = "callout-body" })
  local class = "callout callout-" .. kind
  if simple then return pandoc.Div({ body }, { class = class .. " callout-simple" }) end
  if not folded then
    return pandoc.Div({ pandoc.Div({ head }, { class = "callout-title" }), body },
      { id = div.identifier, class = class })
  end
  return {
    pandoc.RawBlock("html", '<details class="' .. class .. '"><summary class="callout-title">'),
    head, pandoc.RawBlock("html", "</summary>"), body, pandoc.RawBlock("html", "</details>"),
  }
end

local function tabset(div)
  local tabs = pandoc.List()
  for _, block in ipairs(div.content) do
    if block.t == "Header" then
      tabs:insert(pandoc.Div({}, { class = "tab", ["data-title"] = str(block) }))
      tabs[#tabs].content:insert(pandoc.Div({ pandoc.Plain(block.content) }, { class = "tab-title" }))
    elseif #tabs > 0 then
      tabs[#tabs].content:insert(block)
    end
  end
  return pandoc.Div(tabs, { class = "panel-tabset" })
end

local function take(element, key)
  local value = element.attributes[key]
  element.attributes[key] = nil
  return value
end

local structure = {
  Image = function(image)
    local alt = take(image, "fig-alt")
    if alt then image.caption = { pandoc.Str(alt) } end
    return image
  end,
  Para = function(para)
    local image = para.content[1]
    local text = #para.content == 1 and image.t == "Image" and take(image, "fig-cap")
    if text then
      local id = image.identifier
      image.identifier = ""
      return pandoc.Figure({ pandoc.Plain({ image }) }, { long = { pandoc.Plain(caption(text)) } }, { id = id })
    end
  end,
  Div = function(div)
    for kind in pairs(CALLOUTS) do
      if div.classes:includes("callout-" .. kind) then return callout(div, kind) end
    end
    if div.classes:includes("panel-tabset") then return tabset(div) end
    local text = take(div, "tbl-cap") or take(div, "fig-cap")
    if text then
      div.content:insert(pandoc.Plain(caption(text)))
      return div
    end
    if kind_of(div.identifier) == "thm" then
      local name = number(div.identifier)
      if div.content[1].t == "Header" then
        name = name .. " (" .. str(div.content:remove(1)) .. ")"
      end
      div.classes:insert("theorem")
      div.content[1].content:insert(1, pandoc.Space())
      div.content[1].content:insert(1, pandoc.Strong({ pandoc.Str(name) }))
      return div
    end
  end,
  CodeBlock = function(code)
    local fold = code.attributes["code-fold"]
    if fold ~= "true" and fold ~= "show" then return nil end
    local summary = code.attributes["code-summary"] or "Code"
    code.attributes["code-fold"], code.attributes["code-summary"] = nil, nil
    return {
      pandoc.RawBlock("html", '<details class="code-fold"' .. (fold == "show" and " open" or "") ..
        "><summary>"),
      pandoc.Plain({ pandoc.Str(summary) }), pandoc.RawBlock("html", "</summary>"),
      code, pandoc.RawBlock("html", "</details>"),
    }
  end,
}

-- 4. Numbers for figures, tables, equations, sections -----------------------------------------
local function caption_block(id, blocks)
  local label = { pandoc.Str(number(id) .. ":"), pandoc.Space() }
  return pandoc.Plain(pandoc.List(label) .. pandoc.utils.blocks_to_inlines(blocks))
end

local function image_of(figure)
  local found
  figure:walk({ Image = function(image) found = found or image end })
  return found
end

local numbering = {
  traverse = "topdown",
  Figure = function(figure)
    local image = image_of(figure)
    if image and image.identifier ~= "" and figure.identifier == "" then
      figure.identifier, image.identifier = image.identifier, ""
    end
    figure.content = figure.content:walk({ Image = function() return image end })
    if kind_of(figure.identifier) == "fig" then
      figure.caption = { long = { caption_block(figure.identifier, figure.caption.long) } }
    end
    return figure, false
  end,
  Div = function(div)
    local kind = kind_of(div.identifier)
    if kind ~= "tbl" and kind ~= "fig" then return nil end
    local blocks = div.content
    local last = blocks:remove(#blocks)       -- the caption is the div's last paragraph
    local caption = caption_block(div.identifier, { last })
    return pandoc.Figure({ pandoc.Div(blocks) }, { long = { caption } },
      { id = div.identifier, class = kind == "tbl" and "table-float" or "" }), false
  end,
  Table = function(tbl)
    if kind_of(tbl.identifier) == "tbl" then
      tbl.caption = { long = { caption_block(tbl.identifier, tbl.caption.long) } }
    end
    return tbl
  end,
  Para = function(para)
    local c = para.content
    for i = 1, #c do
      if c[i].t == "Math" and c[i].mathtype == "DisplayMath" then
        local j = (c[i + 1] and c[i + 1].t == "Space") and i + 2 or i + 1
        local id = c[j] and c[j].t == "Str" and c[j].text:match("^{#(eq%-[%w%-_]+)}$")
        if id then
          number(id)
          local span = pandoc.Span({ c[i], pandoc.Span({ pandoc.Str("(" .. numbers[id] .. ")") },
            { class = "equation-number" }) }, { id = id, class = "equation" })
          c[i] = span
          for _ = i + 1, j do c:remove(i + 1) end
          return para
        end
      end
    end
  end,
}

local function number_sections(doc)
  local at = {}
  doc.blocks:walk({ Header = function(h)
    if h.classes:includes("unnumbered") then return end
    for level = h.level + 1, 6 do at[level] = nil end
    at[h.level] = (at[h.level] or 0) + 1
    if h.identifier:match("^sec%-") then
      local parts = {}
      for level = 1, h.level do parts[#parts + 1] = tostring(at[level] or 0) end
      numbers[h.identifier] = table.concat(parts, ".")
    end
  end })
end

-- 5. References to them, links between pages --------------------------------------------------
local references = {
  Cite = function(cite)
    local id = cite.citations[1].id
    local kind = kind_of(id)
    if not kind then return nil end
    if not numbers[id] then fail("the cross-reference @" .. id .. " has no target") end
    return pandoc.Link(KINDS[kind] .. "\u{a0}" .. numbers[id], "#" .. id, "",
      { class = "cross-reference" })
  end,
  Link = function(link)
    if not link.target:match("^%a+:") and not link.target:match("/colab/") then
      link.target = link.target:gsub("%.qmd", ".html"):gsub("%.ipynb", ".html")
      return link
    end
  end,
  RawInline = function(raw)
    if raw.format:match("tex") then
      fail(raw.text .. " is TeX outside of a formula: write $…$ without spaces inside the dollars")
    end
  end,
  RawBlock = function(raw)
    if raw.format:match("tex") then fail(raw.text .. " is TeX outside of a formula: put it in $$…$$") end
  end,
  Inlines = function(inlines)
    local alone = inlines:filter(function(i) return i.t == "Str" and i.text == "$" end)
    if #alone > 1 then
      fail("a formula with spaces inside its dollars (" .. str(inlines) .. "): write $x$, or \\$5 for a price")
    end
  end,
  Str = function(s)
    if s.text:match("^{{<") then fail("shortcode not supported: " .. s.text) end
  end,
}

-- 6. Decks: a lone figure takes the room that is left ----------------------------------------
local function stretch(blocks)
  local out, figures, at = pandoc.List(), 0, nil
  local function flush()
    if figures == 1 and out[at].t == "Figure" and image_of(out[at]) and not (out[at].content[1].t == "Div") then
      local figure = out[at]
      local image = image_of(figure)
      image.classes:insert("r-stretch")
      image.identifier = figure.identifier
      out[at] = pandoc.Plain({ image })
      out:insert(at + 1, pandoc.Div({ pandoc.Plain(pandoc.utils.blocks_to_inlines(figure.caption.long)) },
        { class = "caption" }))
    end
    figures, at = 0, nil
  end
  for _, block in ipairs(blocks) do
    if block.t == "Header" and block.level <= 2 then flush() end
    if block.t == "Div" and block.classes:includes("cell") then  -- unwrap cells
      for _, inner in ipairs(block.content) do
        out:insert(inner)
        if inner.t == "Figure" then figures, at = figures + 1, #out end
      end
    else
      out:insert(block)
      if block.t == "Figure" then figures, at = figures + 1, #out end
    end
  end
  flush()
  return out
end

function Pandoc(doc)
  doc = doc:walk(visibility):walk(annotations):walk(structure)
  number_sections(doc)
  doc = doc:walk(numbering):walk(references)
  if deck then doc.blocks = stretch(doc.blocks) end
  return doc
end
