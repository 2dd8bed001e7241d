#!/usr/bin/env python3
"""Talks to a model by the page that `serve` shows, in a headless Chromium.

    check_page.py PROGRAM CKPT [--screenshot FILE]

CKPT has a chat template. Needs the package selenium, and chromium with its driver (Debian: chromium-driver). Prints a
line a check; ends with 1 when one fails.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

failures = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'} {name}{': ' + str(detail) if detail != '' else ''}", flush=True)
    if not passed:
        failures.append(name)


@contextlib.contextmanager
def serve(program, checkpoint, *options):
    """The address of a running server."""
    process = subprocess.Popen(
        [program, "serve", checkpoint, "--port", "0", "--json", *options], stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()


class Page:
    def __init__(self, address, width=1000):
        options = webdriver.ChromeOptions()
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={width},900"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService("/usr/bin/chromedriver") if Path("/usr/bin/chromedriver").exists() else None
        self.driver = webdriver.Chrome(options=options, service=service)
        self.address = address
        self.driver.get(address)

    def find(self, name):
        return self.driver.find_element(By.ID, name)

    def lines(self, kind):
        return [e.text for e in self.driver.find_elements(By.CSS_SELECTOR, f"#talk .{kind}")]

    def wait(self, condition, seconds=120):
        WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(lambda _: condition())

    def set(self, name, value):
        self.find(name).clear()
        self.find(name).send_keys(value)

    def ask(self, text, end="\n"):
        self.find("text").send_keys(text + end)

    def idle(self):
        self.wait(lambda: self.find("send").is_enabled())

    def requests(self):
        """The addresses that were asked for."""
        found = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in found if m["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE" and "favicon" not in e["message"]]


def talk(page):
    # Asked for when the page is there.
    page.wait(lambda: page.find("name").text not in ("", "spikingbrain"))
    check("the page has the model's name", True, page.find("name").text)
    page.set("temperature", "0")
    page.set("tokens", "12")
    hostile = "<img src=x onerror=alert(1)> & \"you\""
    page.ask(hostile)
    page.idle()
    check("what is said is shown as text", page.lines("user") == [hostile])
    check("and nothing in it is run", not page.driver.find_elements(By.CSS_SELECTOR, "#talk img"))
    first = page.lines("assistant")
    check("an answer comes", len(first) == 1 and first[0] != "", first)
    figures = page.find("figures").text
    check("with speed and the size of the state", "/s; read " in figures and "state " in figures, figures)
    page.ask("And then?")
    page.idle()
    second = page.find("figures").text
    read, total = second.split("read ")[1].split(" tokens")[0].split(" of ")
    check("the second turn reads only what is new", int(read) < int(total), second)
    page.find("reset").click()
    check("reset forgets", page.lines("user") == [])
    page.ask(hostile)
    page.idle()
    check("and the same question gets the same answer", page.lines("assistant") == first)
    page.set("tokens", "4000")
    page.ask("Tell me everything.")
    page.wait(lambda: len(page.lines("assistant")) == 2 and len(page.lines("assistant")[1]) > 20)
    page.find("stop").click()
    page.idle()
    stopped = page.lines("assistant")[1]
    time.sleep(1)
    check("stop ends an answer, which stays", page.lines("assistant")[1] == stopped and page.lines("error") == [])
    page.set("tokens", "4")
    page.ask("shift\ue008\ue007\ue000enter")
    page.idle()
    check("shift and enter begin a line, enter sends", page.lines("user")[-1] == "shift\nenter")
    page.set("tokens", "0")
    page.ask("nothing")
    page.idle()
    check("what the server refuses is said", len(page.lines("error")) == 1 or page.find("tokens").get_attribute("validationMessage") != "",
          page.lines("error"))
    page.find("reset").click()
    check("nothing but the server is asked", all(u.startswith((page.address, "data:", "chrome")) for u in page.requests()))
    width = page.driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    check("nothing is wider than the window", width <= 0, width)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("checkpoint")
    parser.add_argument("--screenshot")
    options = parser.parse_args()
    with serve(options.program, options.checkpoint) as address:
        page = Page(address)
        talk(page)
        check("the browser complains of nothing else", all("400" in c for c in page.complaints()), page.complaints())
        if options.screenshot:
            page.set("tokens", "40")
            page.ask("What is the capital of France?")
            page.idle()
            page.driver.save_screenshot(options.screenshot)
        page.driver.quit()
        narrow = Page(address, width=500)
        width = narrow.driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
        check("nor than a narrow one", width <= 0, width)
        narrow.driver.quit()
    with serve(options.program, options.checkpoint, "--api-key", "secret") as address:
        page = Page(address)
        page.ask("hello")
        page.idle()
        check("without the key the page says so", len(page.lines("error")) == 1, page.lines("error"))
        page.set("key", "secret")
        page.set("tokens", "4")
        page.ask("hello")
        page.idle()
        check("with it, it answers", len(page.lines("assistant")) == 1)
        page.driver.quit()
    print(f"{len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
