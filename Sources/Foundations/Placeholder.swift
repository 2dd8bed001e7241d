/// What lies in the place of a file that was not downloaded, recognised by its first bytes.
public enum Placeholder: Sendable, Equatable {
  /// A pointer of Git LFS: a clone without git-lfs, or one that skipped large files.
  case gitLFS
  /// A page or an error of a web server: a download that needed a sign-in, or a wrong address.
  case webPage

  /// Bytes that are looked at.
  private static let seen = 256
  private static let pointers = [
    "version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/",
  ]
  private static let pages = ["<!doctype html", "<html", "<?xml"]

  /// What `bytes`, a file from its first byte, are; nil when they are neither.
  public init?(_ bytes: some Sequence<UInt8>) {
    let start = String(decoding: Array(bytes.prefix(Placeholder.seen)), as: UTF8.self)
    let text = start.drop(while: { $0.isWhitespace || $0 == "\u{feff}" }).lowercased()
    if Placeholder.pointers.contains(where: text.hasPrefix) {
      self = .gitLFS
    } else if Placeholder.pages.contains(where: text.hasPrefix) {
      self = .webPage
    } else {
      return nil
    }
  }

  /// What it is and what helps, to follow the name of the file.
  public var text: String {
    switch self {
    case .gitLFS:
      "is a Git LFS pointer, not the file itself: run `git lfs pull` in its directory, or download "
        + "the file"
    case .webPage:
      "is a web page, not the file itself: download it again, signed in if the site asks for that"
    }
  }
}
