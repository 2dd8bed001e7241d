import HDF5
import TensorTypes
import TestSupport
import Testing

@testable import Checkpoints

/// HDF5 files that h5py wrote (`Tests/Reference/checkpoints/make_hdf5.py`).
struct HDF5FileTests {
  private let types = formatsPath("hdf5/valid/types.h5")
  private let ramp: [Float] = [0, 1, 2, 3, 4, 5]
  private let rows = (0..<360).map { Float($0) }

  @Test func `every type in one piece is viewed in place`() throws {
    let file = try HDF5File(path: types)
    let expected: [(String, ScalarType)] = [
      ("float64", .float64), ("float32", .float32), ("float16", .float16), ("int64", .int64),
      ("int32", .int32), ("int16", .int16), ("int8", .int8), ("uint8", .uint8),
      ("bfloat16", .bfloat16), ("opaque", .bfloat16),
    ]
    for (name, type) in expected {
      let tensor = try #require(file.tensor(named: name))
      #expect(tensor.type == type && tensor.shape == [2, 3] && tensor.offset > 0, "\(name)")
      #expect(tensor.byteCount == 6 * type.blockBytes)
    }
    #expect(elements(try file.view("float32"), as: Float.self) == ramp)
    #expect(elements(try file.view("float64"), as: Double.self) == ramp.map(Double.init))
    #expect(elements(try file.view("float16"), as: Float16.self) == ramp.map { Float16($0) })
    #expect(elements(try file.view("int8"), as: Int8.self) == [0, 1, 2, 3, 4, 5])
    for name in ["bfloat16", "opaque"] {
      let halves = elements(try file.view(name), as: UInt16.self)
      #expect(halves.map { Float(bitPattern: UInt32($0) << 16) } == ramp)
    }
  }

  @Test func `chunks, filters, compact and empty datasets are read`() throws {
    let file = try HDF5File(path: types)
    for name in ["chunked", "deflate"] {
      let view = try file.view(name)
      #expect(view.shape == [40, 9])
      #expect(elements(view, as: Float.self) == rows)
    }
    let halves = elements(try file.view("compressed.bfloat16"), as: UInt16.self)
    #expect(halves == rows.map { UInt16($0.bitPattern >> 16) })
    #expect(elements(try file.view("compact"), as: Float.self) == ramp)
    #expect(elements(try file.view("scalar"), as: Float.self) == [2.5])
    #expect(try file.view("scalar").shape == [])
    #expect(try file.view("empty").shape == [0, 3])
    #expect(file.tensors.count == 16)
    #expect(throws: CheckpointError.noSuchTensor(file: types, tensor: "x")) {
      try file.view("x")
    }
  }

  @Test func `an object with one variable is a tensor of its name`() throws {
    let file = try HDF5File(path: formatsPath("hdf5/valid/keras.h5"))
    #expect(
      file.tensors.map(\.name).sorted() == [
        "block/norm", "layers/dense/vars/0", "layers/dense/vars/1", "model.norm.weight",
      ])
    #expect(elements(try file.view("model.norm.weight"), as: Float.self) == [0, 1, 2])
  }

  @Test func `two names for one tensor are refused`() throws {
    let directory = try TemporaryDirectory()
    try HDF5Writer.write(directory("m.h5")) { file in
      for group in ["layers", "layers/a", "layers/a/vars"] { try file.group(group) }
      try file.dataset("layers/a/vars/0", .doubles([1]), shape: [1])
      try file.dataset("a", .doubles([1]), shape: [1])
    }
    #expect(
      checkpointError { _ = try HDF5File(path: directory("m.h5")) }
        == .duplicateTensor(
          tensor: "a", first: directory("m.h5"), second: directory("m.h5")))
  }

  @Test func `chunks of our own writer, deflate and zstd`() throws {
    let directory = try TemporaryDirectory()
    for compression in HDF5Writer.Compression.allCases {
      let path = directory("\(compression).h5")
      let values = (0..<9000).map { Double($0) / 3 }
      try HDF5Writer.write(path, compression: compression) { file in
        try file.dataset("a", .doubles(values), shape: [3000, 3])
      }
      #expect(elements(try HDF5File(path: path).view("a"), as: Double.self) == values)
    }
  }

  @Test func `shards are found by their index`() throws {
    let directory = try TemporaryDirectory()
    for name in ["a", "b"] {
      try HDF5Writer.write(directory("\(name).h5")) { file in
        try file.dataset("\(name).weight", .doubles([1, 2]), shape: [2])
      }
    }
    try directory.write(
      "model.weights.h5.index.json", #"{"weight_map":{"a.weight":"a.h5","b.weight":"b.h5"}}"#)
    let model = try CheckpointLocation.detect(directory.path).open()
    #expect(model.tensors.map(\.name) == ["a.weight", "b.weight"])
    #expect(elements(try model.view("b.weight"), as: Double.self) == [1, 2])
  }
}
