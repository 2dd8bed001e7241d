import Checkpoints
import TensorTypes
import TestSupport
import Testing

/// What can be wrong between an index and its shards.
@Suite struct SafetensorsIndexTests {
  private let directory: TemporaryDirectory
  private var index: String { directory("model.safetensors.index.json") }

  init() throws {
    directory = try TemporaryDirectory()
    try write("one.safetensors", ["a", "b"])
    try write("two.safetensors", ["c"])
  }

  /// Writes a shard with byte tensors of the given names.
  private func write(_ file: String, _ names: [String]) throws {
    let entries = names.map { SafetensorsHeader.Entry(name: $0, type: .uint8, shape: [1]) }
    let header = try SafetensorsHeader(file: file, entries: entries)
    try directory.write(file, header.bytes + [UInt8](repeating: 1, count: names.count))
  }

  private func error(_ weightMap: String) throws -> CheckpointError? {
    try directory.write("model.safetensors.index.json", #"{"weight_map":\#(weightMap)}"#)
    return checkpointError { _ = try SafetensorsCheckpoint(path: directory.path) }
  }

  private let complete =
    #"{"a":"one.safetensors","b":"one.safetensors","c":"two.safetensors"}"#

  @Test func completeIndexIsAccepted() throws {
    #expect(try error(complete) == nil)
    #expect(try SafetensorsCheckpoint(path: index).tensors.map(\.name) == ["a", "b", "c"])
  }

  @Test func missingShardsAreListed() throws {
    let map = #"{"a":"one.safetensors","x":"three.safetensors","y":"four.safetensors"}"#
    #expect(
      try error(map)
        == .missingShards(index: index, files: ["four.safetensors", "three.safetensors"]))
  }

  /// What is noted of the model with the index `weightMap`.
  private func notes(_ weightMap: String) throws -> [String] {
    #expect(try error(weightMap) == nil)
    let model = try SafetensorsCheckpoint(path: index)
    #expect(model.tensors.map(\.name) == ["a", "b", "c"])
    return model.notes
  }

  @Test func tensorNamedButInNoShard() throws {
    let map =
      #"{"a":"one.safetensors","b":"one.safetensors","c":"two.safetensors","d":"two.safetensors"}"#
    #expect(try notes(map) == ["model.safetensors.index.json names d, that no shard holds."])
    #expect(try notes(complete) == [])
  }

  @Test func tensorInAnotherShardThanNamed() throws {
    let map = #"{"a":"two.safetensors","b":"one.safetensors","c":"two.safetensors"}"#
    #expect(try notes(map) == [])
  }

  @Test func tensorInShardButNotInIndex() throws {
    let map = #"{"a":"one.safetensors","c":"two.safetensors"}"#
    #expect(
      try notes(map) == [
        "model.safetensors.index.json does not name b, that shards hold: used all the same."
      ])
  }

  @Test func directoryBeforeFileNames() throws {
    let map =
      #"{"a":"./one.safetensors","b":"one.safetensors","c":"././two.safetensors"}"#
    #expect(try notes(map) == [])
  }

  @Test func tensorInTwoShards() throws {
    try write("two.safetensors", ["a", "c"])
    #expect(
      try error(complete)
        == .duplicateTensor(
          tensor: "a", first: directory("one.safetensors"), second: directory("two.safetensors")))
  }

  @Test(arguments: [
    "../one.safetensors", "/etc/passwd", "", ".", "a//b", "a/../one.safetensors", "./",
    "./../one.safetensors", ".//one.safetensors", "a/./one.safetensors",
  ])
  func fileNameOutsideDirectory(_ name: String) throws {
    #expect(try error(#"{"a":"\#(name)"}"#) == .invalidFileName(file: index, name: name))
  }

  @Test func nulInFileName() throws {
    #expect(
      try error(#"{"a":"one.safetensors\u0000.txt"}"#)
        == .invalidFileName(file: index, name: "one.safetensors\0.txt"))
  }

  @Test func weightMapOfNumbers() throws {
    #expect(
      try error(#"{"a":1}"#)
        == .headerField(file: index, field: "weight_map.a", expected: "a file name"))
  }

  @Test func weightMapMissing() throws {
    try directory.write("model.safetensors.index.json", "{}")
    let error = checkpointError { _ = try SafetensorsCheckpoint(path: directory.path) }
    #expect(
      error
        == .headerField(file: index, field: "weight_map", expected: "an object of file names"))
  }

  @Test func duplicateTensorInIndex() throws {
    let error = try error(#"{"a":"one.safetensors","a":"two.safetensors"}"#)
    #expect(error?.what.contains("\"a\" appears twice") == true)
  }

  @Test func damagedShardIsNamed() throws {
    try directory.write("two.safetensors", [1, 2, 3])
    #expect(try error(complete)?.location == directory("two.safetensors"))
  }

  @Test func shardIsDirectory() throws {
    #expect(
      try error(#"{"a":"sub"}"#) == .missingShards(index: index, files: ["sub"]))
    try directory.write("sub/x", "")
    #expect(try error(#"{"a":"sub"}"#) == .isDirectory(file: directory("sub")))
  }

  @Test func bothSingleFileAndIndex() throws {
    try write("model.safetensors", ["a"])
    #expect(try error(complete) == nil)
    let model = try SafetensorsCheckpoint(path: directory.path)
    #expect(model.tensors.map(\.name) == ["a"])
    #expect(model.notes.first?.contains("model.safetensors is read") == true)
    // An index of that one file says nothing else.
    #expect(try error(#"{"a":"model.safetensors"}"#) == nil)
    #expect(try SafetensorsCheckpoint(path: directory.path).notes == [])
  }

  @Test func unknownTensor() throws {
    _ = try error(complete)
    let model = try SafetensorsCheckpoint(path: directory.path)
    #expect(model.tensor(named: "x") == nil)
    #expect(throws: CheckpointError.self) { try model.view("x") }
  }
}
