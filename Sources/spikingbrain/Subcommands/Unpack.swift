import Archives
import ArgumentParser
import Foundation
import StrictJSON
import TensorTypes

/// `unpack`: the directory that `pack` packed, or one tensor of it.
struct Unpack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Restores the directory in an archive, or one tensor without reading the rest.",
    discussion: """
      Every frame has a checksum and every file a SHA-256; damage is reported with the frame, \
      tensor and file it lies in. DIR appears only when everything was right. With --dry-run the \
      whole archive is read and checked, and nothing is written.
      """)

  @Argument(help: ArgumentHelp("The archive.", valueName: "file.sbz"))
  var file: String

  @Argument(help: "The directory to write.")
  var dir: String

  @Option(
    help: ArgumentHelp("Write only this tensor, to DIR/model.safetensors.", valueName: "name"))
  var tensor: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.limits.apply()
    let archive = try Archive(path: file)
    let started = Date()
    let progress = Progress("unpacking \(file)", unit: .bytes, quiet: output.reporting.quiet)
    let memory = output.limits.archiveMemory
    let mode = output.mode
    func show(_ done: Int) { progress.update(done: done, total: archive.index.bytes) }
    var json = JSONObject([("archive", .string(file)), ("output", .string(dir))])
    var content: String
    if output.resume, !output.dryRun,
      try tensor.map({ try archive.isExtracted($0, at: dir, memory: memory) })
        ?? archive.isUnpacked(at: dir)
    {
      return output.reporting.report(.alreadyComplete(dir, json))
    }
    output.offerResume()
    if let tensor {
      let found = try archive.find(tensor).tensor
      let bytes = found.shape.byteCount(found.type) ?? 0
      if !output.dryRun { try archive.extract(tensor, to: dir, mode: mode, memory: memory) }
      json["tensor"] = .string(tensor)
      json["bytes"] = .int(bytes)
      content = "\(tensor) \(found.shape), \(ByteSize(bytes))"
    } else {
      if output.dryRun {
        try archive.check(memory: memory, progress: show)
      } else {
        try archive.unpack(to: dir, mode: mode, memory: memory, progress: show)
      }
      json["files"] = .int(archive.index.files.count)
      json["tensors"] = .int(archive.index.tensors.count)
      json["bytes"] = .int(archive.index.bytes)
      json["packed_bytes"] = .int(archive.packedBytes)
      content =
        "\(archive.index.files.count) files, "
        + speed(archive.index.bytes, Date().timeIntervalSince(started))
    }
    progress.finish()
    json["seconds"] = .double(Date().timeIntervalSince(started))
    let text =
      switch (output.dryRun, tensor) {
      case (false, _): "unpacked \(content) into \(dir)"
      case (true, nil): "\(file) is sound: \(content)"
      case (true, _): "would unpack \(content)"
      }
    output.reporting.report(.object(json), text: text)
  }
}
