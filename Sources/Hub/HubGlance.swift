import Checkpoints
import Foundation
import Glibc
import StrictJSON

/// What a model on a Hub says of itself: its small files and the headers of its weights, in a directory
/// that goes when this does. Where numbers would be, its files have holes.
package final class HubGlance: Sendable {
  /// The directory, laid out as a snapshot of the cache.
  let path: String
  /// The checkpoint: the directory, or the file that was chosen.
  package let checkpoint: String
  private let root: String

  /// A file that is no weights and longer than this is not looked at.
  fileprivate static let mostBytes = 64 << 20
  /// Bytes in front of a file that are asked for first: the header of most files.
  private static let firstBytes = 256 << 10
  /// Bytes by which tensors are told from each other.
  private static let sampleBytes = 64 << 10

  fileprivate init(_ contents: HubContents, of reference: HubReference) {
    root =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("spikingbrain-\(UUID().uuidString)").path
    path = HubCache(root, reference).snapshot(contents.commit)
    checkpoint = contents.selection.file.map { [path] in "\(path)/\($0)" } ?? path
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// Adds a small file, whole.
  fileprivate func add(_ file: HubFile, _ bytes: [UInt8], _ client: HubClient) throws(HubError) {
    let place = "\(path)/\(file.name)"
    do {
      try FileManager.default.createDirectory(
        atPath: RelativeName.directory(place), withIntermediateDirectories: true)
      try Data(bytes).write(to: URL(fileURLWithPath: place))
    } catch {
      throw .system(path: place, errno: EIO)
    }
    if bytes.count == file.size, try !HubDigest.isRight(place, file) {
      throw .damaged(client.reference.text, file: file.name, hash: file.tag)
    }
  }

  /// Adds the header of a file of weights, and the tensors that are read when a model is opened: of
  /// output head and embedding so much as tells them apart, factors of rotary embeddings.
  fileprivate func addHeader(
    _ file: HubFile, at commit: String, _ client: HubClient, _ connection: HubConnection
  ) throws(HubError) {
    func bytes(_ range: Range<Int>) throws(HubError) -> [UInt8] {
      try client.bytes(of: file, at: commit, range.clamped(to: 0..<file.size), on: connection)
    }
    var head = try bytes(0..<Self.firstBytes)
    while let end = Self.headerEnd(head, file.name), end > head.count, head.count < file.size {
      head += try bytes(head.count..<end)
    }
    try add(file, head, client)
    let place = "\(path)/\(file.name)"
    guard truncate(place, off_t(file.size)) == 0 else { throw .system(path: place, errno: errno) }
    guard head.count < file.size else { return }
    let tensors =
      Self.isGGUF(file.name)
      ? try? GGUFFile(part: place).tensors : try? SafetensorsFile(path: place).tensors
    for tensor in tensors ?? []
    where Self.readAtOpening.contains(where: tensor.name.hasSuffix) && tensor.offset >= head.count {
      let sample = tensor.offset..<tensor.offset + min(tensor.byteCount, Self.sampleBytes)
      try write(try bytes(sample), to: place, at: tensor.offset)
    }
  }

  private static let readAtOpening = [
    "lm_head.weight", "embed_tokens.weight", "rope_freqs.weight", "rope_factors_long.weight",
    "rope_factors_short.weight",
  ]

  fileprivate static func isGGUF(_ name: String) -> Bool { name.hasSuffix(".gguf") }

  /// How many bytes of a file have to be there for its header, as far as `head`, its first bytes, tells;
  /// what is no header is for the reader to refuse.
  private static func headerEnd(_ head: [UInt8], _ name: String) -> Int? {
    if isGGUF(name) { return GGUFFile.holdsHeader(head) ? nil : 4 * head.count }
    let length = head.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return 8 + Int(min(length, UInt64(SafetensorsFile.headerLimit)))
  }

  private func write(_ bytes: [UInt8], to place: String, at offset: Int) throws(HubError) {
    do {
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: place))
      try file.seek(toOffset: UInt64(offset))
      try file.write(contentsOf: Data(bytes))
      try file.close()
    } catch {
      throw .system(path: place, errno: EIO)
    }
  }
}

extension Hub {
  /// What `reference` says of itself, of which nothing stays; nil where it has to be fetched to be
  /// looked at: weights in other files than safetensors and GGUF, or in a form that numbers explain.
  package func glance(
    at reference: HubReference, _ listener: Listener
  ) throws(HubError) -> HubGlance? {
    let client = HubClient(settings, reference, note: listener.note)
    let contents = try HubContents(client)
    let selection = contents.selection, commit = contents.commit
    let glance = HubGlance(contents, of: reference)
    func isHeader(_ name: String) -> Bool {
      name.hasSuffix(".safetensors") || HubGlance.isGGUF(name)
    }
    guard selection.weights.allSatisfy(isHeader) else { return nil }
    var weights = selection.weights
    let index = [selection.index].compactMap(\.self)
    _ = try client.all(index + selection.others) { name, crew throws(HubError) in
      let file = try client.file(name, at: commit, on: crew.connection)
      guard file.size <= HubGlance.mostBytes else { return }
      let bytes = try client.bytes(of: file, at: commit, 0..<file.size, on: crew.connection)
      try glance.add(file, bytes, client)
    }
    if let index = index.first {
      weights = try contents.files(namedByIndex: "\(glance.path)/\(index)")
      guard weights.allSatisfy(isHeader) else { return nil }
    }
    guard !glance.isQuantised else { return nil }
    _ = try client.all(weights) { name, crew throws(HubError) in
      let file = try client.file(name, at: commit, on: crew.connection)
      try glance.addHeader(file, at: commit, client, crew.connection)
    }
    return glance
  }
}

extension HubGlance {
  /// Whether its weights are in a form that only their numbers explain.
  fileprivate var isQuantised: Bool {
    let config = try? JSONFile.read(path + "/config.json", what: "configuration", limit: 16 << 20)
    return ["quantization_config", "compression_config"].contains {
      config?[$0] != nil || config?["text_config"]?[$0] != nil
    }
  }
}
