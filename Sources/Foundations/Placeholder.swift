/// What lies in the place of a file that was not downloaded, recognised by its first bytes.
public enum Placeholder: Sendable, Equatable {
  /// A pointer of Git LFS: a clone without git-lfs, or one that skipped large files.
  case gitLFS
  /// A page or an error of a web server: a download that needed a sign-in, or a wrong address.
  case webPage
  /// A sentence of a server in place of the file, such as "Entry not found".
  case message(String)

  /// Bytes that are looked at.
  private static let seen = 256
  private static let longestMessage = 400
  private static let pointers = [
    "version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/",
  ]
  private static let pages = ["<!doctype html", "<html", "<?xml"]

  /// What `bytes`, a file from its first byte, are; nil when they are none of these.
  public init?(_ bytes: some Sequence<UInt8>) {
    let start = String(decoding: Array(bytes.prefix(Placeholder.seen)), as: UTF8.self)
    let text = start.drop(while: { $0.isWhitespace || $0 == "\u{feff}" }).lowercased()
    if Placeholder.pointers.contains(where: text.hasPrefix) {
      self = .gitLFS
    } else if Placeholder.pages.contains(where: text.hasPrefix) {
      self = .webPage
    } else if let message = Placeholder.message(bytes) {
      self = .message(message)
    } else {
      return nil
    }
  }

  /// A whole file that is a short text in the words of a server that refuses, or the JSON object of an
  /// error.
  private static func message(_ bytes: some Sequence<UInt8>) -> String? {
    let all = Array(bytes.prefix(longestMessage + 1))
    guard all.count <= longestMessage,
      all.allSatisfy({ (0x20..<0x7f).contains($0) || (0x09...0x0d).contains($0) })
    else { return nil }
    let text = String(decoding: all, as: UTF8.self).split(whereSeparator: \.isWhitespace)
      .joined(separator: " ")
    let lower = text.lowercased(), first = text.first
    let refuses =
      first?.isLetter == true || first?.isNumber == true
      ? refusals.contains(where: lower.contains)
      : lower.replacing(" ", with: "").hasPrefix("{\"error\"")
    return refuses ? text : nil
  }

  private static let refusals = [
    "not found", "access to ", "unauthorized", "forbidden", "authenticat", "invalid credentials",
    "invalid username", "too many requests", "rate limit", "bad gateway", "service unavailable",
    "internal server error", "gateway timeout", "accessdenied", "access denied",
  ]

  /// What it is and what helps, to follow the name of the file.
  public var text: String {
    switch self {
    case .gitLFS:
      "is a Git LFS pointer, not the file itself: run `git lfs pull` in its directory, or download "
        + "the file"
    case .webPage:
      "is a web page, not the file itself: download it again, signed in if the site asks for that"
    case .message(let text):
      "is a message of a server, not the file itself (\"\(text)\"): download it again, signed in if "
        + "the site asks for that"
    }
  }
}
