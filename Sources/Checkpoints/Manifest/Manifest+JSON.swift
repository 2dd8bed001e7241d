public import StrictJSON
import TensorTypes

extension Manifest {
  /// The longest manifest that is read, in bytes.
  static let byteLimit = 256 << 20

  private static let digestKey = "manifest_sha256"

  /// The manifest as JSON; files are sorted by name, tensors by file and offset.
  public var json: JSONValue {
    var content = content
    content[Manifest.digestKey] = .string(Manifest.digest(of: content))
    return .object(content)
  }

  /// The digest of a manifest without the member that holds it: whatever it says, in that order.
  private static func digest(of content: JSONObject) -> String {
    SHA256.hash(Array(JSONValue.object(content).compact.utf8)).hex
  }

  private static func seal(of json: JSONValue) -> Seal {
    guard var content = json.object, let digest = content[digestKey] else { return .absent }
    content[digestKey] = nil
    return digest == .string(self.digest(of: content)) ? .whole : .broken
  }

  private var content: JSONObject {
    let files = files.sorted { $0.name < $1.name }.map(\.json)
    let tensors = tensors.sorted { $0.stored.order < $1.stored.order }
    return JSONObject([
      ("format", .string(Manifest.format)), ("version", .int(Manifest.version)),
      ("tool", tool.json),
      ("source", source), ("recipe", recipe), ("files", .array(files)),
      ("tensors", .array(tensors.map(Manifest.json))),
    ])
  }

  private static func json(_ tensor: Tensor) -> JSONValue {
    let stored = tensor.stored
    var object: JSONObject = [
      "name": .string(stored.name), "dtype": .string(stored.type.storedName),
      "shape": .ints(stored.shape.dimensions), "file": .string(stored.file),
      "offset": .int(stored.offset), "bytes": .int(stored.byteCount),
    ]
    if let digest = tensor.sha256 { object["sha256"] = .string(digest.hex) }
    object["from"] = [
      "tensors": .array(tensor.origin.tensors.map { .string($0) }),
      "transform": tensor.origin.transform.json,
    ]
    return .object(object)
  }

  /// Reads and checks `manifest.json` of `directory`. One that was changed after it was written is
  /// an error: its history would be copied into what is made from it.
  public init(directory: String) throws(CheckpointError) {
    try self.init(path: RelativeName.join(directory, Manifest.fileName))
  }

  /// Reads and checks `manifest.json` of `directory`; nil when there is none.
  public init?(ifIn directory: String) throws(CheckpointError) {
    guard Manifest.isPresent(in: directory) else { return nil }
    try self.init(directory: directory)
  }

  /// Whether `directory` has one.
  public static func isPresent(in directory: String) -> Bool {
    FileStatus.exists(RelativeName.join(directory, fileName))
  }

  /// Reads and checks the manifest at `path`; one that was changed after it was written is an error.
  public init(path: String) throws(CheckpointError) {
    try self.init(unsealed: path)
    if seal == .broken { throw .manifestChanged(file: path) }
  }

  /// Reads and checks the manifest at `path`, or in the directory `path`; `seal` says whether it was
  /// changed after it was written.
  public init(unsealed path: String) throws(CheckpointError) {
    let file =
      FileStatus.isDirectory(path) ? RelativeName.join(path, Manifest.fileName) : path
    let document = try JSONFile.read(file, what: "manifest", limit: Manifest.byteLimit)
    self = try Manifest(json: document, file: file).sealed(Manifest.seal(of: document))
  }

  /// Reads what `json` writes and checks it: sizes, places, names. `file` is for messages.
  public init(json: JSONValue, file: String) throws(CheckpointError) {
    func field(_ name: String, _ expected: String) -> CheckpointError {
      .manifestField(file: file, field: name, expected: expected)
    }
    guard json["format"]?.string == Manifest.format else { throw field("format", Manifest.format) }
    guard let version = json["version"]?.int, (1...Manifest.version).contains(version) else {
      throw field("version", "1 to \(Manifest.version)")
    }
    guard let tool = json["tool"]?["name"]?.string,
      let toolVersion = json["tool"]?["version"]?.string
    else { throw field("tool", "an object with name and version") }
    guard let source = json["source"] else { throw field("source", "a value") }
    guard let recipe = json["recipe"] else { throw field("recipe", "a value") }
    guard let files = json["files"]?.array else { throw field("files", "an array") }
    guard let tensors = json["tensors"]?.array else { throw field("tensors", "an array") }
    let records = try Manifest.records(files, field)
    self.init(
      tool: Tool(name: tool, version: toolVersion), source: source, recipe: recipe, files: records,
      tensors: try Manifest.tensors(tensors, version: version, in: records, field))
  }

  /// Makes the error for a field, given what was expected there.
  private typealias FieldError = (_ name: String, _ expected: String) -> CheckpointError

  private static func records(
    _ values: [JSONValue], _ field: FieldError
  ) throws(CheckpointError) -> [FileRecord] {
    var names: Set<ExactKey> = []
    var records: [FileRecord] = []
    for (index, value) in values.enumerated() {
      guard let record = FileRecord(json: value) else {
        throw field("files[\(index)]", "a relative name, bytes and 64 hexadecimal digits")
      }
      guard names.insert(ExactKey(text: record.name)).inserted else {
        throw field("files[\(index)].name", "a name not listed before, got \(record.name)")
      }
      records.append(record)
    }
    return records
  }

  private static func tensors(
    _ values: [JSONValue], version: Int, in files: [FileRecord], _ field: FieldError
  ) throws(CheckpointError) -> [Tensor] {
    let sizes = Dictionary(
      uniqueKeysWithValues: files.map { (ExactKey(text: $0.name), $0.bytes) })
    var names: Set<ExactKey> = []
    var tensors: [Tensor] = []
    for (index, value) in values.enumerated() {
      let place = "tensors[\(index)]"
      guard let tensor = tensor(value, version: version) else {
        throw field(place, "name, dtype, shape, file, offset, bytes and from")
      }
      let stored = tensor.stored
      guard names.insert(ExactKey(text: stored.name)).inserted else {
        throw field("\(place).name", "a name not listed before, got \(stored.name)")
      }
      guard let size = sizes[ExactKey(text: stored.file)] else {
        throw field("\(place).file", "a file of this manifest, got \(stored.file)")
      }
      guard stored.byteCount <= size, stored.offset <= size - stored.byteCount else {
        throw field("\(place).offset", "a place inside \(stored.file)")
      }
      guard stored.shape.byteCount(stored.type) == stored.byteCount else {
        throw field("\(place).bytes", "the size of shape \(stored.shape)")
      }
      tensors.append(tensor)
    }
    return tensors
  }

  private static func tensor(_ json: JSONValue, version: Int) -> Tensor? {
    guard let name = json["name"]?.string, let file = json["file"]?.string,
      let type = json["dtype"]?.string.flatMap({ ScalarType(storedName: $0) }),
      let dimensions = json["shape"]?.array, let offset = json["offset"]?.int, offset >= 0,
      let bytes = json["bytes"]?.int, bytes >= 0,
      let transform = transform(json["from"]?["transform"], version: version, of: type),
      let sources = json["from"]?["tensors"]?.array
    else { return nil }
    let shape = dimensions.compactMap(\.int)
    let origins = sources.compactMap(\.string)
    let digest = json["sha256"]?.string.flatMap(SHA256Digest.init(hex:))
    guard shape.count == dimensions.count, shape.allSatisfy({ $0 >= 0 }),
      origins.count == sources.count, (digest == nil) == (json["sha256"] == nil)
    else { return nil }
    return Tensor(
      stored: StoredTensor(
        name: name, type: type, shape: Shape(shape), file: file, offset: offset, byteCount: bytes),
      origin: Origin(tensors: origins, transform: transform), sha256: digest)
  }

  private static func transform(
    _ json: JSONValue?, version: Int, of type: ScalarType
  ) -> TransformRecord? {
    version == 1
      ? json?.string.map { TransformRecord(version1: $0, of: type) }
      : json.flatMap(TransformRecord.init(json:))
  }
}
