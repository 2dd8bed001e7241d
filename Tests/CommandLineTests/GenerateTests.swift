import Checkpoints
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// Generated text: deterministic, and continued from saved states.
struct GenerateTests {
  private let directory: TemporaryDirectory
  /// A conversion of the demo model: linear and window layers with a state of their own.
  private let converted: String

  init() throws {
    directory = try TemporaryDirectory()
    converted = directory("c")
    try TinyModel.convert(Repository.tinyQwen2, to: converted) { $0.window = 16 }
  }

  private let prompt = "It is a truth universally acknowledged, that a single man"

  private func generate(_ model: String, _ options: String...) throws -> JSONObject {
    try generate(model, options)
  }

  private func generate(_ model: String, _ options: [String]) throws -> JSONObject {
    try Program.run(["generate", model, "--json", "--max-tokens", "12"] + options).json()
  }

  @Test func `greedy gives the same text every time, in text and in JSON`() throws {
    let first = try generate(Repository.tinyQwen2, "--prompt", prompt)
    let second = try generate(Repository.tinyQwen2, "--prompt", prompt, "--seed", "9")
    #expect(first["tokens"] == second["tokens"])
    #expect(first["tokens"]?.array?.count == 12)
    let plain = try Program.run(
      "generate", Repository.tinyQwen2, "--prompt", prompt, "--max-tokens", "12"
    ).succeeded()
    #expect(plain.text == (first["text"]?.string ?? "") + "\n")
  }

  @Test func `greedy follows the largest logits`() throws {
    let report = try generate(converted, "--prompt", prompt)
    let prompted = try #require(report["prompt_tokens"]?.array).compactMap(\.int)
    let generated = try #require(report["tokens"]?.array).compactMap(\.int)
    let ids = (prompted + generated).map(String.init).joined(separator: ",")
    try Program.run("logits", converted, "--tokens", ids, "--output", directory("l.safetensors"))
      .succeeded()
    let logits = try LogitsFile(directory("l.safetensors"))
    for (index, token) in generated.enumerated() {
      let row = logits.row(prompted.count - 1 + index)
      #expect(row.indices.max { row[$0] < row[$1] } == token)
    }
  }

  @Test func `sampling depends on the seed alone`() throws {
    func sample(_ seed: String) throws -> JSONValue? {
      try generate(
        converted, "--prompt", prompt, "--temperature", "1", "--top-p", "0.95", "--seed", seed)[
          "tokens"]
    }
    let first = try sample("1")
    #expect(try sample("1") == first)
    #expect(try sample("2") != first)
  }

  @Test func `a saved state goes on as if nothing had happened`() throws {
    let more = " in possession of a good fortune"
    for model in [Repository.tinyQwen2, converted] {
      let whole = try generate(model, "--prompt", prompt + more)
      try Program.run(
        "generate", model, "--prompt", prompt, "--max-tokens", "0", "--save-state",
        directory("state")
      ).succeeded()
      let rest = try generate(model, "--prompt", more, "--state", directory("state"))
      #expect(rest["tokens"] == whole["tokens"])
      let ids = try #require(whole["prompt_tokens"]?.array)
      #expect(
        rest["prompt_tokens"]?.array == Array(ids.suffix(rest["prompt_tokens"]?.array?.count ?? 0)))
    }
  }

  @Test func `a state is continued without a prompt`() throws {
    let whole = try generate(converted, "--prompt", prompt)
    try Program.run(
      "generate", converted, "--prompt", prompt, "--max-tokens", "5", "--save-state",
      directory("state")
    ).succeeded()
    let rest = try Program.run(
      "generate", converted, "--state", directory("state"), "--max-tokens", "7", "--json"
    ).json()
    #expect(rest["prompt_tokens"] == [])
    #expect(rest["tokens"]?.array == (whole["tokens"]?.array).map { Array($0.suffix(7)) })
    // States of version 2 did not hold what the next token is predicted from.
    let old = try savedState()
    try rewrite(old) { metadata, _ in metadata["version"] = "2" }
    try Program.run("generate", converted, "--state", old).refused(naming: "expected")
  }

  @Test func `a prompt is read from a file or from standard input`() throws {
    let whole = try generate(converted, "--prompt", prompt)
    try directory.write("prompt.txt", prompt + "\n")
    let file = try generate(converted, "--prompt-file", directory("prompt.txt"))
    #expect(file["prompt_tokens"] == whole["prompt_tokens"])
    let piped = try Program.run(
      "generate", converted, "--prompt-file", "-", "--max-tokens", "12", "--json", input: prompt
    ).json()
    #expect(piped["prompt_tokens"] == whole["prompt_tokens"])
    try Program.run(
      "generate", converted, "--prompt", "a", "--prompt-file", directory("prompt.txt")
    ).refused(naming: "--prompt-file", "no --prompt")
    try Program.run("generate", converted, "--prompt-file", directory("none")).refused(
      naming: "none")
    try directory.write("prompt.txt", "\n")
    try Program.run("generate", converted, "--prompt-file", directory("prompt.txt")).refused(
      naming: "empty")
    try Program.run("generate", converted, "--chat", "--state", "s").refused(naming: "message")
  }

  @Test func `a second message of a chat closes the answer before it`() throws {
    try Files.copy(converted, to: directory("chat"))
    try directory.write(
      "chat/chat_template.jinja",
      """
      S{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}\
      {% if add_generation_prompt %}<assistant>{% endif %}
      """)
    func prompt(_ text: String, _ options: String...) throws -> [JSONValue]? {
      try generate(directory("chat"), ["--prompt", text, "--chat"] + options)["prompt_tokens"]?
        .array
    }
    func ids(_ text: String) throws -> [JSONValue]? {
      let found = try Program.run("tokenize", directory("chat"), "--no-special-tokens", input: text)
      return try JSONParser.parse(found.output).array
    }
    let first = try prompt("Hello", "--save-state", directory("state"))
    #expect(try first == ids("S<user>Hello</><assistant>"))
    let second = try prompt("And?", "--state", directory("state"))
    #expect(try second == ids("</><user>And?</><assistant>"))
  }

  @Test func `the state has read what was generated`() throws {
    let first = try Program.run(
      "generate", converted, "--prompt", prompt, "--max-tokens", "5", "--json", "--save-state",
      directory("state")
    ).json()
    let rest = try generate(converted, "--prompt", " and", "--state", directory("state"))
    let read = ["prompt_tokens", "tokens"].flatMap { first[$0]?.array ?? [] }
    let all = read + (rest["prompt_tokens"]?.array ?? [])
    let ids = all.compactMap(\.int).map(String.init).joined(separator: ",")
    try Program.run("logits", converted, "--tokens", ids, "--output", directory("l.safetensors"))
      .succeeded()
    let row = try LogitsFile(directory("l.safetensors")).row(all.count - 1)
    #expect(row.indices.max { row[$0] < row[$1] } == rest["tokens"]?.array?.first?.int)
  }

  @Test func `a state of another model is refused`() throws {
    try Program.run(
      "generate", converted, "--prompt", prompt, "--max-tokens", "0", "--save-state",
      directory("state")
    ).succeeded()
    try Program.run(
      "generate", Repository.tinyQwen2, "--prompt", prompt, "--state", directory("state")
    ).refused(naming: "state", "another model")
    let bytes = try Files.bytes(directory("state"))
    let cut = try directory.write("cut", Array(bytes.dropLast(8)))
    try Program.run("generate", converted, "--prompt", prompt, "--state", cut)
      .refused(naming: "cut", "truncated")
  }

  @Test func `a state of other weights is refused`() throws {
    let path = try savedState(), name = "model.layers.1.mlp.up_proj.weight"
    let edit = CheckpointEdit(converted), bytes = try edit.bytes(of: name)
    try edit.overwrite(name, with: Array(bytes.reversed()))
    try Program.run("generate", converted, "--prompt", prompt, "--state", path)
      .refused(naming: "state", "other weights")
  }

  @Test(arguments: [
    ("position", "-5", "its position is -5"),
    ("position", "9223372036854775807", "its position is"),
    ("position", "many", "its position is many"), ("position", "1", "expected float32"),
    ("weights", "0", "other weights"), ("state", "0", "not as it was saved"),
    ("version", "1", "another version of the program"),
  ])
  func `a state with impossible numbers is refused`(
    _ key: String, _ value: String, _ message: String
  ) throws {
    let path = try savedState()
    try rewrite(path) { metadata, _ in metadata[key] = value }
    try Program.run("generate", converted, "--prompt", prompt, "--state", path)
      .refused(naming: "state", message)
  }

  @Test func `a state whose numbers were changed is refused`() throws {
    for (value, message) in [(Float.nan, "layer 0 holds nan at 3"), (7, "not as it was saved")] {
      let path = try savedState()
      try rewrite(path) { _, tensors in tensors[0][3] = value }
      try Program.run("generate", converted, "--prompt", prompt, "--state", path)
        .refused(naming: "state", message)
    }
  }

  private func savedState() throws -> String {
    try Program.run(
      "generate", converted, "--prompt", prompt, "--max-tokens", "0", "--save-state",
      directory("state")
    ).succeeded()
    return directory("state")
  }

  /// Writes a state again after `change` of its metadata and numbers.
  private func rewrite(
    _ path: String, _ change: (inout [String: String], inout [[Float]]) -> Void
  ) throws {
    let file = try SafetensorsFile(path: path)
    var metadata = file.metadata
    let names = file.tensors.indices.dropLast().map { "state.\($0)" } + ["last"]
    var numbers = try names.map { name -> [Float] in
      let view = try file.view(name)
      return (0..<view.columns).map {
        view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
      }
    }
    change(&metadata, &numbers)
    let header = try SafetensorsHeader(
      file: path,
      entries: numbers.enumerated().map {
        .init(name: names[$0.offset], type: .float32, shape: [$0.element.count])
      }, metadata: metadata)
    var bytes = header.bytes
    for tensor in header.tensors {
      let index = names.firstIndex(of: tensor.name) ?? 0
      numbers[index].withUnsafeBytes { bytes += Array($0) }
    }
    try directory.write("state", bytes)
  }

  @Test func `no tokens are asked for, none are given`() throws {
    let report = try Program.run(
      "generate", converted, "--prompt", prompt, "--max-tokens", "0", "--json"
    ).json()
    #expect(report["tokens"] == [])
    #expect(report["text"] == "")
  }
}
