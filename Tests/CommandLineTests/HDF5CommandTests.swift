import Checkpoints
import HDF5
import TensorTypes
import TestSupport
import Testing

/// HDF5 weights as a user's source.
struct HDF5CommandTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A small model in `s`, and the same in float64 as HDF5 in `h`.
  private func write() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    try directory.write("h/config.json", Files.bytes(directory("s/config.json")))
    let source = try SafetensorsCheckpoint(path: directory("s"))
    try HDF5Writer.write(directory("h/model.weights.h5")) { file in
      for tensor in source.tensors {
        let view = try source.view(tensor.name)
        let values = (0..<view.bytes.count / 4).map {
          Double(view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self))
        }
        try file.dataset(tensor.name, .doubles(values), shape: tensor.shape.dimensions)
      }
    }
  }

  @Test func `convert and verify take them`() throws {
    try write()
    for from in ["s", "h"] {
      try Program.run(
        "convert", directory(from), directory("c-\(from)"), "--dtype", "float32", "--window", "80",
        "--quiet"
      ).succeeded()
    }
    #expect(
      try Files.bytes(directory("c-s/model.safetensors"))
        == Files.bytes(directory("c-h/model.safetensors")))
    let verified = try Program.run("verify", directory("c-h"), "--source", directory("h"))
      .succeeded()
    #expect(verified.text.contains("cast exactly"), "\(verified)")
    let shown = try Program.run("inspect", directory("h/model.weights.h5")).succeeded()
    #expect(shown.text.contains("hdf5, 1 file"), "\(shown)")
  }

  @Test func `damage is named`() throws {
    try write()
    let path = directory("h/model.weights.h5")
    try directory.write("h/model.weights.h5", Array(Files.bytes(path).dropLast(100)))
    try Program.run("inspect", directory("h")).refused(naming: path)
    try Files.remove(directory("h/config.json"))
    try Program.run("inspect", directory("h")).refused(naming: "config.json")
  }
}
