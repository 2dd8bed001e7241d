#!/usr/bin/env python3
"""Asks a running `serve` as OpenAI's clients and lm-eval do, and compares with `generate`.

    check_serve.py PROGRAM WORK [--requests 1000] [--clients 16] [--only NAME …]

Needs the packages openai and lm_eval. Prints a line a check; ends with 1 when one fails.
"""

import argparse
import contextlib
import http.client
import json
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BOOK = (ROOT / "demo/pride-and-prejudice-end.txt").read_text()
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
failures = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'} {name}{': ' + str(detail) if detail != '' else ''}", flush=True)
    if not passed:
        failures.append(name)


class Server:
    """A `serve` process on a free port."""

    def __init__(self, program, model, *options):
        self.process = subprocess.Popen(
            [program, "serve", str(model), "--port", "0", "--json", *map(str, options)],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the server did not start")
        ready = json.loads(line)
        self.url, self.model = ready["url"], ready["model"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def post(self, path, body, timeout=300):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        connection.request("POST", path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    def complete(self, prompt, tokens, **more):
        status, text = self.post(
            "/v1/completions", {"prompt": prompt, "max_tokens": tokens, "temperature": 0, **more})
        if status != 200:
            raise RuntimeError(f"{status} {text[:200]}")
        return json.loads(text)

    def metric(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/metrics")
        for line in connection.getresponse().read().decode().splitlines():
            if line.startswith("spikingbrain_" + name + " "):
                return float(line.split()[-1])
        return None

    def first_token(self, body):
        """Seconds until the first token of a stream, and the whole text."""
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(
            "POST", "/v1/completions", json.dumps({**body, "stream": True}),
            {"Content-Type": "application/json"})
        answer = connection.getresponse()
        first, text = None, ""
        for line in answer:
            if line.startswith(b"data: {"):
                first = first or time.monotonic() - start
                for choice in json.loads(line[6:])["choices"]:
                    text += choice["text"]
        connection.close()
        return first, text

    @property
    def resident(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextlib.contextmanager
def serving(*arguments):
    server = Server(*arguments)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def generated(program, model, prompt, tokens):
    out = subprocess.run(
        [program, "generate", str(model), "--json", "--prompt", prompt, "--max-tokens", str(tokens)],
        capture_output=True, text=True, check=True)
    return json.loads(out.stdout)["text"]


def some_prompt(generator):
    start = generator.randrange(len(BOOK) - 4000)
    return BOOK[start:start + generator.randrange(5, 600)]


def answers(arguments, model):
    """Many requests from many clients, some of which leave, against single runs."""
    generator = random.Random(7)
    prompts = [some_prompt(generator) for _ in range(40)]
    with serving(arguments.program, model, "--batch", 1) as single:
        expected = [single.complete(p, 24)["choices"][0]["text"] for p in prompts]
    same = all(generated(arguments.program, model, p, 24) == e for p, e in zip(prompts[:6], expected))
    check("alone: the text of generate", same)
    with serving(arguments.program, model, "--state-memory", "20MB", "--queue", 1000) as server:
        before, peak = server.resident, 0
        wrong, left = [], 0
        lock = threading.Lock()

        def one(index):
            nonlocal left, peak
            which = index % len(prompts)
            tokens = 1 + index % 24
            if index % 9 == 0:  # a client that leaves in the middle
                with socket.create_connection(("127.0.0.1", server.port)) as s:
                    body = json.dumps({
                        "prompt": prompts[which], "max_tokens": 4000, "temperature": 0,
                        "stream": index % 2 == 0}).encode()
                    s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                              % len(body) + body)
                    time.sleep(0.02)
                with lock:
                    left += 1
                return
            stream = index % 3 == 0
            body = {"prompt": prompts[which], "max_tokens": 24, "temperature": 0}
            text = (server.first_token(body)[1] if stream
                    else server.complete(prompts[which], 24)["choices"][0]["text"])
            with lock:
                peak = max(peak, server.resident)
                if text != expected[which]:
                    wrong.append((which, text, expected[which]))

        start = time.monotonic()
        with ThreadPoolExecutor(arguments.clients) as pool:
            for result in pool.map(one, range(arguments.requests)):
                pass
        seconds = time.monotonic() - start
        check(f"{arguments.requests} requests from {arguments.clients} clients, {left} of whom left: "
              "every answer is that of a single run", not wrong, wrong[:1] if wrong else f"{seconds:.1f} s")
        time.sleep(0.5)
        check("nothing runs on for those who left", server.metric("running") == 0)
        check("memory is bounded", peak < before + 150, f"{before:.0f} MB before, at most {peak:.0f} MB")
        check("it stops when told to", server.stop() == 0)


def throughput(arguments, model):
    """Tokens per second of 8 clients against those of one."""
    with serving(arguments.program, model) as server:
        def run(clients, each):
            start = time.monotonic()
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(lambda i: server.complete(BOOK[50 * i:50 * i + 20], each), range(clients)))
            return clients * each / (time.monotonic() - start)
        run(8, 8)
        one = max(run(1, 200) for _ in range(3))
        eight = max(run(8, 200) for _ in range(3))
        # With the small model it is HTTP that costs.
        least = 3 if arguments.model else 1
        check("8 clients against one", eight >= least * one, f"{one:.0f} and {eight:.0f} tokens/s: {eight / one:.2f}")


def second_turn(arguments, model):
    """The second turn of a long conversation."""
    with serving(arguments.program, model, "--state-memory", "1GB") as server:
        text = (BOOK * 4)[:arguments.long]
        first, answer = server.first_token({"prompt": text, "max_tokens": 32, "temperature": 0})
        second, _ = server.first_token(
            {"prompt": text + answer + "\nAnd then", "max_tokens": 8, "temperature": 0})
        usage = server.complete(text + answer + "\nAnd then", 1)["usage"]
        check(f"second turn after {usage['prompt_tokens']} tokens starts in under 2 %",
              second < 0.02 * first, f"{first:.2f} s, then {second:.3f} s: {100 * second / first:.2f} %")


def restart(arguments, model):
    """States in files: eviction, and the next run."""
    states = Path(arguments.work) / "states"
    shutil.rmtree(states, ignore_errors=True)
    prompts = [BOOK[300 * i:300 * i + 250] for i in range(12)]
    texts, cached = [], []
    for memory in ("0B", "1GB"):
        with serving(arguments.program, model, "--state-dir", states, "--state-memory", memory) as server:
            found = [server.complete(p, 16) for p in prompts]
            texts.append([f["choices"][0]["text"] for f in found])
            cached.append(sum(f["usage"]["prompt_tokens_details"]["cached_tokens"] > 0 for f in found))
            again = [server.complete(p, 16) for p in prompts]
            texts.append([f["choices"][0]["text"] for f in again])
    check("evicted to files and after a restart: equal answers", all(t == texts[0] for t in texts))
    check("the next run goes on from the files", cached == [0, len(prompts)], cached)


def clients(arguments, model):
    """The openai package."""
    from openai import APIStatusError, OpenAI
    with serving(arguments.program, model, "--api-key", "secret") as server:
        client = OpenAI(base_url=server.url + "/v1", api_key="secret", max_retries=0)
        check("openai: models", [m.id for m in client.models.list()] == [server.model])
        whole = client.completions.create(
            model=server.model, prompt="It is a truth", max_tokens=16, temperature=0, logprobs=2)
        parts = client.completions.create(
            model=server.model, prompt="It is a truth", max_tokens=16, temperature=0, stream=True)
        check("openai: completions, whole and streamed",
              whole.choices[0].text == "".join(p.choices[0].text for p in parts))
        messages = [{"role": "user", "content": "Who are you?"}]
        said = client.chat.completions.create(
            model=server.model, messages=messages, max_tokens=16, temperature=0, logprobs=True, top_logprobs=3)
        parts = list(client.chat.completions.create(
            model=server.model, messages=messages, max_tokens=16, temperature=0, stream=True,
            stream_options={"include_usage": True}))
        text = "".join(p.choices[0].delta.content or "" for p in parts if p.choices)
        check("openai: chat, whole and streamed", said.choices[0].message.content == text)
        check("openai: usage of a stream", parts[-1].usage.completion_tokens == said.usage.completion_tokens)
        check("openai: log-probabilities", len(said.choices[0].logprobs.content[0].top_logprobs) == 3)
        try:
            OpenAI(base_url=server.url + "/v1", api_key="wrong", max_retries=0).models.list()
            check("openai: a wrong key", False)
        except APIStatusError as error:
            check("openai: a wrong key", error.status_code == 401)


def evaluation(arguments, model):
    """lm-eval's local-completions."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.openai_completions import LocalCompletionsAPI
    with serving(arguments.program, model) as server:
        lm = LocalCompletionsAPI(
            model=server.model, base_url=server.url + "/v1/completions", tokenizer_backend="huggingface",
            tokenizer=str(model), num_concurrent=1, max_retries=1)
        pairs = [("It is a truth", " universally acknowledged"), ("Well,", " Prince")]
        found = lm.loglikelihood(
            [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)])
        expected = []
        for context, continuation in pairs:
            ids = json.loads(subprocess.run(
                [arguments.program, "tokenize", str(model)], input=context + continuation, text=True,
                capture_output=True, check=True).stdout)
            start = len(json.loads(subprocess.run(
                [arguments.program, "tokenize", str(model)], input=context, text=True,
                capture_output=True, check=True).stdout))
            from safetensors.numpy import load_file
            import numpy
            out = str(Path(arguments.work) / "l.safetensors")
            subprocess.run(
                [arguments.program, "logits", str(model), "--tokens", ",".join(map(str, ids)), "--output", out,
                 "--json"], check=True, capture_output=True)
            logits = load_file(out)["logits"].astype("float64")
            scores = logits - numpy.log(numpy.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)) \
                - logits.max(1, keepdims=True)
            expected.append(sum(scores[i - 1, ids[i]] for i in range(start, len(ids))))
        worst = max(abs(f[0] - e) for f, e in zip(found, expected))
        check("lm-eval: log-likelihoods are those of logits", worst < 1e-3, f"{worst:.1e}")
        text = lm.generate_until(
            [Instance("generate_until", {}, ("It is a truth", {"until": ["\n"], "max_gen_toks": 12}), 0)])
        check("lm-eval: generation", isinstance(text[0], str) and "\n" not in text[0])


def fuzz(arguments, model):
    """Bodies that nobody means."""
    generator = random.Random(3)
    good = json.dumps({"prompt": "It is", "max_tokens": 2, "temperature": 0, "stop": ["x"], "logprobs": 1})
    values = [None, True, -1, 0, 1e308, "x", [], {}, [[]], [None], {"a": [1]}, 10 ** 30, "\ud800", [1, 2]]
    keys = ["prompt", "max_tokens", "temperature", "top_p", "n", "stop", "stream", "stream_options", "logprobs",
            "echo", "seed", "model", "messages", "best_of", "user", "logit_bias", "unknown"]
    seen = {}
    with serving(arguments.program, model, "--max-tokens", 8, "--time-limit", 20) as server:
        for round in range(600):
            kind = round % 3
            if kind == 0:
                body = bytearray(good.encode())
                for _ in range(generator.randrange(1, 6)):
                    body[generator.randrange(len(body))] = generator.randrange(256)
                body = bytes(body)
            else:
                body = {} if kind == 1 else json.loads(good)
                # Of those in a good body, few change: what is understood is as much of interest.
                for key in generator.sample(keys, generator.randrange(1, 5) if kind == 1 else 1):
                    body[key] = generator.choice(values)
            path = generator.choice(["/v1/completions", "/v1/chat/completions"])
            status, text = server.post(path, body, timeout=60)
            seen[status] = seen.get(status, 0) + 1
            if status not in (200, 400, 404) or (status != 200 and "error" not in json.loads(text)):
                check("fuzzed bodies", False, (body, status, text[:200]))
                return
        for deep in (b"[" * 100000, b"{\"prompt\":" * 50000, b"\xff" * 1000):
            status, _ = server.post("/v1/completions", deep)
            seen[status] = seen.get(status, 0) + 1
        check("fuzzed bodies: the server lives and says why", server.complete("It is", 2)["choices"] != [], seen)


CHECKS = [answers, throughput, second_turn, restart, clients, evaluation, fuzz]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("work")
    parser.add_argument("--model", help="a checkpoint; default: a conversion of the demo model")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--long", type=int, default=100_000, help="characters of the long conversation")
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    arguments.program = str(Path(arguments.program).resolve())
    Path(arguments.work).mkdir(parents=True, exist_ok=True)
    model = Path(arguments.model) if arguments.model else Path(arguments.work) / "converted"
    if not arguments.model and not model.exists():
        subprocess.run([arguments.program, "convert", str(ROOT / "demo/tiny-qwen2"), str(model), "--quiet"],
                       check=True)
        (model / "chat_template.jinja").write_text(TEMPLATE)
    for function in CHECKS:
        if not arguments.only or function.__name__ in arguments.only:
            print(f"== {function.__name__}", flush=True)
            function(arguments, model)
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
