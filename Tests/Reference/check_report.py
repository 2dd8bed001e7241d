"""Opens the page that `spikingbrain report` wrote in headless Chromium and fails on what a reader
would stumble over: messages of the console (a blocked request is one), text of a figure that is
clipped or overlaps other text, and a page wider than its window. Standard library only.

check_report.py DIR [--chromium PROGRAM] [--screenshots OUT]
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

# The page forbids scripts; a copy without that policy is measured.
MEASURE = """
<pre id="measured"></pre><script>
const problems = [], inside = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1
  && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
  && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
for (const figure of document.querySelectorAll("figure")) {
  const box = figure.querySelector("svg").getBoundingClientRect();
  const texts = [...figure.querySelectorAll("svg text")].filter(t => t.textContent)
    .map(t => [t.textContent, t.getBoundingClientRect()]);
  for (const [text, place] of texts)
    if (!inside(place, box)) problems.push(`${figure.id}: "${text}" is clipped`);
  for (let i = 0; i < texts.length; i++) for (let j = 0; j < i; j++)
    if (overlap(texts[i][1], texts[j][1]))
      problems.push(`${figure.id}: "${texts[i][0]}" overlaps "${texts[j][0]}"`);
}
const wide = document.documentElement.scrollWidth;
if (wide > innerWidth) problems.push(`the page is ${wide} wide in a window of ${innerWidth}`);
document.getElementById("measured").textContent = JSON.stringify(
  {problems, figures: document.querySelectorAll("figure").length});
</script></body>"""


def chromium(program, *arguments):
    return subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu", *arguments],
        capture_output=True, text=True, timeout=600)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--screenshots", type=pathlib.Path)
    options = parser.parse_args()
    page = (options.directory / "report.html").resolve()
    problems = []

    opened = chromium(
        options.chromium, "--enable-logging=stderr", "--dump-dom", page.as_uri())
    problems += [line for line in opened.stderr.splitlines() if "CONSOLE" in line]
    if "<h1>" not in opened.stdout:
        problems.append("the page did not load")

    source = page.read_text(encoding="utf-8")
    source = re.sub(r"<meta http-equiv[^>]*/>", "", source)
    with tempfile.TemporaryDirectory() as work:
        copy = pathlib.Path(work) / "copy.html"
        copy.write_text(source.replace("</body>", MEASURE), encoding="utf-8")
        for width in [1200, 760, 500]:
            dom = chromium(
                options.chromium, f"--window-size={width},900", "--dump-dom", copy.as_uri()).stdout
            found = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.S)
            text = found.group(1) if found else '{"problems": ["not measured"], "figures": 0}'
            for entity, character in [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]:
                text = text.replace(entity, character)
            measured = json.loads(text)
            problems += [f"width {width}: {problem}" for problem in measured["problems"]]

    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
        for name, scheme in [("light", "1"), ("dark", "0")]:
            chromium(
                options.chromium, f"--blink-settings=preferredColorScheme={scheme}",
                "--window-size=900,12000", f"--screenshot={options.screenshots / name}.png",
                page.as_uri())
        chromium(
            options.chromium, f"--print-to-pdf={options.screenshots / 'print'}.pdf",
            "--no-pdf-header-footer", page.as_uri())
    for problem in problems:
        print("FAIL", problem)
    if not problems:
        print("ok", measured["figures"], "figures")
    sys.exit(1 if problems else 0)


main()
