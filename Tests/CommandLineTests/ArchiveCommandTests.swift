import StrictJSON
import TestSupport
import Testing

/// `pack` and `unpack` as a user meets them.
struct ArchiveCommandTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func `a checkpoint is packed and comes back, by any number of threads`() throws {
    let model = Repository.tinyQwen2
    let plan = try Program.run("pack", model, directory("a.sbz"), "--dry-run", "--json").json()
    #expect(directory.names.isEmpty)
    let report = try Program.run("pack", model, directory("a.sbz"), "--jobs", "1", "--json").json()
    for key in plan.keys { #expect(plan[key] == report[key], "\(key)") }
    #expect(report["bytes"]?.int == (try Files.tree(model)).values.reduce(0) { $0 + $1.count })
    #expect(report["packed_bytes"]?.int == (try Files.bytes(directory("a.sbz"))).count)
    try Program.run(
      "pack", model, directory("b.sbz"), "--jobs", "3", "--max-ram", "256MiB", "--quiet"
    ).succeeded()
    #expect(try Files.bytes(directory("a.sbz")) == Files.bytes(directory("b.sbz")))

    let check = try Program.run("unpack", directory("a.sbz"), directory("out"), "--dry-run")
    #expect(check.succeeded().text.contains("is sound"))
    #expect(directory.names == ["a.sbz", "b.sbz"])
    let unpacked = try Program.run("unpack", directory("a.sbz"), directory("out"), "--json").json()
    #expect(unpacked["bytes"] == report["bytes"])
    #expect(try Files.tree(directory("out")) == Files.tree(model))

    let name = "model.norm.weight"
    let one = try Program.run(
      "unpack", directory("a.sbz"), directory("one"), "--tensor", name, "--json"
    ).json()
    #expect(one["tensor"]?.string == name)
    #expect(try Files.tree(directory("one")).keys.sorted() == ["model.safetensors"])
  }

  @Test func `what cannot be done is refused with its reason`() throws {
    try directory.write("in/file", "text")
    try Program.run("pack", directory("none"), directory("a.sbz")).refused(naming: "none")
    try Program.run("pack", directory("in"), directory("a.sbz")).succeeded()
    try Program.run("pack", directory("in"), directory("a.sbz")).refused(naming: "--force")
    let shown = try Program.run("inspect", directory("a.sbz")).succeeded()
    #expect(shown.text.contains("archive of this program") && shown.text.contains("file"))
    for command in [["verify"], ["convert"], ["export", "--profile", "hf"]] {
      let output = command[0] == "verify" ? [] : [directory("x")]
      try Program.run(command[..<1] + [directory("a.sbz")] + output + command[1...])
        .refused(
          naming: "is an archive of this program", "spikingbrain unpack \(directory("a.sbz"))")
    }
    for (name, bytes) in [("text", Array("a text of some length".utf8)), ("empty", [UInt8]())] {
      let path = try directory.write(name + ".sbz", bytes)
      try Program.run("inspect", path).refused(naming: name)
      try Files.remove(path)
    }
    try Program.run("unpack", directory("a.sbz"), directory("in"))
      .refused(naming: "already exists", "choose another name")
    try Program.run("unpack", directory("a.sbz"), directory("x"), "--tensor", "w")
      .refused(naming: "no tensor w")
    var bytes = try Files.bytes(directory("a.sbz"))
    bytes[12] ^= 1
    try directory.write("a.sbz", bytes)
    try Program.run("unpack", directory("a.sbz"), directory("x"))
      .refused(naming: "a.sbz", "frame 0 (file)")
    #expect(directory.names == ["a.sbz", "in"])
  }
}
