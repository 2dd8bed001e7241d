import Foundation
import FoundationXML
import StrictJSON
import TestSupport
import Testing

/// `report` as a process.
struct ReportCommandTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    let words = (0..<300).map { "word\($0 * $0 % 61) & <script>alert(\($0 % 7))</script> " }
    try directory.write("t.txt", words.joined())
  }

  private func report(_ ckpt: String, _ options: [String]) throws -> Program.Result {
    try Program.run(["report", ckpt, "--output", directory("r")] + options)
  }

  private var text: [String] {
    ["--text", directory("t.txt"), "--tokens", "160", "--context", "80"]
  }

  private func calibrate(_ out: String, _ options: [String] = []) throws {
    try Program.run(
      [
        "calibrate", Repository.tinyQwen2, directory(out), "--text", directory("t.txt"),
        "--samples", "2", "--context", "64",
      ] + options
    ).succeeded()
  }

  /// The page, which is well-formed and runs nothing.
  private func page() throws -> String {
    let text = try Files.text(directory("r/report.html"))
    #expect(XMLParser(data: Data(text.utf8)).parse())
    #expect(!text.contains("<script") && !text.contains("<img") && !text.contains("url("))
    return text
  }

  @Test func `a calibrated checkpoint fills its sections, again with the same bytes`() throws {
    // A name that would be markup.
    let name = "<i>c & d"
    try calibrate(name, ["--weights", "int8"])
    let options = text + ["--sdr", "3", "--no-timing", "--teacher", Repository.tinyQwen2]
    let json = try report(directory(name), options + ["--json"]).json()
    let html = try page()
    #expect(html.contains("<h1>&lt;i&gt;c &amp; d: report</h1>"))
    let manifest = try JSONParser.parse(Files.bytes(directory(name + "/manifest.json")))
    let measured = manifest["recipe"]?["measured"]
    for key in ["silent_share", "share_up_to_7", "spikes_per_channel", "sparsity_own_length"] {
      let expected = try #require(measured?[key]?.double)
      let got = try #require(json["counts"]?[key]?.double)
      #expect(abs(got - expected) < 1e-5, "\(key)")
    }
    #expect(json["counts"]?["channels"]?.int == measured?["channels"]?.int)
    let energy = try #require(json["energy"]?["picojoule_per_channel"]?.double)
    let additions = try #require(json["energy"]?["additions_per_product"]?.double)
    #expect(abs(energy - 0.03 * additions) < 1e-12)
    // What is said to be saved is what the sums over all weights say.
    let joules = try #require(json["energy"]?["microjoule_per_token"])
    let spiked = try #require(joules["spikes"]?.double), int8 = try #require(joules["int8"]?.double)
    let saved = try #require(json["energy"]?["below_int8"]?.double)
    #expect(abs(saved - (1 - spiked / int8)) < 1e-9)
    let trials = try #require(json["perplexity"]?["trials"]?.array)
    #expect(trials.compactMap { $0["name"]?.string }.count == 5)
    let sparsities = trials.compactMap { $0["sparsity_own_length"]?.double }
    #expect(sparsities == sparsities.sorted(by: >))
    let share = try #require(json["cost"]?["int8"]?["share"]?.double)
    #expect(abs(share - 0.516) < 0.01)
    #expect(json["cost"]?["time"] == nil)
    #expect(json["sdr"]?["site"]?.string == "layers.3.down_proj")
    #expect(json["healing"]?.isNull == true && json["experts"]?.isNull == true)

    let figures = try #require(json["figures"]?.array).compactMap(\.string)
    #expect(figures.count == 14)
    let own = try #require(json["text"]?["perplexity"]?.double)
    let source = try #require(json["text"]?["source_perplexity"]?.double)
    #expect(own > 1 && source > 1 && (json["text"]?["kl"]?.double ?? 0) > 0)
    for figure in figures {
      let svg = try Files.bytes(directory("r/" + figure))
      #expect(XMLParser(data: Data(svg)).parse(), "\(figure)")
    }
    let before = try Files.tree(directory("r"))
    try report(directory(name), options).refused(naming: directory("r"), "--force")
    let printed = try report(directory(name), options + ["--force"]).succeeded().text
    #expect(printed.contains("2% winners") && printed.contains("false matches"))
    #expect(try Files.tree(directory("r")) == before)
  }

  @Test func `a report replaces no checkpoint and goes into none`() throws {
    try calibrate("c", ["--weights", "int8"])
    try calibrate("other")
    let before = try Files.tree(directory("other"))
    for (place, word) in [("other", "not a report"), ("other/r", "outside checkpoints")] {
      try Program.run("report", directory("c"), "--output", directory(place), "--force")
        .refused(naming: directory(place), word)
    }
    #expect(try Files.tree(directory("other")) == before)
    // Nor are thresholds measured on products of INT8 weights.
    try Program.run(
      "calibrate", directory("c"), directory("again"), "--text", directory("t.txt"), "--samples",
      "1"
    ).refused(naming: "integers already")
    #expect(directory.names.sorted() == ["c", "other", "t.txt"])
  }

  @Test func `what is missing is named with what provides it`() throws {
    let json = try report(Repository.tinyQwen2, ["--json"]).json()
    for key in [
      "provenance", "raster", "counts", "layers", "perplexity", "energy", "healing", "sdr",
    ] {
      #expect(json[key]?.isNull == true, "\(key)")
    }
    let html = try page()
    for words in ["spikingbrain calibrate CKPT OUT", "spikingbrain heal CKPT", "--sdr LAYER"] {
      #expect(html.contains(words), "\(words)")
    }
    let speed = try #require(json["cost"]?["time"]?["decode_tokens_per_second"]?.double)
    #expect(speed > 0)
  }

  @Test func `healings and experts are drawn`() throws {
    try Program.run("convert", Repository.tinyQwen2, directory("c"), "--quiet").succeeded()
    let manifest = try JSONParser.parse(Files.bytes(directory("c/manifest.json")))
    var forged = try #require(manifest.object)
    let layers: [JSONValue] = (0..<8).map {
      [
        "layer": .int($0), "error_before": 20, "error_after_ridge": 0.5, "error_after": 0.1,
        "drift": 0.05, "sink": 1.01,
      ]
    }
    let first: JSONValue = [
      "step": "heal", "settings": ["method": "<script>", "steps": "400"],
      "of": try #require(manifest["recipe"]), "layers": .array(layers), "distillation": nil,
    ]
    forged["recipe"] = [
      "step": "heal", "settings": ["method": "none"], "of": first, "layers": [["layer": 0]],
      "distillation": ["steps": 24, "kl_before": 0.2, "kl_after": 0.1, "kept": true],
    ]
    try directory.write("c/manifest.json", JSONValue.object(forged).pretty)
    try CheckpointEdit(directory("c")).remakeManifest()
    try Program.run(
      "upcycle", directory("c"), directory("u"), "--experts", "4", "--dense-layers", "none",
      "--quiet"
    ).succeeded()
    let json = try report(directory("u"), text + ["--no-timing", "--json", "--sdr", "0"]).json()
    let html = try page()
    #expect(json["healing"]?.array?.count == 2)
    #expect(json["healing"]?.array?.last?["kl_after"]?.double == 0.1)
    let figures = try #require(json["figures"]?.array).compactMap(\.string)
    for name in ["error-1.svg", "drift-1.svg", "experts.svg", "sdr-union.svg"] {
      #expect(figures.contains(name), "\(figures)")
    }
    #expect(!figures.contains("error-2.svg"))
    #expect(html.contains("0.2000 → 0.1000"))
    let steps = try #require(json["provenance"]?.array).compactMap { $0["step"]?.string }
    #expect(steps == ["convert", "heal", "heal", "upcycle"])
    #expect(json["experts"]?["layers"]?.array?.count == 8)
    #expect(json["sdr"]?["site"]?.string == "layers.0.shared_expert.down_proj")
  }

  @Test(arguments: [
    (["--sdr", "8"], ["--sdr", "8", "0 to 7"]), (["--sdr=-1"], ["--sdr", "-1", "0 to 7"]),
    (["--tokens", "1"], ["--tokens", "1"]), (["--context", "0"], ["--context", "0"]),
  ])
  func `bad options are named`(_ options: [String], _ words: [String]) throws {
    try report(Repository.tinyQwen2, ["--text", directory("t.txt")] + options)
      .refused(naming: words)
    #expect(directory.names == ["t.txt"])
  }

  @Test func `bad input is refused, and nothing is left`() throws {
    try report(Repository.tinyQwen2, ["--sdr", "0"]).refused(naming: "--sdr", "--text")
    try report(Repository.tinyQwen2, ["--text", "/no/text"]).refused(naming: "/no/text")
    let empty = try directory.write("empty.txt", "")
    try report(Repository.tinyQwen2, ["--text", empty]).refused(naming: empty, "0 tokens")
    try Files.remove(empty)
    try report("/no/model", []).refused(naming: "/no/model")
    #expect(directory.names == ["t.txt"])
    try calibrate("c")
    try directory.write("c/calibration.h5", "no such thing")
    try report(directory("c"), []).refused(naming: directory("c/calibration.h5"), "HDF5")
    #expect(directory.names.sorted() == ["c", "t.txt"])
  }
}
