public import StrictJSON

extension DistributedCheckpoint {
  /// The directory with `.metadata` in `path`: that itself, or that of the iteration which the
  /// tracker in it names; nil when there is none.
  static func directory(of path: String) -> String? {
    let iteration = try? MegatronCheckpoint.iteration(path)
    return [path, iteration ?? path].first {
      FileStatus.exists(RelativeName.join($0, metadataName))
    }
  }

  /// The arguments of the training that `common.pt` holds, and that file; nil when it is not there.
  public static func arguments(
    in path: String
  ) throws(CheckpointError) -> (object: JSONObject, file: String)? {
    let file = RelativeName.join(directory(of: path) ?? path, commonName)
    guard FileStatus.exists(file) else { return nil }
    let mapped = try MappedFile.checkpoint(file)
    let archive = try PickledArchive(mapped, range: 0..<mapped.bytes.count)
    guard let object = archive.heap.settings(archive.value)["args"]?.object else { return nil }
    return (object, file)
  }
}
