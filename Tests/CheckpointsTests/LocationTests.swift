import Checkpoints
import Foundation
import TensorTypes
import TestSupport
import Testing

/// Finding out what a path holds.
@Suite struct LocationTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func error(_ path: String) -> CheckpointError? {
    checkpointError { _ = try CheckpointLocation.detect(path) }
  }

  @Test func validVectors() throws {
    let sharded = formatsPath("safetensors/valid/sharded")
    let file = formatsPath("safetensors/valid/types.safetensors")
    let gguf = formatsPath("gguf/valid/types.gguf")
    #expect(try CheckpointLocation.detect(sharded) == .safetensorsDirectory(sharded))
    #expect(try CheckpointLocation.detect(file) == .safetensorsFile(file))
    #expect(try CheckpointLocation.detect(gguf) == .gguf(gguf))
    #expect(try CheckpointLocation.detect(sharded).open().tensors.count == 3)
    #expect(try CheckpointLocation.detect(gguf).open().formatName == "gguf")
  }

  @Test func directoryWithOneGGUF() throws {
    try directory.write("m.gguf", try contents(formatsPath("gguf/valid/types.gguf")))
    #expect(try CheckpointLocation.detect(directory.path) == .gguf(directory("m.gguf")))
    try directory.write("n.gguf", "")
    #expect(
      error(directory.path)
        == .ambiguousCheckpoint(path: directory.path, candidates: ["m.gguf", "n.gguf"]))
  }

  @Test func nothingThere() {
    #expect(
      error(directory("none")) == .system(file: directory("none"), operation: .open, errno: ENOENT))
  }

  @Test func emptyDirectorySaysWhatWasLookedFor() {
    let error = error(directory.path)
    #expect(
      error?.what
        == "holds no checkpoint: looked for model.safetensors, model.safetensors.index.json, "
        + "pytorch_model.bin, pytorch_model.bin.index.json, model.weights.h5, "
        + "model.weights.h5.index.json, *.gguf")
  }

  @Test func pyTorchFilesAreFoundWhereThereAreNoSafetensors() throws {
    try directory.write("pytorch_model.bin.index.json", "{}")
    #expect(
      try CheckpointLocation.detect(directory.path) == .pyTorchDirectory(directory.path))
    try directory.write("model.safetensors", "x")
    #expect(
      try CheckpointLocation.detect(directory.path) == .safetensorsDirectory(directory.path))
    let path = try directory.write("model.pt", [0x50, 0x4b, 0x03, 0x04])
    #expect(try CheckpointLocation.detect(path) == .pyTorchFile(path))
  }

  @Test func directoryWithOtherSafetensors() throws {
    try directory.write("weights.safetensors", "")
    let error = error(directory.path)
    #expect(error?.what.hasSuffix("; found weights.safetensors") == true)
    #expect(
      error?.advice
        == "give the path of one of these files, beside which the model's config.json must lie")
  }

  @Test(arguments: [
    ("tf_model.h5", "TensorFlow"),
    ("flax_model.msgpack", "Flax"),
    ("__0_0.distcp", "torch distributed"),
  ])
  func recognisedDirectory(_ name: String, _ format: String) throws {
    try directory.write(name, "x")
    #expect(error(directory.path) == .formatNotSupported(path: directory.path, format: format))
  }

  @Test func recognisedFile() throws {
    let path = try directory.write("file", [0x28, 0xb5, 0x2f, 0xfd])
    #expect(error(path) == .formatNotSupported(path: path, format: "zstd"))
  }

  @Test func hdf5Files() throws {
    let file = formatsPath("hdf5/valid/types.h5")
    #expect(try CheckpointLocation.detect(file) == .hdf5File(file))
    #expect(try CheckpointLocation.detect(file).open().formatName == "hdf5")
    try directory.write("weights.h5", try contents(file))
    #expect(error(directory.path)?.what.hasSuffix("; found weights.h5") == true)
    try directory.write("model.weights.h5", try contents(file))
    #expect(try CheckpointLocation.detect(directory.path) == .hdf5Directory(directory.path))
  }

  @Test func partsOfOneGGUFModel() throws {
    for number in 1...3 { try directory.write("m-0000\(number)-of-00003.gguf", "GGUF") }
    #expect(
      try CheckpointLocation.detect(directory.path) == .gguf(directory("m-00001-of-00003.gguf")))
    try directory.write("n-00002-of-00003.gguf", "GGUF")
    #expect(
      error(directory.path)
        == .ambiguousCheckpoint(
          path: directory.path, candidates: ["m-00001-of-00003.gguf", "n-00002-of-00003.gguf"]))
  }

  @Test func megatronDirectories() throws {
    let valid = formatsPath("megatron/valid/dense")
    #expect(try CheckpointLocation.detect(valid) == .megatronDirectory(valid))
    let iteration = valid + "/iter_0000005"
    #expect(try CheckpointLocation.detect(iteration) == .megatronDirectory(iteration))
    #expect(try CheckpointLocation.detect(iteration).open().files.count == 4)
    // An iteration without ranks is of another of its formats.
    try directory.write("latest_checkpointed_iteration.txt", "release")
    try directory.write("release/common.pt", "x")
    #expect(
      error(directory.path) == .formatNotSupported(path: directory.path, format: "Megatron"))
  }

  @Test func unknownFile() throws {
    let path = try directory.write("readme", "hello, world")
    #expect(error(path) == .unrecognisedFile(path: path))
    #expect(error(path)?.advice?.contains("directory") == true)
  }

  @Test func statesOfTrainingsAreNoModels() throws {
    for name in ["optimizer.pt", "training_args.bin", "rng_state_0.pth", "other.pt"] {
      try directory.write(name, "x")
    }
    #expect(error(directory.path)?.what.hasSuffix("; found other.pt") == true)
  }

  @Test func emptyFile() throws {
    let path = try directory.write("model.gguf", "")
    #expect(error(path) == .emptyFile(file: path))
  }

  @Test func notRegularFile() {
    #expect(error("/dev/null") == .notRegularFile(file: "/dev/null"))
  }

  @Test func unreadableFile() throws {
    let path = try directory.write("secret", "x")
    chmod(path, 0)
    // Root may read anything.
    guard getuid() != 0 else { return }
    #expect(error(path) == .system(file: path, operation: .open, errno: EACCES))
  }

  @Test func pipeDoesNotBlock() {
    mkfifo(directory("pipe"), 0o600)
    #expect(error(directory("pipe")) == .notRegularFile(file: directory("pipe")))
  }

  /// Writes shards of one byte tensor each, named by their number.
  private func writeShards(_ numbers: [Int], of count: Int) throws {
    for number in numbers {
      let name = "model-0000\(number)-of-0000\(count).safetensors"
      let header = try SafetensorsHeader(
        file: name, entries: [.init(name: "t\(number)", type: .uint8, shape: [1])])
      try directory.write("s/\(name)", header.bytes + [7])
    }
  }

  @Test func shardsWithoutAnIndex() throws {
    try writeShards([1, 2, 3], of: 3)
    let path = directory("s")
    #expect(try CheckpointLocation.detect(path) == .safetensorsDirectory(path))
    for place in [path, path + "/model-00002-of-00003.safetensors"] {
      let model = try CheckpointLocation.detect(place).open()
      #expect(model.tensors.map(\.name) == ["t1", "t2", "t3"])
      #expect(model.notes.count == 1 && model.notes[0].contains("no model.safetensors.index.json"))
    }
    // With an index it counts, from whichever file.
    let map = #"{"t1":"model-00001-of-00003.safetensors"}"#
    try directory.write("s/model.safetensors.index.json", #"{"weight_map":\#(map)}"#)
    let first = path + "/model-00001-of-00003.safetensors"
    #expect(try CheckpointLocation.detect(first).open().tensors.map(\.name) == ["t1"])
  }

  @Test func shardsWithoutAnIndexOfWhichSomeAreMissing() throws {
    try writeShards([1, 3], of: 4)
    let path = directory("s")
    let expected = CheckpointError.incompleteShards(
      path: path, index: "model.safetensors.index.json",
      missing: ["model-00002-of-00004.safetensors", "model-00004-of-00004.safetensors"])
    for place in [path, path + "/model-00003-of-00004.safetensors"] {
      let error = checkpointError { _ = try CheckpointLocation.detect(place).open() }
      #expect(error == expected)
    }
    #expect(expected.advice == "download the missing files")
  }

  @Test func adaptersAreNoModels() throws {
    try directory.write("adapter_model.safetensors", "x")
    try directory.write("adapter_config.json", #"{"base_model_name_or_path":"org/base"}"#)
    for path in [directory.path, directory("adapter_model.safetensors")] {
      let error = error(path)
      #expect(error?.what == "holds an adapter for org/base, not a model")
      #expect(error?.advice?.contains("merge") == true && error?.location == path)
    }
    // Left beside a merged model they do not matter.
    try directory.write("model.safetensors", "x")
    #expect(
      try CheckpointLocation.detect(directory.path) == .safetensorsDirectory(directory.path))
  }

  @Test(arguments: ["consolidated.00.pth", "consolidated.safetensors"])
  func layoutsOfMakers(_ name: String) throws {
    try directory.write(name, "x")
    try directory.write("params.json", "{}")
    for path in [directory.path, directory(name)] {
      #expect(error(path)?.what.contains(name) == true)
      #expect(error(path)?.advice?.contains("Hugging Face") == true)
    }
  }
}
