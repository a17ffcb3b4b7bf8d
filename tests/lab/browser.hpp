#pragma once
// Pages as a browser shows them: headless Chromium, where it is installed.

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "lab/support.hpp"

namespace mts_test {

/// The path of Chromium or Chrome; "" where there is none.
inline const std::string& browser() {
  static const std::string path = [] {
    for (const std::string name : {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
      if (std::filesystem::exists(name)) return name;
    return std::string();
  }();
  return path;
}

/// What a browser finds wrong with a page, in words, shown in windows of these widths: errors of scripts or pictures, whatever it says on
/// its console, and what is cut off: a page wider than its window, an element that leaves it, a text that leaves its picture, a word of a table in two lines.
inline std::vector<std::string> browser_problems(const std::string& page, const std::vector<int>& widths,
                                                 const TemporaryFolder& folder) {
  // A copy of the page measures itself and tells the page that frames it, whose document the browser writes out.
  const std::string listen =
      "<script>window.wrong=[];addEventListener('error',function(e){wrong.push('error: "
      "'+(e.message||e.target.outerHTML."
      "slice(0,120)))},true);</script>";
  const std::string measure = R"(<script>addEventListener('load', function() {
    var root = document.documentElement, wide = root.clientWidth;
    document.querySelectorAll('details').forEach(function(d) { d.open = true; });
    function name(e) { return e.tagName + ' ' + (e.textContent || e.alt || '').trim().slice(0, 60); }
    if (root.scrollWidth > wide) wrong.push('the page is ' + root.scrollWidth + ' wide');
    document.querySelectorAll('main *').forEach(function(e) {
      var box = e.getBoundingClientRect(), scroll = e.closest('.scroll'), svg = e.closest('svg');
      if ((box.right > wide + 1 || box.left < -1) && !(scroll && scroll !== e)) wrong.push('leaves the window: ' + name(e));
      if (svg && svg !== e) {
        var frame = svg.getBoundingClientRect();
        if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
          wrong.push('leaves its picture: ' + name(e));
      }
      if (e.matches('.scroll') && wide > 1000 && e.scrollWidth > e.clientWidth) wrong.push('has to be scrolled: ' + name(e));
      if (e.matches('td:not(.w), th:not(.w)') && e.firstChild && !/[\s-]/.test(e.textContent)) {
        var word = document.createRange();
        word.selectNodeContents(e);
        if (word.getClientRects().length > 1) wrong.push('a broken word: ' + name(e));
      }
      if (e.tagName === 'IMG' && !(e.complete && e.naturalWidth > 0)) wrong.push('no picture: ' + name(e));
    });
    var text = document.body.innerText.trim().length;
    if (text < 100) wrong.push('only ' + text + ' characters are to be seen');
    parent.postMessage({width: wide, wrong: wrong}, '*');
  });</script>)";
  std::string copy = page;
  copy.insert(copy.find("<head>") + 6, listen);
  copy.insert(copy.rfind("</body>"), measure);
  write_plainly(folder / "copy.html", copy);
  std::string frame =
      "<!DOCTYPE html><html><body><pre id=\"measured\"></pre><script>addEventListener('message', function(e) { "
      "document.getElementById('measured').textContent += '@@' + JSON.stringify(e.data) + '@@' });</script>\n";
  for (const int width : widths)
    frame +=
        "<iframe src=\"copy.html\" style=\"border:0;height:900px;width:" + std::to_string(width) + "px\"></iframe>\n";
  write_plainly(folder / "frame.html", frame + "</body></html>\n");

  const std::string profile = (folder / "profile").string(), home = "HOME=" + folder.path.string();
  Child child({browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               "--user-data-dir=" + profile, "--window-size=1400,900", "--virtual-time-budget=20000",
               "--enable-logging=stderr", "--dump-dom", "file://" + (folder / "frame.html").string()},
              folder, {home});
  const int status = child.wait();
  std::vector<std::string> problems;
  if (status != 0) problems.push_back("the browser ended with status " + std::to_string(status));
  const std::string said = child.err(), dom = child.out();
  for (auto at = said.find("CONSOLE"); at != std::string::npos; at = said.find("CONSOLE", at + 1))
    problems.push_back("console: " + said.substr(at, said.find('\n', at) - at));
  std::size_t measured = 0;
  for (auto at = dom.find("@@{"); at != std::string::npos; at = dom.find("@@{", at + 2)) {
    std::string text = dom.substr(at + 2, dom.find("}@@", at) - at - 1);
    for (const auto& [escape, plain] : {std::pair{"&lt;", "<"}, std::pair{"&gt;", ">"}, std::pair{"&amp;", "&"}})
      for (auto k = text.find(escape); k != std::string::npos; k = text.find(escape, k + 1))
        text.replace(k, std::string_view(escape).size(), plain);
    const auto json = nlohmann::json::parse(text);
    for (const auto& wrong : json["wrong"])
      problems.push_back(std::to_string(json["width"].get<int>()) + " wide: " + wrong.get<std::string>());
    ++measured;
  }
  if (measured != widths.size())
    problems.push_back("of " + std::to_string(widths.size()) + " windows " + std::to_string(measured) +
                       " were measured");
  return problems;
}

/// The same as one text.
inline std::string browser_problems_text(const std::string& page, const std::vector<int>& widths,
                                         const TemporaryFolder& folder) {
  std::string text;
  for (const auto& p : browser_problems(page, widths, folder)) text += p + "\n";
  return text;
}

}  // namespace mts_test
