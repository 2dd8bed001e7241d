/// The page at `/`: it needs nothing beside it, and puts texts in as texts only.
let talkPage = """
  <!doctype html>
  <html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>spikingbrain</title>
  <style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 1rem;
    color: #222; background: #fff }
  @media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } }
  #talk p { white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0 }
  .user { border-left: 3px solid #48a; padding-left: .6rem }
  .error { color: #c33 }
  textarea { width: 100%; box-sizing: border-box; font: inherit; min-height: 4.5rem }
  label { margin-right: 1rem; white-space: nowrap }
  input { width: 5rem; font: inherit }
  #figures { color: #888; min-height: 1.5rem }
  </style>
  <h1 id="name">spikingbrain</h1>
  <div id="talk" aria-live="polite"></div>
  <p id="figures"></p>
  <form id="form">
  <textarea id="text" aria-label="Message" placeholder="Message" autofocus></textarea>
  <p>
  <button id="send">Send</button>
  <button id="stop" type="button" disabled>Stop</button>
  <button id="reset" type="button">Reset</button>
  </p>
  <p>
  <label>Temperature <input id="temperature" type="number" min="0" step="0.1" value="0.7"></label>
  <label>Tokens <input id="tokens" type="number" min="1" value="256"></label>
  <label>API key <input id="key" type="password" autocomplete="off"></label>
  </p>
  </form>
  <script>
  "use strict";
  const at = id => document.getElementById(id);
  let messages = [], running = null;
  const headers = () => {
    const found = { "Content-Type": "application/json" };
    if (at("key").value) found.Authorization = "Bearer " + at("key").value;
    return found;
  };
  const show = (kind, text) => {
    const line = document.createElement("p");
    line.className = kind;
    line.textContent = text;
    at("talk").append(line);
    line.scrollIntoView({ block: "end" });
    return line;
  };
  const size = bytes => bytes < 1e6 ? (bytes / 1e3).toFixed(1) + " kB" : (bytes / 1e6).toFixed(1) + " MB";
  fetch("v1/models", { headers: headers() }).then(r => r.json()).then(found => {
    if (found.data) at("name").textContent = found.data[0].id;
  }).catch(() => {});
  const figures = usage => {
    const prompt = usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens;
    const seconds = usage.seconds - usage.prompt_seconds;
    at("figures").textContent =
      `${usage.completion_tokens} tokens, ${(usage.completion_tokens / Math.max(seconds, 1e-3)).toFixed(1)}/s; ` +
      `read ${prompt} of ${usage.prompt_tokens} tokens in ${usage.prompt_seconds.toFixed(2)} s; ` +
      `state ${size(usage.state_bytes)}`;
  };
  async function ask(text) {
    messages.push({ role: "user", content: text });
    show("user", text);
    const line = show("assistant", "");
    running = new AbortController();
    at("send").disabled = true;
    at("stop").disabled = false;
    try {
      const answer = await fetch("v1/chat/completions", {
        method: "POST", headers: headers(), signal: running.signal,
        body: JSON.stringify({
          messages, stream: true, stream_options: { include_usage: true },
          temperature: Number(at("temperature").value), max_tokens: Number(at("tokens").value) }),
      });
      if (!answer.ok) throw new Error((await answer.json()).error.message);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        rest += value;
        const parts = rest.split("\\n\\n");
        rest = parts.pop();
        for (const part of parts) {
          if (part === "data: [DONE]") continue;
          const chunk = JSON.parse(part.slice(6));
          if (chunk.error) throw new Error(chunk.error.message);
          if (chunk.choices.length) line.textContent += chunk.choices[0].delta.content || "";
          if (chunk.usage) figures(chunk.usage);
        }
      }
    } catch (error) {
      if (error.name !== "AbortError") show("error", error.message);
    }
    if (line.textContent) messages.push({ role: "assistant", content: line.textContent });
    else { messages.pop(); line.remove(); }
    running = null;
    at("send").disabled = false;
    at("stop").disabled = true;
    at("text").focus();
  }
  const send = () => {
    const text = at("text").value.trim();
    if (!text || running) return;
    at("text").value = "";
    ask(text);
  };
  at("form").addEventListener("submit", event => { event.preventDefault(); send(); });
  at("text").addEventListener("keydown", event => {
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(); }
  });
  at("stop").addEventListener("click", () => running && running.abort());
  at("reset").addEventListener("click", () => {
    if (running) running.abort();
    messages = [];
    at("talk").replaceChildren();
    at("figures").textContent = "";
  });
  </script>
  </html>

  """
