public import Checkpoints
public import Kernels
import StrictJSON
public import TensorTypes

/// What an archive holds: the files of a directory, each cut into parts, each part into frames.
///
/// Nothing here says where a frame lies: all frames follow each other in the order of files and
/// parts, so an index cannot describe overlapping or missing bytes.
public struct ArchiveIndex: Sendable, Equatable {
  /// Bytes of a part per frame; the last frame of a part may be shorter.
  public static let frameBytes = 1 << 20

  /// The files in the order of their bytes in the archive.
  public var files: [File]

  /// The bytes of all files.
  public var bytes: Int { files.reduce(0) { $0 + $1.record.bytes } }
  /// The tensors of all files.
  public var tensors: [Tensor] { files.flatMap { $0.parts.compactMap(\.tensor) } }

  /// A file and how it is cut.
  public struct File: Sendable, Equatable {
    /// Name relative to the directory, size, digest.
    public var record: FileRecord
    /// The file's bytes from first to last.
    public var parts: [Part]
  }

  /// Consecutive bytes of a file: a tensor, or what is none.
  public struct Part: Sendable, Equatable {
    /// The number of bytes.
    public var bytes: Int
    /// How they are arranged before compression.
    public var planes: BytePlanes = .one
    /// The tensor these are, if they are one.
    public var tensor: Tensor?
  }

  /// A tensor of a safetensors file.
  public struct Tensor: Sendable, Equatable {
    /// The name in its file.
    public var name: String
    /// The element type.
    public var type: ScalarType
    /// The shape, slowest dimension first.
    public var shape: Shape
  }

  /// The content of one frame.
  struct Piece: Sendable {
    /// Which bytes of the file.
    var range: Range<Int>
    /// The part that they belong to.
    var part: Part
  }
}

extension [ArchiveIndex.Part] {
  /// The number of frames, without making a list of them.
  var frameCount: Int {
    reduce(0) {
      $0 + $1.bytes / ArchiveIndex.frameBytes + ($1.bytes % ArchiveIndex.frameBytes).signum()
    }
  }

  /// One piece per frame, in order.
  var pieces: [ArchiveIndex.Piece] {
    var pieces: [ArchiveIndex.Piece] = []
    var start = 0
    for part in self {
      let end = start + part.bytes
      while start < end {
        let next = Swift.min(end, start + ArchiveIndex.frameBytes)
        pieces.append(ArchiveIndex.Piece(range: start..<next, part: part))
        start = next
      }
    }
    return pieces
  }
}

extension ArchiveIndex {
  /// The longest index that is read or written, in bytes: room for 200,000 tensors. It bounds the
  /// memory a hostile archive can make a reader allocate, which is some twenty times as much.
  static let byteLimit = 32 << 20

  private static let format = "spikingbrain-archive"
  private static let version = 1

  /// The index as JSON: what the last frame holds.
  var json: JSONValue {
    let files = files.map { file in
      var json = file.record.json.object ?? JSONObject()
      json["parts"] = .array(file.parts.map(\.json))
      return JSONValue.object(json)
    }
    return [
      "format": .string(ArchiveIndex.format), "version": .int(ArchiveIndex.version),
      "files": .array(files),
    ]
  }

  /// Reads what `json` writes and checks it: names, sizes, shapes. `archive` is for messages.
  init(_ json: JSONValue, archive: String) throws(CheckpointError) {
    func field(_ name: String, _ expected: String) -> CheckpointError {
      .headerField(file: archive, field: name, expected: expected)
    }
    guard json["format"]?.string == ArchiveIndex.format else {
      throw field("format", ArchiveIndex.format)
    }
    guard json["version"]?.int == ArchiveIndex.version else {
      throw field("version", String(ArchiveIndex.version))
    }
    guard let values = json["files"]?.array else { throw field("files", "an array") }
    files = []
    var total = 0
    for (number, value) in values.enumerated() {
      let place = "files[\(number)]"
      guard let record = FileRecord(json: value), OutputDirectory.accepts(record.name) else {
        throw field(place, "a relative name, bytes and 64 hexadecimal digits")
      }
      guard let parts = value["parts"]?.array else { throw field("\(place).parts", "an array") }
      var file = File(record: record, parts: [])
      for (number, value) in parts.enumerated() {
        guard let part = Part(value) else {
          throw field(
            "\(place).parts[\(number)]",
            "bytes, planes of 1, 2 or 4 that divide them, and for a tensor its name, dtype and a"
              + " shape of that size")
        }
        file.parts.append(part)
      }
      guard ArchiveIndex.sum(file.parts.map(\.bytes)) == record.bytes else {
        throw field("\(place).parts", "\(record.bytes) bytes together, the size of \(record.name)")
      }
      guard let sum = ArchiveIndex.sum([total, record.bytes]) else {
        throw field("\(place).bytes", "a size that can be")
      }
      total = sum
      files.append(file)
    }
    try checkNames(archive)
  }

  /// No name may be used twice, neither for two files nor for a file and a directory; within one
  /// file no tensor may have the name of another.
  private func checkNames(_ archive: String) throws(CheckpointError) {
    var names: Set<ExactKey> = []
    for file in files {
      guard names.insert(ExactKey(text: file.record.name)).inserted else {
        throw .headerField(
          file: archive, field: "files", expected: "distinct names, got \(file.record.name) twice")
      }
      var tensors: Set<ExactKey> = []
      for case .some(let tensor) in file.parts.map(\.tensor)
      where !tensors.insert(ExactKey(text: tensor.name)).inserted {
        throw .headerField(
          file: archive, field: "files",
          expected: "distinct tensors in \(file.record.name), got \(tensor.name) twice")
      }
    }
    for file in files {
      var directory = RelativeName.directory(file.record.name)
      while directory != "." {
        guard !names.contains(ExactKey(text: directory)) else {
          throw .headerField(
            file: archive, field: "files",
            expected: "files and directories of distinct names, got \(directory) as both")
        }
        directory = RelativeName.directory(directory)
      }
    }
  }

  /// The sum, or nil when it overflows.
  private static func sum(_ counts: [Int]) -> Int? {
    var sum = 0
    for count in counts {
      let (next, overflow) = sum.addingReportingOverflow(count)
      if overflow { return nil }
      sum = next
    }
    return sum
  }
}

extension ArchiveIndex.Part {
  /// `{"bytes":…,"planes":…,"tensor":…,"dtype":…,"shape":…}`, without what says nothing.
  fileprivate var json: JSONValue {
    var json = JSONObject([("bytes", .int(bytes))])
    if planes != .one { json["planes"] = .int(planes.rawValue) }
    if let tensor {
      json["tensor"] = .string(tensor.name)
      json["dtype"] = .string(tensor.type.storedName)
      json["shape"] = .ints(tensor.shape.dimensions)
    }
    return .object(json)
  }

  /// Reads what `json` writes; nil when it makes no sense.
  fileprivate init?(_ json: JSONValue) {
    guard let bytes = json["bytes"]?.int, bytes >= 0,
      let planes = BytePlanes(rawValue: json["planes"].map { $0.int ?? 0 } ?? 1),
      bytes % planes.rawValue == 0
    else { return nil }
    self.init(bytes: bytes, planes: planes)
    guard let name = json["tensor"] else { return }
    guard let name = name.string,
      let type = json["dtype"]?.string.flatMap({ ScalarType(storedName: $0) }), !type.isQuantised,
      let dimensions = json["shape"]?.array
    else { return nil }
    let shape = Shape(dimensions.compactMap(\.int))
    guard shape.dimensions.count == dimensions.count, shape.byteCount(type) == bytes else {
      return nil
    }
    tensor = ArchiveIndex.Tensor(name: name, type: type, shape: shape)
  }
}
