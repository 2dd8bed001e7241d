import Glibc

/// Keeps `--force` from deleting what it should not.
enum OutputGuard {
  /// `path` without trailing slashes; it must name a new entry of a directory.
  static func normalised(_ path: String) throws(CheckpointError) -> String {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    let last = RelativeName.last(path)
    guard RelativeName.isValid(last), last != ".", last != ".." else {
      throw .outputNotReplaceable(path: path, reason: "it is not the name of a directory to create")
    }
    return path
  }

  /// Refuses to replace a directory that holds an input, the working directory or the user's home.
  static func checkReplaceable(_ path: String, inputs: [String]) throws(CheckpointError) {
    for input in inputs where FileStatus.contains(path, input) {
      throw .outputNotReplaceable(path: path, reason: "it holds the input \(input)")
    }
    if FileStatus.contains(path, ".") {
      throw .outputNotReplaceable(path: path, reason: "it holds the working directory")
    }
    if let home = getenv("HOME"), FileStatus.contains(path, String(cString: home)) {
      throw .outputNotReplaceable(path: path, reason: "it holds the home directory")
    }
  }

  /// Refuses to remove what no run of this program wrote: --force is for our own outputs.
  static func checkOwn(_ path: String) throws(CheckpointError) {
    guard FileStatus.isRealDirectory(path) else {
      throw .outputNotReplaceable(path: path, reason: "it is not a directory")
    }
    let names = try FileStatus.names(in: path)
    let isOwn = names.contains {
      $0 == Manifest.fileName || $0 == OutputDirectory.workspaceName
        || $0.hasPrefix(OutputJournal.fileName)
    }
    guard names.isEmpty || isOwn else {
      throw .outputNotReplaceable(
        path: path, reason: "it is not an output of this program (it has no manifest.json)")
    }
  }
}
