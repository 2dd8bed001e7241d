import Checkpoints

/// The name of a model on a Hub: `hf:ORG/NAME`, with `@REVISION` behind it where that is not `main`,
/// and `:FILE` for one of several files of weights.
package struct HubReference: Sendable, Equatable {
  /// What a name begins with, in place of a path.
  package static let prefix = "hf:"

  /// `ORG/NAME`; the oldest models have no `ORG`.
  package var repository: String
  /// A branch, a tag or a commit; nil for `main`.
  package var revision: String?
  /// The file of weights; nil for those that the repository has.
  package var file: String?

  /// Whether `path` is such a name and no path.
  package static func isOne(_ path: String) -> Bool { path.hasPrefix(prefix) }

  /// The model that `text` names.
  package init(_ text: String) throws(HubError) {
    var rest = text.dropFirst(Self.prefix.count)
    if let colon = rest.firstIndex(of: ":") {
      file = String(rest[rest.index(after: colon)...])
      rest = rest[..<colon]
    }
    if let at = rest.firstIndex(of: "@") {
      revision = String(rest[rest.index(after: at)...])
      rest = rest[..<at]
    }
    let parts = rest.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    let hasTwoFiles = parts.count > 2 && file != nil
    if parts.count > 2 { file = String(parts[2]) }
    repository = parts.prefix(2).joined(separator: "/")
    guard text.hasPrefix(Self.prefix), !hasTwoFiles, parts.prefix(2).allSatisfy(Self.isName),
      revision.map(Self.isRevision) ?? true, file.map(RelativeName.isValid) ?? true
    else { throw .name(text) }
  }

  /// The model whose snapshot in a cache of the Hub `path` is, or lies in; nil where it does not.
  package init?(cached path: String) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: true)
    guard let place = parts.lastIndex(of: "snapshots"), place > 0, place + 1 < parts.count,
      parts[place - 1].hasPrefix(HubCache.folderPrefix), Self.isCommit(parts[place + 1])
    else { return nil }
    repository = String(
      parts[place - 1].dropFirst(HubCache.folderPrefix.count)
        .replacing("--", with: "/", maxReplacements: 1))
    revision = String(parts[place + 1])
    let rest = parts[(place + 2)...]
    file = rest.isEmpty ? nil : rest.joined(separator: "/")
  }

  /// The name as it is written.
  package var text: String {
    Self.prefix + repository + (revision.map { "@" + $0 } ?? "") + (file.map { ":" + $0 } ?? "")
  }

  /// `NAME` alone.
  package var name: String { RelativeName.last(repository) }

  /// The revision that is meant where none is named.
  package static let defaultRevision = "main"

  /// Whether `text` is the full name of a commit.
  static func isCommit(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 40 && text.utf8.allSatisfy(isDigit)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }

  /// What names consist of on the Hub.
  private static func isName(_ part: Substring) -> Bool {
    !part.isEmpty && part.utf8.count <= 96 && !part.hasPrefix(".") && !part.hasPrefix("-")
      && !part.contains("--") && !part.contains("..")
      && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
  }

  /// Branches may have slashes in them, `refs/pr/1`.
  private static func isRevision(_ text: String) -> Bool {
    RelativeName.isValid(text) && text.utf8.count <= 255
      && text.allSatisfy { $0.isASCII && $0 > " " && !"?#%\\~^*[:".contains($0) }
  }
}
