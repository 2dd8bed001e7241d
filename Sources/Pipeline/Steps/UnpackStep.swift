import Archives
import Checkpoints
import Foundation
import Foundations
import StrictJSON
import TensorTypes

/// `unpack`: the directory that `pack` packed, or one tensor of it.
public enum UnpackStep {
  /// Restores the archive `file`, or only its tensor `tensor`, in `directory`; a dry run reads and
  /// checks the whole archive instead.
  public static func run(
    _ file: String, tensor: String?, to directory: String, _ context: Context
  ) throws -> Report {
    try context.limits.apply()
    let archive = try Archive(path: file)
    let memory = context.limits.archives
    var json = JSONObject([("archive", .string(file)), ("output", .string(directory))])
    if context.mode.resume, !context.isDryRun,
      try tensor.map({ try archive.isExtracted($0, at: directory, memory: memory) })
        ?? archive.isUnpacked(at: directory)
    {
      return .alreadyComplete(directory, json)
    }
    context.send(.resumable)
    let started = Date()
    let progress = context.progress("unpacking \(file)", unit: .bytes)
    defer { progress.finish() }
    func show(_ done: Int) { progress.update(done: done, total: archive.index.bytes) }
    var content: String
    if let tensor {
      let found = try archive.find(tensor).tensor
      let bytes = found.shape.byteCount(found.type) ?? 0
      if !context.isDryRun {
        try archive.extract(tensor, to: directory, mode: context.mode, memory: memory)
      }
      json["tensor"] = .string(tensor)
      json["bytes"] = .int(bytes)
      content = "\(tensor) \(found.shape), \(ByteSize(bytes))"
    } else {
      if context.isDryRun {
        try archive.check(memory: memory, progress: show)
      } else {
        try archive.unpack(to: directory, mode: context.mode, memory: memory, progress: show)
      }
      json["files"] = .int(archive.index.files.count)
      json["tensors"] = .int(archive.index.tensors.count)
      json["bytes"] = .int(archive.index.bytes)
      json["packed_bytes"] = .int(archive.packedBytes)
      content =
        "\(archive.index.files.count) files, "
        + speed(archive.index.bytes, Date().timeIntervalSince(started))
    }
    json["seconds"] = .double(Date().timeIntervalSince(started))
    let text =
      switch (context.isDryRun, tensor) {
      case (false, _): "unpacked \(content) into \(directory)"
      case (true, nil): "\(file) is sound: \(content)"
      case (true, _): "would unpack \(content)"
      }
    return Report(json: json, text: text)
  }
}
