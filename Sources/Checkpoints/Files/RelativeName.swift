/// File names that come from an index, a journal or a manifest: they must stay inside the
/// directory that they are relative to.
package enum RelativeName {
  /// Whether `name` is a plain relative path: no empty, `.` or `..` component, no leading slash,
  /// no control characters, at most 1024 bytes.
  package static func isValid(_ name: String) -> Bool {
    guard !name.isEmpty, name.utf8.count <= 1024 else { return false }
    guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
      return false
    }
    return name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .allSatisfy { part in
        !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
      }
  }

  /// `directory/name`, with exactly one slash between.
  package static func join(_ directory: String, _ name: String) -> String {
    directory.hasSuffix("/") ? directory + name : directory + "/" + name
  }

  /// The last component of `path`.
  package static func last(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// Everything before the last component of `path`: `.` when there is nothing.
  package static func directory(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
