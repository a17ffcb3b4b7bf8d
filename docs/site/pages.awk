# Doxygen's filter of the manual's pages: puts what a repository browser understands into Doxygen's terms. Headings get the names that
# links use (manual-PAGE-heading; manual-PAGE for the first), and links to pages, headings and headers become references, so that Doxygen
# warns of those that lead nowhere; links to sources lead to pages that show them. Code stays as it is.
#   awk -f pages.awk docs/theory.md

# What a page is called in the site; its own name could be that of one of Doxygen's pages.
function page_of(file) {
  sub(/.*\//, "", file)
  sub(/\.md$/, "", file)
  return file == "README" ? "index" : "manual-" file
}

# The anchor that a repository browser gives a heading: lower case, no punctuation, dashes for spaces, numbered if not the first.
function anchor_of(title,   anchor, before) {
  anchor = tolower(title)
  gsub(/[^a-z0-9 _-]/, "", anchor)
  gsub(/ /, "-", anchor)
  before = seen[anchor]++
  return anchor (before ? "-" before : "")
}

# Where a link of the page leads in the site; "" if that shows nothing of the kind.
function target(link,   parts, file) {
  if (link ~ /^[a-z]+:/) return link
  split(link, parts, "#")
  file = parts[1] == "" ? FILENAME : parts[1]
  if (file ~ /\.md$/) {
    if (parts[2] == "" && page_of(file) == "index") return "index.html"
    return "@ref " page_of(file) (parts[2] == "" ? "" : "-" parts[2])
  }
  sub(/^(\.\.\/)+/, "", file)
  if (file ~ /^include\//) return "@ref " file
  if (file ~ /^(examples|tests)\/.*\./) {
    gsub(/\//, "_2", file)
    gsub(/\./, "_8", file)
    return file "-example.html"
  }
  if (file ~ /^(docs\/)?[^\/]*\.(csv|json)$/) {
    sub(/.*\//, "", file)
    return file
  }
  return ""
}

# Text with its links rewritten; pictures are found by their names. What leads nowhere in the site is left as words.
function relinked(text,   done, words, to) {
  while (match(text, /!?\[[^]]*\]\([^) ]+\)/)) {
    done = done substr(text, 1, RSTART - 1)
    words = substr(text, RSTART, RLENGTH)
    text = substr(text, RSTART + RLENGTH)
    to = words
    sub(/.*\]\(/, "", to)
    sub(/\)$/, "", to)
    sub(/\]\([^) ]+\)$/, "", words)
    if (words ~ /^!/) done = done words "](" to ")"
    else if ((to = target(to)) != "") done = done words "](" to ")"
    else done = done substr(words, 2)
  }
  return done text
}

/^(```|~~~)/ { fenced = !fenced }
fenced || /^(```|~~~|    )/ { print; next }
/^#+ / {
  title = $0
  sub(/^#+ /, "", title)
  anchor = anchor_of(title)
  print $0 (page_of(FILENAME) == "index" && !headings ? "" : " {#" page_of(FILENAME) (headings ? "-" anchor : "") "}")
  headings++
  next
}
{ print relinked($0) }
