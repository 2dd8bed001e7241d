import TestSupport
import Testing

/// Values that are well-formed and wrong: exit 2, one message that names the option.
struct BadOptionTests {
  @Test(arguments: [
    (["--window", "0"], ["--window", "0", "1 to"]),
    (["--window=-4"], ["--window", "-4", "1 to"]),
    (["--window", "9223372036854775807"], ["--window", "1 to"]),
    (["--gate-bias", "-3000"], ["--gate-bias", "-3000", "-1000"]),
    (["--attention-layers", "1,3"], ["--attention-layers", "layer 3", "0 to 2"]),
    (["--attention-layers", "0-9"], ["--attention-layers", "layer 3", "0 to 2"]),
    (["--full-attention-layers", "7"], ["--full-attention-layers", "layer 7", "0 to 2"]),
    (
      ["--attention-layers", "0,1", "--full-attention-layers", "1"],
      ["layer 1", "window attention", "full attention"]
    ),
    (["--gate-bias", "inf"], ["--gate-bias", "inf"]),
    (["--gate-bias", "nan"], ["--gate-bias", "nan"]),
    (["--shard-size", "0"], ["--shard-size", "0"]),
    (["--max-ram", "255MiB"], ["--max-ram", "255MiB", "256MiB"]),
    (["--max-ram", "1"], ["--max-ram", "256MiB"]),
  ])
  func `convert names the option`(_ options: [String], _ words: [String]) throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"))
    try Program.run(["convert", directory("s"), directory("out")] + options)
      .refused(naming: words)
    #expect(directory.names == ["s"])
    // The same before a dry run.
    try Program.run(["convert", directory("s"), directory("out"), "--dry-run"] + options)
      .refused(naming: words)
  }

  @Test(arguments: [
    (["logits", "--tokens", "1,x", "--output", "/dev/null"], ["--tokens", "1,x"]),
    (["logits", "--tokens", "", "--output", "/dev/null"], ["--tokens"]),
    (["logits", "--tokens", "5,2048", "--output", "/dev/null"], ["2048", "0 to 2047"]),
    (["logits", "--tokens=-1", "--output", "/dev/null"], ["-1", "0 to 2047"]),
    (["logits", "--tokens", "1", "--output", "/no/such/place"], ["/no/such/place"]),
    (["generate", "--prompt", "a", "--max-tokens=-1"], ["--max-tokens", "-1"]),
    (["generate", "--prompt", "a", "--temperature=-1"], ["--temperature", "-1"]),
    (["generate", "--prompt", "a", "--temperature", "nan"], ["--temperature", "nan"]),
    (["generate", "--prompt", "a", "--top-p", "0"], ["--top-p", "0"]),
    (["generate", "--prompt", "a", "--top-p", "1.5"], ["--top-p", "1.5"]),
    (["generate", "--prompt", ""], ["--prompt", "empty"]),
    (["generate", "--prompt", "a", "--state", "/no/state"], ["/no/state"]),
    (["generate", "--prompt", "a", "--chat"], ["chat template"]),
    (["evaluate", "--text", "/no/text"], ["/no/text"]),
    (["evaluate", "--text", "/dev/null"], ["/dev/null", "a device"]),
    (["logits", "--tokens", "1 2,3", "--output", "/dev/null"], ["--tokens", "1 2,3"]),
    (["evaluate", "--text", "/dev/null", "--tokens", "-4"], ["--tokens", "-4"]),
    (["bench", "--prefill", "9223372036854775807"], ["--prefill"]),
    (["bench", "--prefill", "0"], ["--prefill"]),
    (["bench", "--prefill", "a"], ["--prefill"]),
    (["bench", "--at=-1"], ["--at"]),
    (["bench", "--decode", "0"], ["--decode"]),
    (["bench", "--threads", "0"], ["--threads"]),
    (["verify", "--level", "quality"], ["--text"]),
    (["verify", "--max-ram", "100MiB"], ["--max-ram", "256MiB"]),
    (["inspect", "--max-ram", "1"], ["--max-ram", "256MiB"]),
    (["inspect", "--context", "0"], ["--context", "0", "at least 1"]),
    (["verify", "--source", "/no/source"], ["/no/source"]),
  ])
  func `running commands name theirs`(_ arguments: [String], _ words: [String]) throws {
    let all = [arguments[0], Repository.tinyQwen2] + arguments.dropFirst()
    try Program.run(all).refused(naming: words)
  }

  @Test func `evaluate checks context, ablation and the teacher's vocabulary`() throws {
    let directory = try TemporaryDirectory()
    let text = try directory.write("text", "It is a truth universally acknowledged.")
    try TinyModel.llama.synthesize(to: directory("t"))
    for (options, words) in [
      (["--context", "1"], ["--context", "1", "at least 2"]),
      (["--ablate", "mind"], ["--ablate", "mind", "state:N"]),
      (["--tokens", "1"], ["--tokens", "1", "at least 2"]),
      (["--teacher", directory("t")], ["2048", "320"]),
      (["--memory", "--context", "64"], [text, "at least 66"]),
      (["--memory", "--ablate", "linear"], ["--ablate", "linear", "--memory"]),
      (["--memory", "--recall", "2"], ["--recall", "2", "--memory"]),
      (["--recall", "2", "--ablate", "state"], ["--ablate", "state", "--recall"]),
      (["--recall", "2", "--teacher", directory("t")], ["--teacher", "--recall"]),
      (["--recall", "1"], ["--recall", "1", "2 to"]),
      (["--recall=-5"], ["--recall", "-5", "2 to"]),
      (["--recall", "2", "--recall-span", "1"], ["--recall-span", "1", "2 to"]),
      (["--recall", "2", "--recall-distance", "319"], ["--recall-distance", "at least 320"]),
      (["--recall", "2", "--recall-distance", "9223372036854775807"], ["--recall-distance"]),
      (["--recall", "2"], [text, "at least 1216"]),
    ] {
      try Program.run(["evaluate", Repository.tinyQwen2, "--text", text] + options)
        .refused(naming: words)
    }
  }

  @Test func `synthesize checks its configuration and numbers`() throws {
    let directory = try TemporaryDirectory()
    let config = Repository.fixture("configs/llama.json")
    try Program.run("synthesize", directory("none.json"), directory("out"))
      .refused(naming: "none.json")
    try Program.run("synthesize", config, directory("out"), "--layers", "0")
      .refused(naming: "--layers")
    try Program.run("synthesize", config, directory("out"), "--shard-size", "0")
      .refused(naming: "--shard-size")
    let wrong = try directory.write("wrong.json", #"{"model_type": "llama"}"#)
    try Program.run("synthesize", wrong, directory("out")).refused(naming: "wrong.json", "missing")
    #expect(directory.names == ["wrong.json"])
  }
}
