import StepSettings
import StrictJSON
import TestSupport
import Testing

/// `bench --against`: other checkpoints and other programs take turns, after they were found right.
struct BenchAgainstTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func bench(_ options: String...) throws -> Program.Result {
    try Program.run(
      [
        "bench", Repository.tinyQwen2, "--prefill", "16,32", "--decode", "2", "--at", "0,8",
        "--rounds", "2",
      ] + options)
  }

  /// A program that answers as `Tests/Benchmarks/llama.py` does, without a model.
  private func rival(next: String, prefill: String = "0.5") -> String {
    "while read what rest; do case $what in name) echo fake;; next) echo \(next);; "
      + "prefill) echo \(prefill);; decode) echo 0.25;; esac; done"
  }

  @Test func `a checkpoint and a program are measured in turn, and drawn`() throws {
    try TinyModel.convert(Repository.tinyQwen2, to: directory("c")) { $0.window = 16 }
    // What the model takes for the next token is in the refusal of another one.
    let refused = try bench("--against", rival(next: "-1"))
    refused.refused(naming: "most likely next token", "-1")
    let right = try #require(refused.error.split(separator: " ").last.map { $0.filter(\.isNumber) })
    let json = try bench(
      "--against", directory("c"), "--against", rival(next: right), "--plot", directory("p"),
      "--json"
    ).json()
    for (kind, rate) in [("prefill", 32.0), ("decode", 8.0)] {
      let rows = try #require(json[kind]?.array)
      #expect(rows.count == 2)
      for row in rows {
        let subjects = try #require(row["subjects"]?.array)
        #expect(subjects.compactMap { $0["name"]?.string } == ["tiny-qwen2", "c", "fake"])
        #expect(subjects.allSatisfy { $0["seconds"]?.array?.count == 2 })
        #expect(subjects[0]["ratio"]?.double == 1)
        let length = Double(try #require(row["length"]?.int))
        let expected = kind == "prefill" ? 2 * length : rate
        #expect(subjects[2]["tokensPerSecond"]?.double == expected)
      }
    }
    #expect(try Files.text(directory("p/ttft.svg")).contains("fake"))
    // An earlier drawing is replaced, somebody else's file is not.
    try bench("--plot", directory("p")).succeeded()
    try directory.write("p/decode.svg", "mine")
    try bench("--plot", directory("p")).refused(naming: "--plot", "decode.svg")
    try bench("--plot", directory("p/decode.svg")).refused(naming: "--plot", "a directory")
    #expect(try Files.text(directory("p/decode.svg")) == "mine")
  }

  @Test(arguments: [
    ("exit 1", "does not answer"), ("yes 100000", "most likely next token"),
    ("while read a; do echo what; done", "a token"),
    ("while read a; do echo; done", "a token"),
  ])
  func `a program that does not play its part is named`(_ command: String, _ words: String) throws {
    let result = try bench("--against", command)
    #expect(result.code != 0)
    #expect(result.error.contains(words) && result.error.contains(command), "\(result)")
  }

  @Test func `times that are none are refused`() throws {
    let refused = try bench("--against", rival(next: "-1"))
    let right = try #require(refused.error.split(separator: " ").last.map { $0.filter(\.isNumber) })
    let result = try bench("--against", rival(next: right, prefill: "-3"))
    #expect(result.code != 0 && result.error.contains("seconds"))
  }
}
