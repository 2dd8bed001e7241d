import Checkpoints
import Foundation
import StrictJSON
import TensorTypes
import TestSupport
import Testing

extension TemporaryDirectory {
  /// Writes the manifest of the directory `name`, which lists `files`, as they are.
  func writeManifest(_ name: String, of files: [String] = []) throws {
    let records = try files.map { file in
      let (bytes, digest) = try SHA256.hashFile(self("\(name)/\(file)"))
      return FileRecord(name: file, bytes: bytes, sha256: digest)
    }
    let manifest = Manifest(
      tool: .init(name: "tests", version: "1"), source: [:], recipe: [:], files: records,
      tensors: [])
    try write("\(name)/manifest.json", manifest.json.pretty)
  }

  /// Creates the empty file `name` by exactly these bytes, as URLs may not keep them.
  func create(_ name: String) throws {
    let parent = self(String(name.prefix { $0 != "/" }))
    mkdir(parent, 0o777)
    let descriptor = open(self(name), O_CREAT | O_WRONLY, 0o666)
    #expect(descriptor >= 0)
    close(descriptor)
  }

  /// Every file inside with its bytes.
  func tree(_ name: String) throws -> [String: [UInt8]] {
    try FileManager.default.subpathsOfDirectory(atPath: self(name)).reduce(into: [:]) {
      var isDirectory: ObjCBool = false
      let path = self("\(name)/\($1)")
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory),
        !isDirectory.boolValue
      else { return }
      $0[$1] = try contents(path)
    }
  }
}

/// The path of a file below `formats/`.
func formatsPath(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("formats/\(name)").path
}

/// The whole file at `path`.
func contents(_ path: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// The elements of `view`, which must hold plain values of the size of `Element`.
func elements<Element: BitwiseCopyable>(_ view: TensorView, as type: Element.Type) -> [Element] {
  stride(from: 0, to: view.bytes.count, by: MemoryLayout<Element>.size).map {
    view.bytes.loadUnaligned(fromByteOffset: $0, as: type)
  }
}

/// The `CheckpointError` that `body` throws, or nil.
func checkpointError(_ body: () throws -> Void) -> CheckpointError? {
  do {
    try body()
    return nil
  } catch {
    return error as? CheckpointError
  }
}

/// Writes over the start of the file at `path`, in place.
func overwrite(_ path: String, _ text: String) throws {
  let handle = try #require(FileHandle(forWritingAtPath: path))
  try handle.write(contentsOf: Data(text.utf8))
  try handle.close()
}
